//! What is read late gives the state that a plain fold gives.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::fold::{fold, fold_all};
use crate::testing::TestEvent;

fn vehicle(event_type: &str, position: u32, occurred_at: i64, data: Value) -> TestEvent {
    TestEvent::new("Vehicle", event_type, position, occurred_at, data)
}

fn state_of(events: &[TestEvent]) -> State {
    fold_all(events.iter().map(TestEvent::view))
}

/// Payloads of few keys, among them readings, old and new values, and things with names.
fn any_report() -> impl Strategy<Value = Map<String, Value>> {
    let key = prop::sample::select(vec![
        "id",
        "status",
        "new_status",
        "old_status",
        "current_mileage_km",
        "line",
        "note",
        "delay_min",
    ]);
    let value = prop_oneof![
        (0_i64..5).prop_map(Value::from),
        (0_i64..3).prop_map(|number| json!([number, 0.5])),
        "[ab\\\\\"]{0,2}".prop_map(Value::from),
        Just(Value::Null),
    ];
    prop::collection::btree_map(key, value, 0..5).prop_map(|fields| {
        let fields = fields.into_iter();
        fields.map(|(key, value)| (key.to_owned(), value)).collect()
    })
}

/// Histories of a vehicle that mostly reports what no table knows, and whether the state is looked at behind each.
fn any_reports() -> impl Strategy<Value = Vec<(TestEvent, bool)>> {
    let event_type = prop::sample::select(vec![
        "VehicleMeasured",
        "VehicleMeasured",
        "VehicleMeasured",
        "VehicleSeen",
        "VehicleCreated",
        "VehicleDeleted",
        "VehicleStatusChanged",
        "VehicleMileageUpdated",
        "VehicleMileageCorrected",
    ]);
    prop::collection::vec((event_type, 0_i64..8, any_report(), any::<bool>()), 0..24).prop_map(
        |parts| {
            let numbered = parts.into_iter().zip(1_u32..);
            let events = numbered.map(|((event_type, at, data, looks), position)| {
                let data = Value::Object(data);
                (vehicle(event_type, position, at, data), looks)
            });
            events.collect()
        },
    )
}

/// Folds as a read model does: what no table knows by its texts, everything else decoded.
fn folded_late(history: &[(TestEvent, bool)]) -> State {
    let (mut state, mut unread) = (State::default(), Unread::default());
    for (event, looks) in history {
        let texts: Vec<(String, String)> = event
            .data
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect();
        let fields: Vec<(&str, &str)> = texts.iter().map(|(key, text)| (&**key, &**text)).collect();
        let view = event.view();
        let is_known = registry()
            .event(view.aggregate_type, view.event_type)
            .is_some();
        if is_known || !unread.fold(&mut state, &view, &fields) {
            unread.settle_and_forget(&mut state);
            state = fold(state, &view);
        }
        if *looks {
            unread.settle(&mut state);
        }
    }
    unread.settle(&mut state);
    state
}

#[test]
fn events_of_ever_other_keys_are_folded_late_all_the_same() {
    let history: Vec<_> = (1..=300_u32)
        .map(|number| {
            let data = json!({ format!("key_{number}"): number, "last": number });
            (
                vehicle("VehicleMeasured", number, i64::from(number), data),
                false,
            )
        })
        .collect();
    let events: Vec<_> = history.iter().map(|(event, _)| event.clone()).collect();
    assert_eq!(folded_late(&history), state_of(&events));
}

#[test]
fn what_is_reserved_does_not_wait_to_be_set() {
    let part = |event_type, position, data| TestEvent::new("Part", event_type, position, 1, data);
    let history = [
        (part("PartCreated", 1, json!({ "current_stock": 7 })), false),
        (
            part(
                "PartRecounted",
                2,
                json!({ "current_stock": -50, "id": "x", "by": "eva" }),
            ),
            true,
        ),
        (part("StockLevelChanged", 3, json!({ "delta": -2 })), false),
        (
            part("PartRecounted", 4, json!({ "current_stock": 8 })),
            false,
        ),
    ];
    let events: Vec<_> = history.iter().map(|(event, _)| event.clone()).collect();
    let state = folded_late(&history);
    assert_eq!(state, state_of(&events));
    assert_eq!(state.integer("current_stock"), Some(5));
    assert_eq!((state.get("id"), state.text("by")), (None, Some("eva")));
}

#[test]
fn halves_of_pairs_and_too_many_fields_are_not_folded_late() {
    let event = vehicle("VehicleMeasured", 1, 1, json!({}));
    let (mut state, mut unread) = (State::default(), Unread::default());
    let names: Vec<String> = (0..=UNREAD_FIELDS_MAX).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "1")).collect();
    for fields in [&[("new_x", "1")][..], &[("old_x", "1")], &many] {
        assert!(!unread.fold(&mut state, &event.view(), fields));
        assert_eq!(state, State::default());
    }
    assert!(unread.fold(&mut state, &event.view(), &many[1..]));
}

proptest! {
    #[test]
    fn values_read_late_give_the_state_that_a_plain_fold_gives(history in any_reports()) {
        let events: Vec<_> = history.iter().map(|(event, _)| event.clone()).collect();
        prop_assert_eq!(folded_late(&history), state_of(&events));
    }
}
