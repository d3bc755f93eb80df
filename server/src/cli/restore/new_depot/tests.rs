//! A new depot has the fleet's history with its origins, under its own id and its own keys.

use fleet::Origin;
use serde_json::json;
use storage::{ExpectedVersion, Log, NewEvent, ReadRequest, StreamName, Transaction};
use tempfile::TempDir;

use super::*;

fn depot(folder: &TempDir, name: &str) -> Config {
    let config = Config::new(&folder.path().join(name));
    create_private_folder(&config.data).unwrap();
    config
}

fn append(log: &Log, stream: (&str, &str), event_type: &str, data: &serde_json::Value) {
    let event = NewEvent::new(event_type, data.to_string());
    let stream = StreamName::new(stream.0, stream.1);
    log.append(Transaction::single(stream, ExpectedVersion::Any, event))
        .unwrap();
}

/// A depot with a person, a vehicle and an account. Returns its log's id.
fn old_depot(config: &Config) -> u128 {
    let (log, _) = open_log_and_keys(config, Arc::new(SystemClock)).unwrap();
    append(
        &log,
        ("User", "u"),
        "UserCreated",
        &json!({ "username": "anna" }),
    );
    append(
        &log,
        ("Staff", "7"),
        "StaffCreated",
        &json!({ "last_name": "Lovelace" }),
    );
    append(
        &log,
        ("Vehicle", "1"),
        "VehicleCreated",
        &json!({ "asset_id": "1" }),
    );
    log.log_id().as_u128()
}

#[test]
fn a_new_depot_has_the_history_with_its_origins() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (depot(&folder, "old"), depot(&folder, "new"));
    let old_id = old_depot(&old);
    let adopted = restore(&old.log_folder(), None, Some(&old.keys_folder()), &new).unwrap();
    assert_eq!((adopted.events, adopted.left, adopted.logs), (2, 1, 1));
    let (log, _) = open_log_and_keys(&new, Arc::new(SystemClock)).unwrap();
    assert_ne!(log.log_id().as_u128(), old_id);
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let mut told = Vec::new();
    while let Some(event) = reader.next() {
        let event = event.unwrap();
        let origin = Origin::of(event.tags()).unwrap();
        assert_eq!(origin.log, old_id);
        let data = String::from_utf8(event.data().to_vec()).unwrap();
        told.push((origin.position, event.event_type().to_owned(), data));
    }
    assert_eq!(told[0].1, "StaffCreated");
    assert!(told[0].2.contains("Lovelace"), "{}", told[0].2);
    assert_eq!((told[1].0, &*told[1].1), (3, "VehicleCreated"));
    let names: Vec<_> = fs::read_dir(&new.data)
        .unwrap()
        .map(|one| one.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let again = restore(&old.log_folder(), None, None, &new);
    assert!(again.is_err(), "there is a depot");
}

#[test]
fn a_first_start_that_was_refused_is_no_depot() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (depot(&folder, "old"), depot(&folder, "new"));
    old_depot(&old);
    let starting = storage::DirectoryLock::take(&new.log_folder()).unwrap();
    let keys = old.keys_folder();
    let refused = restore(&old.log_folder(), None, Some(&keys), &new);
    assert!(refused.is_err(), "somebody begins one");
    drop(starting);
    restore(&old.log_folder(), None, Some(&keys), &new).unwrap();
    open_log_and_keys(&new, Arc::new(SystemClock)).unwrap();
}

#[test]
fn without_the_keys_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (depot(&folder, "old"), depot(&folder, "new"));
    old_depot(&old);
    let refused = restore(&old.log_folder(), None, None, &new)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("--keys"), "{refused}");
    assert_eq!(
        fs::read_dir(&new.data).unwrap().count(),
        0,
        "nothing is left"
    );
    restore(&old.log_folder(), None, Some(&old.keys_folder()), &new).unwrap();
}

/// A later start would be told to rename a file in a folder that is gone.
#[test]
fn keys_that_another_master_key_opens_are_refused_in_words_of_the_command() {
    let folder = TempDir::new().unwrap();
    let (old, mut new) = (depot(&folder, "old"), depot(&folder, "new"));
    old_depot(&old);
    new.privacy.master_key = Some("another master key of more than 32 bytes".to_owned());
    let refused = restore(&old.log_folder(), None, Some(&old.keys_folder()), &new)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("privacy.master_key") && !refused.contains("rename"),
        "{refused}"
    );
    assert_eq!(fs::read_dir(&new.data).unwrap().count(), 0);
    // The master key is right, and the file is not whole.
    new.privacy.master_key = None;
    let people = old.keys_folder().join("people.keys");
    let text = fs::read_to_string(&people).unwrap();
    fs::write(&people, text.replacen('{', "(", 1)).unwrap();
    let refused = restore(&old.log_folder(), None, Some(&old.keys_folder()), &new)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("the first line") && refused.contains("--keys"),
        "{refused}"
    );
}
