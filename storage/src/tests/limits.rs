//! What is too large, too long or too much is refused by name, and what just fits is not.

use super::support::*;
use crate::record::TypeNameOf;
use crate::transaction::StreamTip;
use crate::*;

fn options() -> LogOptions {
    LogOptions {
        limits: Limits {
            data_bytes_max: 100,
            transaction_events_max: 5,
            transaction_bytes_max: 2_000,
            ..Limits::default()
        },
        ..small()
    }
}

fn event() -> NewEvent {
    NewEvent::new("T", "x")
}

fn of(event: NewEvent) -> Transaction {
    Transaction::single(StreamName::new("Vehicle", "a"), ExpectedVersion::Any, event)
}

fn in_stream(aggregate_type: &str, aggregate_id: &str) -> Transaction {
    let name = StreamName::new(aggregate_type, aggregate_id);
    Transaction::single(name, ExpectedVersion::Any, event())
}

/// `fits` is taken, `too_large` is not.
#[track_caller]
fn check(what: &'static str, limit: usize, fits: Transaction, too_large: Transaction) {
    let log = open(&memory(), &options());
    log.append(fits).unwrap();
    match log.append(too_large) {
        Err(AppendError::TooLarge {
            what: named,
            limit: bound,
            actual,
        }) => {
            assert_eq!((named, bound), (what, limit));
            assert!(actual > limit);
        }
        other => panic!("{what}: {other:?}"),
    }
    assert_eq!(log.stats().events_appended, log.durable_position().get());
}

#[test]
fn data() {
    let with = |bytes| of(NewEvent::new("T", vec![0; bytes]));
    check("the data in bytes", 100, with(100), with(101));
}

#[test]
fn metadata() {
    let with = |bytes| {
        of(NewEvent {
            metadata: vec![0; bytes],
            ..event()
        })
    };
    let limit = METADATA_BYTES_MAX;
    check("the metadata in bytes", limit, with(1_000), with(limit + 1));
}

#[test]
fn events_of_a_transaction() {
    let with = |count| {
        let name = StreamName::new("Vehicle", "a");
        Transaction::stream(name, ExpectedVersion::Any, vec![event(); count])
    };
    check("the number of events", 5, with(5), with(6));
}

#[test]
fn bytes_of_a_transaction() {
    let with = |bytes| {
        of(NewEvent {
            metadata: vec![0; bytes],
            ..event()
        })
    };
    check("the transaction in bytes", 2_000, with(1_000), with(2_000));
}

#[test]
fn names() {
    let long = |bytes| "n".repeat(bytes);
    check(
        "the aggregate type in bytes",
        255,
        in_stream(&long(255), "a"),
        in_stream(&long(256), "a"),
    );
    check(
        "the aggregate id in bytes",
        1_024,
        in_stream("V", &long(1_024)),
        in_stream("V", &long(1_025)),
    );
    check(
        "the event type in bytes",
        255,
        of(NewEvent::new(long(255), "x")),
        of(NewEvent::new(long(256), "x")),
    );
}

#[test]
fn tags() {
    let long = |bytes| of(event().with_tag("t".repeat(bytes)));
    check("a tag in bytes", 255, long(255), long(256));
    let many = |count| {
        of(NewEvent {
            tags: vec!["t".into(); count],
            ..event()
        })
    };
    check("the number of tags", 255, many(255), many(256));
}

#[test]
fn clauses_of_a_condition() {
    let with = |count| {
        let query = Query::event_types(vec!["Never"; count]);
        of(event()).on_condition(query, Position::START)
    };
    let limit = QUERY_CLAUSES_MAX;
    let what = "the number of clauses in the condition";
    check(what, limit, with(limit), with(limit + 1));
}

#[test]
fn empty_names_are_refused() {
    let log = open(&memory(), &options());
    for (transaction, what) in [
        (in_stream("", "a"), "the aggregate type"),
        (in_stream("V", ""), "the aggregate id"),
        (of(NewEvent::new("", "x")), "the event type"),
        (of(event().with_tag("")), "a tag"),
    ] {
        let error = AppendError::EmptyName { what };
        assert_eq!(error.kind(), AppendErrorKind::Refused);
        assert_eq!(log.append(transaction), Err(error));
    }
    assert_eq!(log.durable_position(), Position::START);
}

/// Type numbers are 16 bits wide: a log that has used them all still takes events of known types.
#[test]
fn distinct_types() {
    let log = open(&memory(), &small());
    log.append(in_stream("V", "a")).unwrap();
    let last = u16::try_from(TYPES_MAX - 1).unwrap();
    log.shared.names.add_type(TypeNameOf::Event, last, "Last");
    let one_more = of(NewEvent::new("OneMore", "x"));
    let what = "the number of distinct types";
    let refused = |transaction| match log.append(transaction) {
        Err(error @ AppendError::TooLarge { .. }) => {
            assert!(error.to_string().starts_with(what), "{error}");
        }
        other => panic!("{other:?}"),
    };
    refused(one_more);
    log.append(in_stream("W", "a")).unwrap();
    log.shared
        .names
        .add_type(TypeNameOf::Aggregate, last, "Last");
    refused(in_stream("X", "a"));
    log.append(in_stream("V", "new")).unwrap();
}

#[test]
fn events_of_a_stream() {
    let log = open(&memory(), &small());
    log.append(in_stream("V", "a")).unwrap();
    let full = StreamTip {
        version: Version::MAX,
        position: Position::FIRST,
    };
    log.shared.tips.write().unwrap()[0] = full;
    let error = log.append(in_stream("V", "a")).unwrap_err();
    let named = matches!(error, AppendError::TooLarge { what, .. } if what == "the stream's number of events");
    assert!(named, "{error}");
}

#[test]
fn a_transaction_larger_than_a_segment_makes_a_larger_one() {
    let repo = memory();
    let log = open(&repo, &small());
    log.append(one("a", "T", "first")).unwrap();
    let large = "x".repeat(50_000);
    log.append(one("a", "T", &large)).unwrap();
    log.append(one("a", "T", "last")).unwrap();
    let before = all(&log);
    assert_eq!(before[1].data.len(), 50_000);
    log.close();
    assert_eq!(all(&open(&repo, &small())), before);
}
