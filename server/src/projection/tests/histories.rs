//! Whatever the history, and however often it is interrupted, the answers are those of a plain fold of the whole log.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::harness::{BEGINNING, Depot, HOUR, answers, expected};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Append {
        stream: (&'static str, &'static str),
        event_type: &'static str,
        hours: i64,
        data: Value,
    },
    /// A clean end and a new start.
    Restart,
    /// An end without a checkpoint and a new start.
    Kill,
    Rebuild(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let streams = vec![
        ("Vehicle", "185 123-4"),
        ("Vehicle", "a/b?c#d%"),
        ("Vehicle", "🚂"),
        ("Part", "185 123-4"),
        ("Ünit", "x"),
    ];
    let event_types = vec![
        "VehicleCreated",
        "VehicleCreatedEvent",
        "VehicleUpdated",
        "VehicleStatusChanged",
        "VehicleMileageUpdated",
        "VehicleDeleted",
        "VehicleIncidentReported",
        "PartCreated",
        "PartDeleted",
        "SomethingElse",
    ];
    let append = (
        prop::sample::select(streams),
        prop::sample::select(event_types),
        -80_i64..80,
        data(),
    )
        .prop_map(|(stream, event_type, hours, data)| Step::Append {
            stream,
            event_type,
            hours,
            data,
        });
    prop_oneof![
        30 => append,
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
        1 => prop::sample::select(vec!["current_state", "event_counts"]).prop_map(Step::Rebuild),
    ]
}

fn data() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec!["available", "in_service", "door", "ß", ""]);
    prop_oneof![
        (word.clone(), word.clone())
            .prop_map(|(old, new)| json!({"old_status": old, "new_status": new})),
        (0_i64..100_000).prop_map(|km| json!({"new_mileage": km, "delay_min": km % 7})),
        word.clone()
            .prop_map(|status| json!({"status": status, "model": "BR 185"})),
        word.prop_map(|text| json!({"nested": {"text": text, "list": [1, 2.5, null, true]}})),
        Just(json!({})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn answers_are_those_of_a_plain_fold(steps in prop::collection::vec(step(), 1..60)) {
        let depot = Depot::new();
        let mut projections = depot.start();
        for step in steps {
            match step {
                Step::Append { stream, event_type, hours, data } => {
                    depot.append_at(stream, event_type, BEGINNING + hours * HOUR, &data);
                }
                Step::Restart => {
                    projections.stop();
                    drop(projections);
                    projections = depot.start();
                }
                Step::Kill => {
                    drop(projections);
                    projections = depot.start();
                }
                Step::Rebuild(name) => {
                    // One that is being rebuilt already stays so.
                    let _ = projections.rebuild(name);
                }
            }
        }
        prop_assert_eq!(answers(&depot, &projections), expected(depot.log()));
        projections.stop();
    }
}
