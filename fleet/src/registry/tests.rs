//! The tables as a whole: that each agrees with itself, and that look-up follows the alias rule.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::{Kind, Sets};
use crate::testing::{any_data, any_known_type};

#[test]
fn a_known_event_is_found_under_both_spellings() {
    let plain = registry().event("Vehicle", "VehicleCreated").unwrap();
    let suffixed = registry().event("Vehicle", "VehicleCreatedEvent").unwrap();
    assert_eq!(plain.event.event_type, suffixed.event.event_type);
    assert!(
        registry().event("WorkOrder", "VehicleCreated").is_none(),
        "another aggregate's event is unknown"
    );
}

#[test]
fn our_own_bookkeeping_is_closed_to_public_writers() {
    let internal: Vec<_> = registry()
        .aggregates()
        .iter()
        .filter(|table| table.internal)
        .map(|table| table.aggregate_type)
        .collect();
    let expected = [
        "Device",
        "Erasure",
        "FederatedDepot",
        "Import",
        "ImportedLog",
        "Model",
        "Policy",
        "Prediction",
        "Security",
        "SyncConflict",
        "SyncSession",
        "User",
    ];
    assert_eq!(internal, expected);
}

#[test]
fn unknown_types_pass_with_any_payload() {
    let data = json!({ "status": 7 });
    assert_eq!(
        registry().check("Lamp", "LampLit", 9, data.as_object().unwrap()),
        Ok(())
    );
}

#[test]
fn each_table_agrees_with_itself() {
    for aggregate in AGGREGATES {
        for event in aggregate.events {
            assert_eq!(
                usize::from(event.schema),
                event.upcasters.len() + 1,
                "{}",
                event.event_type
            );
            let mut names: Vec<_> = event.fields.iter().map(|field| field.name).collect();
            names.sort_unstable();
            assert!(
                names.windows(2).all(|pair| pair[0] != pair[1]),
                "{} names a field twice",
                event.event_type
            );
            for spelling in event.spellings {
                assert!(
                    event.field(spelling.meant).is_some(),
                    "{}: {}",
                    event.event_type,
                    spelling.meant
                );
                assert!(
                    event.field(spelling.given).is_none(),
                    "{}: {}",
                    event.event_type,
                    spelling.given
                );
            }
            for field in event.fields {
                if let Sets::Corrects(key) = field.sets {
                    assert!(
                        aggregate.highest.contains(&key),
                        "{}: {key}",
                        event.event_type
                    );
                }
                if let Kind::Text {
                    chars_min,
                    chars_max,
                } = field.kind
                {
                    assert!(
                        chars_min <= chars_max,
                        "{}: {}",
                        event.event_type,
                        field.name
                    );
                }
            }
        }
    }
}

#[test]
fn totals_are_the_keys_that_differences_are_added_to() {
    for aggregate in AGGREGATES {
        let mut added = Vec::new();
        for field in aggregate.events.iter().flat_map(|event| event.fields) {
            match field.sets {
                Sets::Adds(total) => {
                    added.push(total.key);
                    added.extend(total.shares.map(|(shares, _)| shares));
                }
                Sets::AddsEach(totals) => added.push(totals.key),
                Sets::Itself | Sets::Key(_) | Sets::Corrects(_) | Sets::Nothing => {}
            }
        }
        added.sort_unstable();
        added.dedup();
        let mut totals = aggregate.totals.to_vec();
        totals.sort_unstable();
        assert_eq!(added, totals, "{}", aggregate.aggregate_type);
    }
}

/// Rows refer to each other by it.
#[test]
fn a_rows_uuid_is_told_by_creations_alone() {
    for aggregate in AGGREGATES {
        for event in aggregate.events {
            let is_told = event
                .field("id")
                .is_some_and(|field| field.sets != Sets::Nothing);
            let of_row = is_told && event.item.is_none() && !event.report;
            let created = format!("{}Created", aggregate.aggregate_type);
            assert!(
                !of_row || event.event_type == created,
                "{}",
                event.event_type
            );
            assert_eq!(
                aggregate.is_reserved(event.event_type, "id"),
                event.event_type != created
            );
        }
        assert!(aggregate.is_reserved("Unheard", "id"));
    }
}

#[test]
#[should_panic(expected = "registered twice")]
fn an_aggregate_registered_twice_is_a_mistake_of_ours() {
    Registry::new(&[AGGREGATES[0], AGGREGATES[0]]);
}

proptest! {
    #[test]
    fn validation_never_panics_and_knows_no_spelling(
        (aggregate_type, event_type) in any_known_type(),
        schema in 0_u16..5,
        data in any_data(),
    ) {
        let plain = registry().check(aggregate_type, event_type, schema, &data);
        let suffixed = registry().check(aggregate_type, &format!("{event_type}Event"), schema, &data);
        prop_assert_eq!(&plain, &suffixed);
        if let Err(faults) = plain {
            prop_assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.path.is_empty()));
        }
    }
}
