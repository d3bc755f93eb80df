//! Copies taken while the log is written, and logs made from them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::support::*;
use crate::*;

fn in_folder(folder: &Path) -> Log {
    Log::open(folder, small()).unwrap()
}

fn transaction(number: u32, events: u32) -> Transaction {
    let events = (0..events).map(|at| NewEvent::new("T", format!("{number}/{at}")));
    let name = StreamName::new("Vehicle", format!("{}", number % 5));
    Transaction::stream(name, ExpectedVersion::Any, events.collect())
}

/// What a restored folder holds; it verifies, and appending goes on in it.
#[track_caller]
fn content_of(folder: &Path) -> Vec<Event> {
    let report = verify(folder, &VerifyOptions::default()).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!(report.torn_bytes, 0);
    let log = in_folder(folder);
    assert_eq!(log.opened().damage, []);
    let events = all(&log);
    assert_eq!(report.events, events.len() as u64);
    let receipt = log.append(one("after", "T", "x")).unwrap();
    assert_eq!(receipt.last_position().get(), events.len() as u64 + 1);
    events
}

/// A log of single transactions, of several in one group, and of several segments.
fn log_in(folder: &Path) -> Log {
    let log = in_folder(folder);
    for round in 0..6 {
        for number in 0..4 {
            log.append(transaction(round * 10 + number, 1 + number % 3))
                .unwrap();
        }
        let (sender, answers) = mpsc::channel();
        {
            let _writer = log.writer.lock().unwrap();
            for number in 4..8 {
                let sender = sender.clone();
                log.submit(
                    transaction(round * 10 + number, 1 + number % 3),
                    move |_, answer| {
                        sender.send(answer.unwrap()).unwrap();
                    },
                );
            }
        }
        assert_eq!(answers.iter().take(4).count(), 4);
    }
    log.settle();
    assert!(log.stats().segments > 3);
    log
}

/// Up to the end of the last whole transaction at or before a position.
fn whole_up_to(events: &[Event], position: u64) -> &[Event] {
    let at_most = &events[..usize::try_from(position).unwrap().min(events.len())];
    let end = at_most.iter().rposition(|event| event.ends_transaction);
    &events[..end.map_or(0, |end| end + 1)]
}

#[test]
fn backups_taken_while_writing_are_prefixes() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_folder(&folder.path().join("log"));
    let done = AtomicBool::new(false);
    let mut reports = Vec::new();
    std::thread::scope(|scope| {
        let _stopping = SetAtEnd(&done);
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Acquire) || number < 60 {
                log.append(transaction(number, 3)).unwrap();
                number += 1;
            }
        });
        for round in 0..4 {
            log.wait_past(
                Position::new(round * 30),
                std::time::Duration::from_secs(60),
            );
            let to = folder.path().join(format!("backup-{round}"));
            let before = log.durable_position();
            let report = log.backup(&to).unwrap();
            assert!(report.position >= before, "what was acknowledged is in it");
            assert_eq!(report.position.get() % 3, 0, "no half transactions");
            reports.push((to, report));
        }
    });
    let events = all(&log);
    for (at, (backup, report)) in reports.iter().enumerate() {
        let to = folder.path().join(format!("restored-{at}"));
        let restored = restore(backup, &to, None).unwrap();
        assert_eq!(restored.position, report.position);
        assert_eq!(restored.segments, report.segments);
        let prefix = &events[..usize::try_from(report.position.get()).unwrap()];
        assert_eq!(content_of(&to), prefix);
        // A backup is a log too: it can be opened where it lies. That writes to it, and not to the log's own files.
        assert_eq!(content_of(backup), prefix);
    }
    assert_eq!(all(&log), events);
    log.close();
    assert_eq!(
        verify(&folder.path().join("log"), &VerifyOptions::default())
            .unwrap()
            .problems,
        []
    );
}

/// Who has seen a position and then asks for a backup, or for a watermark, gets it: both end at the tail.
#[test]
fn the_tail_is_never_behind_what_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_folder(folder.path());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _stopping = SetAtEnd(&done);
            for number in 0..2_000 {
                log.append(transaction(number, 1)).unwrap();
            }
        });
        while !done.load(Ordering::Acquire) {
            let seen = log.durable_position();
            assert!(log.shared.tail().position >= seen);
        }
    });
}

/// Nobody waits for a thread that has failed.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_backup_can_be_restored_to_every_position() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(&folder.path().join("log"));
    let events = all(&log);
    let backup = folder.path().join("backup");
    let report = log.backup(&backup).unwrap();
    assert_eq!(report.position.get(), events.len() as u64);
    assert!(
        report.linked + 1 == report.segments && report.bytes_copied > 0,
        "{report:?}"
    );
    for position in 0..=report.position.get() {
        let to = folder.path().join(format!("restored-{position}"));
        let restored = restore(&backup, &to, Some(Position::new(position))).unwrap();
        let expected = whole_up_to(&events, position);
        assert_eq!(restored.position.get(), expected.len() as u64);
        let read = content_of(&to);
        assert_eq!(read.len(), expected.len(), "position {position}");
        assert_eq!(read, expected);
        fs::remove_dir_all(&to).unwrap();
    }
    let to = folder.path().join("beyond");
    let beyond = report.position.next();
    let error = restore(&backup, &to, Some(beyond)).unwrap_err();
    assert!(
        matches!(error, RestoreError::Beyond { asked, last } if asked == beyond && last == report.position),
        "{error}"
    );
    assert!(!to.exists());
}

#[test]
fn targets_in_use_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(&folder.path().join("log"));
    let (full, file) = (folder.path().join("full"), folder.path().join("file"));
    fs::create_dir(&full).unwrap();
    fs::write(full.join("kept"), "x").unwrap();
    fs::write(&file, "x").unwrap();
    for target in [&full, &file] {
        let error = log.backup(target).unwrap_err();
        assert!(
            matches!(&error, BackupError::NotEmpty { path } if path == target),
            "{error}"
        );
    }
    let (backup, empty) = (folder.path().join("backup"), folder.path().join("empty"));
    // What a backup that was interrupted left behind is no obstacle.
    fs::create_dir(folder.path().join("backup.partial")).unwrap();
    fs::write(folder.path().join("backup.partial/half"), "x").unwrap();
    fs::create_dir(&backup).unwrap();
    log.backup(&backup).unwrap();
    assert!(!backup.join("half").exists());
    // One that somebody called so is not half made.
    let named = folder.path().join("named.partial");
    log.backup(&named).unwrap();
    let error = log.backup(&folder.path().join("named")).unwrap_err();
    assert!(
        matches!(&error, BackupError::NotEmpty { path } if *path == named),
        "{error}"
    );
    for target in [&full, &file] {
        let error = restore(&backup, target, None).unwrap_err();
        assert!(
            matches!(&error, RestoreError::NotEmpty { path } if path == target),
            "{error}"
        );
    }
    assert_eq!(fs::read(full.join("kept")).unwrap(), b"x");
    fs::create_dir(&empty).unwrap();
    restore(&backup, &empty, None).unwrap();
    assert_eq!(content_of(&empty), all(&log));
}

/// A first start that is refused behind the lock leaves a folder with nothing else in it.
#[test]
fn a_log_that_was_never_begun_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(&folder.path().join("log"));
    let (backup, to) = (folder.path().join("backup"), folder.path().join("to"));
    log.backup(&backup).unwrap();
    let starting = DirectoryLock::take(&to).unwrap();
    assert!(!remove_unbegun(&to).unwrap(), "somebody begins one");
    let error = restore(&backup, &to, None).unwrap_err();
    assert!(matches!(error, RestoreError::NotEmpty { .. }), "{error}");
    assert!(to.join("lock").exists());
    drop(starting);
    restore(&backup, &to, None).unwrap();
    assert_eq!(content_of(&to), all(&log));
    assert!(!remove_unbegun(&to).unwrap(), "now there is a log");
    assert!(to.join("lock").exists(), "and it is left as it is");
    assert!(remove_unbegun(&folder.path().join("nothing")).unwrap());
}

#[test]
fn a_backup_does_not_wait_until_writers_pause() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_folder(&folder.path().join("log"));
    let done = AtomicBool::new(false);
    let (backup, late) = (folder.path().join("backup"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..16_u32 {
            let (log, done) = (&log, &done);
            scope.spawn(move || {
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    log.append(transaction(writer * 1_000 + number, 1)).unwrap();
                }
            });
        }
        let (sender, taken) = mpsc::channel();
        let (log, backup) = (&log, &backup);
        scope.spawn(move || sender.send(log.backup(backup)));
        let taken = taken.recv_timeout(std::time::Duration::from_secs(30));
        done.store(true, Ordering::Relaxed);
        late.store(taken.is_err(), Ordering::Relaxed);
    });
    assert!(!late.into_inner(), "writers kept it waiting");
    let restored = folder.path().join("restored");
    restore(&backup, &restored, None).unwrap();
    let read = content_of(&restored);
    assert_eq!(read, all(&log)[..read.len()]);
}

#[test]
fn a_folder_without_a_log_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    for from in [folder.path().to_owned(), folder.path().join("nothing")] {
        let error = restore(&from, &to, None).unwrap_err();
        assert!(
            matches!(&error, RestoreError::NoLog { path } if *path == from),
            "{error}"
        );
    }
    assert!(!to.exists());
}

/// Writes other bytes under the name, and not into the file that the log may share.
fn replace(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_backup_is_refused_but_for_what_lies_before_the_damage() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(&folder.path().join("log"));
    let (events, backup) = (all(&log), folder.path().join("backup"));
    log.backup(&backup).unwrap();
    let damaged = events.len() as u64 / 2;
    let (name, offset) = event_place(&log, damaged);
    replace(&backup.join(&name), |bytes| bytes[offset + 41] ^= 4);
    for (position, whole) in [
        (None, false),
        (Some(damaged), false),
        (Some(damaged - 1), true),
    ] {
        let to = folder.path().join(format!("restored-{position:?}"));
        let outcome = restore(&backup, &to, position.map(Position::new));
        assert_eq!(to.exists(), whole);
        match outcome {
            Err(RestoreError::Damaged { segment }) if !whole => {
                assert!(name.starts_with(&segment.to_string()));
            }
            Ok(restored) if whole => {
                let expected = whole_up_to(&events, restored.position.get());
                assert_eq!(content_of(&to), expected);
            }
            other => panic!("{position:?}: {other:?}"),
        }
    }
    log.close();
    let report = verify(&folder.path().join("log"), &VerifyOptions::default()).unwrap();
    assert_eq!(report.problems, [], "the log's own files are as they were");
}

#[test]
fn a_backup_that_lacks_a_file_or_its_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(&folder.path().join("log"));
    let segments = log.stats().segments;
    let to = folder.path().join("to");
    for (at, cut) in [(2, false), (segments, true), (2, true)] {
        let backup = folder.path().join(format!("backup-{at}-{cut}"));
        log.backup(&backup).unwrap();
        let name = backup.join(format!("{at:012}.log"));
        if cut {
            replace(&name, |bytes| bytes.truncate(bytes.len() - 1));
        } else {
            fs::remove_file(&name).unwrap();
        }
        let error = restore(&backup, &to, None).unwrap_err();
        assert!(
            matches!(error, RestoreError::Damaged { .. } | RestoreError::Io(_)),
            "{error}"
        );
        assert!(!to.exists());
    }
}

/// A closed log is as good as a backup, its archive included.
#[test]
fn an_archived_log_is_backed_up_and_restored_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = log_in(&path);
    let events = all(&log);
    let middle = events[events.len() / 2].recorded_at;
    assert!(log.archive(middle).unwrap().segments > 0);
    let backup = folder.path().join("backup");
    log.backup(&backup).unwrap();
    log.close();
    for (name, from) in [("from-backup", &backup), ("from-log", &path)] {
        let to = folder.path().join(name);
        restore(from, &to, None).unwrap();
        assert_eq!(content_of(&to), events, "{name}");
    }
}

/// Another disk cannot be linked to, so the segments are copied.
#[test]
fn a_backup_on_another_disk_is_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let device = |path: &Path| std::fs::metadata(path).unwrap().dev();
    let other = tempfile::tempdir_in("/dev/shm")
        .ok()
        .filter(|other| device(other.path()) != device(folder.path()));
    let Some(other) = other else {
        // The runner captures what the print macros write; nobody would read it there.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a_backup_on_another_disk_is_a_copy: /dev/shm is no other disk"
        );
        return;
    };
    let log = log_in(&folder.path().join("log"));
    let backup = other.path().join("backup");
    let report = log.backup(&backup).unwrap();
    assert_eq!(report.linked, 0);
    assert!(report.bytes_copied > log.stats().bytes_appended);
    assert_eq!(content_of(&backup), all(&log));
}
