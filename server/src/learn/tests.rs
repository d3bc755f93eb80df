//! Learning on a small depot: nothing leaks, the same log gives the same bytes, and answers carry reasons.

use std::ops::ControlFlow;
use std::sync::Arc;

use fleet::calendar::DAY;
use serde_json::{Value, json};
use storage::{
    Clock, ExpectedVersion, Limits, Log, LogOptions, NewEvent, StreamName, Timestamp, Transaction,
};
use tempfile::TempDir;

use super::history::{Earliest, History, When};
use super::training::DirectTraining;
use super::vehicle::{self, Dictionary};
use super::{Artifact, FAILURE, Learning, Times, TrainError, Wanted, metrics};

mod demand;
mod known;
mod left;
mod reading;

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

/// What was brought in: it counts as known in its own time.
fn event(event_type: &str, at: i64, data: &Value) -> NewEvent {
    let mut made = live(event_type, at, data);
    made.metadata = br#"{"source":"test-history"}"#.to_vec();
    made
}

/// What is known from when the log takes it, which in these depots is after all that happens.
fn live(event_type: &str, at: i64, data: &Value) -> NewEvent {
    NewEvent::new(event_type, data.to_string()).at(Timestamp::from_micros(at))
}

/// The same event with this metadata and these tags.
fn by(made: NewEvent, metadata: &Value, tags: &[&str]) -> NewEvent {
    NewEvent {
        metadata: metadata.to_string().into_bytes(),
        tags: tags.iter().map(|&tag| tag.into()).collect(),
        ..made
    }
}

/// The tag of an event that another depot's log took first.
fn origin(recorded_at: i64) -> Box<str> {
    let origin = fleet::Origin {
        log: 7,
        position: 1,
        recorded_at,
    };
    origin.tag()
}

fn append(log: &Log, vehicle: &str, events: Vec<NewEvent>) {
    append_to(log, "Vehicle", vehicle, events);
}

fn append_to(log: &Log, aggregate_type: &str, id: &str, events: Vec<NewEvent>) {
    let stream = StreamName::new(aggregate_type, id);
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
    let incident_at = |at: i64| live("VehicleIncidentReported", at, &incident);
    let late = incident_at(time - 5 * DAY);
    append(&depot.log, "unit-3", vec![late.clone()]);
    // A tablet that was offline, a client that names a source, and what another depot knew only later.
    let tablet = json!({ "device_id": "tablet-1", "source": "sync" });
    let tablet_tags = ["user:anna", "device:tablet-1"];
    append(
        &depot.log,
        "unit-5",
        vec![by(incident_at(time - 2 * DAY), &tablet, &tablet_tags)],
    );
    let said = by(late.clone(), &json!({ "source": "yard" }), &["user:anna"]);
    append(&depot.log, "unit-6", vec![said]);
    let elsewhere = by(late.clone(), &json!({}), &[&origin(time + DAY)]);
    append(&depot.log, "unit-7", vec![elsewhere]);
    // When it was bought, that it is gone, and that there is another, each told late.
    let bought = json!({ "purchase_date": "2010-01-01T00:00:00Z" });
    append(
        &depot.log,
        "unit-8",
        vec![live("VehicleUpdated", time - DAY, &bought)],
    );
    append(
        &depot.log,
        "unit-12",
        vec![live("VehicleDeleted", time - DAY, &json!({}))],
    );
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
    let created = json!({ "asset_id": "unit-98", "model": "T1" });
    append(
        &depot.log,
        "unit-98",
        vec![live("VehicleCreated", time - 100 * DAY, &created)],
    );
    let history = read(&depot.log);
    assert_eq!(before, rows(&history)[..before.len()]);
    let deleted = &history.vehicles["unit-12"];
    assert!(vehicle::in_service(deleted, time), "nobody knew of it yet");
    let end = START + YEARS * 365 * DAY;
    assert!(!vehicle::in_service(deleted, end + DAY));
    // The other way round: what was known before does show.
    let shows = |unit: &str, made: NewEvent| {
        let before = rows(&read(&depot.log));
        append(&depot.log, unit, vec![made]);
        assert_ne!(before, rows(&read(&depot.log)), "{unit}");
    };
    shows(
        "unit-1",
        event("VehicleIncidentReported", time - DAY, &incident),
    );
    shows("unit-8", event("VehicleUpdated", time - DAY, &bought));
    shows("unit-7", by(late, &json!({}), &[&origin(time - 4 * DAY)]));
}

/// When a log takes the events of [`known`].
#[test]
fn parts_and_orders_as_of_a_time_do_not_change_when_later_events_come() {
    let depot = depot();
    let time = START + 3 * 365 * DAY;
    let usage = json!({ "part_no": "P-1", "move_type": "USAGE", "quantity": 3 });
    let used = |month: i64| event("StockMoveCreated", START + (1 + 30 * month) * DAY, &usage);
    append_to(&depot.log, "StockMove", "m-1", (0..36).map(used).collect());
    append_to(
        &depot.log,
        "Part",
        "P-1",
        vec![event(
            "PartCreated",
            START,
            &json!({ "lead_time_days": 14 }),
        )],
    );
    let order = json!({ "priority": "high", "vehicle_id": "unit-1" });
    let ordered = vec![event("WorkOrderCreated", time - 20 * DAY, &order)];
    append_to(&depot.log, "WorkOrder", "W-1", ordered);
    let answers = |time: i64| -> [Value; 3] {
        let learning = &depot.learning;
        let each = [
            learning.predict_demand("P-1", 30, 0.95, Some(time)),
            learning.forecast_parts(3, 10, None, 0.95, Some(time)),
            learning.predict_completion("W-1", Some(time)),
        ];
        each.map(|answer| {
            let mut answer = answer.unwrap();
            answer["position"] = Value::Null;
            answer
        })
    };
    let before = answers(time);
    assert_eq!(before[0]["order"]["lead_time_days"], 14.0);
    assert_eq!(before[0]["order"]["stock_by_moves"], -108.0);
    assert_eq!(before[2]["features"]["days_since_created"], 20.0);

    let moved = |part: &str, kind: &str, quantity: i64| {
        let data = json!({ "part_no": part, "move_type": kind, "quantity": quantity });
        live("StockMoveCreated", time - 10 * DAY, &data)
    };
    let moves = vec![
        moved("P-1", "RECEIPT", 500),
        moved("P-1", "USAGE", 8),
        moved("P-2", "USAGE", 1),
    ];
    append_to(&depot.log, "StockMove", "m-2", moves);
    let slower = live(
        "PartUpdated",
        time - 10 * DAY,
        &json!({ "lead_time_days": 200 }),
    );
    append_to(&depot.log, "Part", "P-1", vec![slower]);
    let late = [
        ("WorkOrderNoted", time - 25 * DAY),
        ("WorkOrderStarted", time - 19 * DAY),
        ("WorkOrderCompleted", time - 18 * DAY),
    ];
    let late = late.map(|(event_type, at)| live(event_type, at, &json!({})));
    append_to(&depot.log, "WorkOrder", "W-1", late.to_vec());
    assert_eq!(before, answers(time));

    // Once they are known they count.
    let end = START + (YEARS * 365 + 1) * DAY;
    let [demand, list, order] = answers(end);
    assert_eq!(demand["order"]["lead_time_days"], 200.0);
    assert_eq!(demand["order"]["stock_by_moves"], 500.0 - 108.0 - 8.0);
    assert_eq!(list["parts"].as_array().unwrap().len(), 2);
    let days = (end - time) / DAY;
    assert_eq!(
        order["features"]["days_since_created"],
        (25 + days) as f64,
        "the earliest, and not the first to come"
    );
}

#[test]
fn the_earliest_is_of_those_that_were_known_by_then() {
    let mut first = Earliest::default();
    for (happened, known) in [(10, 10), (8, 20), (9, 15), (8, 30), (12, 12)] {
        first.add(When { happened, known });
    }
    let seen = |time: i64| first.visible(time).map(|when| when.happened);
    assert_eq!(
        [10, 11, 15, 16, 20, 21].map(seen),
        [None, Some(10), Some(10), Some(9), Some(9), Some(8)]
    );
    // One that happened first and was known first is all that is left.
    first.add(When {
        happened: 7,
        known: 7,
    });
    let seen = |time: i64| first.visible(time).map(|when| when.happened);
    assert_eq!([7, 8, 30].map(seen), [None, Some(7), Some(7)]);
}

/// Regression: one vehicle of the third century thinned the snapshots of all others.
#[test]
fn a_vehicle_of_another_century_does_not_thin_the_snapshots_of_the_fleet() {
    let depot = depot();
    let end = START + YEARS * 365 * DAY;
    let times = Times {
        step_days: 14,
        snapshots_max: 6_000,
    };
    let before = times.of(&read(&depot.log), end);
    assert_eq!(before.len(), 124, "none is left out");
    let thinned = Times {
        snapshots_max: 2_600,
        ..times
    };
    assert_eq!(thinned.of(&read(&depot.log), end).len(), 62);
    let long_ago = START - 1_750 * 365 * DAY;
    append(
        &depot.log,
        "unit-40",
        vec![event(
            "VehicleCreated",
            long_ago,
            &json!({ "asset_id": "unit-40" }),
        )],
    );
    let history = read(&depot.log);
    assert_eq!(times.of(&history, end), before);
    assert_eq!(history.fleet_size(START), 1);
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
    file[middle] ^= 1;
    let refused = depot.learning.upload(&file, None).unwrap_err().to_string();
    assert!(refused.contains("the model in use stays"), "{refused}");
    // What a command trained comes in the same way.
    let artifact = Artifact::read(&file).unwrap();
    let added = depot.learning.add(&artifact, &file, Value::Null, None);
    assert!(matches!(added, Err(TrainError::Store(_))), "{added:?}");
    let models = depot.learning.list_models().unwrap();
    assert_eq!(models.len(), 2, "what has no file is not registered");
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
