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
    assert!(
        !is_due(Some(taken), at(900 * HOUR), day),
        "a clock set back"
    );
}

#[test]
fn the_oldest_are_put_away() {
    let names = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(to_put_away(&names, 2), ["a"]);
    assert!(to_put_away(&names, 3).is_empty() && to_put_away(&names, 9).is_empty());
}
