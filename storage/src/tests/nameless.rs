//! Name records that have rotted where nothing else says the name: what needs them is refused by its position and given under no
//! other name, and nothing new is taken for it.

use std::sync::Arc;

use super::support::*;
use crate::names::UNREADABLE;
use crate::repo::{MemoryRepo, Repo};
use crate::verify::verify_in;
use crate::*;

const FIRST: &str = "000000000001.log";

/// One segment for all.
fn options() -> LogOptions {
    LogOptions {
        segment_bytes_min: 1 << 20,
        segment_bytes_max: 1 << 20,
        ..small()
    }
}

fn world() -> (MemoryRepo, Arc<dyn Repo>) {
    let memory = MemoryRepo::new();
    (memory.clone(), Arc::new(memory))
}

/// Flips a bit of the text where it stands first in the file: in its name record, for no event holds it.
fn rot(memory: &MemoryRepo, file: &str, text: &str) {
    let mut bytes = memory.bytes(file);
    let mut windows = bytes.windows(text.len());
    let at = windows.position(|window| window == text.as_bytes());
    bytes[at.unwrap()] ^= 1;
    memory.put(file, bytes);
}

/// The whole log, and the positions that are refused.
fn read_around(log: &Log) -> (Vec<Event>, Vec<u64>) {
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let (mut events, mut refused) = (Vec::new(), Vec::new());
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => events.push(event.to_owned()),
            Err(ReadError::Damaged { first, last, .. }) => refused.extend(first.get()..=last.get()),
            Err(other) => panic!("{other}"),
        }
    }
    (events, refused)
}

fn positions_of(log: &Log, name: &StreamName) -> Vec<u64> {
    let mut reader = log.read_stream(name, &StreamRange::default());
    let mut positions = Vec::new();
    while let Some(event) = reader.next() {
        // One that is lost may belong to any stream.
        if let Ok(event) = event {
            positions.push(event.position().get());
        }
    }
    positions
}

/// The positions that a reader gives, and those that it refuses.
fn met(mut reader: Reader<'_>) -> (Vec<u64>, Vec<u64>) {
    let (mut given, mut refused) = (Vec::new(), Vec::new());
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => given.push(event.position().get()),
            Err(ReadError::Damaged { first, last, .. }) => refused.extend(first.get()..=last.get()),
            Err(other) => panic!("{other}"),
        }
    }
    given.sort_unstable();
    refused.sort_unstable();
    (given, refused)
}

/// What a query meets, in whatever order it is read.
#[track_caller]
fn check(log: &Log, query: &Query, given: &[u64], refused: &[u64]) {
    for direction in [Direction::Forward, Direction::Backward] {
        for order in [Order::Position, Order::Occurred] {
            let request = ReadRequest {
                query: query.clone(),
                direction,
                order,
                ..ReadRequest::default()
            };
            let met = met(log.read(&request).unwrap());
            assert_eq!(met, (given.to_vec(), refused.to_vec()), "{request:?}");
        }
    }
}

fn vehicle(aggregate_id: &str) -> StreamName {
    StreamName::new("Vehicle", aggregate_id)
}

/// Events of a lost type in a lost stream, of which there are none.
fn lost_type_in_lost_stream() -> Query {
    Query::from(QueryItem {
        streams: vec![vehicle("first-lost")],
        event_types: vec!["lost-type".into()],
        ..QueryItem::default()
    })
}

/// Two streams and a type have lost their names. Both streams were once given as one, with the versions of both.
fn without_names() -> (Arc<dyn Repo>, Vec<Event>) {
    let (memory, repo) = world();
    let log = open(&repo, &options());
    for (aggregate_id, event_type) in [
        ("kept", "T"),
        ("first-lost", "T"),
        ("second-lost", "T"),
        ("kept", "lost-type"),
        ("kept", "T"),
        ("first-lost", "T"),
    ] {
        log.append(one(aggregate_id, event_type, "{}")).unwrap();
    }
    let events = all(&log);
    log.close();
    for name in ["first-lost", "second-lost", "lost-type"] {
        rot(&memory, FIRST, name);
    }
    (repo, events)
}

#[test]
fn what_has_lost_its_name_is_refused_and_mixed_with_nothing() {
    let (repo, events) = without_names();
    let said = verify_in(&repo, None, &VerifyOptions::default())
        .unwrap()
        .problems;
    for (name, first) in [
        ("the name of stream 1", 2),
        ("the name of stream 2", 3),
        ("the event type 1", 4),
    ] {
        let what = format!(
            "{name} is lost: the events that need it, the first at position {first}, cannot be read"
        );
        let mut said = said.iter();
        assert!(said.any(|problem| problem.what == what), "{what}");
    }
    // The second time with the tables that the first has saved.
    for round in 0..2 {
        let log = open(&repo, &options());
        let (read, refused) = read_around(&log);
        assert_eq!(refused, [2, 3, 4, 6], "round {round}");
        assert_eq!(read, [events[0].clone(), events[4].clone()]);
        assert_eq!(log.event_type_names(), ["T".into()]);
        let damage = log.health().damage;
        let named: Vec<u64> = damage
            .iter()
            .filter_map(|range| Some(range.positions?.0.get()))
            .collect();
        assert_eq!(named, refused);
        log.settle();
        log.close();
    }
}

#[test]
fn names_that_were_lost_begin_anew() {
    let (repo, _) = without_names();
    let log = open(&repo, &options());
    let first = StreamName::new("Vehicle", "first-lost");
    for (aggregate_id, event_type) in [("first-lost", "lost-type"), (UNREADABLE, UNREADABLE)] {
        let receipt = log.append(one(aggregate_id, event_type, "{}")).unwrap();
        assert_eq!(receipt.events[0].version, Version::FIRST);
    }
    log.settle();
    log.close();
    let log = open(&repo, &options());
    let (read, refused) = read_around(&log);
    assert_eq!(refused, [2, 3, 4, 6], "what was lost stays so");
    let names: Vec<_> = read[2..]
        .iter()
        .map(|event| (&*event.stream.aggregate_id, &*event.event_type))
        .collect();
    assert_eq!(
        names,
        [("first-lost", "lost-type"), (UNREADABLE, UNREADABLE)]
    );
    assert_eq!(positions_of(&log, &first), [7]);
    let again = log.append(one(UNREADABLE, UNREADABLE, "{}")).unwrap();
    assert_eq!(again.events[0].version.get(), 2, "a name like any other");
}

/// A read by a name was once silent about events that have lost theirs, and seemed to be complete.
#[test]
fn reads_by_name_refuse_what_may_be_of_it() {
    let (repo, _) = without_names();
    // The second time by the index in the file.
    for _ in 0..2 {
        let log = open(&repo, &options());
        check(&log, &Query::event_types(["T"]), &[1, 5], &[2, 3, 6]);
        check(&log, &Query::event_types(["lost-type"]), &[], &[4]);
        let both = Query::event_types(["T", "lost-type"]);
        check(&log, &both, &[1, 5], &[2, 3, 4, 6]);
        check(&log, &Query::stream(vehicle("kept")), &[1, 5], &[4]);
        let lost = vehicle("first-lost");
        check(&log, &Query::stream(lost.clone()), &[], &[2, 3, 6]);
        let vehicles = Query::aggregate_types(["Vehicle"]);
        check(&log, &vehicles, &[1, 5], &[2, 3, 4, 6]);
        check(&log, &Query::aggregate_types(["Part"]), &[], &[2, 3, 6]);
        check(&log, &Query::tags(["x"]), &[], &[]);
        check(&log, &lost_type_in_lost_stream(), &[], &[]);
        let of_stream = |name: &StreamName| met(log.read_stream(name, &StreamRange::default()));
        assert_eq!(of_stream(&vehicle("kept")), (vec![1, 5], vec![4]));
        assert_eq!(of_stream(&lost), (vec![], vec![2, 3, 6]));
        log.settle();
        log.close();
    }
}

/// The old events of a type are no others' for its having a new number. A stream begun anew has versions of its own.
#[test]
fn a_type_begun_anew_lacks_what_had_its_name() {
    let (repo, _) = without_names();
    let log = open(&repo, &options());
    log.append(one("kept", "lost-type", "{}")).unwrap();
    log.append(one("first-lost", "T", "{}")).unwrap();
    check(&log, &Query::event_types(["lost-type"]), &[7], &[4]);
    check(&log, &Query::event_types(["T"]), &[1, 5, 8], &[2, 3, 6]);
    let anew = vehicle("first-lost");
    check(&log, &Query::stream(anew.clone()), &[8], &[]);
    let of_stream = met(log.read_stream(&anew, &StreamRange::default()));
    assert_eq!(of_stream, (vec![8], vec![]));
}

/// A condition was once taken to hold although an event that it excludes may be among those that have lost their names.
#[test]
fn conditions_count_what_may_be_of_them() {
    let (repo, _) = without_names();
    let log = open(&repo, &options());
    let refused_for = |query: &Query, after: u64| {
        let write = one("kept", "T", "{}").on_condition(query.clone(), Position::new(after));
        match log.append(write) {
            Ok(_) => None,
            Err(AppendError::ConditionFailed { position, .. }) => Some(position.get()),
            Err(other) => panic!("{other}"),
        }
    };
    for (query, newest) in [
        (Query::event_types(["lost-type"]), 4),
        (Query::stream(vehicle("first-lost")), 6),
        (Query::aggregate_types(["Part"]), 6),
    ] {
        assert_eq!(refused_for(&query, newest - 1), Some(newest), "{query:?}");
        assert_eq!(refused_for(&query, newest), None, "{query:?}");
    }
    // What cannot be of the names that were lost is decided as ever.
    for query in [Query::tags(["x"]), lost_type_in_lost_stream()] {
        assert_eq!(refused_for(&query, 0), None, "{query:?}");
    }
    let kept = vehicle("kept");
    let version = log.stream(&kept).unwrap().version;
    assert_eq!(version.get(), 8, "the lost type's event has its version");
    let exact = Transaction::single(
        kept,
        ExpectedVersion::Exact(version),
        NewEvent::new("T", "{}"),
    );
    log.append(exact).unwrap();
    log.append(one("first-lost", "lost-type", "{}")).unwrap();
}

/// A stream whose type alone has lost its name still has its id, and is not of a type that was known when it began.
#[test]
fn a_lost_aggregate_type_is_not_taken_for_one_that_was_known() {
    let (memory, repo) = world();
    let log = open(&repo, &options());
    for (kind, aggregate_id) in [("Vehicle", "a"), ("LostKind", "b"), ("Vehicle", "a")] {
        let stream = StreamName::new(kind, aggregate_id);
        let event = NewEvent::new("T", "{}");
        log.append(Transaction::single(stream, ExpectedVersion::Any, event))
            .unwrap();
    }
    log.close();
    rot(&memory, FIRST, "LostKind");
    let log = open(&repo, &options());
    for (kind, aggregate_id, refused) in [
        ("LostKind", "b", vec![2]),
        ("LostKind", "c", vec![]),
        ("Vehicle", "b", vec![]),
    ] {
        let stream = StreamName::new(kind, aggregate_id);
        check(&log, &Query::stream(stream), &[], &refused);
    }
    check(&log, &Query::aggregate_types(["LostKind"]), &[], &[2]);
    check(&log, &Query::aggregate_types(["Vehicle"]), &[1, 3], &[]);
    check(&log, &Query::event_types(["T"]), &[1, 3], &[2]);
}

/// The new type once took the lost one's number, and with it the lost one's streams.
#[test]
fn a_new_type_is_not_taken_for_a_lost_one() {
    let (memory, repo) = world();
    let log = open(&repo, &options());
    let of_kind = |kind: &str, aggregate_id: &str| {
        let stream = StreamName::new(kind, aggregate_id);
        Transaction::single(stream, ExpectedVersion::Any, NewEvent::new("T", "{}"))
    };
    log.append(of_kind("Vehicle", "a")).unwrap();
    log.append(of_kind("LostKind", "b")).unwrap();
    log.append(of_kind("Vehicle", "a")).unwrap();
    log.close();
    rot(&memory, FIRST, "LostKind");
    let log = open(&repo, &options());
    log.append(of_kind("NewKind", "c")).unwrap();
    let (read, refused) = read_around(&log);
    assert_eq!(refused, [2]);
    assert_eq!(read[2].stream, StreamName::new("NewKind", "c"));
    assert_eq!(log.streams_of_type("NewKind"), [read[2].stream.clone()]);
}

/// The name went with a whole segment, and the stream goes on in the next: a new stream once took its number and its events.
#[test]
fn a_new_stream_is_not_taken_for_one_whose_segment_is_gone() {
    let (memory, repo) = world();
    let log = open(&repo, &small());
    let fill = |segments| {
        while log.stats().segments < segments {
            log.append(one("a", "T", "filling")).unwrap();
        }
    };
    for segments in [2, 3] {
        fill(segments);
        log.append(one("b", "T", "{}")).unwrap();
    }
    fill(4);
    log.settle();
    log.close();
    for name in memory.list().unwrap() {
        let is_second = name.starts_with("000000000002.");
        if is_second || name.ends_with(".state") {
            memory.remove(&name).unwrap();
        }
    }
    let log = open(&repo, &small());
    let receipt = log.append(one("c", "T", "{}")).unwrap();
    assert_eq!(receipt.events[0].version, Version::FIRST);
    let new = StreamName::new("Vehicle", "c");
    let position = receipt.last_position().get();
    assert_eq!(positions_of(&log, &new), [position]);
    let (read, refused) = read_around(&log);
    assert!(!refused.is_empty());
    assert!(read.iter().all(|event| *event.stream.aggregate_id != *"b"));
}

/// A name that half of all events need: the ranges that are told apart stay few, and all that is lost lies in them.
#[test]
fn a_lost_name_that_many_need_is_told_in_few_words() {
    let (memory, repo) = world();
    let log = open(&repo, &options());
    for number in 0..2_500 {
        let event_type = ["T", "common-type"][number % 2];
        log.append(one("a", event_type, "{}")).unwrap();
    }
    log.close();
    rot(&memory, FIRST, "common-type");
    let said = verify_in(&repo, None, &VerifyOptions::default())
        .unwrap()
        .problems;
    let of_name = said
        .iter()
        .filter(|problem| problem.what.contains("the event type 1 is lost"));
    assert_eq!(of_name.count(), 1, "{said:?}");
    let log = open(&repo, &options());
    for _ in 0..2 {
        let (read, refused) = read_around(&log);
        assert_eq!((read.len(), refused.len()), (1_250, 1_250));
        let damage = log.health().damage;
        assert_eq!(damage.len(), 1_000);
        let ranges = || damage.iter().filter_map(|range| range.positions);
        for position in refused {
            let mut ranges = ranges();
            assert!(
                ranges.any(|(first, last)| (first.get()..=last.get()).contains(&position)),
                "{position}"
            );
        }
    }
}
