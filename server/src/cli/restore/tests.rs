//! What is said of keys, and from where nothing is restored.

use std::fs;
use std::sync::Arc;

use storage::{ExpectedVersion, NewEvent, StreamName, SystemClock, Transaction};

use super::*;
use crate::app::open_log;
use crate::config::Config;

/// A depot with fields of two people, and a backup of it.
fn backed_up(folder: &Path) -> (Config, PathBuf) {
    let config = Config::new(&folder.join("depot"));
    let log = open_log(&config, Arc::new(SystemClock)).unwrap();
    for id in ["s1", "s2"] {
        let event = NewEvent::new("StaffCreated", r#"{"first_name":"Ada"}"#);
        let name = StreamName::new("Staff", id);
        log.append(Transaction::single(name, ExpectedVersion::Any, event))
            .unwrap();
    }
    let backup = folder.join("backup");
    log.backup(&backup).unwrap();
    log.close();
    (config, backup)
}

fn arguments(from: &Path, to: &Path) -> RestoreArgs {
    RestoreArgs {
        from: from.to_owned(),
        position: None,
        as_new_depot: false,
        keys: None,
        data: DataArgs {
            data: to.to_owned(),
            config: None,
            set: Vec::new(),
        },
    }
}

#[test]
fn keys_that_have_to_be_brought_are_told_until_they_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let (depot, backup) = backed_up(folder.path());
    let to = folder.path().join("restored");
    run(arguments(&backup, &to)).unwrap();
    let keys = to.join("keys");
    assert!(!keys.exists(), "nothing was made");
    let report = storage::verify(&to.join("log"), &VerifyOptions::default()).unwrap();
    type Covered = BTreeMap<Box<str>, Timestamp>;
    let said = |covered: Option<&Covered>| about_keys(&keys, covered).join("\n");
    let missing = said(Some(&report.covered));
    for words in [
        "the keys of 2 people",
        "Staff:s1, Staff:s2",
        "before the first start",
        "erase them again",
    ] {
        assert!(missing.contains(words), "{words}: {missing}");
    }
    let unverified = said(None);
    assert!(unverified.contains("a backup has no keys"), "{unverified}");

    fs::create_dir(&keys).unwrap();
    fs::copy(
        depot.keys_folder().join(store::FILE_NAME),
        keys.join(store::FILE_NAME),
    )
    .unwrap();
    for told in [said(Some(&report.covered)), said(None)] {
        assert!(
            told.starts_with("who was erased after this backup"),
            "{told}"
        );
    }
    assert_eq!(
        said(Some(&BTreeMap::new())),
        "",
        "nobody's fields are in it"
    );
}

#[test]
fn a_log_that_is_open_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (depot, backup) = backed_up(folder.path());
    let to = folder.path().join("restored");
    let log = open_log(&depot, Arc::new(SystemClock)).unwrap();
    let refused = run(arguments(&depot.data, &to)).unwrap_err().to_string();
    assert!(
        refused.contains("is in use by process") && refused.contains("restore from a backup"),
        "{refused}"
    );
    assert!(!to.exists(), "nothing was made");
    log.close();
    run(arguments(&depot.data, &to)).unwrap();
    // One that was verified has a lock, which nobody holds.
    storage::verify(&backup, &VerifyOptions::default()).unwrap();
    assert!(backup.join("lock").exists());
    run(arguments(&backup, &folder.path().join("again"))).unwrap();
    let _other = DirectoryLock::take_if_there(&backup).unwrap();
    run(arguments(&backup, &folder.path().join("beside"))).unwrap();
}

/// For keys that were copied without their master key, say: the folder's lock had been taken by then.
#[test]
fn a_first_start_that_was_refused_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let (depot, backup) = backed_up(folder.path());
    let to = folder.path().join("restored");
    let config = Config::new(&to);
    fs::create_dir_all(config.keys_folder()).unwrap();
    let people = config.keys_folder().join(store::FILE_NAME);
    fs::copy(depot.keys_folder().join(store::FILE_NAME), people).unwrap();
    open_log(&config, Arc::new(SystemClock)).unwrap_err();
    assert!(config.log_folder().join("lock").exists());
    run(arguments(&backup, &to)).unwrap();
    let again = run(arguments(&backup, &to)).unwrap_err().to_string();
    assert!(again.contains("is not an empty folder"), "{again}");
}

/// A server that runs on the same settings may be in the middle of a fetch.
#[test]
fn what_a_server_is_fetching_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (_, backup) = backed_up(folder.path());
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    let half = cache.join("000000000001-0123456789abcdef.log.new");
    fs::write(&half, "half").unwrap();
    let archive = folder.path().join("archive");
    let mut args = arguments(&backup, &folder.path().join("restored"));
    args.data.set = vec![
        format!("archive.to=file://{}", archive.display()),
        format!("archive.cache_path={}", cache.display()),
    ];
    run(args).unwrap();
    assert!(half.exists());
    assert_eq!(
        fs::read_dir(&cache).unwrap().count(),
        1,
        "and nothing is left there"
    );
}
