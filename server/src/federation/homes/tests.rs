//! What is saved is gone on from, and only over the log that it is of.

use std::fs;

use serde_json::json;
use storage::{ExpectedVersion, LogOptions, NewEvent, StreamName, Transaction};

use super::*;

const ID: &str = "00000000-0000-0000-0000-00000000001f";

struct Place {
    folder: tempfile::TempDir,
    log: Log,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
        Place { folder, log }
    }

    fn happen(&self, aggregate_type: &str, aggregate_id: &str, event_type: &str, data: &Value) {
        let event = NewEvent::new(event_type, data.to_string());
        let stream = StreamName::new(aggregate_type, aggregate_id);
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        self.log.append(transaction).unwrap();
    }

    fn create(&self, asset_id: &str) {
        self.happen("Vehicle", asset_id, "VehicleCreated", &json!({}));
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("federation")
    }

    fn open(&self) -> Homes {
        Homes::open(&self.kept(), &self.log)
    }
}

/// Without reading the log.
fn known(homes: &Homes) -> (Position, Vec<String>, usize) {
    let known = homes.lock();
    let mut vehicles: Vec<String> = known.vehicles.keys().map(ToString::to_string).collect();
    vehicles.sort_unstable();
    (known.up_to, vehicles, known.gone.len())
}

#[test]
fn a_start_goes_on_from_what_was_kept() {
    let place = Place::new();
    place.create("1");
    let claim = place.open().home(&place.log, "1").unwrap().unwrap().claim;
    place.happen(
        "Vehicle",
        "1",
        "VehicleHandedOver",
        &json!({ "claim_id": claim.id, "from_log": claim.log, "to_log": ID }),
    );
    place.happen(
        "FederatedDepot",
        ID,
        DEPOT_DECLARED_GONE,
        &json!({ "reason": "it burnt down" }),
    );
    place.happen("Pit", "1", "PitMeasured", &json!({}));
    let homes = place.open();
    homes.keep(&place.log);
    let before = homes.home(&place.log, "1").unwrap();
    assert!(before.as_ref().unwrap().on_its_way.is_some());

    let after = place.open();
    assert_eq!(known(&after), (Position::new(4), vec!["1".to_owned()], 1));
    assert_eq!(after.home(&place.log, "1").unwrap(), before);
    let gone = after.gone(&place.log).unwrap();
    assert_eq!(gone[&ID.parse().unwrap()].reason, "it burnt down");
    // What comes later is taken in once.
    place.create("2");
    place.happen(
        "FederatedDepot",
        ID,
        DEPOT_CAME_BACK,
        &json!({ "reason": "it did not" }),
    );
    after.keep(&place.log);
    let vehicles = vec!["1".to_owned(), "2".to_owned()];
    assert_eq!(known(&place.open()), (Position::new(6), vehicles, 0));
    assert_eq!(after.home(&place.log, "1").unwrap(), before);
}

#[test]
fn what_is_damaged_or_of_another_history_is_passed_over() {
    let place = Place::new();
    place.create("1");
    place.open().keep(&place.log);
    let file = place.kept().join("homes");
    let bytes = fs::read(&file).unwrap();
    let nothing = (Position::START, Vec::new(), 0);
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        fs::write(&file, damaged).unwrap();
        assert_eq!(known(&place.open()), nothing, "byte {at}");
    }
    fs::write(&file, &bytes).unwrap();
    assert_ne!(known(&place.open()), nothing);
    // Of another log, as long as this one; and of one that is ahead.
    let other = Place::new();
    other.create("1");
    assert_eq!(known(&Homes::open(&place.kept(), &other.log)), nothing);
    let empty = Place::new();
    assert_eq!(known(&Homes::open(&place.kept(), &empty.log)), nothing);
}
