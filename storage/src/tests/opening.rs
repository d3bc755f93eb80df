//! Why a log is not opened, and what an open finds and makes.

use std::sync::Arc;

use uuid::Uuid;

use super::support::*;
use crate::repo::{Fault, FaultKind, FaultyRepo, MemoryRepo, Operation, Repo};
use crate::*;

/// Like [`small`], with real files and no syncs to speak of.
fn in_folder(folder: &std::path::Path) -> Log {
    Log::open(folder, small()).unwrap()
}

#[test]
fn a_log_in_use_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_folder(folder.path());
    let by = match Log::open(folder.path(), small()) {
        Err(OpenError::Locked { by }) => by,
        other => panic!("{other:?}"),
    };
    assert_eq!(by, format!("process {}", std::process::id()));
    let verified = verify(folder.path(), &VerifyOptions::default());
    assert!(matches!(
        verified,
        Err(VerifyError::Open(OpenError::Locked { .. }))
    ));
    log.append(one("a", "T", "x")).unwrap();
    log.close();
    assert_eq!(all(&in_folder(folder.path())).len(), 1, "free again");
}

/// A log of a newer program is not touched, whichever of its segments says so.
#[test]
fn a_format_from_the_future_is_refused_by_name() {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &small());
    (0..40).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap()));
    log.close();
    for segment in ["000000000001", "000000000002"] {
        let copy = memory.copy();
        let name = format!("{segment}.log");
        let mut bytes = copy.bytes(&name);
        bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..124]);
        bytes[124..128].copy_from_slice(&crc.to_le_bytes());
        copy.put(&name, bytes.clone());
        let repo: Arc<dyn Repo> = Arc::new(copy.clone());
        let error = try_open(&repo, &small()).unwrap_err();
        assert!(
            matches!(error, OpenError::Format { format: 2, .. }),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.contains(segment) && text.contains("format 2"),
            "{text}"
        );
        assert_eq!(copy.bytes(&name), bytes, "nothing was changed");
    }
}

/// Nor is one whose watermark alone is a newer program's: it would be begun anew, and what it said be lost.
#[test]
fn a_watermark_from_the_future_is_refused_by_name() {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &small());
    log.append(one("a", "T", "x")).unwrap();
    log.close();
    let mut bytes = memory.bytes("watermark");
    for slot in [0, 4_096] {
        bytes[slot + 8..slot + 12].copy_from_slice(&9_u32.to_le_bytes());
        let crc = crc32fast::hash(&bytes[slot..slot + 92]);
        bytes[slot + 92..slot + 96].copy_from_slice(&crc.to_le_bytes());
    }
    memory.put("watermark", bytes.clone());
    let error = try_open(&repo, &small()).unwrap_err().to_string();
    assert!(error.contains("watermark has format 9"), "{error}");
    assert_eq!(memory.bytes("watermark"), bytes, "nothing was changed");
}

#[test]
fn what_the_file_system_refuses_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(
        Log::open(&file, small()),
        Err(OpenError::Io { .. })
    ));
    assert!(matches!(
        Log::open(&file.join("x"), small()),
        Err(OpenError::Io { .. })
    ));
    assert!(matches!(
        verify(&file, &VerifyOptions::default()),
        Err(VerifyError::NoLog)
    ));
    let empty = verify(folder.path(), &VerifyOptions::default());
    assert!(matches!(empty, Err(VerifyError::NoLog)), "{empty:?}");
}

/// Whatever fails while opening: no panic, and the next open finds everything.
#[test]
fn every_operation_of_an_open_may_fail() {
    let before = FaultyRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(before.clone());
    let log = open(&repo, &small());
    (0..40).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap()));
    let events = all(&log);
    // As after a crash: no clean close.
    let left = before.crash(crate::repo::Crash::DropUnsynced);
    drop(log);
    for at in 1..60 {
        for kind in [FaultKind::Io, FaultKind::NoSpace] {
            let faulty = FaultyRepo::over(&left);
            faulty.inject(Fault {
                at,
                only: None,
                kind,
            });
            let repo: Arc<dyn Repo> = Arc::new(faulty.clone());
            match try_open(&repo, &small()) {
                Ok(log) => log.close(),
                Err(OpenError::Io { doing, .. }) => assert!(!doing.is_empty()),
                Err(other) => panic!("operation {at}, {kind:?}: {other}"),
            }
            faulty.clear_faults();
            let log = open(&repo, &small());
            assert_eq!(all(&log), events, "operation {at}, {kind:?}");
        }
    }
}

/// Too little space to prepare any: the log is read, says so, and accepts events once there is space.
#[test]
fn a_full_disk_does_not_keep_a_log_from_being_read() {
    let left = {
        let faulty = FaultyRepo::new();
        let repo: Arc<dyn Repo> = Arc::new(faulty.clone());
        let log = open(&repo, &small());
        log.append(one("a", "T", "x")).unwrap();
        log.close();
        faulty.crash(crate::repo::Crash::DropUnsynced)
    };
    let faulty = FaultyRepo::over(&left);
    let used: usize = left
        .list()
        .unwrap()
        .iter()
        .map(|name| left.bytes(name).len())
        .sum();
    faulty.set_space_bytes_max(Some(used as u64 + 100));
    let repo: Arc<dyn Repo> = Arc::new(faulty.clone());
    let log = open(&repo, &small());
    assert_eq!(log.health().state, LogState::DiskFull);
    assert_eq!(all(&log).len(), 1);
    assert_eq!(log.append(one("a", "T", "x")), Err(AppendError::DiskFull));
    faulty.set_space_bytes_max(None);
    log.append(one("a", "T", "y")).unwrap();
    assert_eq!(log.health().state, LogState::Writable);
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    let memory = MemoryRepo::new();
    for name in ["spare-3", "000000000001.log.new", "000000000009.idx.new"] {
        memory.put(name, vec![1; 50]);
    }
    memory.put("a person's notes.txt", vec![1]);
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &small());
    log.append(one("a", "T", "x")).unwrap();
    log.close();
    assert_eq!(
        memory.list().unwrap(),
        ["000000000001.log", "a person's notes.txt", "watermark"]
    );
}

#[test]
fn an_open_after_a_clean_close_folds_nothing() {
    let repo = memory();
    let log = open(&repo, &small());
    let id = log.log_id();
    (0..60).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap()));
    log.settle();
    let segments = log.stats().segments;
    log.close();
    let log = open(&repo, &small());
    let report = log.opened();
    assert_eq!((report.events, report.segments), (60, segments));
    assert_eq!((report.torn_bytes, report.indexes_missing), (0, 0));
    assert_eq!((report.segments_folded, report.damage.len()), (0, 0));
    assert_eq!(log.log_id(), id);
}

/// Without a watermark the headers say whose log it is.
#[test]
fn a_lost_watermark_costs_nothing_but_its_protection() {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &small());
    let id = log.log_id();
    (0..20).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap()));
    log.close();
    memory.remove("watermark").unwrap();
    let log = open(&repo, &small());
    assert_eq!((log.log_id(), all(&log).len()), (id, 20));
    assert_eq!(log.opened().damage, []);
    log.close();
    assert!(memory.list().unwrap().contains(&"watermark".to_owned()));
}

/// A snapshot ahead of what a crash left would come back when other events take its positions.
#[test]
fn snapshots_ahead_of_a_cut_log_are_removed() {
    let faulty = FaultyRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(faulty.clone());
    let snapshots: Arc<dyn Repo> = Arc::new(MemoryRepo::new());
    let open_both = |repo: &Arc<dyn Repo>| {
        Log::open_in(repo.clone(), None, beside(snapshots.clone()), small(), None).unwrap()
    };
    let log = open_both(&repo);
    let name = StreamName::new("Vehicle", "a");
    log.append(one("a", "T", "x")).unwrap();
    for at in [1, 2] {
        let (version, position) = (Version::new(at), Position::new(at.into()));
        log.snapshots()
            .save(&name, version, position, b"state")
            .unwrap();
    }
    // The second event is written, and power is cut before it is synced.
    let at = faulty.operations_of(Operation::Sync) + 1;
    let only = Some(Operation::Sync);
    let kind = FaultKind::CrashBefore;
    faulty.inject(Fault { at, only, kind });
    log.append(one("a", "T", "y")).unwrap_err();
    drop(log);
    let bytes = faulty.last_write_bytes();
    let left: Arc<dyn Repo> =
        Arc::new(faulty.crash(crate::repo::Crash::TearLast { bytes: bytes / 2 }));
    let log = open_both(&left);
    assert_eq!(log.durable_position(), Position::FIRST);
    if log.opened().torn_bytes > 0 {
        let far = Position::new(99);
        let found = log.snapshots().load(&name, Version::MAX, far);
        assert!(found.is_none_or(|found| found.position <= Position::FIRST));
    }
}

#[test]
fn ids_survive_a_lost_state() {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &small());
    let transaction = |number: u128| {
        let event = NewEvent::new("T", "x").with_id(Uuid::from_u128(number));
        Transaction::single(StreamName::new("Vehicle", "a"), ExpectedVersion::Any, event)
    };
    for number in 1..60 {
        log.append(transaction(number)).unwrap();
    }
    log.close();
    let states = memory
        .list()
        .unwrap()
        .into_iter()
        .filter(|name| name.ends_with(".state"));
    states.for_each(|name| memory.remove(&name).unwrap());
    let log = open(&repo, &small());
    assert!(log.opened().segments_folded > 0);
    for number in 1..60 {
        assert!(log.append(transaction(number)).unwrap().duplicate, "before");
    }
    log.settle();
    for number in 1..60 {
        assert!(log.append(transaction(number)).unwrap().duplicate, "behind");
    }
    assert_eq!(log.durable_position(), Position::new(59));
    assert!(log.stats().id_filter_bytes > 0);
}
