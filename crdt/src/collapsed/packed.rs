//! Entities at rest: canonical bytes, about half of which are the values themselves.
//!
//! Every field is one flag byte, what the flags announce, and its content. Stamps, devices and positions are written
//! against those of the write before, so the fields of one edit cost two bytes each beside their values.
//! `docs/CRDT_SYNC.md` draws the layout.

use super::entity::{CollapsedEntity, CollapsedField};
use super::items::{CollapsedItem, CollapsedMap};
use super::members::{Addition, CollapsedSet};
use super::register::{CollapsedRegister, Open, SIBLINGS_MAX, Write};
use crate::clock::{LogPosition, Stamp};
use crate::entity::{EntityTable, Kind, ValueType};
use crate::register::MaxRegister;
use crate::replica::DeviceId;
use crate::value::Value;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, Reader, Wire, Writer};
use std::collections::BTreeMap;

const NUMBER_GAP: u8 = 1 << 0;
const NULL: u8 = 1 << 1;
const TIME: u8 = 1 << 2;
const COUNTER: u8 = 1 << 3;
const DEVICE: u8 = 1 << 4;
const RANK: u8 = 1 << 5;
const OPEN: u8 = 1 << 6;
const EMPTY: u8 = 1 << 7;

/// The write before, which the next one is told against.
#[derive(Clone, Copy)]
struct Before {
    millis: u64,
    position: u64,
    device: u32,
}

impl Default for Before {
    fn default() -> Self {
        Self {
            millis: Stamp::EPOCH_MILLIS,
            position: 0,
            device: 0,
        }
    }
}

/// Appends the entity's fields (the table is known to whoever holds the bytes).
pub(super) fn encode(entity: &CollapsedEntity, writer: &mut Writer) {
    let mut before = Before::default();
    let mut last_number = 0;
    for (number, field) in &entity.fields {
        let gap = *number - last_number - 1;
        last_number = *number;
        let Some(row) = entity.table.field(*number) else {
            continue;
        };
        encode_field(field, &row.kind, gap, &mut before, writer);
    }
}

fn encode_field(
    field: &CollapsedField,
    kind: &Kind,
    gap: u16,
    before: &mut Before,
    writer: &mut Writer,
) {
    match (field, kind) {
        (CollapsedField::Register(register), Kind::Lww(of) | Kind::MultiValue(of)) => {
            encode_register(register, of, gap, before, writer);
        }
        (CollapsedField::Max(reading, changed), _) => {
            encode_head(gap, 0, writer);
            encode_position(*changed, before, writer);
            reading.encode(writer);
        }
        (CollapsedField::Counter(sum, changed), _) => {
            encode_head(gap, 0, writer);
            encode_position(*changed, before, writer);
            writer.signed(*sum);
        }
        (CollapsedField::Flag(set) | CollapsedField::Set(set), _) => {
            encode_head(gap, 0, writer);
            encode_set(set, before, writer);
        }
        (CollapsedField::Map(map), Kind::Map { items, .. }) => {
            encode_head(gap, 0, writer);
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

fn encode_register(
    register: &CollapsedRegister,
    of: &ValueType,
    gap: u16,
    before: &mut Before,
    writer: &mut Writer,
) {
    let Some(winner) = &register.winner else {
        return encode_head(gap, EMPTY, writer);
    };
    let open = if register.open.is_some() { OPEN } else { 0 };
    encode_head(gap, flags_of(winner, before) | open, writer);
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
    for (flag, set) in [
        (NULL, write.value.is_null()),
        (TIME, write.stamp.millis() != before.millis),
        (COUNTER, write.stamp.counter() != 0),
        (DEVICE, write.device.get() != before.device),
        (RANK, write.rank != 0),
    ] {
        if set {
            flags |= flag;
        }
    }
    flags
}

fn encode_write(write: &Write, of: &ValueType, before: &mut Before, writer: &mut Writer) {
    if write.stamp.millis() != before.millis {
        writer.signed(difference(before.millis, write.stamp.millis()));
        before.millis = write.stamp.millis();
    }
    if write.stamp.counter() != 0 {
        writer.varint(write.stamp.counter().into());
    }
    if write.device.get() != before.device {
        before.device = write.device.get();
        writer.varint(before.device.into());
    }
    if write.rank != 0 {
        writer.byte(write.rank);
    }
    encode_position(write.position, before, writer);
    if !write.value.is_null() {
        of.encode(&write.value, writer);
    }
}

fn encode_position(position: LogPosition, before: &mut Before, writer: &mut Writer) {
    writer.signed(difference(before.position, position.get()));
    before.position = position.get();
}

/// How far `to` is from `from`; both are below 2^53, so the distance fits.
fn difference(from: u64, to: u64) -> i64 {
    to.cast_signed().wrapping_sub(from.cast_signed())
}

fn encode_set(set: &CollapsedSet, before: &mut Before, writer: &mut Writer) {
    writer.varint(set.purged.get());
    writer.count(set.members.len());
    for (member, additions) in &set.members {
        member.encode(writer);
        writer.count(additions.len());
        for addition in additions {
            writer.varint(addition.device.get().into());
            encode_position(addition.position, before, writer);
        }
    }
    encode_markers(&set.markers, before, writer);
}

fn encode_map(
    map: &CollapsedMap,
    rows: &'static [crate::entity::FieldRow],
    before: &mut Before,
    writer: &mut Writer,
) {
    writer.varint(map.purged.get());
    writer.count(map.items.len());
    for (key, item) in &map.items {
        key.encode(writer);
        encode_position(item.changed, before, writer);
        writer.count(item.fields.len());
        let mut last_number = 0;
        for (number, register) in &item.fields {
            let Some(Kind::MultiValue(of)) =
                crate::entity::find_row(rows, *number).map(|row| row.kind)
            else {
                continue;
            };
            encode_register(register, &of, *number - last_number - 1, before, writer);
            last_number = *number;
        }
    }
    encode_markers(&map.markers, before, writer);
}

fn encode_markers(
    markers: &BTreeMap<Value, LogPosition>,
    before: &mut Before,
    writer: &mut Writer,
) {
    writer.count(markers.len());
    for (key, position) in markers {
        key.encode(writer);
        encode_position(*position, before, writer);
    }
}

/// Reads what [`encode`] wrote, up to the end of the reader.
pub(super) fn decode(
    table: &'static EntityTable,
    reader: &mut Reader<'_>,
) -> Result<CollapsedEntity, DecodeError> {
    let mut entity = CollapsedEntity::new(table);
    let mut before = Before::default();
    let mut last_number = 0;
    while !reader.is_at_end() {
        let flags = reader.byte()?;
        let number = decode_number(flags, last_number, reader)?;
        last_number = number;
        let row = table.field(number).ok_or(DecodeError::Field {
            number,
            reason: "no such field",
        })?;
        let field = decode_field(number, &row.kind, flags & !NUMBER_GAP, &mut before, reader)?;
        entity.fields.push((number, field));
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
    if let Kind::Lww(of) | Kind::MultiValue(of) = kind {
        return Ok(CollapsedField::Register(decode_register(
            number, flags, of, before, reader,
        )?));
    }
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
    if flags & EMPTY != 0 {
        if flags != EMPTY {
            return Err(DecodeError::UnknownTag {
                what: "flags",
                found: flags.into(),
            });
        }
        return Ok(CollapsedRegister::default());
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
            if flags & (OPEN | EMPTY | NUMBER_GAP) != 0 {
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
    let counter = if flags & COUNTER == 0 {
        0
    } else {
        nonzero_change(0, reader.varint_u16("stamp counter")?, "stamp counter")?
    };
    if flags & DEVICE != 0 {
        before.device = nonzero_change(before.device, reader.varint_u32("device")?, "device")?;
    }
    let rank = if flags & RANK == 0 {
        0
    } else {
        nonzero_change(0, reader.byte()?, "rank")?
    };
    let position = decode_position(before, reader)?;
    let value = if flags & NULL != 0 {
        Value::Null
    } else {
        of.decode(number, reader)?
    };
    if flags & NULL == 0 && value.is_null() {
        return Err(DecodeError::NotCanonical { what: "null" });
    }
    let stamp = Stamp::new(before.millis, counter);
    Ok(Write {
        value,
        stamp,
        position,
        device: DeviceId::new(before.device),
        rank,
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

fn decode_set(
    number: u16,
    of: Option<&ValueType>,
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<CollapsedSet, DecodeError> {
    let mut set = CollapsedSet {
        purged: LogPosition::decode(reader)?,
        ..CollapsedSet::default()
    };
    for _ in 0..reader.count(4)? {
        let member = decode_key(
            number,
            of,
            set.members.last_key_value().map(|(last, _)| last),
            reader,
        )?;
        let count = reader.count(2)?;
        if count == 0 {
            return Err(DecodeError::NotCanonical { what: "member" });
        }
        let mut additions = Vec::with_capacity(count);
        for _ in 0..count {
            let device = DeviceId::decode(reader)?;
            additions.push(Addition {
                device,
                position: decode_position(before, reader)?,
            });
        }
        set.members.insert(member, additions);
    }
    set.markers = decode_markers(number, of, before, reader)?;
    Ok(set)
}

fn decode_map(
    number: u16,
    of: &ValueType,
    rows: &'static [crate::entity::FieldRow],
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<CollapsedMap, DecodeError> {
    let mut map = CollapsedMap {
        purged: LogPosition::decode(reader)?,
        ..CollapsedMap::default()
    };
    for _ in 0..reader.count(4)? {
        let key = decode_key(
            number,
            Some(of),
            map.items.last_key_value().map(|(last, _)| last),
            reader,
        )?;
        let mut item = CollapsedItem {
            fields: Vec::new(),
            changed: decode_position(before, reader)?,
        };
        let mut last_number = 0;
        for _ in 0..reader.count(2)? {
            let flags = reader.byte()?;
            last_number = decode_number(flags, last_number, reader)?;
            let row = crate::entity::find_row(rows, last_number).map(|row| row.kind);
            let Some(Kind::MultiValue(held)) = row else {
                return Err(DecodeError::Field {
                    number: last_number,
                    reason: "no such item field",
                });
            };
            let register =
                decode_register(last_number, flags & !NUMBER_GAP, &held, before, reader)?;
            if register.is_empty() {
                return Err(DecodeError::NotCanonical { what: "item" });
            }
            item.fields.push((last_number, register));
        }
        if item.fields.is_empty() {
            return Err(DecodeError::NotCanonical { what: "item" });
        }
        map.items.insert(key, item);
    }
    map.markers = decode_markers(number, Some(of), before, reader)?;
    Ok(map)
}

fn decode_markers(
    number: u16,
    of: Option<&ValueType>,
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<BTreeMap<Value, LogPosition>, DecodeError> {
    let mut markers: BTreeMap<Value, LogPosition> = BTreeMap::new();
    for _ in 0..reader.count(2)? {
        let key = decode_key(
            number,
            of,
            markers.last_key_value().map(|(last, _)| last),
            reader,
        )?;
        markers.insert(key, decode_position(before, reader)?);
    }
    Ok(markers)
}

/// A member or key: of the right type, greater than the one before; null only in flags (`of` is `None`).
fn decode_key(
    number: u16,
    of: Option<&ValueType>,
    last: Option<&Value>,
    reader: &mut Reader<'_>,
) -> Result<Value, DecodeError> {
    let key = Value::decode(reader)?;
    if key.is_null() != of.is_none() || last.is_some_and(|last| *last >= key) {
        return Err(DecodeError::NotCanonical { what: "key" });
    }
    match of.and_then(|of| of.refusal(&key)) {
        None => Ok(key),
        Some(reason) => Err(DecodeError::Field { number, reason }),
    }
}
