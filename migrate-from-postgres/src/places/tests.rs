//! A row is found by what began its aggregate, whatever it is called now.

use storage::{ExpectedVersion, LogOptions, NewEvent, Transaction};

use super::*;
use crate::made::metadata;

const ROW: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

#[test]
fn a_row_goes_by_its_key_unless_something_is_in_the_way() {
    let shared = |key: &str| key == "taken";
    let check = |id, key, said| assert_eq!(reason(id, ROW, key, shared), said, "{id} {key:?}");
    check("185123", Some("185123"), None);
    check("185123", Some("185 123-4"), Some(Treatment::KeyChanged));
    check("185123", None, Some(Treatment::KeyChanged));
    check(ROW, None, None);
    check(ROW, Some("taken"), Some(Treatment::KeyTaken));
    check(ROW, Some("185123"), Some(Treatment::KeyChanged));
    check("taken", Some("taken"), None);
}

#[test]
fn rows_are_spelled_as_everywhere() {
    let spelled = key_text(Some(ROW.to_uppercase().as_bytes()));
    assert_eq!(spelled, ROW);
    assert_eq!(key_text(Some(b"17")), "17");
    assert!(!is_usable("") && is_usable("185123"));
    assert!(!is_usable(&"x".repeat(storage::AGGREGATE_ID_BYTES_MAX + 1)));
}

#[test]
fn the_log_tells_what_a_row_began_and_which_row_a_stream_is_of() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let append = |id: &str, of: Option<(&str, &str)>| {
        let mut event = NewEvent::new("VehicleUpdated", "{}");
        if let Some((table, key)) = of {
            event.id = Some(ids::event_id(table, key, "created"));
            event.metadata = metadata(table, key);
        }
        let stream = StreamName::new("Vehicle", id);
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        log.append(transaction).unwrap();
    };
    // What somebody did here, and what the old system's own events say, begins no row's history.
    append("185123", None);
    append("185123", Some(("events", "17")));
    append("185123", Some(("vehicles", ROW)));
    append("185124", None);
    let begun = |table: &str, row: &str| begun_by(&log, "Vehicle", table, row).unwrap();
    assert_eq!(begun("vehicles", ROW), Some("185123".to_owned()));
    assert_eq!(begun("vehicles", "another"), None);
    assert_eq!(begun("part_inventory", ROW), None);
    assert_eq!(begun_by(&log, "Part", "vehicles", ROW).unwrap(), None);
    let owner = |id: &str| owner_of(&log, &StreamName::new("Vehicle", id), "vehicles").unwrap();
    assert_eq!(owner("185123"), Some(ROW.to_owned()));
    assert_eq!(owner("185124"), None);
    assert_eq!(owner("185125"), None);
}

#[test]
fn a_key_whose_history_is_another_row_s_is_left_to_it_unless_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let mut event = NewEvent::new("VehicleCreated", "{}");
    event.id = Some(ids::event_id("vehicles", ROW, "created"));
    event.metadata = metadata("vehicles", ROW);
    let stream = StreamName::new("Vehicle", "185123");
    log.append(Transaction::single(stream, ExpectedVersion::Any, event))
        .unwrap();
    let shared_keys = SharedKeys::new();
    let look = |gone: &[&str]| {
        let mut places = Places::new();
        let mut looking = Looking {
            log: &log,
            table: "vehicles",
            aggregate: "Vehicle",
            shared_keys: &shared_keys,
            places: &mut places,
            owned: Vec::new(),
        };
        looking.take(ROW.to_owned(), "185 123-4").unwrap();
        looking.take("new".to_owned(), "185123").unwrap();
        looking.take("newer".to_owned(), "185124").unwrap();
        looking.leave_to_owners(&gone.iter().map(|key| (*key).to_owned()).collect());
        places
    };
    let place = |id: &str, why| Place {
        id: id.to_owned(),
        why,
    };
    let places = look(&[]);
    let of = |row: &str| places.get(&("vehicles", row.to_owned()));
    let renamed = place("185123", Treatment::KeyChanged);
    assert_eq!(of(ROW), Some(&renamed));
    assert_eq!(of("new"), Some(&place("new", Treatment::KeyTaken)));
    assert_eq!(of("newer"), None);
    let places = look(&[ROW]);
    assert_eq!(places.len(), 1, "{places:?}");
}

/// Whose creation was told once more elsewhere is kept up to date there; the first stream is given up.
#[test]
fn a_row_that_an_earlier_version_began_anew_goes_on_where_it_was_kept_up() {
    let (renamed, successor, apart) = ("renamed", "successor", "apart");
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let append = |id: &str, row: &str, is_moved: bool| {
        let stream = StreamName::new("Vehicle", id);
        let first = ids::event_id("vehicles", row, "created");
        let mut event = NewEvent::new("VehicleCreated", "{}");
        event.id = Some(match is_moved {
            true => ids::moved_id(first, &stream),
            false => first,
        });
        event.metadata = metadata("vehicles", row);
        log.append(Transaction::single(stream, ExpectedVersion::Any, event))
            .unwrap();
    };
    append("185123", renamed, false);
    append("185 123-4", renamed, true);
    append("185123", successor, false);
    append("185124", apart, false);
    append(apart, apart, true);
    let mut shared_keys = SharedKeys::new();
    shared_keys.insert(("vehicles", "185 125-9".to_owned()), false);
    let mut places = Places::new();
    let mut looking = Looking {
        log: &log,
        table: "vehicles",
        aggregate: "Vehicle",
        shared_keys: &shared_keys,
        places: &mut places,
        owned: Vec::new(),
    };
    looking.take(renamed.to_owned(), "185 123-4").unwrap();
    looking.take(successor.to_owned(), "185123").unwrap();
    looking.take(apart.to_owned(), "185 125-9").unwrap();
    looking.leave_to_owners(&HashSet::new());
    let place = Place {
        id: apart.to_owned(),
        why: Treatment::KeyTaken,
    };
    // The two others go by the numbers that they have.
    let expected = Places::from([(("vehicles", apart.to_owned()), place)]);
    assert_eq!(places, expected);
}

#[test]
fn a_log_that_no_import_wrote_to_has_no_rows_to_look_for() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    assert!(!may_have_rows(&log));
    let append = |aggregate: &str, event_type: &str| {
        let stream = StreamName::new(aggregate, "185123");
        let event = NewEvent::new(event_type, "{}");
        log.append(Transaction::single(stream, ExpectedVersion::Any, event))
            .unwrap();
    };
    // The old system's own events come before all rows.
    append("Vehicle", "VehicleStatusChanged");
    assert!(!may_have_rows(&log));
    append(fleet::import::AGGREGATE_TYPE, "ImportStarted");
    assert!(may_have_rows(&log));
}
