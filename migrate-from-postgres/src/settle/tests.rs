//! What a stream lacks of what its rows say is said so that the row is found as it is, and said once.

use storage::{ExpectedVersion, Log, LogOptions, StreamName, StreamRange, Transaction};

use super::*;
use crate::append::Appender;
use crate::held::{Counting, held};
use crate::made::{Batch, Standing};
use crate::tables::assets::VEHICLES;

const FIRST: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const SECOND: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

fn stream() -> StreamName {
    StreamName::new(fleet::vehicle::AGGREGATE_TYPE, "185123")
}

/// What the row with this UUID says.
fn said(row: &str) -> Vec<u8> {
    format!("{{\"id\":\"{row}\",\"asset_id\":\"185123\",\"status\":\"in_workshop\"}}").into_bytes()
}

/// The creation that an import makes of a row, at this time.
fn created(row: &str, at: i64) -> NewEvent {
    let mut event = NewEvent::new("VehicleCreated", said(row));
    event.id = Some(ids::event_id("vehicles", row, "created"));
    event.schema = 2;
    event.occurred_at = Some(Timestamp::from_micros(at));
    event.metadata = metadata("vehicles", row);
    event
}

fn portion(row: &str, at: i64) -> Portion {
    Portion {
        stream: stream(),
        standing: Standing::Known,
        events: vec![created(row, at)],
        expected: vec![Expected {
            table: &VEHICLES,
            key: row.to_owned(),
            seen: Seen::State,
            row: said(row),
        }],
        is_whole: true,
    }
}

fn differences(log: &Log, portion: &Portion) -> Vec<Difference> {
    let held = held(log, &[portion], Counting::UpTo(Position::MAX)).unwrap();
    let mut comparer = Comparer::default();
    let compared = comparer.compare(&portion.stream, &portion.expected[0], &held[0]);
    compared.differences
}

fn take(log: &Log, portion: Portion) {
    let mut batch = Batch::default();
    batch.portions.push(portion);
    let mut appender = Appender::new(log);
    appender.take(batch).unwrap();
    appender.finish().unwrap();
}

/// An earlier version told the second row in the first one's stream, and its UUID by a change, which gives none any more.
#[test]
fn a_row_in_a_stream_that_another_began_has_its_own_uuid() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let mut second = created(SECOND, 1_000_000);
    second.id = second.id.map(|id| ids::moved_id(id, &stream()));
    let mut repair = NewEvent::new("VehicleUpdated", format!("{{\"id\":\"{SECOND}\"}}"));
    repair.id = Some(ids::change_id("vehicles", SECOND, 2, b"id"));
    repair.schema = 2;
    repair.occurred_at = Some(Timestamp::from_micros(3_000_000));
    repair.metadata = metadata("vehicles", SECOND);
    // The second row is the older one: its creation gives way to the first one's.
    for event in [created(FIRST, 2_000_000), second, repair] {
        let transaction = Transaction::single(stream(), ExpectedVersion::Any, event);
        log.append(transaction).unwrap();
    }
    // Where the id of its creation lies is another stream's business.
    let elsewhere = StreamName::new(fleet::vehicle::AGGREGATE_TYPE, "185124");
    let first = created(SECOND, 1_000_000);
    log.append(Transaction::single(elsewhere, ExpectedVersion::Any, first))
        .unwrap();
    let found = differences(&log, &portion(SECOND, 1_000_000));
    let columns: Vec<&str> = found.iter().map(|found| found.column.as_str()).collect();
    assert_eq!(columns, ["id"]);

    for _ in 0..2 {
        take(&log, portion(SECOND, 1_000_000));
        let left = differences(&log, &portion(SECOND, 1_000_000));
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(log.stream(&stream()).unwrap().version.get(), 4);
    }
    let mut reader = log.read_stream(&stream(), &StreamRange::default());
    let mut last = None;
    while let Some(event) = reader.next() {
        let event = event.unwrap();
        let data: Value = serde_json::from_slice(event.data()).unwrap();
        last = Some((event.event_type().to_owned(), event.schema(), data));
    }
    let (event_type, schema, data) = last.unwrap();
    assert_eq!((event_type.as_str(), schema), ("VehicleCreated", 2));
    assert_eq!(data, json!({ "id": SECOND, "status": "in_workshop" }));
}

/// The stream keeps the number with which the row began; what clients see is the one that the row has now.
#[test]
fn a_number_that_changed_is_told_once_and_is_what_clients_see() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let first = created(FIRST, 1_000_000);
    log.append(Transaction::single(stream(), ExpectedVersion::Any, first))
        .unwrap();
    let renamed = || {
        let text = String::from_utf8(said(FIRST)).unwrap();
        let row = text.replace("185123", "185 123-4").into_bytes();
        let mut portion = portion(FIRST, 1_000_000);
        portion.events[0].data = row.clone();
        portion.expected[0].row = row;
        portion
    };
    let unlike = differences(&log, &renamed());
    assert_eq!(unlike.len(), 1, "{unlike:?}");
    assert_eq!(unlike[0].column, "asset_id");
    for _ in 0..2 {
        take(&log, renamed());
        assert_eq!(log.stream(&stream()).unwrap().version.get(), 2);
    }
    assert!(differences(&log, &renamed()).is_empty());
    let of_stream = held(&log, &[&renamed()], Counting::UpTo(Position::MAX)).unwrap();
    let shown = fleet::vehicle::view("185123", &of_stream[0].state).unwrap();
    assert_eq!(shown.asset_id, "185 123-4");
    assert_eq!(shown.id.to_string(), FIRST);
}
