//! The table-driven fold: its rules by example, its indifference to order by property.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::schema::{AggregateSchema, Constant, Field, Kind};
use crate::testing::{TestEvent, any_data, any_known_type};

fn lamp(event_type: &str, position: u32, occurred_at: i64, data: Value) -> TestEvent {
    TestEvent::new("Lamp", event_type, position, occurred_at, data)
}

fn vehicle(event_type: &str, position: u32, occurred_at: i64, data: Value) -> TestEvent {
    TestEvent::new("Vehicle", event_type, position, occurred_at, data)
}

fn state_of(events: &[TestEvent]) -> State {
    fold_all(events.iter().map(TestEvent::view))
}

#[track_caller]
fn check(events: &[TestEvent], expected: Value) {
    assert_eq!(Value::Object(state_of(events).to_object()), expected);
}

#[test]
fn unknown_types_merge_their_payload() {
    check(
        &[
            lamp(
                "LampMade",
                1,
                10,
                json!({ "colour": "red", "volts": 230, "maker": { "name": "a" } }),
            ),
            lamp(
                "LampPainted",
                2,
                20,
                json!({ "colour": "green", "maker": { "city": "b" } }),
            ),
        ],
        json!({ "colour": "green", "volts": 230, "maker": { "city": "b" } }),
    );
}

#[test]
fn a_pair_of_old_and_new_sets_the_field() {
    check(
        &[
            lamp("LampMade", 1, 10, json!({ "status": "dark" })),
            lamp(
                "LampLit",
                2,
                20,
                json!({ "old_status": "dark", "new_status": "lit" }),
            ),
        ],
        json!({ "status": "lit" }),
    );
}

#[test]
fn an_old_or_a_new_alone_is_a_field_like_any_other() {
    check(
        &[lamp(
            "LampMade",
            1,
            10,
            json!({ "old_town": "x", "new_moon": true, "old_": 1, "new_": 2 }),
        )],
        json!({ "old_town": "x", "new_moon": true, "old_": 1, "new_": 2 }),
    );
}

#[test]
fn a_late_event_changes_only_what_nothing_later_set() {
    check(
        &[
            lamp("LampMade", 1, 10, json!({ "colour": "red" })),
            lamp("LampPainted", 2, 30, json!({ "colour": "green" })),
            lamp(
                "LampPainted",
                3,
                20,
                json!({ "colour": "blue", "coats": 2 }),
            ),
        ],
        json!({ "colour": "green", "coats": 2 }),
    );
}

#[test]
fn events_of_one_microsecond_count_by_position() {
    check(
        &[
            lamp("LampPainted", 1, 10, json!({ "colour": "red" })),
            lamp("LampPainted", 2, 10, json!({ "colour": "b" })),
        ],
        json!({ "colour": "b" }),
    );
}

#[test]
fn a_deletion_marks_and_a_new_life_starts_clean() {
    let mut events = vec![
        lamp(
            "LampCreated",
            1,
            10,
            json!({ "colour": "red", "volts": 230 }),
        ),
        lamp("LampDeletedEvent", 2, 20, json!({})),
    ];
    let state = state_of(&events);
    assert!(state.is_deleted() && !state.exists());
    assert_eq!(
        state.text("colour"),
        Some("red"),
        "what was last known stays readable"
    );
    assert_eq!(state.created_at(), Some(10));

    events.push(lamp("LampPainted", 3, 15, json!({ "volts": 110 })));
    events.push(lamp("LampCreated", 4, 30, json!({ "colour": "green" })));
    let state = state_of(&events);
    assert!(state.exists());
    assert_eq!(
        Value::Object(state.to_object()),
        json!({ "colour": "green" })
    );
    assert_eq!(state.created_at(), Some(30));
}

#[test]
fn only_the_aggregates_own_deletion_ends_it() {
    let events = [
        lamp("LampCreated", 1, 10, json!({ "on": true })),
        lamp("LampSwitchDeleted", 2, 20, json!({ "on": false })),
    ];
    assert!(state_of(&events).exists());
}

#[test]
fn known_types_set_the_keys_that_their_table_names() {
    check(
        &[
            vehicle(
                "VehicleCreated",
                1,
                10,
                json!({ "status": "available", "build_year": 2014, "location": "Yard" }),
            ),
            vehicle(
                "VehicleStatusChangedEvent",
                2,
                20,
                json!({ "status": "in_service" }),
            ),
            vehicle(
                "VehicleMileageUpdated",
                3,
                30,
                json!({ "old_mileage": 5, "new_mileage": 70 }),
            ),
            vehicle(
                "VehicleLocationChanged",
                4,
                40,
                json!({ "location": "Track 3" }),
            ),
            vehicle(
                "VehicleIncidentReported",
                5,
                50,
                json!({ "delay_min": 4, "weather": "snow", "mileage_km": 90 }),
            ),
        ],
        json!({
            "status": "in_service",
            "year": 2014,
            "build_year": 2014,
            "current_location": "Track 3",
            "location": "Track 3",
            "current_mileage_km": 90,
        }),
    );
}

/// A table with an implied status and a list.
static TRAIN: AggregateSchema = AggregateSchema::new(
    "Train",
    &[
        EventSchema::new(
            "TrainLeft",
            "",
            &[
                Field::optional("new_status", Kind::Any).setting("status"),
                Field::optional("platform", Kind::Any),
            ],
        )
        .implying(&[
            ("status", Constant::Text("gone")),
            ("is_late", Constant::Flag(false)),
        ]),
        EventSchema::new(
            "TrainCarPut",
            "",
            &[
                Field::optional("why", Kind::Any).setting_nothing(),
                Field::optional("length", Kind::Any).setting("length"),
            ],
        )
        .putting_item("cars", "car"),
        EventSchema::new("TrainCarTaken", "", &[]).removing_item("cars", "car"),
    ],
);

fn train_of(events: &[TestEvent]) -> State {
    let registry = Registry::new(&[&TRAIN]);
    let folded = |state, event: &TestEvent| fold_by(&registry, state, &event.view());
    events.iter().fold(State::default(), folded)
}

fn train(event_type: &str, position: u32, occurred_at: i64, data: Value) -> TestEvent {
    TestEvent::new("Train", event_type, position, occurred_at, data)
}

#[test]
fn an_event_type_alone_may_set_keys_and_its_payload_goes_before() {
    let left = |data| train_of(&[train("TrainLeft", 1, 10, data)]).to_object();
    assert_eq!(
        Value::Object(left(json!({ "platform": 3 }))),
        json!({ "status": "gone", "is_late": false, "platform": 3 })
    );
    assert_eq!(
        Value::Object(left(json!({ "new_status": "towed", "is_late": true }))),
        json!({ "status": "towed", "is_late": true })
    );
}

#[test]
fn items_keep_their_order_and_each_of_their_fields() {
    let mut events = vec![
        train(
            "TrainCarPut",
            1,
            10,
            json!({ "car": "b", "seats": 40, "why": "x", "length": 1 }),
        ),
        train("TrainCarPut", 2, 20, json!({ "car": "a", "seats": 50 })),
        train("TrainCarPut", 3, 30, json!({ "car": "b", "colour": "red" })),
        train(
            "TrainCarPut",
            4,
            5,
            json!({ "car": "a", "colour": "blue", "seats": 1 }),
        ),
        train("TrainCarPut", 5, 40, json!({ "car": 7 })),
        train("TrainCarPut", 6, 50, json!({ "seats": 3 })),
    ];
    let state = train_of(&events);
    assert_eq!(
        Value::Object(state.to_object()),
        json!({ "length": 1, "cars": [
            { "car": "a", "seats": 50, "colour": "blue" },
            { "car": "b", "seats": 40, "colour": "red" },
            { "car": 7 },
        ] })
    );
    assert_eq!(
        (state.item_count("cars"), state.items("cars").len()),
        (3, 3)
    );
    assert_eq!(state.item("cars", "7").unwrap()["car"], 7);

    events.push(train("TrainCarTaken", 7, 60, json!({ "car": "b" })));
    events.push(train(
        "TrainCarPut",
        8,
        55,
        json!({ "car": "b", "late": true }),
    ));
    assert_eq!(train_of(&events).item("cars", "b"), None);
    events.push(train(
        "TrainCarPut",
        9,
        70,
        json!({ "car": "b", "seats": 1 }),
    ));
    assert_eq!(
        Value::from(train_of(&events).item("cars", "b").unwrap()),
        json!({ "car": "b", "seats": 1 }),
        "an item put back starts anew"
    );
    events.push(train("TrainDeleted", 10, 80, json!({})));
    events.push(train("TrainCreated", 11, 90, json!({})));
    assert_eq!(
        train_of(&events).get("cars"),
        None,
        "a new life has no old items"
    );
}

#[test]
fn a_future_schema_is_folded_as_it_is() {
    let mut event = vehicle(
        "VehicleStatusChanged",
        1,
        10,
        json!({ "new_status": "levitating", "height": 3 }),
    );
    event.schema = 99;
    check(&[event], json!({ "status": "levitating", "height": 3 }));
}

#[test]
fn mileage_only_rises_save_by_a_correction() {
    let mileage = |events: &[TestEvent]| state_of(events).integer("current_mileage_km");
    let mut events = vec![
        vehicle(
            "VehicleMileageUpdated",
            1,
            10,
            json!({ "new_mileage": 100 }),
        ),
        vehicle(
            "VehicleMileageUpdated",
            2,
            20,
            json!({ "new_mileage": 9_000 }),
        ),
        vehicle(
            "VehicleMileageUpdated",
            3,
            30,
            json!({ "new_mileage": 300 }),
        ),
    ];
    assert_eq!(mileage(&events), Some(9_000));
    events.push(vehicle(
        "VehicleMileageCorrected",
        4,
        25,
        json!({ "new_mileage": 200, "reason": "typo" }),
    ));
    assert_eq!(
        mileage(&events),
        Some(300),
        "a late correction keeps what was read after it"
    );
    events.push(vehicle(
        "VehicleMileageUpdated",
        5,
        22,
        json!({ "new_mileage": 8_000 }),
    ));
    assert_eq!(
        mileage(&events),
        Some(300),
        "a reading from before the correction is void, however late it comes"
    );
}

#[test]
fn readings_past_the_bound_keep_the_value() {
    let mut highest = Highest::default();
    for step in 0..1_000 {
        highest.read(
            1_000_000 - step,
            Stamp {
                occurred_at: step,
                order: 1,
            },
        );
    }
    assert_eq!(highest.value(), Some(1_000_000));
}

#[test]
fn a_state_survives_its_own_encoding() {
    let state = state_of(&[
        vehicle(
            "VehicleCreated",
            1,
            10,
            json!({ "location": "Yard", "current_mileage": 7 }),
        ),
        vehicle("VehicleDeleted", 2, 20, json!({})),
    ]);
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
}

#[test]
fn names_are_found_and_stand_in_order_however_many_there_are() {
    let mut named = state::Named::default();
    for step in 0..40 {
        let name = format!("key {}", step * 7 % 40);
        assert_eq!(named.get(&name), None);
        *named.get_or_insert(&name, || 0) = step;
    }
    for step in 0..40 {
        let name = format!("key {}", step * 7 % 40);
        assert_eq!(named.get(&name), Some(&step));
        assert_eq!(*named.get_or_insert(&name, || 99), step);
    }
    assert!(named.iter().map(|(name, _)| name).is_sorted());
    assert_eq!(named.iter().count(), 40);
}

/// Whatever order readings come in, those stay that no later one reaches.
#[test]
fn a_reading_takes_the_place_of_those_that_it_reaches() {
    let at = |occurred_at| Stamp {
        occurred_at,
        order: 1,
    };
    let mut highest = Highest::default();
    for (time, value) in [(10, 50), (20, 40), (30, 30), (25, 45), (40, 20), (35, 60)] {
        highest.read(value, at(time));
    }
    let since = |time| highest.value_since(at(time));
    assert_eq!(
        [0, 10, 25, 35, 40].map(since),
        [Some(60), Some(60), Some(60), Some(20), None]
    );
}

/// Histories of one stream whose times jump about, with the same order of positions.
fn any_history() -> impl Strategy<Value = Vec<TestEvent>> {
    let known = any_known_type().prop_map(|(aggregate, event)| (aggregate, event.to_owned()));
    let event_type = prop_oneof![
        4 => known,
        1 => prop::sample::select(vec!["VehicleRepainted", "VehicleCreatedEvent", "VehicleDeleted"])
            .prop_map(|name| ("Vehicle", name.to_owned())),
    ];
    prop::collection::vec((event_type, 0_i64..8, 1_u16..4, any_data()), 0..10).prop_map(|parts| {
        let numbered = parts.into_iter().zip(1_u32..);
        let events = numbered.map(|(((_, event_type), occurred_at, schema, data), position)| {
            let mut event =
                TestEvent::new("Vehicle", &event_type, position, occurred_at, Value::Null);
            event.schema = schema;
            event.data = data;
            event
        });
        events.collect()
    })
}

/// Histories of a train in which few cars come and go, and in which foreign events set the list as if it were a field.
fn any_train() -> impl Strategy<Value = Vec<TestEvent>> {
    let event_type = prop::sample::select(vec![
        "TrainCarPut",
        "TrainCarPut",
        "TrainCarTaken",
        "TrainLeft",
        "TrainPainted",
        "TrainCreated",
        "TrainDeleted",
    ]);
    let data = ("[ab]", prop::option::of(0..9), prop::option::of(0..9)).prop_map(
        |(car, seats, colour)| json!({ "car": car, "seats": seats, "colour": colour, "cars": 1 }),
    );
    prop::collection::vec((event_type, 0_i64..8, data), 0..12).prop_map(|parts| {
        let numbered = parts.into_iter().zip(1_u32..);
        let events = numbered
            .map(|((event_type, at, data), position)| train(event_type, position, at, data));
        events.collect()
    })
}

proptest! {
    #[test]
    fn lists_do_not_depend_on_the_order_of_arrival(
        (history, shuffled) in any_train().prop_flat_map(|history| (Just(history.clone()), Just(history).prop_shuffle())),
    ) {
        let state = train_of(&history);
        prop_assert_eq!(&state, &train_of(&shuffled));
        prop_assert_eq!(state.items("cars").len(), state.item_count("cars"));
        let twice: Vec<_> = history.iter().chain(&shuffled).cloned().collect();
        prop_assert_eq!(&state, &train_of(&twice));
        let text = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    }

    #[test]
    fn the_state_does_not_depend_on_the_order_of_arrival(
        (history, shuffled) in any_history().prop_flat_map(|history| (Just(history.clone()), Just(history).prop_shuffle())),
    ) {
        prop_assert_eq!(state_of(&history), state_of(&shuffled));
    }

    #[test]
    fn an_event_folded_twice_counts_once(history in any_history()) {
        let twice: Vec<_> = history.iter().chain(&history).cloned().collect();
        prop_assert_eq!(state_of(&history), state_of(&twice));
    }

    #[test]
    fn both_spellings_of_a_type_fold_alike(history in any_history()) {
        let suffixed: Vec<_> = history
            .iter()
            .cloned()
            .map(|mut event| {
                event.event_type.push_str("Event");
                event
            })
            .collect();
        prop_assert_eq!(state_of(&history), state_of(&suffixed));
    }

    #[test]
    fn the_highest_reading_equals_the_definition(
        steps in prop::collection::vec((0_i64..12, 0_i64..20, prop::bool::weighted(0.2)), 0..14),
        since in 0_i64..12,
    ) {
        let stamped: Vec<_> = steps
            .iter()
            .zip(1_u64..)
            .map(|((occurred_at, value, corrects), position)| (Stamp { occurred_at: *occurred_at, order: position }, *value, *corrects))
            .collect();
        let mut highest = Highest::default();
        for (stamp, value, corrects) in &stamped {
            if *corrects { highest.correct(*value, *stamp) } else { highest.read(*value, *stamp) }
        }
        let last_correction = stamped.iter().filter(|step| step.2).map(|step| step.0).max();
        let since = Stamp { occurred_at: since, order: 0 };
        let expected = stamped
            .iter()
            .filter(|step| last_correction.is_none_or(|last| step.0 >= last) && step.0 > since)
            .map(|step| step.1)
            .max();
        prop_assert_eq!(highest.value_since(since), expected);
    }
}
