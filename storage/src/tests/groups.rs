//! Transactions that share a sync, and the hand-over between those who write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use uuid::Uuid;

use super::support::*;
use crate::*;

/// Submits transactions so that all of them are in one group, and returns the answers in order.
fn as_one_group(log: &Log, transactions: Vec<Transaction>) -> Vec<Result<Receipt, AppendError>> {
    let (sender, answers) = mpsc::channel();
    let count = transactions.len();
    {
        // The committer has been called and waits for this lock before it takes what is queued.
        let _writer = log.writer.lock().unwrap();
        for transaction in transactions {
            let sender = sender.clone();
            log.submit(transaction, move |_, answer| sender.send(answer).unwrap());
        }
    }
    answers.iter().take(count).collect()
}

fn with_id(stream: &str, data: &str, id: u128) -> Transaction {
    let event = NewEvent::new("T", data).with_id(Uuid::from_u128(id));
    Transaction::single(
        StreamName::new("Vehicle", stream),
        ExpectedVersion::Any,
        event,
    )
}

#[test]
fn what_waits_together_is_synced_once() {
    let log = open(&memory(), &LogOptions::default());
    let answers = as_one_group(
        &log,
        (0..20).map(|n| one("a", "T", &n.to_string())).collect(),
    );
    assert!(answers.iter().all(Result::is_ok));
    let stats = log.stats();
    assert_eq!((stats.groups, stats.syncs, stats.transactions), (1, 1, 20));
    let events = all(&log);
    assert!(events.iter().all(|event| event.ends_transaction));
    assert!(events.is_sorted_by(|a, b| a.recorded_at < b.recorded_at));
}

#[test]
fn a_transaction_sees_those_staged_before_it() {
    let log = open(&memory(), &small());
    let first = || {
        Transaction::single(
            StreamName::new("Vehicle", "a"),
            ExpectedVersion::NoStream,
            NewEvent::new("T", "x").with_tag("order:1"),
        )
    };
    let taken = Query::tags(["order:1"]);
    let answers = as_one_group(
        &log,
        vec![
            first(),
            first(),
            one("b", "U", "x").on_condition(taken.clone(), Position::START),
            one("b", "U", "y").on_condition(taken, Position::FIRST),
            one("c", "V", "z").on_condition(Query::aggregate_types(["Part"]), Position::START),
        ],
    );
    assert!(answers[0].is_ok());
    let wrong = matches!(&answers[1], Err(AppendError::WrongVersion { actual, .. }) if *actual == Version::FIRST);
    assert!(wrong, "{:?}", answers[1]);
    let failed = AppendError::ConditionFailed {
        position: Position::FIRST,
        after: Position::START,
    };
    assert_eq!(answers[2], Err(failed));
    assert_eq!(
        answers[3].as_ref().unwrap().last_position(),
        Position::new(2)
    );
    assert_eq!(
        answers[4].as_ref().unwrap().last_position(),
        Position::new(3)
    );
    assert_eq!(log.stats().groups, 1);
    let types = ["T".into(), "U".into(), "V".into()];
    assert_eq!(log.event_type_names(), types, "refused ones leave no name");
}

#[test]
fn a_repeated_id_within_a_group_is_a_duplicate_or_a_conflict() {
    let log = open(&memory(), &small());
    let answers = as_one_group(
        &log,
        vec![
            with_id("a", "x", 1),
            with_id("a", "x", 1),
            with_id("a", "y", 1),
        ],
    );
    let first = answers[0].clone().unwrap();
    let again = answers[1].clone().unwrap();
    assert!(!first.duplicate && again.duplicate);
    assert_eq!(first.events, again.events);
    let reused = AppendError::IdReused {
        id: Uuid::from_u128(1),
        position: Position::FIRST,
    };
    assert_eq!(answers[2], Err(reused));
    assert_eq!(all(&log).len(), 1);
}

#[test]
fn a_group_of_refusals_writes_nothing() {
    let log = open(&memory(), &small());
    let refused = || {
        Transaction::single(
            StreamName::new("Vehicle", "a"),
            ExpectedVersion::Exists,
            NewEvent::new("T", "x"),
        )
    };
    let answers = as_one_group(&log, vec![refused(), refused()]);
    assert!(answers.iter().all(Result::is_err));
    assert_eq!((log.stats().syncs, log.stats().bytes_appended), (0, 0));
    log.append(one("a", "T", "x")).unwrap();
}

#[test]
fn too_many_waiting_are_told_to_come_again() {
    let options = LogOptions {
        limits: Limits {
            queue_transactions_max: 2,
            ..Limits::default()
        },
        ..small()
    };
    let log = open(&memory(), &options);
    let answers = as_one_group(&log, vec![one("a", "T", "x"); 3]);
    let busy = answers
        .iter()
        .filter(|answer| **answer == Err(AppendError::Busy));
    assert_eq!(busy.count(), 1);
    assert_eq!(AppendError::Busy.kind(), AppendErrorKind::Unavailable);
    log.append(one("a", "T", "y")).unwrap();
    assert_eq!(all(&log).len(), 3);
}

/// Who leads hands over once its own answer is there: nobody works for others for long.
#[test]
fn the_leader_hands_over_what_came_meanwhile() {
    let log = Arc::new(open(&memory(), &small()));
    let (sender, answers) = mpsc::channel();
    let (weak, first) = (Arc::downgrade(&log), AtomicBool::new(true));
    log.on_durable(move |_| {
        if first.swap(false, Ordering::Relaxed)
            && let Some(log) = weak.upgrade()
        {
            let sender = sender.clone();
            log.submit(one("b", "T", "meanwhile"), move |_, answer| {
                let thread = std::thread::current().name().map(str::to_owned);
                sender.send((answer, thread)).unwrap();
            });
        }
    });
    log.append(one("a", "T", "x")).unwrap();
    let (answer, thread) = answers.recv().unwrap();
    assert_eq!(answer.unwrap().last_position(), Position::new(2));
    assert_eq!(thread.as_deref(), Some("log-committer"));
}

#[test]
fn hooks_hear_of_every_group_in_order() {
    let log = open(&memory(), &small());
    let (sender, heard) = mpsc::channel();
    log.on_durable(move |position| sender.send(position.get()).unwrap());
    for _ in 0..30 {
        log.append(one("a", "T", "x")).unwrap();
    }
    assert_eq!(
        heard.iter().take(30).collect::<Vec<_>>(),
        (1..=30).collect::<Vec<_>>()
    );
}

/// What a leader that panics was doing is half done: the log stops, and nobody waits for ever.
#[test]
fn a_panic_while_writing_stops_the_log() {
    let repo = memory();
    let log = open(&repo, &small());
    log.append(one("a", "T", "before")).unwrap();
    log.on_durable(|position| assert!(position < Position::new(2), "a hook's mistake"));
    let (sender, answers) = mpsc::channel();
    log.submit(one("a", "T", "x"), move |_, answer| {
        sender.send(answer).unwrap()
    });
    let answer = answers.recv().unwrap();
    assert!(
        matches!(answer, Err(AppendError::Stopped { .. })),
        "{answer:?}"
    );
    while log.health().state == LogState::Writable {
        std::thread::yield_now();
    }
    let refused = log.append(one("a", "T", "y")).unwrap_err();
    assert_eq!(refused.kind(), AppendErrorKind::Corrupt);
    assert_eq!(all(&log)[0].data, b"before", "reading goes on");
    log.close();
    let log = open(&repo, &small());
    assert_eq!(log.opened().damage, []);
    log.append(one("a", "T", "after")).unwrap();
}

#[test]
fn waiting_ends_with_an_event_or_in_time() {
    let log = open(&memory(), &small());
    let none = std::time::Duration::ZERO;
    assert_eq!(log.wait_past(Position::START, none), Position::START);
    std::thread::scope(|scope| {
        const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);
        let waiting = scope.spawn(|| log.wait_past(Position::START, HOUR));
        log.append(one("a", "T", "x")).unwrap();
        assert_eq!(waiting.join().unwrap(), Position::FIRST);
    });
}
