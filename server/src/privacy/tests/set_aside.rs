//! Files of keys in the wrong place: the depot's own set aside by a release of before, one without its first line, one that
//! cannot be rid of somebody's keys.

use std::fs;
use std::path::PathBuf;

use fleet::erasure;

use super::*;

const OTHER: &[u8] = b"another master key of thirty-two bytes and more";
const ADAS: &[&str] = &["\"Staff:s1\",\"key\""];

fn ada() -> Subject {
    Subject::parse("Staff:s1").unwrap()
}

/// A depot with a key for Ada; its folder of keys, and the file in it.
fn with_ada(folder: &Path) -> (PathBuf, PathBuf) {
    let depot = Depot::open(folder, SECRET);
    depot.log.append(staff(1, ADA)).unwrap();
    let keys = folder.join("keys");
    let people = keys.join("people.keys");
    (keys, people)
}

fn erased_now() -> Erased {
    Erased {
        erased_at: "2026-11-28T12:00:00Z".to_owned(),
        by: None,
        reason: None,
    }
}

/// A start without the master key in its environment made one, set the file aside and began another; then came an update.
#[test]
fn the_depots_own_file_is_named_where_it_was_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, people) = with_ada(folder.path());
    let own = keys.join("people.keys.unopened");
    fs::rename(&people, &own).unwrap();
    drop(KeyStore::open(&keys, OTHER).unwrap());
    assert!(aside::is_opened_by(&own, SECRET) && !aside::is_opened_by(&own, OTHER));
    let refused = KeyStore::open(&keys, SECRET).unwrap_err();
    let free = match &refused {
        StoreError::OpensAside { opened, aside, .. } => {
            assert_eq!(opened, &own.display().to_string());
            PathBuf::from(aside)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(free, keys.join("people.keys.unopened-2"));
    // As it says.
    fs::rename(&people, &free).unwrap();
    fs::rename(&own, &people).unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    assert_eq!(depot.all()[0]["data"]["first_name"], "Ada");
}

/// The start after that one had the key again, and began a third.
#[test]
fn two_files_under_one_master_key_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, people) = with_ada(folder.path());
    let own = keys.join("people.keys.unopened");
    let contact = |depot: &Depot| depot.privacy.contact("eve@elsewhere.example");
    let before = contact(&Depot::open(folder.path(), SECRET));
    fs::rename(&people, &own).unwrap();
    {
        let depot = Depot::open(folder.path(), SECRET);
        depot.log.append(staff(2, ADA)).unwrap();
        let shown = depot.all();
        let names: Vec<&Value> = shown.iter().map(|at| &at["data"]["first_name"]).collect();
        assert_eq!(names, ["[key lost]", "Ada"]);
    }
    let both = [fs::read(&people).unwrap(), fs::read(&own).unwrap()].concat();
    fs::write(&people, both).unwrap();
    fs::remove_file(&own).unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    for shown in depot.all() {
        assert_eq!(shown["data"]["first_name"], "Ada");
    }
    assert_eq!(contact(&depot), before, "addresses are known again");
}

#[test]
fn a_damaged_first_line_is_told_from_a_wrong_master_key() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, people) = with_ada(folder.path());
    let copy = fs::read_to_string(&people).unwrap();
    let contact = |depot: &Depot| depot.privacy.contact("eve@elsewhere.example");
    let before = {
        let depot = Depot::open(folder.path(), SECRET);
        depot.erase("Staff:s2");
        contact(&depot)
    };
    let now = fs::read_to_string(&people).unwrap();
    let ((first, _), (later, rest)) = (
        copy.split_once('\n').unwrap(),
        now.split_once('\n').unwrap(),
    );
    assert_ne!(first, later, "it was written anew");
    for damaged in [
        later.replacen("\"index\":\"", "\"index\":\"x", 1),
        later.replacen('{', "(", 1),
        String::new(),
    ] {
        let text = format!("{damaged}\n{rest}");
        fs::write(&people, &text).unwrap();
        let refused = KeyStore::open(&keys, SECRET).unwrap_err();
        assert!(
            matches!(refused, StoreError::FirstLine { .. }),
            "{refused:?}"
        );
        let refused = KeyStore::open(&keys, OTHER).unwrap_err();
        assert!(
            matches!(refused, StoreError::Unopened { .. }),
            "{refused:?}"
        );
        assert_eq!(fs::read_to_string(&people).unwrap(), text);
    }
    fs::write(&people, format!("{first}\n{rest}")).unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    assert_eq!(depot.all()[0]["data"]["first_name"], "Ada");
    assert_eq!(contact(&depot), before, "addresses are known again");
}

/// It may be root's. The keys in use go all the same, no start is refused for it, and the next one tries again.
#[test]
fn a_file_that_cannot_be_rid_of_keys_stops_no_erasure() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, people) = with_ada(folder.path());
    fs::copy(&people, keys.join("people.keys.unopened")).unwrap();
    // What it is written anew as cannot be made: a stand-in for permissions, which root has.
    let obstacle = keys.join("people.keys.unopened.new");
    fs::create_dir(&obstacle).unwrap();
    {
        let depot = Depot::open(folder.path(), SECRET);
        let store = depot.privacy.store();
        for _ in 0..2 {
            let left = store.erase(&ada(), erased_now()).unwrap_err();
            assert!(matches!(left, StoreError::LeftAside { .. }), "{left:?}");
            assert!(matches!(
                store.status(&ada()),
                Some(SubjectStatus::Erased(_))
            ));
        }
        assert_eq!(depot.all()[0]["data"]["first_name"], "[erased]");
    }
    let left = holding(&keys, ADAS);
    assert!(
        left.len() == 1 && left[0].ends_with("people.keys.unopened"),
        "{left:?}"
    );
    drop(Depot::open(folder.path(), SECRET));
    assert_eq!(holding(&keys, ADAS), left, "it was told, and is there");
    fs::remove_dir(&obstacle).unwrap();
    drop(Depot::open(folder.path(), SECRET));
    assert_eq!(holding(&keys, ADAS), Vec::<String>::new());
}

/// The log says so already: a crash came before the keys went, or they came back with an old copy.
#[test]
fn a_file_that_cannot_be_rid_of_keys_stops_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, people) = with_ada(folder.path());
    fs::copy(&people, keys.join("people.keys.unopened")).unwrap();
    let obstacle = keys.join("people.keys.unopened.new");
    fs::create_dir(&obstacle).unwrap();
    let depot = Depot::open(folder.path(), SECRET);
    let data = r#"{"subject":"Staff:s1","erased_at":"2026-11-28T12:00:00Z"}"#;
    let event = NewEvent::new(erasure::event::SUBJECT_ERASED, data);
    let stream = StreamName::new(erasure::AGGREGATE_TYPE, "Staff:s1");
    depot
        .log
        .append(Transaction::single(stream, ExpectedVersion::Any, event))
        .unwrap();
    let store = depot.privacy.store();
    erase::reconcile(&depot.log, store, &folder.path().join("projections")).unwrap();
    assert_eq!(
        store.status(&ada()),
        Some(SubjectStatus::Erased(erased_now()))
    );
    assert!(!store.needs_purge(), "what was derived went as well");
    fs::remove_dir(&obstacle).unwrap();
    store.erase(&ada(), erased_now()).unwrap();
    assert_eq!(holding(&keys, ADAS), Vec::<String>::new());
}

/// The folder is the server's, so a file in it that may not be written can be replaced.
#[cfg(unix)]
#[test]
fn a_file_that_may_only_be_read_is_rid_of_keys() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (keys, people) = with_ada(folder.path());
    let kept = keys.join("people.keys.unopened");
    fs::copy(&people, &kept).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o400)).unwrap();
    Depot::open(folder.path(), SECRET).erase("Staff:s1");
    assert_eq!(holding(&keys, ADAS), Vec::<String>::new());
}
