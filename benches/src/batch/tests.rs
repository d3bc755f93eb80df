use std::collections::HashSet;

use serde_json::Value;

use super::*;

#[test]
fn batches_follow_one_another() {
    let mut maker = BatchMaker::new(3);
    let (first, second) = (maker.make(), maker.make());
    for (batch, version) in [(&first, 0), (&second, 100)] {
        assert_eq!(batch.event_count(), 1_000);
        assert_eq!(batch.writes.len(), 10);
        for write in &batch.writes {
            assert_eq!(
                write.expected,
                ExpectedVersion::Exact(Version::new(version))
            );
        }
    }
    let ids: HashSet<_> = [&first, &second]
        .into_iter()
        .flat_map(|batch| &batch.writes)
        .flat_map(|write| &write.events)
        .map(|event| event.id)
        .collect();
    assert_eq!(ids.len(), 2_000, "no id is used twice");
    assert_ne!(first.condition, second.condition);
}

#[test]
fn the_json_asks_for_the_same() {
    let batch = BatchMaker::new(0).make();
    let said: Value = serde_json::from_slice(&json(&batch)).unwrap();
    let events = said["events"].as_array().unwrap();
    assert_eq!(events.len(), 1_000);
    assert_eq!(events[0]["expected_version"], 0);
    assert_eq!(events[0]["tags"][0], "order:0-0");
    assert_eq!(events[1]["expected_version"], Value::Null);
    assert_eq!(events[100]["expected_version"], 0);
    assert_eq!(events[999]["aggregate_id"], "unit-000009");
    assert_eq!(said["condition"]["after"], 0);
    assert_eq!(said["condition"]["query"][0]["tags"][0], "order:0-0");
}
