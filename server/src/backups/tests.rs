use super::*;

const HOUR: i64 = 3_600 * 1_000_000;

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
fn the_oldest_are_put_away() {
    let names = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(to_put_away(&names, "c", 2), ["a"]);
    assert!(to_put_away(&names, "c", 3).is_empty() && to_put_away(&names, "c", 9).is_empty());
    // The clock was set back before `b` was taken.
    assert_eq!(to_put_away(&names, "b", 2), ["c"]);
    assert_eq!(to_put_away(&names, "b", 1), ["c", "a"]);
}
