//! Why an append is refused, one reason a test; a refused one leaves no trace.

use std::sync::mpsc;

use uuid::Uuid;

use super::support::*;
use crate::*;

fn vehicle(id: &str) -> StreamName {
    StreamName::new("Vehicle", id)
}

/// Refused, with this error and kind, and without a trace in the log.
#[track_caller]
fn refused(log: &Log, transaction: Transaction, error: AppendError, kind: AppendErrorKind) {
    let before = (log.durable_position(), log.stats().streams);
    assert_eq!(log.append(transaction), Err(error.clone()));
    assert_eq!(error.kind(), kind, "{error}");
    assert!(!error.to_string().is_empty());
    assert_eq!((log.durable_position(), log.stats().streams), before);
}

#[test]
fn an_empty_transaction_is_refused() {
    let log = open(&memory(), &small());
    let empty = AppendError::Empty;
    let kind = AppendErrorKind::Refused;
    refused(&log, Transaction::default(), empty.clone(), kind);
    let without_events = Transaction::stream(vehicle("a"), ExpectedVersion::Any, vec![]);
    refused(&log, without_events, empty.clone(), kind);
    let mut half_empty = one("a", "T", "x");
    half_empty.writes.push(StreamWrite {
        stream: vehicle("b"),
        expected: ExpectedVersion::Any,
        events: vec![],
    });
    refused(&log, half_empty, empty, kind);
}

#[test]
fn a_wrong_version_says_both() {
    let log = open(&memory(), &small());
    log.append(one("a", "T", "x")).unwrap();
    let wrong = |id: &str, expected, actual| {
        let transaction =
            Transaction::single(vehicle(id), expected, NewEvent::new("Never", "unseen"));
        let error = AppendError::WrongVersion {
            stream: vehicle(id),
            expected,
            actual: Version::new(actual),
        };
        refused(&log, transaction, error, AppendErrorKind::Conflict);
    };
    wrong("a", ExpectedVersion::NoStream, 1);
    wrong("a", ExpectedVersion::Exact(Version::NONE), 1);
    wrong("a", ExpectedVersion::Exact(Version::new(2)), 1);
    wrong("b", ExpectedVersion::Exists, 0);
    wrong("b", ExpectedVersion::Exact(Version::FIRST), 0);
    assert_eq!(log.event_type_names(), ["T".into()], "no name was taken");
}

#[test]
fn one_wrong_version_of_several_refuses_all() {
    let log = open(&memory(), &small());
    let mut transaction = one("a", "T", "x");
    transaction.writes.push(StreamWrite {
        stream: vehicle("b"),
        expected: ExpectedVersion::Exists,
        events: vec![NewEvent::new("T", "y")],
    });
    let error = AppendError::WrongVersion {
        stream: vehicle("b"),
        expected: ExpectedVersion::Exists,
        actual: Version::NONE,
    };
    refused(&log, transaction, error, AppendErrorKind::Conflict);
    assert_eq!(log.stream(&vehicle("a")), None);
}

#[test]
fn a_stream_written_to_twice_is_checked_in_order() {
    let log = open(&memory(), &small());
    let write = |expected| StreamWrite {
        stream: vehicle("a"),
        expected,
        events: vec![NewEvent::new("T", "x"), NewEvent::new("T", "y")],
    };
    let transaction = |second| Transaction {
        writes: vec![write(ExpectedVersion::NoStream), write(second)],
        condition: None,
    };
    let wrong = log.append(transaction(ExpectedVersion::NoStream));
    assert!(matches!(wrong, Err(AppendError::WrongVersion { actual, .. }) if actual.get() == 2));
    log.append(transaction(ExpectedVersion::Exact(Version::new(2))))
        .unwrap();
    assert_eq!(log.stream(&vehicle("a")).unwrap().version, Version::new(4));
}

#[test]
fn a_condition_names_the_newest_event_that_it_excludes() {
    let log = open(&memory(), &small());
    for number in 0..60 {
        let event = NewEvent::new("T", "x").with_tag(format!("order:{}", number % 30));
        let transaction = Transaction::single(vehicle("a"), ExpectedVersion::Any, event);
        log.append(transaction).unwrap();
    }
    let conditioned =
        |after| one("b", "T", "x").on_condition(Query::tags(["order:7"]), Position::new(after));
    for after in [0, 7, 20, 37] {
        let error = AppendError::ConditionFailed {
            position: Position::new(38),
            after: Position::new(after),
        };
        refused(&log, conditioned(after), error, AppendErrorKind::Conflict);
    }
    log.append(conditioned(38)).unwrap();
    let anything = one("b", "T", "x").on_condition(Query::all(), Position::new(60));
    let error = AppendError::ConditionFailed {
        position: Position::new(61),
        after: Position::new(60),
    };
    refused(&log, anything, error, AppendErrorKind::Conflict);
    let from_the_future = one("b", "T", "x").on_condition(Query::all(), Position::new(900));
    log.append(from_the_future).unwrap();
}

#[test]
fn an_id_on_two_events_of_a_transaction_is_refused() {
    let log = open(&memory(), &small());
    let id = Uuid::from_u128(5);
    let events = vec![
        NewEvent::new("T", "x").with_id(id),
        NewEvent::new("T", "x").with_id(id),
    ];
    let transaction = Transaction::stream(vehicle("a"), ExpectedVersion::Any, events);
    let error = AppendError::IdRepeated { id };
    refused(&log, transaction, error, AppendErrorKind::Refused);
}

/// The first content of an id is kept for ever, over segments and reopening; every difference is told.
#[test]
fn an_id_used_before_is_a_duplicate_or_a_conflict() {
    let (repo, options) = (memory(), small());
    let mut log = open(&repo, &options);
    let id = Uuid::from_u128(5);
    let event = || {
        NewEvent::new("T", "x")
            .with_id(id)
            .at(Timestamp::from_micros(3))
    };
    let in_stream = |id: &str, event| Transaction::single(vehicle(id), ExpectedVersion::Any, event);
    let first = log.append(in_stream("a", event())).unwrap();
    for round in 0..3 {
        let mut by_another_request = event();
        by_another_request.metadata = b"another request".to_vec();
        let again = log.append(in_stream("a", by_another_request)).unwrap();
        let expected = Receipt {
            duplicate: true,
            ..first.clone()
        };
        assert_eq!(again, expected, "round {round}");

        let other_schema = NewEvent {
            schema: 2,
            ..event()
        };
        let now = NewEvent {
            occurred_at: None,
            ..event()
        };
        for other in [
            in_stream("b", event()),
            in_stream(
                "a",
                NewEvent::new("U", "x")
                    .with_id(id)
                    .at(Timestamp::from_micros(3)),
            ),
            in_stream(
                "a",
                NewEvent::new("T", "y")
                    .with_id(id)
                    .at(Timestamp::from_micros(3)),
            ),
            in_stream("a", event().at(Timestamp::from_micros(4))),
            in_stream("a", other_schema),
            in_stream("a", now),
        ] {
            let error = AppendError::IdReused {
                id,
                position: Position::FIRST,
            };
            refused(&log, other, error, AppendErrorKind::Conflict);
        }
        for number in 0..40 {
            log.append(one("z", "T", &format!("{number}"))).unwrap();
        }
        log.close();
        log = open(&repo, &options);
    }
}

/// Half of a transaction cannot have been accepted: whoever sends one with old and new ids is mistaken.
#[test]
fn old_and_new_ids_in_one_transaction_are_a_conflict() {
    let log = open(&memory(), &small());
    let event = |number| NewEvent::new("T", "x").with_id(Uuid::from_u128(number));
    let of = |events| Transaction::stream(vehicle("a"), ExpectedVersion::Any, events);
    log.append(of(vec![event(1)])).unwrap();
    for others in [
        vec![event(1), event(2)],
        vec![NewEvent::new("T", "x"), event(1)],
    ] {
        let error = AppendError::IdReused {
            id: Uuid::from_u128(1),
            position: Position::FIRST,
        };
        refused(&log, of(others), error, AppendErrorKind::Conflict);
    }
}

/// A repeated append is answered before its expectations are looked at: they held when it was accepted.
#[test]
fn a_duplicate_is_answered_whatever_it_expected() {
    let log = open(&memory(), &small());
    let event = NewEvent::new("T", "x").with_id(Uuid::from_u128(1));
    let transaction = Transaction::single(vehicle("a"), ExpectedVersion::NoStream, event)
        .on_condition(Query::all(), Position::START);
    let first = log.append(transaction.clone()).unwrap();
    log.append(one("a", "T", "y")).unwrap();
    let again = log.append(transaction).unwrap();
    assert!(again.duplicate);
    assert_eq!(again.events, first.events);
    assert_eq!(log.durable_position(), Position::new(2));
}

#[test]
fn a_closing_log_takes_nothing() {
    let log = open(&memory(), &small());
    log.append(one("a", "T", "x")).unwrap();
    log.shared.queue.close();
    let kind = AppendErrorKind::Unavailable;
    refused(&log, one("a", "T", "y"), AppendError::Closed, kind);
    let (sender, answers) = mpsc::channel();
    log.submit(one("a", "T", "y"), move |_, answer| {
        sender.send(answer).unwrap();
    });
    assert_eq!(answers.recv(), Ok(Err(AppendError::Closed)));
}

#[test]
fn a_submitted_transaction_is_answered_once_it_is_durable() {
    let log = open(&memory(), &small());
    let (sender, answers) = mpsc::channel();
    for number in 0..50 {
        let sender = sender.clone();
        log.submit(one("a", "T", &format!("{number}")), move |_, answer| {
            sender.send(answer.unwrap().last_position()).unwrap();
        });
    }
    let positions: Vec<u64> = answers.iter().take(50).map(Position::get).collect();
    assert_eq!(positions, (1..=50).collect::<Vec<_>>());
    assert!(log.durable_position() >= Position::new(50));
    let (sender, answers) = mpsc::channel();
    log.submit(Transaction::default(), move |_, answer| {
        sender.send(answer).unwrap();
    });
    assert_eq!(answers.recv(), Ok(Err(AppendError::Empty)));
}

#[test]
fn recorded_times_rise_though_the_clock_falls() {
    let options = LogOptions {
        clock: std::sync::Arc::new(FallingClock::default()),
        ..small()
    };
    let repo = memory();
    let log = open(&repo, &options);
    for _ in 0..5 {
        log.append(one("a", "T", "x")).unwrap();
    }
    log.close();
    let log = open(&repo, &options);
    for _ in 0..5 {
        log.append(one("a", "T", "x")).unwrap();
    }
    let events = all(&log);
    assert_eq!(events.len(), 10);
    assert!(events.is_sorted_by(|a, b| a.recorded_at < b.recorded_at));
    assert!(events.iter().all(|event| event.id.get_version_num() == 7));
}

#[test]
fn streams_and_types_are_listed() {
    let log = open(&memory(), &small());
    assert_eq!(log.streams_of_id("7"), []);
    for of in ["Vehicle", "Part"] {
        let name = StreamName::new(of, "7");
        let event = NewEvent::new(format!("{of}Created"), "x");
        log.append(Transaction::single(name, ExpectedVersion::NoStream, event))
            .unwrap();
    }
    log.append(one("8", "VehicleCreated", "x")).unwrap();
    let of_seven = [
        StreamName::new("Vehicle", "7"),
        StreamName::new("Part", "7"),
    ];
    assert_eq!(log.streams_of_id("7"), of_seven);
    let tip = |position| StreamTip {
        version: Version::FIRST,
        position: Position::new(position),
    };
    let [vehicle, part] = of_seven.clone();
    let eighth = StreamName::new("Vehicle", "8");
    assert_eq!(
        log.tips_of_type("Vehicle"),
        [(vehicle, tip(1)), (eighth, tip(3))]
    );
    assert_eq!(log.streams_of_type("Part"), [part]);
    assert!(log.tips_of_type("Track").is_empty());
    assert_eq!(log.stream_count(), 3);
    assert_eq!(
        log.aggregate_type_names(),
        ["Vehicle".into(), "Part".into()]
    );
    assert_eq!(
        log.event_type_names(),
        ["VehicleCreated".into(), "PartCreated".into()]
    );
    assert_eq!(of_seven[0].to_string(), "Vehicle/7");
    let stats = log.stats();
    assert_eq!((stats.events, stats.streams, stats.transactions), (3, 3, 3));
    assert_eq!(
        (stats.groups, stats.syncs, stats.events_appended),
        (3, 3, 3)
    );
    assert!(stats.bytes_appended > 0 && stats.bytes_on_disk >= stats.bytes_appended);
}
