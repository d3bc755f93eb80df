//! Damage in the log itself, and a store that does not work: the projections go on and say what is missing.

use std::fs;

use serde_json::json;
use storage::{ExpectedVersion, NewEvent, Position, StreamName, Transaction};

use super::harness::{Depot, PATIENCE, answers, expected};
use crate::projection::ProjectionState;

#[test]
fn a_rotten_event_is_listed_and_the_others_are_folded() {
    let mut depot = Depot::new();
    for number in 1..=5 {
        depot.append(
            ("Depot", "d"),
            "TrackClosed",
            &json!({"text": format!("payload number {number}"), "key": number}),
        );
    }
    depot.close_log();
    flip_in_files(&depot, b"payload number 3");
    depot.open_log();
    let projections = depot.start();
    let last = depot.log().durable_position();
    assert_eq!(
        last,
        Position::new(5),
        "damage behind which sound groups lie is not cut"
    );
    for name in ["current_state", "event_counts"] {
        assert!(projections.wait_for(name, last, PATIENCE));
        let status = projections.status_of(name).unwrap();
        assert_eq!(status.skipped, [Position::new(3)], "{name}");
        assert_eq!((status.skipped_events, status.handled_events), (1, 4));
        assert_eq!(status.state, ProjectionState::Live);
    }
    let days = projections.event_counts().by_day(None, None, None).value;
    assert_eq!(days.iter().map(|day| day.events).sum::<u64>(), 4);
    projections.stop();
    drop(projections);
    // What was skipped is remembered.
    let projections = depot.start();
    assert!(projections.wait_for("vehicles", last, PATIENCE));
    assert_eq!(
        projections.status_of("vehicles").unwrap().skipped,
        [Position::new(3)]
    );
}

#[test]
fn data_that_is_no_object_is_listed() {
    let depot = Depot::new();
    depot.append(
        ("Vehicle", "1"),
        "VehicleCreated",
        &json!({"asset_id": "1", "model": "m"}),
    );
    for data in ["[1]", "nonsense", "{\"open\":"] {
        let event = NewEvent::new("VehicleUpdated", data);
        let stream = StreamName::new("Vehicle", "1");
        depot
            .log()
            .append(Transaction::single(stream, ExpectedVersion::Any, event))
            .unwrap();
    }
    let empty = NewEvent::new("VehicleUpdated", Vec::new());
    let last = depot
        .log()
        .append(Transaction::single(
            StreamName::new("Vehicle", "1"),
            ExpectedVersion::Any,
            empty,
        ))
        .unwrap()
        .last_position();
    let projections = depot.start();
    for (name, skipped) in [("current_state", 3), ("event_counts", 0)] {
        assert!(projections.wait_for(name, last, PATIENCE));
        let status = projections.status_of(name).unwrap();
        assert_eq!(status.skipped_events, skipped, "{name}");
        assert_eq!(status.handled_events + skipped, 5, "{name}");
    }
    let vehicle = projections.catalog().find("Vehicle", "1").value.unwrap();
    assert_eq!(vehicle.folded.text("model"), Some("m"));
}

#[test]
fn without_a_store_it_works_all_the_same() {
    let depot = Depot::new();
    depot.live_on(100, 1);
    // A file in the place of the folder's parent: nothing can be opened, renamed or made.
    let blocked = depot.folder.path().join("file");
    fs::write(&blocked, b"").unwrap();
    let projections = crate::projection::Projections::start(
        std::sync::Arc::clone(depot.log()),
        &blocked.join("projections"),
        depot.settings(),
    );
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
    projections.stop();
}

/// Flips a bit of the only place where `text` stands in the log.
fn flip_in_files(depot: &Depot, text: &[u8]) {
    let mut places = 0;
    for entry in fs::read_dir(depot.log_folder()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text) {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            places += 1;
        }
    }
    assert_eq!(places, 1);
}
