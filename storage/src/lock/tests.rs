//! One holder at a time, named to the second.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::log::{Log, LogOptions};

fn held_by(dir: &Path) -> String {
    match DirectoryLock::acquire(dir).unwrap_err() {
        LockError::Held { by, path } => {
            assert_eq!(path, dir.join(LOCK_FILE));
            by
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_second_is_told_who_is_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = DirectoryLock::acquire(folder.path()).unwrap();
    assert_eq!(
        held_by(folder.path()),
        format!("process {}", std::process::id())
    );
    assert_eq!(
        held_by(folder.path()),
        format!("process {}", std::process::id()),
        "asking changed nothing"
    );
    drop(first);
    DirectoryLock::acquire(folder.path()).unwrap();
}

#[test]
fn a_file_left_by_a_crash_is_no_lock_and_its_text_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LOCK_FILE);
    fs::write(
        &path,
        "4294967295\nsomething longer than what is written now, left by a process that died "
            .repeat(3),
    )
    .unwrap();
    let _lock = DirectoryLock::acquire(folder.path()).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert!(text.starts_with(&format!("{}\n", std::process::id())));
    assert!(!text.contains("died"));
}

#[test]
fn a_holder_that_left_no_number_is_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let _lock = DirectoryLock::acquire(folder.path()).unwrap();
    for text in [
        &b""[..],
        b"\n",
        b"no number\n",
        b"-1\n",
        b"99999999999999\n",
        &[0xFF; 100_000],
    ] {
        fs::write(folder.path().join(LOCK_FILE), text).unwrap();
        assert_eq!(held_by(folder.path()), "another process");
    }
}

#[test]
fn a_folder_that_is_not_there_cannot_be_locked() {
    let folder = tempfile::tempdir().unwrap();
    let error = DirectoryLock::acquire(&folder.path().join("gone")).unwrap_err();
    assert!(
        matches!(error, LockError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    );
}

#[test]
fn a_child_process_does_not_keep_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let lock = DirectoryLock::acquire(folder.path()).unwrap();
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    drop(lock);
    // A child that another test begins has every open file for the moment between fork and exec; this one lives on.
    let patience = Instant::now() + Duration::from_secs(10);
    let mut again = DirectoryLock::acquire(folder.path());
    while again.is_err() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(1));
        again = DirectoryLock::acquire(folder.path());
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    again.unwrap();
}

/// What is done between the lock and the log is done by one process alone.
#[test]
fn a_log_is_opened_with_the_lock_that_was_taken_before() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("log");
    let lock = DirectoryLock::take(&folder).unwrap();
    assert_eq!(lock.folder(), folder);
    let open = || Log::open(&folder, LogOptions::default());
    assert!(matches!(open(), Err(OpenError::Locked { .. })));
    let log = Log::open_locked(lock, LogOptions::default()).unwrap();
    let again = DirectoryLock::take(&folder);
    assert!(
        matches!(again, Err(OpenError::Locked { .. })),
        "the log holds it"
    );
    log.close();
    open().unwrap().close();
}

#[test]
fn a_folder_that_is_read_is_locked_where_it_has_a_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LOCK_FILE);
    assert!(
        DirectoryLock::take_if_there(folder.path())
            .unwrap()
            .is_none()
    );
    assert!(!path.exists(), "and nothing is made");
    let first = DirectoryLock::take(folder.path()).unwrap();
    let held = DirectoryLock::take_if_there(folder.path());
    assert!(matches!(held, Err(OpenError::Locked { .. })), "{held:?}");
    drop(first);
    // A backup's disk may be one that takes nothing.
    fs::write(&path, "4711\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    let readers = [(), ()].map(|()| DirectoryLock::take_if_there(folder.path()).unwrap());
    assert!(
        readers.iter().all(Option::is_some),
        "one does not hinder the other"
    );
    assert_eq!(fs::read(&path).unwrap(), b"4711\n", "nothing is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    held_by(folder.path());
    drop(readers);
    DirectoryLock::acquire(folder.path()).unwrap();
}
