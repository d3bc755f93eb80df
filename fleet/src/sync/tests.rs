//! Tables, events and changes agree: what a tablet may change becomes an event that tells the same change again.

use crdt::collapsed::{CollapsedEntity, CollapsedField, Origin, SERVER};
use crdt::{Change, EntityTable, Kind, LogPosition, Real, Value, ValueType};
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::event::EventView;
use crate::fold::{State, fold};
use crate::policy::Role;
use crate::testing::{TestEvent, object};
use crate::vehicle::schema::MILEAGE_KEY;

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

/// What the event tells where nothing was read before it.
fn told_alone(
    table: &'static EntityTable,
    entity: &CollapsedEntity,
    event: &EventView<'_>,
) -> Told {
    let mut readings = Readings::default();
    readings.take(table, event);
    told(table, entity, event, &readings)
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
            let told = told_alone(
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

/// A write of the server itself at this position.
fn origin(position: u64) -> Origin {
    Origin {
        device: SERVER,
        base: LogPosition::new(position - 1),
        position: LogPosition::new(position),
    }
}

#[test]
fn whole_lists_are_told_as_differences_and_late_events_tell_nothing() {
    let table = table_of("work_order").unwrap();
    let mut entity = CollapsedEntity::new(table);
    let data = object(json!({"tasks": ["oil", "belt"], "priority": "high", "status": "draft"}));
    let created = view(table, "WorkOrderCreated", 1, &data);
    for (number, change) in told_alone(table, &entity, &created) {
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
    let told_now = told_alone(table, &entity, &updated);
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
    let late = told_alone(table, &entity, &updated);
    assert!(
        late.iter().all(|(number, _)| *number != priority),
        "{late:?}"
    );
}

/// Every order of these events.
fn orders(events: &[TestEvent]) -> Vec<Vec<TestEvent>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (place, first) in events.iter().enumerate() {
        let mut rest = events.to_vec();
        rest.remove(place);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

/// A correction that came last once took the place of what had been read after it, and a reading of before the correction
/// that came behind it counted again: tablets showed another mileage than the read models. So did a vehicle that was created
/// again: what it had run in its earlier life stayed.
#[test]
fn a_mileage_is_what_the_fold_shows_in_every_order() {
    let event = |event_type: &str, position: u32, second: i64, km: i64| {
        let data = json!({ "new_mileage": km, "reason": "typo" });
        TestEvent::new("Vehicle", event_type, position, second * 1_000_000, data)
    };
    let (read, corrected) = ("VehicleMileageUpdated", "VehicleMileageCorrected");
    let (typo, correction, later) = (
        event(read, 1, 1, 9_999),
        event(corrected, 2, 5, 1_000),
        event(read, 3, 10, 1_200),
    );
    let three = [typo, correction, later];
    // Before the correction that counts there was another one, and a reading that only the other one would have let stand.
    let mut five = three.to_vec();
    five.extend([event(corrected, 4, 3, 500), event(read, 5, 4, 5_000)]);
    // Of the last correction nothing is left but itself.
    let mut fallen = three.to_vec();
    fallen.push(event(corrected, 4, 20, 7));
    let anew = vec![
        event(read, 1, 1, 9_999),
        event("VehicleDeleted", 2, 5, 0),
        event("VehicleCreated", 3, 6, 0),
        event(read, 4, 7, 10),
    ];
    // No table knows it.
    let mut unknown = three.to_vec();
    unknown.push(TestEvent::new(
        "Vehicle",
        "VehicleWeighed",
        4,
        12_000_000,
        json!({ "old_current_mileage_km": 1_200, "new_current_mileage_km": 1_300 }),
    ));
    for (events, expected) in [
        (three.to_vec(), 1_200),
        (five, 1_200),
        (fallen, 7),
        (anew, 10),
        (unknown, 1_300),
    ] {
        for order in orders(&events) {
            let shown = shown_step_by_step(&order);
            assert_eq!(shown, Some(expected), "{order:?}");
        }
    }
}

/// What tablets show of a vehicle's mileage after these events. After each of them it is what they fold to, where they say.
#[track_caller]
fn shown_step_by_step(events: &[TestEvent]) -> Option<i64> {
    let table = table_of("Vehicle").unwrap();
    let row = table.field_named(MILEAGE_KEY).unwrap();
    let (mut state, mut entity) = (State::default(), CollapsedEntity::new(table));
    let (mut readings, mut shown) = (Readings::default(), None);
    for (event, position) in events.iter().zip(1..) {
        let view = event.view();
        state = fold(state, &view);
        readings.take(table, &view);
        for (number, change) in told(table, &entity, &view, &readings) {
            let stamp = stamp_of(view.occurred_at);
            entity.apply(&origin(position), stamp, 1, number, &change);
        }
        shown = match entity.field(row.number) {
            Some(CollapsedField::Max(reading, _)) => reading.value(),
            _ => None,
        };
        let folded = state.integer(MILEAGE_KEY);
        assert_eq!(readings.value(row), folded, "{events:?}");
        if folded.is_some() {
            assert_eq!(shown, folded, "{events:?}");
        }
    }
    shown
}

#[test]
fn a_deletion_is_a_field_and_a_new_life_takes_it_back() {
    let table = table_of("Vehicle").unwrap();
    let row = table.field_named(IS_DELETED).unwrap().number;
    let entity = CollapsedEntity::new(table);
    let data = Map::new();
    let gone = view(table, "VehicleDeleted", 1, &data);
    let gone = told_alone(table, &entity, &gone);
    assert_eq!(gone, [(row, Change::Set(Value::Bool(true)))]);
    let unknown = view(table, "VehicleUnheardOf", 1, &data);
    assert_eq!(told_alone(table, &entity, &unknown), []);
}

#[test]
fn a_level_that_came_along_with_an_event_is_told_to_nobody() {
    let table = table_of("Part").unwrap();
    let entity = CollapsedEntity::new(table);
    let stock = table.field_named("current_stock").unwrap().number;
    let told_of_stock = |event_type, schema, data| {
        let data = object(data);
        let mut told = told_alone(table, &entity, &view(table, event_type, schema, &data));
        told.retain(|(number, _)| *number == stock);
        told
    };
    let level = json!({ "current_stock": -50, "name": "Pad" });
    assert_eq!(told_of_stock("PartRecounted", 1, level), []);
    let moved = json!({ "delta": -2, "current_stock": 8 });
    assert_eq!(
        told_of_stock("StockLevelChanged", 2, moved),
        [(stock, Change::Add(-2))]
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
