//! Entities at rest: canonical bytes, about half of which are the values themselves.
//!
//! Every field is one flag byte, what the flags announce, and its content. Stamps, devices, ranks and positions are written
//! against those of the write before. Fields that differ from the one before in nothing but their values, as those of one
//! edit do, make a *run*: they are values alone. `docs/CRDT_SYNC.md` draws the layout.

mod keyed;
mod run;
mod text;

use self::keyed::{decode_map, decode_set, encode_map, encode_set};
use self::run::{Last, Run};
use super::entity::{CollapsedEntity, CollapsedField};
use super::register::{CollapsedRegister, Open, SIBLINGS_MAX, Write};
use crate::clock::{LogPosition, Stamp};
use crate::entity::{EntityTable, Kind, ValueType};
use crate::register::MaxRegister;
use crate::replica::DeviceId;
use crate::value::Value;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, Reader, TEXT_BYTES_MAX, Wire, Writer};

const NUMBER_GAP: u8 = 1 << 0;
const NULL: u8 = 1 << 1;
const TIME: u8 = 1 << 2;
const COUNTER: u8 = 1 << 3;
const DEVICE: u8 = 1 << 4;
const RANK: u8 = 1 << 5;
const OPEN: u8 = 1 << 6;
/// Fields follow whose writes differ in nothing but their values.
const RUN: u8 = 1 << 7;

/// The write before, which the next one is told against.
#[derive(Clone, Copy)]
struct Before {
    millis: u64,
    counter: u16,
    position: u64,
    device: u32,
    rank: u8,
}

impl Before {
    /// Before the first write.
    fn from(position: LogPosition) -> Self {
        Self {
            millis: Stamp::EPOCH_MILLIS,
            counter: 0,
            position: position.get(),
            device: 0,
            rank: 0,
        }
    }

    /// The counter of a stamp of which nothing else is told: that of the write before, within its millisecond.
    fn expected_counter(&self, millis: u64) -> u16 {
        if millis == self.millis {
            self.counter
        } else {
            0
        }
    }
}

/// Appends the entity's fields (the table is known to whoever holds the bytes), the first position told against `from`. A
/// register that nobody wrote is left out.
pub(super) fn encode(entity: &CollapsedEntity, from: LogPosition, writer: &mut Writer) {
    let mut before = Before::from(from);
    let mut last_number = 0;
    let mut later = entity.fields.as_slice();
    while let [(number, field), rest @ ..] = later {
        later = rest;
        let Some(row) = entity.table.field(*number) else {
            continue;
        };
        let gap = *number - last_number - 1;
        match (field, &row.kind) {
            (CollapsedField::Register(register), Kind::Lww(of) | Kind::MultiValue(of)) => {
                let Some(winner) = &register.winner else {
                    continue;
                };
                let run = if register.open.is_none() {
                    Run::behind(winner, *number, entity.table, rest)
                } else {
                    None
                };
                last_number = *number;
                let flags = if run.is_some() { RUN } else { 0 };
                encode_register(register, of, (gap, flags), &mut before, writer);
                if let Some(run) = run {
                    let (of_run, behind) = rest.split_at(run.fields);
                    run.encode(of_run, entity.table, &mut before, writer);
                    last_number = of_run.last().map_or(last_number, |(number, _)| *number);
                    later = behind;
                }
            }
            (field, kind) => {
                last_number = *number;
                encode_field(field, kind, gap, &mut before, writer);
            }
        }
    }
}

fn encode_field(
    field: &CollapsedField,
    kind: &Kind,
    gap: u16,
    before: &mut Before,
    writer: &mut Writer,
) {
    encode_head(gap, 0, writer);
    match (field, kind) {
        (CollapsedField::Max(reading, changed), _) => {
            encode_position(*changed, before, writer);
            reading.encode(writer);
        }
        (CollapsedField::Counter(sum, changed), _) => {
            encode_position(*changed, before, writer);
            writer.signed(*sum);
        }
        (CollapsedField::Flag(set) | CollapsedField::Set(set), _) => {
            encode_set(set, before, writer);
        }
        (CollapsedField::Map(map), Kind::Map { items, .. }) => {
            encode_map(map, items, before, writer);
        }
        _ => {}
    }
}

fn encode_head(gap: u16, flags: u8, writer: &mut Writer) {
    writer.byte(flags | if gap > 0 { NUMBER_GAP } else { 0 });
    if gap > 0 {
        writer.varint(gap.into());
    }
}

/// Of one that was written; `flags` are those that its surroundings add.
fn encode_register(
    register: &CollapsedRegister,
    of: &ValueType,
    (gap, flags): (u16, u8),
    before: &mut Before,
    writer: &mut Writer,
) {
    let Some(winner) = &register.winner else {
        return;
    };
    let open = if register.open.is_some() { OPEN } else { 0 };
    encode_head(gap, flags | flags_of(winner, before) | open, writer);
    encode_write(winner, of, before, writer);
    if let Some(open) = &register.open {
        writer.varint(open.lost_upto.get());
        writer.count(open.siblings.len());
        for sibling in &open.siblings {
            writer.byte(flags_of(sibling, before));
            encode_write(sibling, of, before, writer);
        }
    }
}

fn flags_of(write: &Write, before: &Before) -> u8 {
    let mut flags = 0;
    let expected = before.expected_counter(write.stamp.millis());
    for (flag, set) in [
        (NULL, write.value.is_null()),
        (TIME, write.stamp.millis() != before.millis),
        (COUNTER, write.stamp.counter() != expected),
        (DEVICE, write.device.get() != before.device),
        (RANK, write.rank != before.rank),
    ] {
        if set {
            flags |= flag;
        }
    }
    flags
}

fn encode_write(write: &Write, of: &ValueType, before: &mut Before, writer: &mut Writer) {
    let (millis, counter) = (write.stamp.millis(), write.stamp.counter());
    let expected = before.expected_counter(millis);
    if millis != before.millis {
        writer.signed(difference(before.millis, millis));
        before.millis = millis;
    }
    if counter != expected {
        writer.varint(counter.into());
    }
    before.counter = counter;
    if write.device.get() != before.device {
        before.device = write.device.get();
        writer.varint(before.device.into());
    }
    if write.rank != before.rank {
        before.rank = write.rank;
        writer.byte(write.rank);
    }
    encode_position(write.position, before, writer);
    if !write.value.is_null() {
        encode_value(&write.value, of, writer);
    }
}

fn encode_value(value: &Value, of: &ValueType, writer: &mut Writer) {
    match (of, value) {
        (ValueType::Text { .. }, Value::Text(text)) => text::encode(text, writer),
        _ => of.encode(value, writer),
    }
}

/// Reads what [`encode_value`] wrote: never null.
fn decode_value(
    number: u16,
    of: &ValueType,
    reader: &mut Reader<'_>,
) -> Result<Value, DecodeError> {
    let value = match of {
        ValueType::Text { bytes_max } => {
            Value::Text(text::decode(reader, (*bytes_max).min(TEXT_BYTES_MAX))?)
        }
        _ => of.decode(number, reader)?,
    };
    if value.is_null() {
        return Err(DecodeError::NotCanonical { what: "null" });
    }
    Ok(value)
}

fn encode_position(position: LogPosition, before: &mut Before, writer: &mut Writer) {
    writer.signed(difference(before.position, position.get()));
    before.position = position.get();
}

/// How far `to` is from `from`; both are below 2^53, so the distance fits.
fn difference(from: u64, to: u64) -> i64 {
    to.cast_signed().wrapping_sub(from.cast_signed())
}

/// Reads what [`encode`] wrote, up to the end of the reader.
pub(super) fn decode(
    table: &'static EntityTable,
    from: LogPosition,
    reader: &mut Reader<'_>,
) -> Result<CollapsedEntity, DecodeError> {
    let mut entity = CollapsedEntity::new(table);
    let mut before = Before::from(from);
    let mut last_number = 0;
    let mut last = Last::Other;
    while !reader.is_at_end() {
        let flags = reader.byte()?;
        let number = decode_number(flags, last_number, reader)?;
        last_number = number;
        let row = table.field(number).ok_or(DecodeError::Field {
            number,
            reason: "no such field",
        })?;
        let (Kind::Lww(of) | Kind::MultiValue(of)) = &row.kind else {
            let field = decode_field(number, &row.kind, flags & !NUMBER_GAP, &mut before, reader)?;
            entity.fields.push((number, field));
            last = Last::Other;
            continue;
        };
        let at = before.position;
        let register =
            decode_register(number, flags & !(NUMBER_GAP | RUN), of, &mut before, reader)?;
        let position = register
            .winner
            .as_ref()
            .map_or(at, |write| write.position.get());
        last = last.then(flags & !RUN, difference(at, position))?;
        entity
            .fields
            .push((number, CollapsedField::Register(register)));
        if flags & RUN != 0 {
            let run = Run::decode(reader)?;
            last = last.then_run(&run)?;
            run.decode_fields(&mut entity, &mut before, reader)?;
            last_number = entity.fields.last().map_or(number, |(number, _)| *number);
        }
    }
    Ok(entity)
}

fn decode_number(flags: u8, last_number: u16, reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    let gap = if flags & NUMBER_GAP == 0 {
        0
    } else {
        match reader.varint_u16("field number")? {
            0 => {
                return Err(DecodeError::NotCanonical {
                    what: "field number",
                });
            }
            gap => gap,
        }
    };
    let number = last_number
        .checked_add(1)
        .and_then(|next| next.checked_add(gap));
    number.ok_or(DecodeError::OutOfRange {
        what: "field number",
    })
}

fn decode_field(
    number: u16,
    kind: &Kind,
    flags: u8,
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<CollapsedField, DecodeError> {
    if flags != 0 {
        return Err(DecodeError::UnknownTag {
            what: "flags",
            found: flags.into(),
        });
    }
    Ok(match kind {
        Kind::Max => {
            let changed = decode_position(before, reader)?;
            CollapsedField::Max(MaxRegister::decode(reader)?, changed)
        }
        Kind::GrowCounter | Kind::Counter => {
            let changed = decode_position(before, reader)?;
            CollapsedField::Counter(reader.signed()?, changed)
        }
        Kind::Flag => CollapsedField::Flag(Box::new(decode_set(number, None, before, reader)?)),
        Kind::Set(of) => {
            CollapsedField::Set(Box::new(decode_set(number, Some(of), before, reader)?))
        }
        Kind::Map { key, items } => {
            CollapsedField::Map(Box::new(decode_map(number, key, items, before, reader)?))
        }
        Kind::Lww(_) | Kind::MultiValue(_) => CollapsedField::empty(kind),
    })
}

fn decode_register(
    number: u16,
    flags: u8,
    of: &ValueType,
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<CollapsedRegister, DecodeError> {
    if flags & (RUN | NUMBER_GAP) != 0 {
        return Err(DecodeError::UnknownTag {
            what: "flags",
            found: flags.into(),
        });
    }
    let winner = decode_write(number, flags & !OPEN, of, before, reader)?;
    let mut register = CollapsedRegister {
        winner: Some(winner),
        open: None,
    };
    if flags & OPEN != 0 {
        let lost_upto = LogPosition::decode(reader)?;
        let count = reader.count(3)?;
        if count > SIBLINGS_MAX || (count == 0 && lost_upto == LogPosition::START) {
            return Err(DecodeError::NotCanonical { what: "siblings" });
        }
        let mut siblings = Vec::with_capacity(count);
        for _ in 0..count {
            let flags = reader.byte()?;
            if flags & (OPEN | RUN | NUMBER_GAP) != 0 {
                return Err(DecodeError::UnknownTag {
                    what: "flags",
                    found: flags.into(),
                });
            }
            siblings.push(decode_write(number, flags, of, before, reader)?);
        }
        register.open = Some(Box::new(Open {
            siblings,
            lost_upto,
        }));
    }
    Ok(register)
}

fn decode_write(
    number: u16,
    flags: u8,
    of: &ValueType,
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<Write, DecodeError> {
    if flags & TIME != 0 {
        let millis = moved(before.millis, reader.signed()?, Stamp::MILLIS_MAX, "time")?;
        before.millis = nonzero_change(before.millis, millis, "time")?;
    }
    let expected = if flags & TIME == 0 { before.counter } else { 0 };
    before.counter = if flags & COUNTER == 0 {
        expected
    } else {
        nonzero_change(
            expected,
            reader.varint_u16("stamp counter")?,
            "stamp counter",
        )?
    };
    if flags & DEVICE != 0 {
        before.device = nonzero_change(before.device, reader.varint_u32("device")?, "device")?;
    }
    if flags & RANK != 0 {
        before.rank = nonzero_change(before.rank, reader.byte()?, "rank")?;
    }
    let position = decode_position(before, reader)?;
    let value = if flags & NULL != 0 {
        Value::Null
    } else {
        decode_value(number, of, reader)?
    };
    Ok(Write {
        value,
        stamp: Stamp::new(before.millis, before.counter),
        position,
        device: DeviceId::new(before.device),
        rank: before.rank,
    })
}

/// A flag announces a change, so a field that did not change is a second spelling.
fn nonzero_change<T: PartialEq>(before: T, now: T, what: &'static str) -> Result<T, DecodeError> {
    if before == now {
        Err(DecodeError::NotCanonical { what })
    } else {
        Ok(now)
    }
}

fn moved(from: u64, by: i64, limit: u64, what: &'static str) -> Result<u64, DecodeError> {
    match from.checked_add_signed(by) {
        Some(to) if to <= limit => Ok(to),
        _ => Err(DecodeError::OutOfRange { what }),
    }
}

fn decode_position(
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<LogPosition, DecodeError> {
    before.position = moved(
        before.position,
        reader.signed()?,
        EXACT_INTEGER_MAX,
        "log position",
    )?;
    Ok(LogPosition::new(before.position))
}
