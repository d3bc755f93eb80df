//! How streams are put into parts.

use storage::{ExpectedVersion, LogOptions, NewEvent, StreamWrite, Transaction};

use super::*;

#[test]
fn parts_are_even_by_events_and_rows_and_the_longest_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let write = |aggregate_type: &str, id: String, events: usize| StreamWrite {
        stream: StreamName::new(aggregate_type, id),
        expected: ExpectedVersion::Any,
        events: vec![NewEvent::new("Told", "{}"); events],
    };
    let short = (0..30).rev();
    let mut writes: Vec<StreamWrite> = short
        .map(|number| write("Part", format!("P{number:02}"), 1))
        .collect();
    writes.push(write("Vehicle", "long".to_owned(), 50));
    log.append(Transaction {
        writes,
        condition: None,
    })
    .unwrap();

    let parts = parts_of(&log, 40).unwrap();
    let found = parts
        .iter()
        .map(|part| (part.work, part.number, part.streams.len()));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [(54, 0, 1), (40, 0, 8), (40, 1, 8), (40, 2, 8), (30, 3, 6)]
    );
    let short = parts[1..].iter().flat_map(|part| &part.streams);
    let ids: Vec<&str> = short.map(|(name, _)| &*name.aggregate_id).collect();
    let expected: Vec<String> = (0..30).map(|number| format!("P{number:02}")).collect();
    assert_eq!(ids, expected, "each once, and in order within a part");

    let small = parts_of(&log, 1_000).unwrap();
    assert_eq!(small.len(), 2, "no part has streams of two types");
}
