//! From when on an event is known: what was brought in in its own time, all else when a log took it.

use std::sync::Arc;

use serde_json::{Value, json};
use storage::{Log, LogOptions, NewEvent};

use super::{DAY, START, Standing, append, by, live, origin, read};
use crate::ingest::FROM_FILE_TAG;

const NOW: i64 = START + 1_000 * DAY;

/// Whether an event of a hundred days before counts as known in its own time.
#[track_caller]
fn check_brought_in(metadata: &Value, tags: &[&str], expected: bool) {
    let happened = NOW - 100 * DAY;
    let made = live("VehicleCreated", happened, &json!({}));
    let known = known(by(made, metadata, tags));
    assert_eq!(known == happened, expected, "{metadata} {tags:?}");
    assert!(expected || known >= NOW);
}

/// From when on an event was known that a log takes at [`NOW`].
fn known(made: NewEvent) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions {
        clock: Arc::new(Standing(NOW)),
        ..LogOptions::default()
    };
    let log = Log::open(&folder.path().join("log"), options).unwrap();
    append(&log, "unit-1", vec![made]);
    read(&log).vehicles["unit-1"].events[0].known
}

/// Regression: whatever said `"source"` counted as history, what a tablet reports among it.
#[test]
fn only_what_a_file_or_the_importer_brought_in_was_known_in_its_own_time() {
    let row = json!({ "source": { "system": "postgres", "table": "vehicles", "key": "1" } });
    check_brought_in(&row, &["user:importer"], true);
    check_brought_in(&json!({ "source": "doors" }), &[], true);
    let cloud_event = json!({ "source": "/depot", "cloudevent": {} });
    check_brought_in(&cloud_event, &["user:eva", FROM_FILE_TAG], true);

    check_brought_in(&json!({}), &[], false);
    check_brought_in(&json!({ "note": "\"source\"" }), &[], false);
    let tablet = json!({ "device_id": "t1", "source": "sync", "crdt": {} });
    check_brought_in(&tablet, &["user:eva", "device:t1"], false);
    check_brought_in(&json!({ "source": "sync" }), &[], false);
    check_brought_in(&json!({ "source": "doors" }), &["device:t1"], false);
    let client = json!({ "source": "yard" });
    check_brought_in(&client, &["user:eva"], false);
    check_brought_in(&client, &["user:eva", "tag:from:file"], false);
}

#[test]
fn what_is_brought_in_within_a_day_is_live_and_another_depot_knew_at_home() {
    let at = |happened: i64| live("VehicleCreated", happened, &json!({}));
    let source = json!({ "source": "doors" });
    assert!(known(by(at(NOW - DAY / 2), &source, &[])) >= NOW);
    let happened = NOW - 100 * DAY;
    let federated = |metadata: &Value, recorded_at: i64| {
        known(by(at(happened), metadata, &[&origin(recorded_at)]))
    };
    assert_eq!(
        federated(&json!({}), happened + 3 * DAY),
        happened + 3 * DAY
    );
    assert_eq!(federated(&source, happened + 3 * DAY), happened);
    assert!(
        federated(&json!({}), NOW + 9 * DAY) < NOW + DAY,
        "a clock that is ahead keeps nothing back"
    );
}
