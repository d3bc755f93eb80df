//! Which events a tablet's change becomes.

use crdt::collapsed::{CollapsedEntity, CollapsedField};
use crdt::json::value_to_json;
use crdt::{Change, FieldRow, Kind, Value};
use serde_json::{Map, Value as Json, json};

use crate::event::EventDraft;
use crate::maintenance_task::{self, schema as task_schema};
use crate::refusal::Refusal;
use crate::schema::body;
use crate::vehicle::{self, VehicleChanges};
use crate::work_order::{self, schema as order_schema};

/// What a change asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Plan {
    /// These events of the entity's own stream.
    Events(Vec<EventDraft>),
    /// The same, to be told of the state after the change: a set is one value of the row.
    Members(&'static str),
    /// A step or a plan of a work order, or that a task is done, to be decided against what is: fields of its change.
    Request(Map<String, Json>),
    /// Nothing by itself: the fact is not complete yet.
    Noted,
}

/// Fields of a work order that are asked for rather than reported.
const REQUESTS: &[&str] = &[
    "status",
    "scheduled_start",
    "scheduled_end",
    "assigned_track",
    "assigned_team",
    "workshop_id",
];

/// What `change` of the field asks for. It fits the field's row, and its writer may make it.
///
/// # Errors
/// `Invalid` for a value that the aggregate's own tables refuse, `Forbidden` for a change that no event tells.
pub fn plan(
    entity: &CollapsedEntity,
    row: &FieldRow,
    change: &Change,
    by: &str,
    at: &str,
) -> Result<Plan, Refusal> {
    match entity.table().name {
        "Vehicle" => of_vehicle(entity, row, change),
        "WorkOrder" => of_order(row, change, by, at),
        "MaintenanceTask" => of_task(entity, row, change, at),
        "StockMove" => Ok(Plan::Noted),
        _ => Err(untold(row)),
    }
}

fn untold(row: &FieldRow) -> Refusal {
    let message = format!("{} cannot be changed in this way on a tablet", row.name);
    Refusal::forbidden("", "not_editable", message)
}

fn members(name: &str, value: &Value) -> Map<String, Json> {
    let mut map = Map::new();
    map.insert(name.to_owned(), value_to_json(value));
    map
}

fn invalid(faults: Vec<crate::schema::FieldError>) -> Refusal {
    Refusal::out_of_limits(&faults)
}

fn of_vehicle(entity: &CollapsedEntity, row: &FieldRow, change: &Change) -> Result<Plan, Refusal> {
    let text = |name: &str| {
        let number = entity.table().field_named(name)?.number;
        match entity.field(number)? {
            CollapsedField::Register(register) => match &register.winner()?.value {
                Value::Text(text) => Some(text.to_string()),
                _ => None,
            },
            _ => None,
        }
    };
    let held = match entity.field(row.number) {
        Some(CollapsedField::Max(reading, _)) => (reading.epoch(), reading.value()),
        _ => (0, None),
    };
    let draft = match (row.name, change) {
        ("current_mileage_km", Change::Raise { epoch, value }) => {
            if *value < 0 {
                return Err(Refusal::invalid(
                    "current_mileage_km",
                    "greater_than_equal",
                    "A mileage is not below 0",
                ));
            }
            if *epoch > held.0 {
                let reason = "Corrected on a tablet";
                vehicle::event::mileage_corrected(held.1, *value, reason)
            } else {
                vehicle::event::mileage_updated(held.1, *value)
            }
        }
        (name, Change::Set(value)) => {
            let fields = members(name, value);
            VehicleChanges::parse(&fields).map_err(invalid)?;
            match (name, value) {
                ("status", Value::Text(status)) => {
                    vehicle::event::status_changed(text("status").as_deref(), status, None)
                }
                ("current_location", value) => {
                    let to = match value {
                        Value::Text(place) => Some(&**place),
                        _ => None,
                    };
                    vehicle::event::location_changed(text("current_location").as_deref(), to)
                }
                _ => vehicle::event::updated(fields),
            }
        }
        _ => return Err(untold(row)),
    };
    Ok(Plan::Events(vec![draft]))
}

fn of_order(row: &FieldRow, change: &Change, by: &str, at: &str) -> Result<Plan, Refusal> {
    match (row.kind, change) {
        (_, Change::Set(value)) => {
            let fields = members(row.name, value);
            let fields = body::parse(work_order::CHANGE, &fields).map_err(invalid)?;
            if fields.is_empty() {
                return Err(untold(row));
            }
            if REQUESTS.contains(&row.name) {
                return Ok(Plan::Request(fields));
            }
            admitted(order_schema::UPDATED, fields)
        }
        (Kind::Set(_), Change::Insert(_) | Change::Remove(_) | Change::RemoveSeen { .. }) => {
            Ok(Plan::Members(row.name))
        }
        (Kind::Map { items, .. }, Change::Put { key, field, value }) => {
            let item = items.iter().find(|item| item.number == *field);
            let item = item.ok_or_else(|| untold(row))?;
            let mut fields = members(item.name, value);
            let (event_type, key_field) = match (row.name, item.name) {
                (order_schema::CHECKLIST, "done") => {
                    let done = *value == Value::Bool(true);
                    fields.insert("done_at".into(), done.then_some(at).into());
                    fields.insert("done_by".into(), done.then_some(by).into());
                    (order_schema::CHECKLIST_ITEM_SET, "item_id")
                }
                (order_schema::CHECKLIST, _) => (order_schema::CHECKLIST_ITEM_SET, "item_id"),
                (order_schema::FINDING_ITEMS, "resolution") => {
                    fields.insert("resolved_at".into(), at.into());
                    fields.insert("resolved_by".into(), by.into());
                    (order_schema::FINDING_RESOLVED, "finding_id")
                }
                (order_schema::FINDING_ITEMS, "resolved_at" | "resolved_by") => {
                    (order_schema::FINDING_RESOLVED, "finding_id")
                }
                (order_schema::FINDING_ITEMS, _) => (order_schema::FINDING_RECORDED, "finding_id"),
                (order_schema::NOTE_ITEMS, _) => (order_schema::NOTE_ADDED, "note_id"),
                (order_schema::USED_PARTS, _) => (order_schema::PART_USED, "usage_id"),
                _ => return Err(untold(row)),
            };
            let key = match value_to_json(key) {
                Json::String(key) => key,
                other => other.to_string(),
            };
            fields.insert(key_field.to_owned(), key.into());
            admitted(event_type, fields)
        }
        (Kind::Map { .. }, Change::Drop { key }) if row.name == order_schema::CHECKLIST => {
            let fields = match json!({ "item_id": value_to_json(key) }) {
                Json::Object(fields) => fields,
                _ => Map::new(),
            };
            admitted(order_schema::CHECKLIST_ITEM_REMOVED, fields)
        }
        _ => Err(untold(row)),
    }
}

/// A task is done when the tablet says so. One that is done already stays done when it was.
fn of_task(
    entity: &CollapsedEntity,
    row: &FieldRow,
    change: &Change,
    at: &str,
) -> Result<Plan, Refusal> {
    let Change::Set(value) = change else {
        return Err(untold(row));
    };
    let fields = members(row.name, value);
    let mut fields = body::parse(maintenance_task::CHANGE, &fields).map_err(invalid)?;
    match row.name {
        "is_completed" => {
            let is_done = match entity.field(row.number) {
                Some(CollapsedField::Register(register)) => register
                    .winner()
                    .is_some_and(|write| write.value == Value::Bool(true)),
                _ => false,
            };
            if *value == Value::Bool(true) && !is_done {
                fields.insert("completed_at".to_owned(), at.into());
            }
            Ok(Plan::Request(fields))
        }
        "description" => {
            let drafts = vec![task_schema::SCHEMA.draft(task_schema::UPDATED, fields)];
            Ok(Plan::Events(task_schema::SCHEMA.admit(drafts)?))
        }
        _ => Err(untold(row)),
    }
}

fn admitted(event_type: &'static str, fields: Map<String, Json>) -> Result<Plan, Refusal> {
    let drafts = vec![order_schema::SCHEMA.draft(event_type, fields)];
    Ok(Plan::Events(order_schema::SCHEMA.admit(drafts)?))
}
