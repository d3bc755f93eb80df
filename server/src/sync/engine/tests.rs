//! The state while a part of the log cannot be read, and what of it is saved.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use crdt::collapsed::CollapsedField;
use fleet::sync::tables::VEHICLE;
use serde_json::json;
use storage::repo::{FsRepo, View};
use storage::{
    ExpectedVersion, Log, LogOptions, NewEvent, Position, StreamName, Tier, TierOptions, Timestamp,
    Transaction,
};

use super::Engine;
use crate::http::problem::Kind;

const READ: &str = "VehicleMileageUpdated";
const CORRECTED: &str = "VehicleMileageCorrected";
const SEGMENT_BYTES: u64 = 8_192;

/// An archive in memory, of which objects may be out of reach.
#[derive(Debug, Default)]
struct Shelf {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    lost: Mutex<BTreeSet<String>>,
}

impl Shelf {
    fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    /// From now on these are out of reach, and no others.
    fn lose(&self, names: &[String]) {
        *self.lost.lock().unwrap() = names.iter().cloned().collect();
    }
}

impl Tier for Shelf {
    fn place(&self) -> String {
        "shelf".to_owned()
    }

    fn put(&self, object: &str, bytes: Arc<dyn View>) -> io::Result<()> {
        let bytes = bytes.bytes().to_vec();
        self.objects
            .lock()
            .unwrap()
            .insert(object.to_owned(), bytes);
        Ok(())
    }

    fn length(&self, object: &str) -> io::Result<Option<u64>> {
        let objects = self.objects.lock().unwrap();
        Ok(objects.get(object).map(|bytes| bytes.len() as u64))
    }

    fn fetch(&self, object: &str, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if self.lost.lock().unwrap().contains(object) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let found = self.objects.lock().unwrap().get(object).cloned();
        take(&found.ok_or(io::ErrorKind::NotFound)?)
    }
}

/// A log of vehicles of which one was corrected at the very beginning.
struct Depot {
    shelf: Arc<Shelf>,
    log: Arc<Log>,
    _folder: tempfile::TempDir,
}

impl Depot {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Arc::new(Shelf::default());
        let fetched = FsRepo::open(&folder.path().join("fetched")).unwrap();
        let options = LogOptions {
            segment_bytes_min: SEGMENT_BYTES,
            segment_bytes_max: SEGMENT_BYTES,
            tier: Some(TierOptions {
                tier: shelf.clone(),
                fetched: Arc::new(fetched),
                fetched_bytes_max: 1,
                kept_types: Vec::new(),
            }),
            ..LogOptions::default()
        };
        let depot = Depot {
            shelf,
            log: Arc::new(Log::open(&folder.path().join("log"), options).unwrap()),
            _folder: folder,
        };
        depot.tell("V0", READ, &[(1, 9_999)]);
        depot.tell("V0", CORRECTED, &[(5, 1_000)]);
        // More than two tiles of the tree: what is not hashed is not sent away.
        for batch in 0..60_i64 {
            let readings: Vec<(i64, i64)> = (0..10)
                .map(|step| batch * 10 + step)
                .map(|number| (number, number))
                .collect();
            depot.tell(&format!("V{}", 1 + batch % 5), READ, &readings);
        }
        depot
    }

    /// What is read of a vehicle: in which second, and how far it had run.
    fn tell(&self, vehicle: &str, event_type: &str, readings: &[(i64, i64)]) {
        let event = |(second, mileage): &(i64, i64)| {
            let data = json!({ "new_mileage": mileage, "reason": "typo" });
            let at = Timestamp::from_micros(1_690_000_000_000_000 + second * 1_000_000);
            NewEvent::new(event_type, data.to_string()).at(at)
        };
        let events = readings.iter().map(event).collect();
        let stream = StreamName::new("Vehicle", vehicle);
        let transaction = Transaction::stream(stream, ExpectedVersion::Any, events);
        self.log.append(transaction).unwrap();
    }

    fn send_away(&self) {
        let sent = self.log.send_away(Timestamp::MAX, &|| false).unwrap();
        assert!(sent.segments >= 4, "{sent:?}");
    }

    /// An engine that has nothing but the log.
    fn anew(&self) -> Engine {
        let nowhere = tempfile::tempdir().unwrap();
        Engine::open(self.log.clone(), nowhere.path())
    }
}

/// What tablets show of a vehicle's mileage.
#[track_caller]
fn mileage(engine: &Engine, vehicle: &str) -> Option<i64> {
    let fold = engine.current().unwrap();
    let (_, entity) = fold.entity(&VEHICLE, vehicle).unwrap();
    let row = VEHICLE.field_named("current_mileage_km").unwrap();
    match entity.field(row.number) {
        Some(CollapsedField::Max(reading, _)) => reading.value(),
        _ => None,
    }
}

#[track_caller]
fn waits_for_the_archive(engine: &Engine) {
    let problem = engine.current().map(|fold| fold.position).unwrap_err();
    assert_eq!(problem.kind(), Kind::Archive);
}

/// The first reading of a corrected vehicle once had its whole stream read, and where that lay in an archive that was away, no
/// tablet could sync any more.
#[test]
fn what_a_vehicle_was_corrected_to_is_saved_and_needs_no_archive() {
    let depot = Depot::new();
    let folder = tempfile::tempdir().unwrap();
    let before = Engine::open(depot.log.clone(), folder.path());
    assert_eq!(mileage(&before, "V0"), Some(1_000));
    before.stop();
    depot.send_away();
    depot.shelf.lose(&depot.shelf.names());
    let saved = depot.log.durable_position();

    // One from before the correction comes late.
    depot.tell("V0", READ, &[(3, 8_000)]);
    let engine = Engine::open(depot.log.clone(), folder.path());
    assert_eq!(engine.position(), saved);
    assert_eq!(mileage(&engine, "V0"), Some(1_000));
    depot.tell("V0", READ, &[(10, 1_200)]);
    depot.tell("V0", CORRECTED, &[(8, 900)]);
    assert_eq!(mileage(&engine, "V0"), Some(1_200));
    depot.tell("V0", CORRECTED, &[(20, 1_100)]);
    assert_eq!(mileage(&engine, "V0"), Some(1_100));
    waits_for_the_archive(&depot.anew());

    depot.shelf.lose(&[]);
    assert_eq!(depot.anew().state_bytes(), engine.state_bytes());
}

#[test]
fn what_cannot_be_read_now_is_folded_on_when_it_can() {
    let depot = Depot::new();
    let whole = depot.anew().state_bytes();
    depot.send_away();
    let names = depot.shelf.names();
    let middle = names[names.len() / 2].clone();
    depot.shelf.lose(&[middle]);
    let engine = depot.anew();
    waits_for_the_archive(&engine);
    let reached = engine.position();
    assert!(reached > Position::START && reached < depot.log.durable_position());
    waits_for_the_archive(&engine);
    assert_eq!(engine.position(), reached);

    depot.shelf.lose(&[]);
    assert_eq!(engine.state_bytes(), whole);
}
