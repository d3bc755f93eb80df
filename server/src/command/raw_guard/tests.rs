//! Which events are looked at: all that can change a level, take a beginning away, or have a row go by another key.

use fleet::registry;
use serde_json::json;

use super::*;

/// A part that was kept twice: ten pieces in its first life, four of them gone again.
fn kept_twice() -> Folded {
    let mut state = Folded::default();
    take(
        &mut state,
        "PartCreated",
        10,
        &json!({ "current_stock": 10 }),
    );
    let moved = json!({ "delta": -4, "location_id": "north" });
    take(&mut state, "StockLevelChanged", 20, &moved);
    take(&mut state, "PartCreated", 30, &json!({ "name": "Pad" }));
    state
}

fn take(state: &mut Folded, event_type: &str, occurred_at: i64, data: &Value) {
    let version = state.record.version() + 1;
    state.fold(&EventView {
        aggregate_type: part::AGGREGATE_TYPE,
        aggregate_id: "BRK/1",
        event_type,
        schema: 2,
        version,
        position: u64::from(version),
        occurred_at,
        recorded_at: i64::from(version),
        order: u64::from(version),
        data: data.as_object().unwrap(),
    });
}

#[test]
fn every_event_that_can_change_a_level_is_looked_at() {
    let known = registry().aggregate(part::AGGREGATE_TYPE).unwrap().events;
    let known = known.iter().map(|event| event.event_type);
    let unknown = ["PartRecounted", "StockCounted", "PartCounted"];
    let data = json!({
        "delta": -2, "location_id": "south", "current_stock": -50, "old_current_stock": 3, "new_current_stock": -50,
        "stock_by_location": { "north": -9 }, "level": -50, "quantity": 90, "availability_id": "a",
    });
    let mut changing = Vec::new();
    for event_type in known.chain(unknown) {
        let changes = |occurred_at: i64| {
            let mut after = kept_twice();
            take(&mut after, event_type, occurred_at, &data);
            Levels::of(&after) != Levels::of(&kept_twice())
        };
        if [5, 25, 40].into_iter().any(changes) {
            assert!(changes_level(event_type), "{event_type}");
            changing.push(event_type);
        }
    }
    assert_eq!(
        changing,
        ["PartCreated", "PartDeleted", "StockLevelChanged"],
        "nothing is looked at for nothing"
    );
    assert!(changes_level("PartDeletedEvent") && !changes_level("PartRecounted"));
}

#[test]
fn an_order_is_looked_at_where_its_beginning_may_go() {
    let is_looked_at = |aggregate_type: &str, data: &str| {
        let event = NewEvent::new("WorkOrderUpdated", data);
        let stream = StreamName::new(aggregate_type, "O");
        is_guarded(&Transaction::single(stream, ExpectedVersion::Any, event))
    };
    for data in [
        r#"{"notes":"x","actual_start":null}"#,
        r#"{"actual_start_ts":null}"#,
        r#"{"old_actual_start":"2026-11-02T08:00:00Z","new_actual_start":5}"#,
        r#"{"actual_\u0073tart":null}"#,
    ] {
        assert!(is_looked_at("WorkOrder", data), "{data}");
        assert!(!is_looked_at("StaffAssignment", data), "{data}");
    }
    for data in [
        r#"{"actual_start":"2026-11-02T08:00:00Z"}"#,
        r#"{"actual_end":null}"#,
        r#"{"notes":"actual_start is \"null\""}"#,
    ] {
        assert!(!is_looked_at("WorkOrder", data), "{data}");
    }
}

/// Every spelling in which a table or a past writer tells a key, and every event that can.
#[test]
fn every_event_that_can_tell_another_key_is_looked_at() {
    let kinds = registry().aggregates().into_iter();
    let kinds = kinds.filter_map(|aggregate| Some((aggregate, aggregate.named_by?)));
    let mut count = 0;
    for (aggregate, key) in kinds {
        let kind = aggregate.aggregate_type;
        let named = Named::of(kind).unwrap();
        let spellings = aggregate.spellings.iter();
        let old = spellings.filter(|spelling| spelling.meant == key);
        let names = [key].into_iter().chain(old.map(|spelling| spelling.given));
        let mut told: Vec<Value> = names.map(|name| json!({ name: "X" })).collect();
        told.push(json!({ (format!("old_{key}")): "ID", (format!("new_{key}")): "X" }));
        let known = aggregate.events.iter();
        let known = known.map(|event| event.event_type.to_owned());
        let events: Vec<String> = known.chain([format!("{kind}Painted")]).collect();
        for data in &told {
            let mut renaming = 0;
            for event_type in &events {
                let mut after = Folded::default();
                after.fold(&EventView {
                    aggregate_type: kind,
                    aggregate_id: "ID",
                    event_type,
                    schema: 2,
                    version: 1,
                    position: 1,
                    occurred_at: 1,
                    recorded_at: 1,
                    order: 1,
                    data: data.as_object().unwrap(),
                });
                if aggregate.name_of("ID", &after) == "X" {
                    let event = NewEvent::new(event_type.as_str(), data.to_string());
                    assert!(named.may_change(&event), "{event_type}: {data}");
                    renaming += 1;
                }
            }
            assert!(renaming > 0, "{kind}: {data}");
        }
        let event = NewEvent::new(format!("{kind}Painted"), r#"{"colour":"red"}"#);
        assert!(
            !named.may_change(&event),
            "nothing is looked at for nothing"
        );
        count += 1;
    }
    assert_eq!(count, 3);
}
