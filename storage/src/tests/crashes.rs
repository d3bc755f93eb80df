//! Power cuts and failing calls at every operation: what was acknowledged is there, in order; what was not is there whole
//! or not at all; the log goes on.

use std::sync::Arc;

use super::support::*;
use crate::repo::{Crash, Fault, FaultKind, FaultyRepo, MemoryRepo, NameModel, Operation, Repo};
use crate::verify::verify_in;
use crate::*;

/// Appends until the end or the first failure that is final. Returns the payloads acknowledged, and those given up on.
fn workload(repo: &Arc<dyn Repo>) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut acknowledged, mut unknown) = (Vec::new(), Vec::new());
    let options = LogOptions {
        segment_bytes_min: 900,
        segment_bytes_max: 900,
        ..small()
    };
    let Ok(log) = try_open(repo, &options) else {
        return (acknowledged, unknown);
    };
    for number in 0..12_u8 {
        let data = vec![b'0' + number; 20 + usize::from(number) * 13];
        let second = vec![b'A' + number; 5];
        let events = vec![
            NewEvent::new("T", data.clone()),
            NewEvent::new("U", second.clone()),
        ];
        let stream = StreamName::new("S", format!("{}", number % 3));
        match log.append(Transaction::stream(stream, ExpectedVersion::Any, events)) {
            Ok(_) => acknowledged.extend([data, second]),
            Err(_) => unknown.extend([data, second]),
        }
    }
    log.close();
    (acknowledged, unknown)
}

/// Opens what is left and holds it against what was acknowledged.
#[track_caller]
fn check(left: MemoryRepo, acknowledged: &[Vec<u8>], unknown: &[Vec<u8>], what: &str) {
    let repo: Arc<dyn Repo> = Arc::new(left);
    let log = try_open(&repo, &small()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(
        log.opened().damage,
        [],
        "{what}: a crash is taken for damage"
    );
    let events = all(&log);
    let data: Vec<_> = events.iter().map(|event| event.data.clone()).collect();
    let known: Vec<_> = data
        .iter()
        .filter(|data| acknowledged.contains(data))
        .cloned()
        .collect();
    assert_eq!(
        known, acknowledged,
        "{what}: something acknowledged is lost or out of order"
    );
    let others: Vec<_> = data
        .iter()
        .filter(|data| !acknowledged.contains(data))
        .collect();
    assert!(
        others.iter().all(|data| unknown.contains(data)),
        "{what}: something is invented"
    );
    assert!(
        events.last().is_none_or(|event| event.ends_transaction),
        "{what}: half a transaction"
    );
    let receipt = log
        .append(one("after", "T", "after"))
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(
        receipt.last_position().get(),
        events.len() as u64 + 1,
        "{what}"
    );
    log.close();
    let report = verify_in(&repo, None, &VerifyOptions::default()).unwrap();
    assert_eq!(report.problems, [], "{what}");
    assert_eq!(report.events, events.len() as u64 + 1, "{what}");
}

fn operations() -> u64 {
    let repo = FaultyRepo::new();
    workload(&(Arc::new(repo.clone()) as Arc<dyn Repo>));
    repo.operations()
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    let count = operations();
    assert!(
        count > 100,
        "{count} operations are too few to mean anything"
    );
    for model in [NameModel::Posix, NameModel::Journal] {
        for at in 1..=count + 5 {
            for kind in [FaultKind::CrashBefore, FaultKind::CrashAfter] {
                let faulty = FaultyRepo::new();
                faulty.set_name_model(model);
                faulty.inject(Fault {
                    at,
                    only: None,
                    kind,
                });
                let (acknowledged, unknown) =
                    workload(&(Arc::new(faulty.clone()) as Arc<dyn Repo>));
                let mut crashes = vec![Crash::DropUnsynced, Crash::KeepAll];
                crashes.extend((0..2).map(|seed| Crash::Subset {
                    seed: at * 10 + seed,
                }));
                crashes.push(Crash::TearLast {
                    bytes: faulty.last_write_bytes() / 2,
                });
                for crash in crashes {
                    let what = format!("{model:?}, operation {at}, {kind:?}, {crash:?}");
                    check(faulty.crash(crash), &acknowledged, &unknown, &what);
                }
            }
        }
    }
}

#[test]
fn the_last_write_torn_at_any_byte_is_cut_or_whole() {
    let count = operations();
    for at in (1..=count).step_by(3) {
        let faulty = FaultyRepo::new();
        faulty.inject(Fault {
            at,
            only: None,
            kind: FaultKind::CrashAfter,
        });
        let (acknowledged, unknown) = workload(&(Arc::new(faulty.clone()) as Arc<dyn Repo>));
        for bytes in (0..faulty.last_write_bytes().min(700)).step_by(11) {
            let what = format!("operation {at}, torn at {bytes}");
            check(
                faulty.crash(Crash::TearLast { bytes }),
                &acknowledged,
                &unknown,
                &what,
            );
        }
    }
}

#[test]
fn any_operation_may_fail_once() {
    let count = operations();
    for at in 1..=count {
        for kind in [
            FaultKind::Io,
            FaultKind::NoSpace,
            FaultKind::Short,
            FaultKind::SyncLies,
        ] {
            let faulty = FaultyRepo::new();
            faulty.inject(Fault {
                at,
                only: None,
                kind,
            });
            let (acknowledged, unknown) = workload(&(Arc::new(faulty.clone()) as Arc<dyn Repo>));
            let what = format!("operation {at}, {kind:?}");
            faulty.clear_faults();
            check(
                faulty.crash(Crash::DropUnsynced),
                &acknowledged,
                &unknown,
                &format!("{what}, then a power cut"),
            );
            check(faulty.crash(Crash::KeepAll), &acknowledged, &unknown, &what);
        }
    }
}

/// A process that ends takes nothing out of the page cache: what it wrote and never synced, or tried to and failed, is read by
/// the next one as if it were on the disk.
#[test]
fn what_an_opened_log_serves_survives_a_power_cut() {
    let options = LogOptions {
        segment_bytes_min: 900,
        segment_bytes_max: 900,
        ..small()
    };
    let mut unsynced = 0;
    for at in 1..=operations() {
        for kind in [FaultKind::Io, FaultKind::Short, FaultKind::SyncLies] {
            let faulty = FaultyRepo::new();
            faulty.inject(Fault {
                at,
                only: None,
                kind,
            });
            let repo: Arc<dyn Repo> = Arc::new(faulty.clone());
            let (acknowledged, _) = workload(&repo);
            faulty.clear_faults();
            let what = format!("operation {at}, {kind:?}");
            let log = open(&repo, &options);
            let mut served: Vec<Vec<u8>> = all(&log).into_iter().map(|event| event.data).collect();
            unsynced += usize::from(served.len() > acknowledged.len());
            check(faulty.crash(Crash::DropUnsynced), &served, &[], &what);
            log.append(one("a", "T", "later")).unwrap();
            served.push(b"later".to_vec());
            log.close();
            let what = format!("{what}, and an append");
            check(faulty.crash(Crash::DropUnsynced), &served, &[], &what);
        }
    }
    assert!(
        unsynced > 10,
        "{unsynced} times only was there something to lose"
    );
}

#[test]
fn after_a_failed_sync_nothing_more_is_acknowledged() {
    let faulty = FaultyRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(faulty.clone());
    let log = open(&repo, &LogOptions::default());
    log.append(one("a", "T", "first")).unwrap();
    let at = faulty.operations_of(Operation::Sync) + 1;
    faulty.inject(Fault {
        at,
        only: Some(Operation::Sync),
        kind: FaultKind::SyncLies,
    });
    let failed = log.append(one("a", "T", "second"));
    assert!(
        matches!(failed, Err(AppendError::Stopped { .. })),
        "{failed:?}"
    );
    let refused = log.append(one("a", "T", "third"));
    assert!(
        matches!(refused, Err(AppendError::Stopped { .. })),
        "{refused:?}"
    );
    assert!(matches!(log.health().state, LogState::Stopped { .. }));
    assert_eq!(all(&log).len(), 1, "what was durable is still read");
    log.close();
    faulty.clear_faults();
    check(
        faulty.crash(Crash::DropUnsynced),
        &[b"first".to_vec()],
        &[b"second".to_vec()],
        "after the sync that failed",
    );
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_space() {
    let faulty = FaultyRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(faulty.clone());
    let log = open(&repo, &small());
    log.settle();
    let mut accepted = 0;
    faulty.set_space_bytes_max(Some(600_000));
    let refused = loop {
        match log.append(one("a", "T", &"x".repeat(900))) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 10_000, "the disk never fills");
    };
    assert_eq!(refused, AppendError::DiskFull);
    assert_eq!(log.health().state, LogState::DiskFull);
    assert_eq!(all(&log).len(), accepted, "reads go on");
    // Tables of sealed segments that found no room either are removed as half-written, and their bytes are free again.
    let still_refused = loop {
        log.settle();
        match log.append(one("a", "T", &"x".repeat(900))) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 10_000, "the disk never stays full");
    };
    assert_eq!(still_refused, AppendError::DiskFull);
    faulty.set_space_bytes_max(None);
    log.append(one("a", "T", &"x".repeat(900))).unwrap();
    assert_eq!(log.health().state, LogState::Writable);
    assert_eq!(all(&log).len(), accepted + 1);
    log.close();
    let report = verify_in(&repo, None, &VerifyOptions::default()).unwrap();
    assert_eq!(report.problems, []);
}
