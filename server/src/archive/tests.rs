//! What a command left that was killed.

use super::*;

/// No process has a number as high.
const GONE: u32 = u32::MAX;

#[test]
fn what_a_killed_command_left_goes_with_the_next_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path());
    let (backups, fetched) = (config.backups_folder(), config.fetched_folder());
    // This process runs, and so does the one that started it.
    let parent = std::os::unix::process::parent_id();
    let left = [
        backups.join(format!(".drill-{GONE}")),
        fetched.join(format!("verify-{GONE}")),
        fetched.join(format!("restore-{GONE}")),
    ];
    let kept = [
        backups.join(format!(".drill-{parent}")),
        fetched.join(format!("verify-{parent}")),
        backups.join(format!("verify-{GONE}")),
        backups.join("auto-2026-01-01T000000Z"),
        backups.join(".drill-old"),
        fetched.join("backup"),
    ];
    for path in left.iter().chain(&kept) {
        fs::create_dir_all(path.join("log")).unwrap();
        fs::write(path.join("log/000000000001.log"), "events").unwrap();
    }
    let scratch = Scratch::of_verify(&config).unwrap();
    assert_eq!(
        scratch.path(),
        fetched.join(format!("verify-{}", std::process::id()))
    );
    for path in &left {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in &kept {
        assert!(path.join("log").exists(), "{}", path.display());
    }
    assert!(!scratch.path().exists(), "without an archive none is made");
}

/// On a disk of several machines, or in a container, the numbers of processes say nothing.
#[test]
fn the_lock_in_a_folder_says_whether_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path());
    let backups = config.backups_folder();
    let make = |name: &str| {
        let path = backups.join(name);
        fs::create_dir_all(path.join("log")).unwrap();
        let lock = File::create(path.join(LOCK)).unwrap();
        (path, lock)
    };
    let parent = std::os::unix::process::parent_id();
    let (used, lock) = make(&format!(".drill-{GONE}"));
    lock.lock().unwrap();
    let (left, _) = make(&format!(".drill-{parent}"));
    let (another, _) = make(&format!(".drill-{parent}-2"));
    remove_orphans(&config);
    assert!(used.join("log").exists(), "another machine's drill");
    assert!(!left.exists() && !another.exists(), "nobody holds these");
    drop(lock);
    remove_orphans(&config);
    assert!(!used.exists(), "it has ended");
}

/// In a container each process may have the same number as the one that was killed, or as one that runs beside it.
#[test]
fn what_a_process_of_the_same_number_left_is_not_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path());
    let own = format!(".drill-{}", std::process::id());
    let own = config.backups_folder().join(own);
    fs::create_dir_all(own.join("log")).unwrap();
    fs::write(own.join("log/000000000001.log"), "events").unwrap();
    fs::write(own.join("half"), "events").unwrap();
    let first = Scratch::of_drill(&config).unwrap();
    assert_eq!(first.path(), own);
    let names = |path: &Path| -> Vec<_> {
        let entries = fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names(&own), [LOCK]);
    let second = Scratch::of_drill(&config).unwrap();
    assert_eq!(
        second.path().to_str().unwrap(),
        format!("{}-2", own.display())
    );
    drop(first);
    assert_eq!(names(&config.backups_folder()).len(), 1, "one is in use");
    drop(second);
    assert!(names(&config.backups_folder()).is_empty());
}

/// What `object_store` says of a bucket that keeps what it has; a place that does not answer says nothing of the kind.
#[test]
fn a_place_that_refuses_is_told_from_one_that_does_not_answer() {
    use io::ErrorKind::{AlreadyExists, PermissionDenied};
    for (why, status, kind) in [
        (Why::Refused, "403 Forbidden", Some(PermissionDenied)),
        (Why::Other, "405 Method Not Allowed", Some(AlreadyExists)),
        (Why::Other, "409 Conflict", Some(AlreadyExists)),
        (Why::Other, "412 Precondition Failed", Some(AlreadyExists)),
        (Why::Other, "400 Bad Request", None),
        (Why::Trouble, "503 Slow Down", None),
    ] {
        let said = format!("Server returned non-2xx status code: {status}: <Error/>");
        assert_eq!(kind_of(why, &said), kind, "{status}");
    }
    assert_eq!(kind_of(Why::Silent, "operation timed out"), None);
    assert_eq!(refusal_of(&LakeError::Stopped), None);
}
