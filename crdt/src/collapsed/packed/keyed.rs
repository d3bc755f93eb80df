//! Sets and maps at rest: members and items in the order of their keys, then the markers of what was removed.

use super::{
    Before, NUMBER_GAP, decode_number, decode_position, decode_register, encode_position,
    encode_register,
};
use crate::clock::LogPosition;
use crate::collapsed::items::{CollapsedItem, CollapsedMap};
use crate::collapsed::members::{Addition, CollapsedSet, Held};
use crate::entity::{Kind, ValueType};
use crate::replica::DeviceId;
use crate::value::Value;
use crate::wire::{DecodeError, Reader, Wire as _, Writer};
use std::collections::BTreeMap;

pub(super) fn encode_set(set: &CollapsedSet, before: &mut Before, writer: &mut Writer) {
    writer.varint(set.purged.get());
    writer.count(set.len());
    for (member, additions) in set.live() {
        member.encode(writer);
        writer.count(additions.len());
        for addition in additions {
            writer.varint(addition.device.get().into());
            encode_position(addition.position, before, writer);
        }
    }
    encode_markers(set.gone_len(), set.gone(), before, writer);
}

pub(super) fn encode_map(
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
            let gap = *number - last_number - 1;
            encode_register(register, &of, (gap, 0), before, writer);
            last_number = *number;
        }
    }
    let markers = map.markers.iter().map(|(key, position)| (key, *position));
    encode_markers(map.markers.len(), markers, before, writer);
}

fn encode_markers<'a>(
    count: usize,
    markers: impl Iterator<Item = (&'a Value, LogPosition)>,
    before: &mut Before,
    writer: &mut Writer,
) {
    writer.count(count);
    for (key, position) in markers {
        key.encode(writer);
        encode_position(position, before, writer);
    }
}

pub(super) fn decode_set(
    number: u16,
    of: Option<&ValueType>,
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<CollapsedSet, DecodeError> {
    let mut set = CollapsedSet::default();
    set.purged = LogPosition::decode(reader)?;
    let mut last = None;
    for _ in 0..reader.count(4)? {
        let member = decode_key(number, of, last.as_ref(), reader)?;
        let count = reader.count(2)?;
        let mut additions = Vec::with_capacity(count);
        for _ in 0..count {
            let device = DeviceId::decode(reader)?;
            additions.push(Addition {
                device,
                position: decode_position(before, reader)?,
            });
        }
        let held = Held::by(additions).ok_or(DecodeError::NotCanonical { what: "member" })?;
        last = Some(member.clone());
        set.restore(member, held);
    }
    for (member, position) in decode_markers(number, of, before, reader)? {
        if !set.restore(member, Held::Gone(position)) {
            return Err(DecodeError::NotCanonical { what: "marker" });
        }
    }
    Ok(set)
}

pub(super) fn decode_map(
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
