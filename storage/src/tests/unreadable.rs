//! Files that cannot be opened or read for a while: said, stepped around, and whole again when it is over.

use std::sync::Arc;

use uuid::Uuid;

use super::support::*;
use crate::repo::{Fault, FaultKind, FaultyRepo, Operation, Repo};
use crate::*;

/// From now on every operation of this kind fails.
fn fail(faulty: &FaultyRepo, only: Operation, kind: FaultKind) {
    let at = faulty.operations_of(only) + 1;
    let only = Some(only);
    faulty.inject(Fault { at, only, kind });
}

fn world() -> (FaultyRepo, Arc<dyn Repo>) {
    let faulty = FaultyRepo::new();
    (faulty.clone(), Arc::new(faulty))
}

fn fill_segments(log: &Log, count: u64) {
    let until = log.stats().segments + count;
    while log.stats().segments < until {
        log.append(one("a", "T", "filling")).unwrap();
    }
    log.settle();
}

/// The filter's "no" counts for all segments before one that it knows, so none may be passed over.
#[test]
fn an_id_is_known_though_its_segment_could_not_be_read_when_it_was_sealed() {
    let (faulty, repo) = world();
    let log = open(&repo, &small());
    let event = NewEvent::new("T", "x").with_id(Uuid::from_u128(7));
    let name = StreamName::new("Vehicle", "a");
    let transaction = Transaction::single(name, ExpectedVersion::Any, event);
    log.append(transaction.clone()).unwrap();
    fail(&faulty, Operation::View, FaultKind::IoForGood);
    fill_segments(&log, 1);
    assert!(!log.shared.segments()[0].is_in_filter());
    faulty.clear_faults();
    for _ in 0..3 {
        assert!(log.append(transaction.clone()).unwrap().duplicate);
        fill_segments(&log, 1);
    }
    let segments = log.shared.segments();
    let sealed = &segments[..segments.len() - 1];
    assert!(sealed.iter().all(|segment| segment.is_in_filter()));
}

/// A closed log of several segments, opened again: nothing of the sealed ones is loaded.
fn reopened(faulty: &FaultyRepo, repo: &Arc<dyn Repo>) -> (Log, Vec<Event>) {
    let log = open(repo, &small());
    fill_segments(&log, 4);
    let events = all(&log);
    log.close();
    faulty.drop_cache();
    let log = open(repo, &small());
    log.settle();
    (log, events)
}

fn read_errors(log: &Log, request: &ReadRequest) -> (u64, u64) {
    let (mut read, mut failed) = (0, 0);
    let mut reader = match log.read(request) {
        Ok(reader) => reader,
        Err(ReadError::Unreadable { .. }) => return (0, 1),
        Err(other) => panic!("{other}"),
    };
    while let Some(event) = reader.next() {
        match event {
            Ok(_) => read += 1,
            Err(_) => failed += 1,
        }
    }
    (read, failed)
}

#[test]
fn a_segment_that_cannot_be_read_is_an_error_and_then_read_again() {
    for only in [Operation::Open, Operation::View] {
        let requests = [
            ReadRequest::default(),
            ReadRequest {
                direction: Direction::Backward,
                ..ReadRequest::default()
            },
            ReadRequest {
                query: Query::event_types(["T"]),
                ..ReadRequest::default()
            },
            ReadRequest {
                order: Order::Occurred,
                ..ReadRequest::default()
            },
            ReadRequest {
                occurred: Some(TimeRange {
                    from: Timestamp::MIN,
                    to: Timestamp::from_micros(1_700_000_000_010_000),
                }),
                ..ReadRequest::default()
            },
        ];
        for request in requests {
            let (faulty, repo) = world();
            let (log, events) = reopened(&faulty, &repo);
            fail(&faulty, only, FaultKind::IoForGood);
            let (read, failed) = read_errors(&log, &request);
            assert!(
                read < events.len() as u64 && failed > 0,
                "{only:?} {request:?}"
            );
            faulty.clear_faults();
            assert_eq!(all(&log), events);
            assert_eq!(read_errors(&log, &request).1, 0, "{only:?} {request:?}");
        }
    }
}

#[test]
fn what_needs_an_unreadable_segment_is_unavailable() {
    let (faulty, repo) = world();
    let (log, events) = reopened(&faulty, &repo);
    fail(&faulty, Operation::Open, FaultKind::IoForGood);
    let id = events[0].id;
    let again = || {
        let name = StreamName::new("Vehicle", "a");
        let event = NewEvent::new("T", "filling").with_id(id);
        Transaction::single(name, ExpectedVersion::Any, event)
    };
    let error = log.append(again()).unwrap_err();
    assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
    assert_eq!(error.kind(), AppendErrorKind::Unavailable);
    assert!(matches!(
        log.position_of(id),
        Err(ReadError::Unreadable { .. })
    ));
    let condition =
        one("b", "U", "x").on_condition(Query::aggregate_types(["Vehicle"]), Position::START);
    let outcome = log.append(condition).unwrap_err();
    let newest_is_in_memory = matches!(outcome, AppendError::ConditionFailed { .. });
    assert!(newest_is_in_memory || outcome.kind() == AppendErrorKind::Unavailable);
    faulty.clear_faults();
    assert_eq!(log.position_of(id).unwrap(), Some(Position::FIRST));
    assert!(log.append(again()).unwrap().duplicate);
    assert_eq!(log.health().state, LogState::Writable);
}

/// Nothing depends on a segment that could not be begun: the append is tried again by whoever wants it.
#[test]
fn a_segment_that_cannot_be_begun_refuses_and_is_tried_again() {
    for only in [Operation::Open, Operation::Rename] {
        let (faulty, repo) = world();
        let log = open(&repo, &small());
        fail(&faulty, only, FaultKind::IoForGood);
        let mut accepted = 0;
        let error = loop {
            match log.append(one("a", "T", "filling")) {
                Ok(_) => accepted += 1,
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, AppendError::Unavailable { .. }),
            "{only:?}: {error}"
        );
        assert_eq!(log.health().state, LogState::Writable);
        faulty.clear_faults();
        fill_segments(&log, 2);
        let events = all(&log);
        assert!(events.len() > accepted);
        log.close();
        assert_eq!(all(&open(&repo, &small())), events);
    }
}

/// Indexes and tables that cannot be written cost the next open some time, and nothing else.
#[test]
fn derived_files_that_cannot_be_written_are_made_at_the_next_open() {
    let (faulty, repo) = world();
    let log = open(&repo, &small());
    fill_segments(&log, 1);
    fail(&faulty, Operation::Create, FaultKind::IoForGood);
    let events = all(&log);
    log.close();
    faulty.clear_faults();
    for name in repo.list().unwrap() {
        if name.ends_with(".idx") || name.ends_with(".state") {
            repo.remove(&name).unwrap();
        }
    }
    fail(&faulty, Operation::Create, FaultKind::IoForGood);
    let log = open(&repo, &small());
    assert_eq!(
        (log.opened().indexes_missing, log.opened().segments_folded),
        (1, 1)
    );
    assert_eq!(all(&log), events);
    log.close();
    faulty.clear_faults();
    let log = open(&repo, &small());
    log.settle();
    assert_eq!(all(&log), events);
    log.close();
    let names = repo.list().unwrap();
    assert!(names.iter().any(|name| name.ends_with(".idx")), "{names:?}");
}

/// The watermark is counted where it cannot be written, and written by the next try.
#[test]
fn a_watermark_that_cannot_be_written_is_counted() {
    let (faulty, repo) = world();
    let log = open(&repo, &small());
    log.append(one("a", "T", "1")).unwrap();
    fail(&faulty, Operation::Sync, FaultKind::Io);
    assert!(crate::maintenance::mark(&log.shared).is_err());
    assert_eq!(log.stats().watermark_failures, 1);
    crate::maintenance::mark(&log.shared).unwrap();
    assert_eq!(log.stats().watermark_failures, 1);
    log.append(one("a", "T", "2")).unwrap();
    log.close();
    assert_eq!(all(&open(&repo, &small())).len(), 2);
}
