//! Tables, events and changes agree: what a tablet may change becomes an event that tells the same change again.

use crdt::collapsed::CollapsedEntity;
use crdt::{Change, EntityTable, Kind, Real, Value, ValueType};
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::event::EventView;
use crate::policy::Role;
use crate::testing::object;

fn view<'a>(
    table: &'static EntityTable,
    event_type: &'a str,
    schema: u16,
    data: &'a Map<String, Json>,
) -> EventView<'a> {
    EventView {
        aggregate_type: table.name,
        aggregate_id: "x",
        event_type,
        schema,
        version: 1,
        position: 9,
        occurred_at: 1_700_000_000_000_123,
        recorded_at: 1_700_000_000_000_500,
        order: 9,
        data,
    }
}

/// A value that the field and the aggregate's own tables take.
fn sample(name: &str, of: &ValueType) -> Value {
    let words = [
        ("priority", "high"),
        ("severity", "low"),
        ("maintenance_type", "REPAIR"),
        ("notes", "n"),
    ];
    let word = words.iter().find(|(field, _)| *field == name);
    match of {
        _ if name.ends_with("_start") || name.ends_with("_end") || name.ends_with("_at") => {
            Value::text("2026-01-02T03:04:05.000000Z")
        }
        ValueType::Bool => Value::Bool(true),
        ValueType::Int { .. } => Value::Int(2_000),
        ValueType::Real => Value::Real(Real::new(2.5).unwrap()),
        ValueType::Enum(names) => Value::text(names[1]),
        _ => Value::text(word.map_or("text", |(_, word)| word)),
    }
}

fn changes_of(table: &'static EntityTable) -> Vec<(u16, Change)> {
    let mut changes = Vec::new();
    for row in table.fields {
        match row.kind {
            Kind::Lww(of) | Kind::MultiValue(of) => {
                changes.push((row.number, Change::Set(sample(row.name, &of))));
            }
            Kind::Max => {
                let (epoch, value) = (0, 77);
                changes.push((row.number, Change::Raise { epoch, value }));
            }
            Kind::Map { items, .. } => changes.extend(items.iter().map(|item| {
                let Kind::MultiValue(of) = item.kind else {
                    panic!("an item's fields are registers")
                };
                let change = Change::Put {
                    key: Value::text("k1"),
                    field: item.number,
                    value: sample(item.name, &of),
                };
                (row.number, change)
            })),
            _ => {}
        }
    }
    changes
}

#[test]
fn what_a_tablet_may_change_comes_back_from_its_event() {
    let mut told_count = 0;
    for table in TABLES {
        let entity = CollapsedEntity::new(table);
        for (number, change) in changes_of(table) {
            let row = table.field(number).unwrap();
            let line = line_of(table.name, row.name);
            let planned = plan(&entity, row, &change, "u1", "2026-01-02T03:04:05Z");
            if line.editors.is_empty() {
                continue;
            }
            let Ok(Plan::Events(drafts)) = planned else {
                let is_request = matches!(planned, Ok(Plan::Request(_) | Plan::Noted));
                let read_only = planned.is_err();
                assert!(
                    is_request || read_only,
                    "{}.{}: {planned:?}",
                    table.name,
                    row.name
                );
                continue;
            };
            let Json::Object(data) = &drafts[0].data else {
                panic!("an event has an object")
            };
            let told = told(
                table,
                &entity,
                &view(table, drafts[0].event_type, drafts[0].schema, data),
            );
            assert!(
                told.contains(&(number, change.clone())),
                "{}.{}: {change:?} became {told:?}",
                table.name,
                row.name
            );
            told_count += 1;
        }
    }
    assert!(told_count > 25, "{told_count}");
}

#[test]
fn whole_lists_are_told_as_differences_and_late_events_tell_nothing() {
    let table = table_of("work_order").unwrap();
    let mut entity = CollapsedEntity::new(table);
    let data = object(json!({"tasks": ["oil", "belt"], "priority": "high", "status": "draft"}));
    let created = view(table, "WorkOrderCreated", 1, &data);
    let origin = |position| crdt::collapsed::Origin {
        device: crdt::collapsed::SERVER,
        base: crdt::LogPosition::new(position - 1),
        position: crdt::LogPosition::new(position),
    };
    for (number, change) in told(table, &entity, &created) {
        entity.apply(
            &origin(1),
            stamp_of(created.occurred_at),
            0,
            number,
            &change,
        );
    }
    let data = object(json!({"tasks": ["belt", "wheel"], "priority": "low"}));
    let mut updated = view(table, "WorkOrderUpdated", 1, &data);
    updated.occurred_at += 5;
    let tasks = table.field_named("tasks").unwrap().number;
    let told_now = told(table, &entity, &updated);
    assert!(
        told_now.contains(&(tasks, Change::Remove(Value::text("oil")))),
        "{told_now:?}"
    );
    assert!(told_now.contains(&(tasks, Change::Insert(Value::text("wheel")))));
    assert!(
        !told_now
            .iter()
            .any(|(_, change)| *change == Change::Insert(Value::text("belt")))
    );
    updated.occurred_at -= 50;
    let priority = table.field_named("priority").unwrap().number;
    let late = told(table, &entity, &updated);
    assert!(
        late.iter().all(|(number, _)| *number != priority),
        "{late:?}"
    );
}

#[test]
fn a_deletion_is_a_field_and_a_new_life_takes_it_back() {
    let table = table_of("Vehicle").unwrap();
    let row = table.field_named(IS_DELETED).unwrap().number;
    let entity = CollapsedEntity::new(table);
    let data = Map::new();
    let gone = told(table, &entity, &view(table, "VehicleDeleted", 1, &data));
    assert_eq!(gone, [(row, Change::Set(Value::Bool(true)))]);
    assert_eq!(
        told(table, &entity, &view(table, "VehicleUnheardOf", 1, &data)),
        []
    );
}

#[test]
fn parts_that_a_role_plays_decide_what_it_may() {
    let rank = |entity: &str, field: &str, role| rank_of(&line_of(entity, field), role);
    assert_eq!(rank("WorkOrder", "findings", Role::Technician), Some(2));
    assert_eq!(rank("WorkOrder", "priority", Role::Technician), None);
    assert_eq!(rank("WorkOrder", "priority", Role::Dispatcher), Some(2));
    assert_eq!(rank("WorkOrder", "priority", Role::FleetManager), Some(2));
    assert_eq!(rank("Vehicle", "notes", Role::Technician), Some(1));
    assert_eq!(rank("Vehicle", "notes", Role::Viewer), None);
    let task = |field, role| rank("MaintenanceTask", field, role);
    assert_eq!(task("is_completed", Role::Technician), Some(2));
    assert_eq!(task("is_completed", Role::Dispatcher), None);
    assert_eq!(task("description", Role::Dispatcher), Some(1));
    assert_eq!(task("due_date", Role::SuperAdmin), None);
    assert_eq!(rank("Part", "current_stock", Role::SuperAdmin), None);
    assert_eq!(rank("Vehicle", "unheard_of", Role::SuperAdmin), None);
}
