//! What a report shows of an event that the log says otherwise.

use serde_json::json;

use super::*;

fn said(data: &str) -> Said {
    Said {
        stream: "Crane/1".to_owned(),
        event_type: "CraneLifted".to_owned(),
        schema: 3,
        at: 0,
        data: data.as_bytes().to_vec(),
        metadata: b"{}".to_vec(),
    }
}

#[test]
fn only_the_parts_that_differ_are_shown_and_payloads_are_values() {
    let differing = differences(&said("{\"tons\":12}"), Some(&said("{\"tons\":13}")));
    assert_eq!(
        differing,
        [Difference {
            column: "data".to_owned(),
            there: json!({ "tons": 12 }),
            here: json!({ "tons": 13 }),
        }]
    );
}

#[test]
fn an_event_that_is_not_there_or_is_only_written_otherwise_is_shown_whole() {
    let missing = differences(&said("{}"), None);
    assert_eq!(missing.len(), 6);
    assert!(missing.iter().all(|part| part.here.is_null()));
    let respelled = differences(&said("{\"tons\":1.50}"), Some(&said("{\"tons\":1.5}")));
    assert_eq!(respelled.len(), 6);
}
