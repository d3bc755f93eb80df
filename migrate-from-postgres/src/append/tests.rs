//! What goes into the log, and in which pieces.

use storage::{Limits, LogOptions, StreamRange};
use tempfile::TempDir;

use super::*;
use crate::made::{Expected, metadata};
use crate::mapping::Seen;
use crate::tables::planning::EVENT_LOG;

/// A log that takes so many events in a transaction.
fn log_of(events_max: usize) -> (TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions {
        limits: Limits {
            transaction_events_max: events_max,
            data_bytes_max: 1_000,
            ..Limits::default()
        },
        ..LogOptions::default()
    };
    let log = Log::open(folder.path(), options).unwrap();
    (folder, log)
}

fn part() -> StreamName {
    StreamName::new(fleet::part::AGGREGATE_TYPE, "P-1")
}

/// The events of this many moves.
fn moves(count: u32) -> Vec<NewEvent> {
    let moved = |number: u32| {
        let key = format!("{number:05}");
        let mut event = NewEvent::new("StockLevelChanged", "{\"delta\":1}");
        event.id = Some(ids::event_id("stock_moves", &key, "level to"));
        event.schema = 2;
        event.metadata = metadata("stock_moves", &key);
        event
    };
    (0..count).map(moved).collect()
}

fn take(log: &Log, portion: Portion) {
    let mut batch = Batch::default();
    batch.portions.push(portion);
    let mut appender = Appender::new(log);
    appender.take(batch).unwrap();
    appender.finish().unwrap();
}

fn version(log: &Log, stream: &StreamName) -> u32 {
    log.stream(stream).unwrap_or_default().version.get()
}

#[test]
fn a_write_is_cut_by_count_and_by_bytes_and_only_its_first_piece_begins_the_stream() {
    let write = StreamWrite {
        stream: part(),
        expected: ExpectedVersion::NoStream,
        events: moves(7),
    };
    let one = Size::of(&write.events[0]);
    let check = |limit: Size, counts: &[usize]| {
        let pieces = cut(write.clone(), limit);
        let sizes: Vec<usize> = pieces.iter().map(|piece| piece.events.len()).collect();
        assert_eq!(sizes, counts, "{limit:?}");
        assert_eq!(pieces[0].expected, ExpectedVersion::NoStream);
        let mut others = pieces[1..].iter();
        assert!(others.all(|piece| piece.expected == ExpectedVersion::Exists));
        let events: Vec<NewEvent> = pieces.into_iter().flat_map(|piece| piece.events).collect();
        assert_eq!(events, write.events, "all of them, in their order");
    };
    let bytes = usize::MAX;
    check(Size { events: 3, bytes }, &[3, 3, 1]);
    check(Size { events: 7, bytes }, &[7]);
    let bytes = 2 * one.bytes;
    check(Size { events: 9, bytes }, &[2, 2, 2, 1]);
    // One that fits nowhere is for the log to refuse.
    check(
        Size {
            events: 9,
            bytes: 1,
        },
        &[1; 7],
    );
}

#[test]
fn an_aggregate_that_lacks_more_than_a_transaction_takes_is_brought_over() {
    let (_folder, log) = log_of(10);
    let portion = |standing, count| Portion {
        stream: part(),
        standing,
        events: moves(count),
        expected: Vec::new(),
        is_whole: true,
    };
    take(&log, portion(Standing::New, 25));
    assert_eq!(version(&log, &part()), 25);
    take(&log, portion(Standing::Known, 60));
    assert_eq!(version(&log, &part()), 60);
    take(&log, portion(Standing::Known, 60));
    assert_eq!(version(&log, &part()), 60, "once more adds nothing");
}

#[test]
fn what_the_settings_do_not_allow_names_the_setting() {
    let (_folder, log) = log_of(2);
    let refusal = |events| {
        let transaction = Transaction::stream(part(), ExpectedVersion::Any, events);
        refused(log.append(transaction).unwrap_err()).to_string()
    };
    let many = refusal(moves(3));
    assert!(many.contains("raise http.batch_events_max"), "{many}");
    let large = refusal(vec![NewEvent::new("PartCreated", vec![b' '; 2_000])]);
    assert!(large.contains("raise events.data_bytes_max"), "{large}");
}

/// The row of an imported log with this key, saying this.
fn kept(key: &str, says: &str) -> Portion {
    let data = format!("{{\"key\":\"{key}\",\"row\":{{\"device_id\":\"{says}\"}}}}");
    let expected = Expected {
        table: &EVENT_LOG,
        key: key.to_owned(),
        seen: Seen::LogRow,
        row: format!("{{\"device_id\":\"{says}\"}}").into_bytes(),
    };
    let mut event = NewEvent::new("LogRowImported", data);
    event.id = Some(expected.event_id());
    event.metadata = metadata(EVENT_LOG.name, key);
    Portion {
        stream: StreamName::new(fleet::imported_log::AGGREGATE_TYPE, EVENT_LOG.name),
        standing: Standing::Log,
        events: vec![event],
        expected: vec![expected],
        is_whole: true,
    }
}

/// What the log says last.
fn last_said(log: &Log) -> String {
    let stream = kept("", "").stream;
    let mut reader = log.read_stream(&stream, &StreamRange::default());
    let mut last = String::new();
    while let Some(event) = reader.next() {
        last = String::from_utf8(event.unwrap().data().to_vec()).unwrap();
    }
    last
}

#[test]
fn a_row_that_says_again_what_it_said_at_first_is_told_once_more() {
    let (_folder, log) = log_of(10);
    for (count, says) in [(1, "a"), (2, "b"), (3, "a"), (4, "b"), (5, "c")] {
        for _ in 0..2 {
            take(&log, kept("7", says));
            assert_eq!(version(&log, &kept("7", "").stream), count, "{says}");
            let said = last_said(&log);
            assert!(said.contains(&format!(":\"{says}\"")), "{says}: {said}");
        }
    }
}

#[test]
fn what_an_earlier_version_told_anew_is_not_told_again() {
    let (_folder, log) = log_of(10);
    take(&log, kept("7", "a"));
    let mut earlier = kept("7", "b");
    earlier.events[0].id = Some(earlier.expected[0].restated_id());
    let told = Transaction::stream(
        earlier.stream.clone(),
        ExpectedVersion::Any,
        earlier.events.clone(),
    );
    log.append(told).unwrap();
    take(&log, kept("7", "b"));
    assert_eq!(version(&log, &earlier.stream), 2);
    take(&log, kept("7", "c"));
    take(&log, kept("7", "b"));
    assert_eq!(version(&log, &earlier.stream), 4);
    assert!(last_said(&log).contains(":\"b\""));
}
