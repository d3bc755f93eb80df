//! Learning on a small depot: nothing leaks, the same log gives the same bytes, and answers carry reasons.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};
use storage::{
    Clock, ExpectedVersion, Limits, Log, LogOptions, NewEvent, StreamName, Timestamp, Transaction,
};
use tempfile::TempDir;

use super::history::{DAY, History};
use super::training::DirectTraining;
use super::vehicle::{self, Dictionary};
use super::{FAILURE, Learning, Wanted, metrics};

/// A clock that stands at the end of the story.
#[derive(Debug)]
struct Standing(i64);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0)
    }
}

const START: i64 = 1_500_000_000_000_000;
const YEARS: i64 = 5;

pub(super) struct Depot {
    pub(super) log: Arc<Log>,
    pub(super) learning: Arc<Learning>,
    pub(super) folder: TempDir,
}

fn event(event_type: &str, at: i64, data: &Value) -> NewEvent {
    let mut made = NewEvent::new(event_type, data.to_string()).at(Timestamp::from_micros(at));
    made.metadata = br#"{"source":"test-history"}"#.to_vec();
    made
}

fn append(log: &Log, vehicle: &str, events: Vec<NewEvent>) {
    let stream = StreamName::new("Vehicle", vehicle);
    log.append(Transaction::stream(stream, ExpectedVersion::Any, events))
        .unwrap();
}

/// Whole numbers below `bound` from a counter; the same everywhere.
fn draw(counter: &mut u64, bound: u64) -> u64 {
    *counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = (*counter ^ (*counter >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) % bound
}

/// Forty vehicles over five years; every fourth fails much more often, and mostly at its doors.
pub(super) fn depot() -> Depot {
    let folder = tempfile::tempdir().unwrap();
    let end = START + YEARS * 365 * DAY;
    let clock = Arc::new(Standing(end));
    let options = LogOptions {
        limits: Limits::default(),
        clock: clock.clone(),
        ..LogOptions::default()
    };
    let log = Arc::new(Log::open(&folder.path().join("log"), options).unwrap());
    let mut counter = 7;
    for number in 0..40 {
        let id = format!("unit-{number}");
        let mut events = vec![event(
            "VehicleCreated",
            START,
            &json!({ "asset_id": id, "model": if number % 2 == 0 { "T1" } else { "TR" } }),
        )];
        let mean = if number % 4 == 0 { 25 } else { 240 };
        let mut at = START + DAY;
        loop {
            at += DAY * i64::try_from(1 + draw(&mut counter, 2 * mean)).unwrap();
            if at >= end {
                break;
            }
            let group = if number % 4 == 0 { "door" } else { "brake" };
            events.push(event(
                "VehicleIncidentReported",
                at,
                &json!({ "delay_min": 4, "is_failure": true, "fault_group": group, "line": "YU" }),
            ));
        }
        append(&log, &id, events);
    }
    let learning = Arc::new(Learning::new(
        log.clone(),
        clock,
        folder.path().join("models"),
    ));
    Depot {
        log,
        learning,
        folder,
    }
}

fn read(log: &Log) -> History {
    let mut history = History::default();
    while history.advance(log, log.durable_position()).unwrap() {}
    history
}

fn go(_: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn features_as_of_a_time_do_not_change_when_later_events_come() {
    let depot = depot();
    let words = Dictionary::of(&read(&depot.log));
    let time = START + 3 * 365 * DAY;
    let rows = |history: &History| -> Vec<Vec<u32>> {
        let each = history
            .vehicles
            .values()
            .map(|past| vehicle::row(history, past, &words, time));
        // By their bits, since NaN is a value here.
        each.map(|row| row.into_iter().map(f32::to_bits).collect())
            .collect()
    };
    let before = rows(&read(&depot.log));
    let incident = json!({ "delay_min": 30, "is_failure": true, "fault_group": "door" });
    // What happens later, what is reported late and live, and a vehicle that comes later.
    append(
        &depot.log,
        "unit-1",
        vec![event("VehicleIncidentReported", time, &incident)],
    );
    append(
        &depot.log,
        "unit-2",
        vec![event(
            "VehicleStatusChanged",
            time + DAY,
            &json!({ "new_status": "in_maintenance" }),
        )],
    );
    let late = NewEvent::new("VehicleIncidentReported", incident.to_string())
        .at(Timestamp::from_micros(time - 5 * DAY));
    append(&depot.log, "unit-3", vec![late]);
    append(
        &depot.log,
        "unit-4",
        vec![event(
            "VehicleMileageUpdated",
            time + 1,
            &json!({ "new_mileage": 9_000 }),
        )],
    );
    let after = rows(&read(&depot.log));
    assert_eq!(before, after);
    append(
        &depot.log,
        "unit-99",
        vec![event(
            "VehicleCreated",
            time + DAY,
            &json!({ "asset_id": "unit-99", "model": "T1" }),
        )],
    );
    assert_eq!(before, rows(&read(&depot.log))[..before.len()]);
    // The other way round: what happened before does show.
    append(
        &depot.log,
        "unit-1",
        vec![event("VehicleIncidentReported", time - DAY, &incident)],
    );
    assert_ne!(before[..], rows(&read(&depot.log))[..before.len()]);
}

#[test]
fn the_same_position_gives_the_same_bytes() {
    let depot = depot();
    let position = depot.log.durable_position();
    let file = || {
        let direct = DirectTraining::prepare(&depot.learning, position).unwrap();
        let backtest = direct.backtest(1, &mut go).unwrap();
        assert!(metrics(&backtest)["roc_auc_30"].as_f64().unwrap() > 0.7);
        direct.train(&backtest, &mut go).unwrap().1
    };
    let first = file();
    append(
        &depot.log,
        "unit-5",
        vec![event(
            "VehicleIncidentReported",
            START + 10 * DAY,
            &json!({ "is_failure": true, "delay_min": 3 }),
        )],
    );
    assert!(
        first == file(),
        "a later position of the log changes nothing at an earlier one"
    );
}

#[test]
fn too_little_history_and_cancelling_leave_the_server_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Standing(START + 100 * DAY));
    let options = LogOptions {
        clock: clock.clone(),
        ..LogOptions::default()
    };
    let log = Arc::new(Log::open(&folder.path().join("log"), options).unwrap());
    append(
        &log,
        "unit-1",
        vec![event(
            "VehicleCreated",
            START,
            &json!({ "asset_id": "unit-1", "model": "T1" }),
        )],
    );
    let learning = Arc::new(Learning::new(
        log.clone(),
        clock,
        folder.path().join("models"),
    ));
    let told = wait_for(&learning.start_training(None).unwrap());
    assert_eq!(told["status"], "failed");
    assert!(
        told["error"]
            .as_str()
            .unwrap()
            .contains("too little history"),
        "{told}"
    );
    let models = learning.list_models().unwrap();
    assert_eq!(
        (models.len(), &models[0]["status"], &models[0]["model_name"]),
        (1, &json!("failed"), &json!(FAILURE))
    );
    assert_eq!(
        learning.predict_failure(&wanted("unit-1")).unwrap()["source"],
        "rule"
    );

    let depot = depot();
    let job = depot.learning.start_training(None).unwrap();
    job.cancel();
    assert_eq!(wait_for(&job)["status"], "cancelled");
    assert_eq!(
        depot.learning.predict_failure(&wanted("unit-1")).unwrap()["source"],
        "rule"
    );
}

/// Regression: intervals of a calibration of their own once stood beside probabilities they did not hold.
#[test]
fn an_interval_holds_its_probability_and_the_card_shows_how_calibrated_they_are() {
    let depot = depot();
    let job = wait_for(&depot.learning.start_training(None).unwrap());
    assert_eq!(job["status"], "completed", "{job}");
    for number in 0..40 {
        let answer = depot
            .learning
            .predict_failure(&wanted(&format!("unit-{number}")));
        let answer = answer.unwrap();
        assert_eq!(answer["source"], "model", "{answer}");
        for horizon in answer["horizons"].as_array().unwrap() {
            let number = |value: &Value| value.as_f64().unwrap();
            let (low, high) = (
                number(&horizon["interval"][0]),
                number(&horizon["interval"][1]),
            );
            let chance = number(&horizon["probability"]);
            assert!(
                0.0 <= low && low <= chance && chance <= high && high <= 1.0,
                "{horizon}"
            );
        }
    }
    let listed = &depot.learning.list_models().unwrap()[0];
    assert_eq!(listed["metrics"]["calibration"], Value::Null);
    let card = depot
        .learning
        .model_details(listed["model_id"].as_str().unwrap())
        .unwrap();
    for days in ["30", "60", "90"] {
        let points = card["metrics"]["calibration"][days].as_array().unwrap();
        assert!(points.len() > 1, "{points:?}");
        let mut gap = 0.0;
        let mut snapshots = 0.0;
        for point in points {
            let number = |name: &str| point[name].as_f64().unwrap();
            gap += number("snapshots") * (number("predicted") - number("observed")).abs();
            snapshots += number("snapshots");
        }
        let told = card["metrics"][format!("ece_{days}")].as_f64().unwrap();
        assert!(
            (gap / snapshots - told).abs() < 1e-3,
            "the curve is what the error was taken from"
        );
    }
}

/// A stranger, a damaged file and a disk that takes no file are named, and the champion keeps answering.
#[test]
fn what_cannot_be_done_is_named_and_the_champion_stays() {
    let depot = depot();
    let job = wait_for(&depot.learning.start_training(None).unwrap());
    assert_eq!(job["status"], "completed", "{job}");
    let champion = depot.learning.list_models().unwrap()[0]["model_id"].clone();
    let refused = depot.learning.predict_failure(&wanted("nobody"));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "there is no vehicle \"nobody\" in the log"
    );
    let mut file = depot.learning.download(champion.as_str().unwrap()).unwrap();
    assert!(depot.learning.upload(b"%PDF-1.7", None).is_err());
    let middle = file.len() / 2;
    file[middle] ^= 1;
    assert!(depot.learning.upload(&file, None).is_err());

    // The next model finds no place for its file.
    depot.learning.predict_failure(&wanted("unit-2")).unwrap();
    let folder = depot.folder.path().join("models");
    std::fs::rename(&folder, depot.folder.path().join("models.away")).unwrap();
    std::fs::write(&folder, b"no folder").unwrap();
    let job = wait_for(&depot.learning.start_training(None).unwrap());
    assert_eq!(job["status"], "failed", "{job}");
    let error = job["error"].as_str().unwrap();
    assert!(error.contains("the model in use stays"), "{error}");
    let answer = depot.learning.predict_failure(&wanted("unit-1")).unwrap();
    assert_eq!(
        (&answer["source"], &answer["model"]["model_id"]),
        (&json!("model"), &champion)
    );
}

fn wanted(vehicle: &str) -> Wanted {
    Wanted {
        vehicle: vehicle.to_owned(),
        ..Wanted::default()
    }
}

/// A job's end; its thread is another, so this looks again and again, for four minutes at most.
fn wait_for(job: &super::jobs::Job) -> Value {
    for _ in 0..24_000 {
        if job.status().is_over() {
            return job.to_json();
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the job does not end: {}", job.to_json());
}
