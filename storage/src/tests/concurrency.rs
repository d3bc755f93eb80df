//! Many threads, one log: what each was told is what the log holds.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use uuid::Uuid;

use super::support::*;
use crate::maintenance::SPARE_PREFIX;
use crate::repo::Repo;
use crate::*;

const THREADS: u32 = 16;
const ROUNDS: u32 = 40;

fn id(thread: u32, round: u32) -> Uuid {
    Uuid::from_u128(u128::from(thread) << 64 | u128::from(round) << 1 | 1)
}

/// Each thread appends to a stream of its own under exact versions and sends everything twice.
#[test]
fn every_thread_gets_what_it_was_told() {
    let repo = memory();
    let log = open(&repo, &small());
    let mut told = BTreeMap::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let log = &log;
                scope.spawn(move || {
                    let mut receipts = Vec::new();
                    for round in 0..ROUNDS {
                        let event = NewEvent::new("T", format!("{thread}/{round}"))
                            .with_id(id(thread, round));
                        let transaction = Transaction::single(
                            StreamName::new("Thread", thread.to_string()),
                            ExpectedVersion::Exact(Version::new(round)),
                            event,
                        );
                        let receipt = log.append(transaction.clone()).unwrap();
                        assert!(log.durable_position() >= receipt.last_position());
                        let again = log.append(transaction).unwrap();
                        assert!(again.duplicate && again.events == receipt.events);
                        receipts.push(receipt.events[0]);
                    }
                    receipts
                })
            })
            .collect();
        for writer in writers {
            told.extend(
                writer
                    .join()
                    .unwrap()
                    .into_iter()
                    .map(|event| (event.position, event)),
            );
        }
    });
    let check = |log: &Log| {
        let events = all(log);
        assert_eq!(events.len(), told.len());
        for (event, (position, receipt)) in events.iter().zip(&told) {
            assert_eq!(event.position, *position);
            assert_eq!((event.id, event.version), (receipt.id, receipt.version));
            let (thread, round) = (
                event.stream.aggregate_id.to_string(),
                event.version.get() - 1,
            );
            assert_eq!(event.data, format!("{thread}/{round}").as_bytes());
        }
        assert!(events.is_sorted_by(|a, b| a.recorded_at < b.recorded_at));
    };
    check(&log);
    let stats = log.stats();
    assert!(stats.groups <= stats.events, "{stats:?}");
    log.close();
    check(&open(&repo, &small()));
}

/// One number after the other, given out by whoever comes first: a condition lets exactly one of them have each.
#[test]
fn a_condition_lets_one_of_many_through() {
    let log = open(&memory(), &small());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                let orders = || Query::event_types(["OrderOpened"]);
                let mut opened = 0;
                while opened < 5 {
                    let seen = log.durable_position();
                    let request = ReadRequest {
                        query: orders(),
                        to: seen,
                        ..ReadRequest::default()
                    };
                    let number = collect(log, &request).len();
                    let event = NewEvent::new("OrderOpened", number.to_string());
                    let stream = StreamName::new("Order", format!("{thread}-{opened}"));
                    let transaction = Transaction::single(stream, ExpectedVersion::NoStream, event)
                        .on_condition(orders(), seen);
                    match log.append(transaction) {
                        Ok(_) => opened += 1,
                        Err(AppendError::ConditionFailed { position, .. }) => {
                            assert!(position > seen);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    let numbers: Vec<usize> = all(&log)
        .iter()
        .map(|event| std::str::from_utf8(&event.data).unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    assert_eq!(numbers.len(), 5 * THREADS as usize);
}

/// The same id from many threads at once is appended once, and all are told the same.
#[test]
fn one_id_from_many_threads_is_one_event() {
    let log = open(&memory(), &small());
    std::thread::scope(|scope| {
        let same: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let event = NewEvent::new("T", "x").with_id(Uuid::from_u128(3));
                    let name = StreamName::new("Vehicle", "a");
                    let receipt = log
                        .append(Transaction::single(name, ExpectedVersion::Any, event))
                        .unwrap();
                    (receipt.duplicate, receipt.events)
                })
            })
            .collect();
        let told: Vec<_> = same
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(told.iter().filter(|(duplicate, _)| !duplicate).count(), 1);
        assert!(told.iter().all(|(_, events)| events == &told[0].1));
    });
    assert_eq!(all(&log).len(), 1);
}

/// The thread that leads panics after the first group of many: who waits is told that the log has stopped, and so is
/// whoever comes later.
#[test]
fn a_writer_that_panics_leaves_nobody_waiting() {
    let log = open(&memory(), &small());
    log.append(one("a", "T", "1")).unwrap();
    log.on_durable(|_| panic!("the hook of this test fails"));
    let (sender, answers) = std::sync::mpsc::channel();
    for round in 0..ROUNDS {
        let sender = sender.clone();
        let last = one("a", "T", &round.to_string());
        log.submit(last, move |_, answer| sender.send(answer).unwrap());
    }
    for _ in 0..ROUNDS {
        let answer = answers.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(
            matches!(answer, Err(AppendError::Stopped { .. })),
            "{answer:?}"
        );
    }
    let refused = log.append(one("a", "T", "2"));
    assert!(
        matches!(refused, Err(AppendError::Stopped { .. })),
        "{refused:?}"
    );
    assert!(matches!(log.health().state, LogState::Stopped { .. }));
    assert!(!all(&log).is_empty(), "what is durable can be read");
    log.close();
}

/// The thread that prepares segments panics while it makes the one that the writer waits for: the writer makes it itself, then and
/// from then on. Nobody may wait for ever, whoever asks is told, and the log is whole.
#[test]
fn a_maintenance_thread_that_panics_leaves_nobody_waiting() {
    const APPENDS: usize = 100;
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let (waits, waiting) = std::sync::mpsc::channel();
    let at_gate = gate.clone();
    let repo = Arc::new(TrappedRepo::new(move |step: &str, name: &str| {
        let is_ahead = std::thread::current().name() == Some("log-maintenance");
        if is_ahead && step == "create" && name.starts_with(SPARE_PREFIX) {
            waits.send(()).unwrap();
            drop(at_gate.lock());
            panic!("the thread behind the writer of this test fails");
        }
    }));
    let files = repo.files.clone();
    let repo: Arc<dyn Repo> = repo;
    // Closed only at the end: that waits for a writer that waits for ever.
    let log = ManuallyDrop::new(open(&repo, &small()));
    assert!(log.health().maintained);
    waiting.recv_timeout(Duration::from_secs(60)).unwrap();
    let (sender, answers) = std::sync::mpsc::channel();
    for number in 0..APPENDS {
        let sender = sender.clone();
        let transaction = one("a", "T", &number.to_string());
        log.submit(transaction, move |_, answer| sender.send(answer).unwrap());
    }
    let mut answered = 0;
    while let Ok(answer) = answers.recv_timeout(Duration::from_millis(200)) {
        answer.unwrap();
        answered += 1;
    }
    assert!(answered < APPENDS, "the writer waits for a segment");
    drop(closed);
    while answered < APPENDS {
        let answer = answers.recv_timeout(Duration::from_secs(60)).unwrap();
        answer.unwrap();
        answered += 1;
    }
    log.settle();
    let health = log.health();
    assert_eq!(health.state, LogState::Writable);
    assert!(!health.maintained, "{health:?}");
    assert!(log.stats().segments > 3);
    ManuallyDrop::into_inner(log).close();

    let repo: Arc<dyn Repo> = Arc::new(files);
    let log = open(&repo, &small());
    assert_eq!(all(&log).len(), APPENDS);
    assert_eq!(log.opened().damage, []);
    assert!(
        log.health().maintained,
        "opened again it has a thread again"
    );
}
