//! An export whose files were written by servers of different age: some lack a column that others have, and events say what
//! this server has no column for. One query reads them all.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::process::{run, wait_until_free};
use harness::server::DataFolder;
use serde_json::{Value, json};
use storage::{ExpectedVersion, Log, LogOptions, NewEvent, StreamName, Timestamp, Transaction};

use super::{ENGINES, ask, engines, exported};

/// Writes the files anew without a column, as a server would have that did not know it yet.
const OLDER: &str = "
import sys, pyarrow.parquet as parquet
for path in sys.argv[2:]:
    rows = parquet.ParquetFile(path).read()
    parquet.write_table(rows.drop_columns([sys.argv[1]]), path, compression='zstd')
";

const JANUARY: i64 = 1_767_700_000_000_000;
const FEBRUARY: i64 = 1_770_500_000_000_000;

const BY_TYPE: &str = r#"SELECT event_type, schema, count(*) FROM "Vehicle" GROUP BY event_type, schema ORDER BY event_type, schema"#;
/// A column that the older files lack beside one that all have.
const INCIDENTS: &str = r#"SELECT count(*), count(delay_min), sum(delay_min), count(fault_group), max(fault_group) FROM "Vehicle" WHERE event_type = 'VehicleIncidentReported'"#;
/// What has no column, or does not fit its column.
const REST: &str =
    r#"SELECT aggregate_id, rest FROM "Vehicle" WHERE rest IS NOT NULL ORDER BY position"#;
const UNKNOWN: &str = r#"SELECT aggregate_id, event_type, schema, rest FROM "Airship""#;
const STATES: &str = r#"SELECT aggregate_id, rest FROM "Airship_states""#;

/// An event as it stands in a log.
struct Told {
    of: (&'static str, &'static str),
    event_type: &'static str,
    schema: u16,
    data: Value,
    /// Microseconds since 1970.
    at: i64,
}

/// What was told in January, as this server tells it.
fn old() -> Vec<Told> {
    let told = |id| Told {
        of: ("Vehicle", id),
        event_type: "VehicleIncidentReported",
        schema: 1,
        data: json!({ "delay_min": 5, "is_failure": true }),
        at: JANUARY,
    };
    ["old 1", "old 2", "old 3"].map(told).into()
}

/// What was told in February, by a newer depot.
fn new() -> Vec<Told> {
    let told = |of, event_type, data| Told {
        of,
        event_type,
        schema: 99,
        data,
        at: FEBRUARY,
    };
    let incident = "VehicleIncidentReported";
    vec![
        // A field that this server has no column for.
        told(
            ("Vehicle", "new 1"),
            incident,
            json!({ "delay_min": 7, "fault_group": "door", "wind_kmh": 80 }),
        ),
        // A field of another type than its column has.
        told(
            ("Vehicle", "new 2"),
            incident,
            json!({ "delay_min": "seven", "fault_group": "door" }),
        ),
        // An event that this server does not know, and one of an aggregate type that it does not know.
        told(
            ("Vehicle", "new 3"),
            "VehicleTaughtToFly",
            json!({ "wings": 2 }),
        ),
        told(
            ("Airship", "LZ 1"),
            "AirshipMoored",
            json!({ "mast": "North" }),
        ),
    ]
}

/// Has the stopped depot's log hold these events.
fn happen(depot: &DataFolder, events: Vec<Told>) {
    let log = Log::open(&depot.log(), LogOptions::default()).expect("nobody else has it open");
    for told in events {
        let mut event = NewEvent::new(told.event_type, told.data.to_string());
        event.schema = told.schema;
        event.occurred_at = Some(Timestamp::from_micros(told.at));
        let stream = StreamName::new(told.of.0, told.of.1);
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        log.append(transaction).expect("there is room");
    }
    log.close();
    wait_until_free(&depot.log());
}

/// The files of a type's events.
fn files(depot: &DataFolder, url: &str, aggregate_type: &str) -> Vec<PathBuf> {
    let mut command = depot.command(&["lake", "files", "--from", url]);
    command.args(["--aggregate-type", aggregate_type]);
    let (status, said) = run(&mut command, Duration::from_secs(60));
    assert!(status.success(), "{said}");
    let events = said.lines().filter(|line| line.contains("/events/"));
    events.map(PathBuf::from).collect()
}

fn without_column(python: &Path, column: &str, files: &[PathBuf]) {
    let mut command = Command::new(python);
    command.args(["-c", OLDER, column]).args(files);
    let (status, said) = run(&mut command, Duration::from_secs(60));
    assert!(status.success(), "{said}");
}

#[test]
fn three_engines_read_old_and_new_files_in_one_query() {
    const TEST: &str = "three_engines_read_old_and_new_files_in_one_query";
    let Some(python) = engines(TEST) else {
        return;
    };
    let depot = DataFolder::new();
    let place = depot.beside("lake");
    let url = format!("file://{}", place.display());
    happen(&depot, old());
    happen(&depot, new());
    exported(&depot, &url, &[]);
    let (older, newer): (Vec<_>, Vec<_>) = files(&depot, &url, "Vehicle")
        .into_iter()
        .partition(|file| file.to_string_lossy().contains("month=2026-01"));
    assert!(
        !older.is_empty() && !newer.is_empty(),
        "{older:?} {newer:?}"
    );
    without_column(&python, "fault_group", &older);

    for engine in ENGINES {
        let questions = [BY_TYPE, INCIDENTS, REST, UNKNOWN, STATES];
        let answers = ask(&python, engine, &place, "Vehicle,Airship", &questions);
        let by_type = json!([
            ["VehicleIncidentReported", 1, 3],
            ["VehicleIncidentReported", 99, 2],
            ["VehicleTaughtToFly", 99, 1],
        ]);
        assert_eq!(answers[0], by_type, "{engine}: events by type and schema");
        assert_eq!(
            answers[1],
            json!([[5, 4, 22, 2, "door"]]),
            "{engine}: incidents"
        );
        let rest = json!([
            ["new 1", r#"{"wind_kmh":80}"#],
            ["new 2", r#"{"delay_min":"seven"}"#],
            ["new 3", r#"{"wings":2}"#],
        ]);
        assert_eq!(answers[2], rest, "{engine}: what has no column");
        let moored = json!([["LZ 1", "AirshipMoored", 99, r#"{"mast":"North"}"#]]);
        assert_eq!(answers[3], moored, "{engine}: an unknown aggregate type");
        assert_eq!(
            answers[4],
            json!([["LZ 1", r#"{"mast":"North"}"#]]),
            "{engine}: its state"
        );
    }
}
