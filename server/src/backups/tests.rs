use fleet::calendar::HOUR;
use storage::{ExpectedVersion, NewEvent, StreamName, Transaction};

use super::*;
use crate::config::Config;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

#[test]
fn names_tell_when_and_nothing_else_is_one() {
    let noon = at(1_700_000_000_000_000);
    let name = name_at(noon);
    assert_eq!(name, "auto-2023-11-14T221320Z");
    assert_eq!(taken_at(&name), Some(noon));
    for other in [
        "monday",
        "auto-",
        "auto-monday",
        "auto-2023-11-14T221320Z.unverified",
        ".drill-1",
    ] {
        assert_eq!(taken_at(other), None, "{other}");
    }
}

#[test]
fn one_is_due_after_the_interval_and_where_there_is_none() {
    let day = Duration::from_secs(24 * 3_600);
    let taken = at(1_000 * HOUR);
    assert!(is_due(None, taken, day));
    assert!(!is_due(Some(taken), at(1_023 * HOUR), day));
    assert!(is_due(Some(taken), at(1_024 * HOUR), day));
}

#[test]
fn a_clock_that_was_set_back_asks_for_what_was_taken_before() {
    let names = [1_000, 1_024, 9_000].map(|hour| name_at(at(hour * HOUR)));
    assert_eq!(
        newest_before(&names, at(1_030 * HOUR)),
        Some(at(1_024 * HOUR))
    );
    assert_eq!(
        newest_before(&names, at(9_000 * HOUR)),
        Some(at(9_000 * HOUR))
    );
    assert_eq!(newest_before(&names, at(900 * HOUR)), None);
}

#[test]
fn what_was_taken_in_the_future_is_told_apart_and_restored_last() {
    let folder = tempfile::tempdir().unwrap();
    let names = [1_000, 1_024, 9_000].map(|hour| name_at(at(hour * HOUR)));
    for name in &names {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let newest_at = |hour| newest(folder.path(), at(hour * HOUR)).unwrap().unwrap();
    assert_eq!(newest_at(1_030), folder.path().join(&names[1]));
    assert_eq!(newest_at(9_001), folder.path().join(&names[2]));
    assert_eq!(newest_at(900), folder.path().join(&names[2]), "all are");
    let seen = taken(folder.path(), at(1_030 * HOUR)).unwrap();
    assert_eq!(seen.newest, Some(at(1_024 * HOUR)));
    assert_eq!(seen.ahead, names[2..]);
    let nowhere = folder.path().join("nowhere");
    assert_eq!(taken(&nowhere, at(0)).unwrap(), Taken::default());
    assert_eq!(newest(&nowhere, at(0)).unwrap(), None);
}

#[test]
fn after_a_damaged_one_the_next_waits_until_it_is_due() {
    let day = Duration::from_secs(24 * 3_600);
    let damaged = Some(at(1_000 * HOUR));
    assert!(rests(damaged, at(1_000 * HOUR), day));
    assert!(rests(damaged, at(1_023 * HOUR), day));
    assert!(!rests(damaged, at(1_024 * HOUR), day));
    assert!(
        !rests(damaged, at(999 * HOUR), day),
        "the clock was set back"
    );
    assert!(!rests(None, at(1_000 * HOUR), day));
}

#[test]
fn the_oldest_are_put_away() {
    let names = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(to_put_away(&names, "c", 2), ["a"]);
    assert!(to_put_away(&names, "c", 3).is_empty() && to_put_away(&names, "c", 9).is_empty());
    // The clock was set back before `b` was taken.
    assert_eq!(to_put_away(&names, "b", 2), ["c"]);
    assert_eq!(to_put_away(&names, "b", 1), ["c", "a"]);
}

/// Nothing is fetched for it, and what the archive lacks is told.
#[test]
fn a_backup_of_a_log_with_an_archive_is_verified_once_the_archive_has_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("archive");
    let mut config = Config::new(&folder.path().join("data"));
    config.archive.to = Some(format!("file://{}", place.display()));
    config.archive.after_days = 0;
    config.events.segment_bytes_max = 4 << 20;
    let state = AppState::open(config).unwrap();
    for _ in 0..16 {
        let data = format!(r#"{{"remark":"{}"}}"#, "x".repeat(25_000));
        let event = || NewEvent::new("CraneLifted", data.clone());
        let events = std::iter::repeat_with(event).take(40).collect();
        let crane = StreamName::new("Crane", "1");
        let transaction = Transaction::stream(crane, ExpectedVersion::Any, events);
        state.log.append(transaction).unwrap();
    }
    let now = state.clock.now();
    let sent = archive::send(&state.log, &state.config.archive, now, &false.into()).unwrap();
    assert!(sent.segments > 0, "{sent:?}");

    let name = take_due(&state, now).unwrap().expect("one is due");
    let taken = state.config.backups_folder().join(name);
    assert!(taken.join("000000000001.stub").exists());
    assert!(!taken.join("000000000001.log").exists());
    assert!(!state.config.fetched_folder().join(FETCHED).exists());

    let logs = fs::read_dir(&place).unwrap().flatten();
    let objects = logs.flat_map(|log| fs::read_dir(log.path()).unwrap().flatten());
    let object = objects.map(|object| object.path()).min().unwrap();
    let whole = fs::read(&object).unwrap();
    fs::write(&object, &whole[1..]).unwrap();
    let tomorrow = now.plus_micros(24 * HOUR);
    let error = take_due(&state, tomorrow).unwrap_err();
    let is_told = matches!(&error, ScheduledError::Verify(VerifyError::Archived { .. }));
    assert!(is_told, "{error:?}");
    assert_eq!(names_in(&state.config.backups_folder()).unwrap().len(), 2);

    fs::write(&object, whole).unwrap();
    take_due(&state, tomorrow).unwrap().expect("one is due");
    assert_eq!(list(&state.config.backups_folder()).unwrap().len(), 2);
    state.stop();
}
