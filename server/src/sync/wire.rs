//! JSON of the protocol: changes, and what a field shows.

use crdt::collapsed::{CollapsedEntity, CollapsedField, CollapsedRegister, Write};
use crdt::json::{stamp_to_text, value_to_json};
use crdt::{Change, FieldRow, Kind};
use serde_json::{Map, Value as Json, json};

use super::devices::Devices;

/// A change as clients write it.
pub(super) fn change_to_json(row: &FieldRow, change: &Change) -> Json {
    match change {
        Change::Set(value) => json!({ "op": "set", "value": value_to_json(value) }),
        Change::Add(amount) => json!({ "op": "add", "value": amount }),
        Change::Raise { epoch, value } => json!({ "op": "raise", "value": value, "epoch": epoch }),
        Change::Insert(member) => json!({ "op": "insert", "value": value_to_json(member) }),
        Change::Remove(member) => json!({ "op": "remove", "value": value_to_json(member) }),
        Change::RemoveSeen { member, upto, at } => json!({
            "op": "remove",
            "value": value_to_json(member),
            "seen_position": upto.get(),
            "addition_position": at.get(),
        }),
        Change::Enable => json!({ "op": "set", "value": true }),
        Change::Disable => json!({ "op": "set", "value": false }),
        Change::Put { key, field, value } => json!({
            "op": "put",
            "key": value_to_json(key),
            "item_field": item_name(row, *field),
            "value": value_to_json(value),
        }),
        Change::Drop { key } => json!({ "op": "drop", "key": value_to_json(key) }),
    }
}

fn item_name(row: &FieldRow, number: u16) -> &'static str {
    match row.kind {
        Kind::Map { items, .. } => items
            .iter()
            .find(|item| item.number == number)
            .map_or("", |item| item.name),
        _ => "",
    }
}

/// What a field shows: its value, who wrote it and when, and what else was written at the same time.
pub(super) fn field_to_json(row: &FieldRow, field: &CollapsedField, devices: &Devices) -> Json {
    match field {
        CollapsedField::Register(register) => register_to_json(register, devices),
        CollapsedField::Max(reading, _) => {
            json!({ "value": reading.value(), "epoch": reading.epoch() })
        }
        CollapsedField::Counter(sum, _) => json!({ "value": sum }),
        CollapsedField::Flag(set) => json!({ "value": !set.is_empty() }),
        CollapsedField::Set(set) => {
            let members: Vec<Json> = set.members().map(value_to_json).collect();
            json!({ "value": members })
        }
        CollapsedField::Map(map) => {
            let items: Vec<Json> = map
                .items()
                .map(|(key, item)| {
                    let mut fields = Map::new();
                    for (number, register) in item.fields() {
                        let name = item_name(row, *number).to_owned();
                        fields.insert(name, register_to_json(register, devices));
                    }
                    json!({ "key": value_to_json(key), "fields": fields })
                })
                .collect();
            json!({ "items": items })
        }
    }
}

fn register_to_json(register: &CollapsedRegister, devices: &Devices) -> Json {
    let Some(winner) = register.winner() else {
        return json!({ "value": null });
    };
    let mut shown = write_to_json(winner, devices);
    let siblings = register.siblings();
    if let Some(shown) = shown.as_object_mut().filter(|_| !siblings.is_empty()) {
        let siblings = siblings.iter().map(|write| write_to_json(write, devices));
        shown.insert("siblings".to_owned(), siblings.collect());
    }
    shown
}

fn write_to_json(write: &Write, devices: &Devices) -> Json {
    let device = match write.device.get() {
        0 => "server".into(),
        number => devices.named(number).unwrap_or_default(),
    };
    json!({
        "value": value_to_json(&write.value),
        "timestamp": stamp_to_text(write.stamp),
        "device_id": device,
        "position": write.position.get(),
    })
}

/// A whole entity: every field that was ever written.
pub(super) fn entity_to_json(entity: &CollapsedEntity, devices: &Devices) -> Map<String, Json> {
    let fields = entity.fields().filter_map(|(number, field)| {
        let row = entity.table().field(number)?;
        Some((row.name.to_owned(), field_to_json(row, field, devices)))
    });
    fields.collect()
}
