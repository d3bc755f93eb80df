//! The demo's folder: claimed once, filled once, recorded when it arrived.

use std::path::Path;

use fleet::calendar::Date;
use storage::{LogOptions, ReadRequest};
use tempfile::TempDir;

use super::*;
use crate::demo::Simulation;

fn plan(seed: u64) -> Plan {
    let end = Date {
        year: 2026,
        month: 10,
        day: 31,
    };
    Plan::new(
        seed,
        Options {
            vehicles: 3,
            days: 30,
            end,
        },
    )
}

fn folder() -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(&folder.path().join("demo"));
    (folder, config)
}

/// Position, event id, recorded time of all events.
fn recorded(folder: &Path) -> Vec<(u64, uuid::Uuid, i64)> {
    let log = Log::open(folder, LogOptions::default()).unwrap();
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let mut events = Vec::new();
    while let Some(event) = reader.next() {
        let event = event.unwrap();
        events.push((
            event.position().get(),
            event.id(),
            event.recorded_at().micros(),
        ));
    }
    events
}

fn fill_log(config: &Config, plan: &Plan) -> fill::Filled {
    let clock = Arc::new(DemoClock::default());
    let log = open_log(config, clock.clone()).unwrap();
    let filled = fill::fill(&log, &clock, plan).unwrap();
    log.close();
    filled
}

#[test]
fn the_history_is_recorded_when_it_arrived() {
    let (_folder, config) = folder();
    let filled = fill_log(&config, &plan(1));
    let events: Vec<_> = Simulation::new(1, plan(1).options()).collect();
    let recorded = recorded(&config.log_folder());
    assert_eq!(recorded.len(), events.len());
    assert_eq!(filled.events, events.len() as u64);
    let mut vehicles = events.iter();
    let first = vehicles.find(|event| event.aggregate_type == "Vehicle");
    assert_eq!(filled.first_vehicle, first.unwrap().aggregate_id);
    let ends = [&events[0], &events[events.len() - 1]].map(|event| event.arrived_at);
    assert!((ends[0]..ends[1]).contains(&filled.middle));
    for (event, (_, id, recorded_at)) in events.iter().zip(recorded) {
        assert_eq!(event.id, id, "in the order of arrival");
        let late = recorded_at - event.arrived_at;
        assert!(
            (0..7 * fleet::calendar::HOUR).contains(&late),
            "{id} is recorded {late} µs after its arrival"
        );
    }
}

#[test]
fn filling_again_adds_nothing() {
    let (_folder, config) = folder();
    let first = fill_log(&config, &plan(1));
    let before = recorded(&config.log_folder());
    assert_eq!(fill_log(&config, &plan(1)), first);
    assert_eq!(recorded(&config.log_folder()), before);
}

#[test]
fn filling_goes_on_where_it_was_interrupted() {
    let (_folder, config) = folder();
    fill_log(&config, &plan(1));
    let whole = recorded(&config.log_folder());
    let half = whole.len() as u64 / 2;
    let (_other, cut) = self::folder();
    std::fs::create_dir_all(&cut.data).unwrap();
    let up_to = Some(storage::Position::new(half));
    storage::restore(&config.log_folder(), &cut.log_folder(), up_to).unwrap();
    let begun = recorded(&cut.log_folder()).len();
    assert!(0 < begun && begun < whole.len(), "{begun} are there");
    fill_log(&cut, &plan(1));
    assert_eq!(recorded(&cut.log_folder()), whole);
}

#[test]
fn a_folder_is_one_demos() {
    let (_folder, config) = folder();
    let first = Depot::claim(&config, plan(1)).unwrap();
    let again = Depot::claim(&config, plan(1)).unwrap();
    assert_eq!(
        first.password("admin").unwrap(),
        again.password("admin").unwrap()
    );
    assert_ne!(
        first.password("admin").unwrap(),
        first.password("planner").unwrap()
    );
    let Err(error) = Depot::claim(&config, plan(2)) else {
        panic!("another demo took the folder")
    };
    assert!(
        error
            .to_string()
            .contains("holds another demo (seed 1, 3 vehicles, 30 days)")
    );
}

#[test]
fn a_folder_with_another_log_is_refused() {
    let (_folder, config) = folder();
    open_log(&config, Arc::new(SystemClock)).unwrap().close();
    let Err(error) = Depot::claim(&config, plan(1)) else {
        panic!("the demo took somebody's log")
    };
    assert!(error.to_string().contains("holds a log that is no demo's"));
    assert!(!config.data.join("demo.json").exists());
}
