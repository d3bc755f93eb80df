//! Which events are held against the stock: all that can change a level.

use fleet::registry;
use serde_json::{Value, json};

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
