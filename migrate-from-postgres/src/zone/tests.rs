use fleet::calendar::parse_time;

use super::*;

#[track_caller]
fn check(zone: &str, clock: &str, expected: fn(i64) -> Understood, moment: &str) {
    let zone: Zone = zone.parse().unwrap();
    let clock = parse_time(clock).unwrap();
    assert_eq!(
        zone.understand(clock),
        expected(parse_time(moment).unwrap())
    );
}

#[test]
fn a_clock_is_understood_in_its_zone() {
    check(
        "UTC",
        "2024-07-01T12:00:00",
        Understood::At,
        "2024-07-01T12:00:00Z",
    );
    check(
        "Europe/Berlin",
        "2024-07-01T12:00:00.000001",
        Understood::At,
        "2024-07-01T10:00:00.000001Z",
    );
    check(
        "Europe/Berlin",
        "2024-01-01T12:00:00",
        Understood::At,
        "2024-01-01T11:00:00Z",
    );
    check(
        "Asia/Kolkata",
        "1999-12-31T23:59:59",
        Understood::At,
        "1999-12-31T18:29:59Z",
    );
}

#[test]
fn the_two_hours_of_a_change_are_named() {
    check(
        "Europe/Berlin",
        "2024-10-27T02:30:00",
        Understood::Twice,
        "2024-10-27T00:30:00Z",
    );
    check(
        "Europe/Berlin",
        "2024-03-31T02:30:00",
        Understood::Never,
        "2024-03-31T01:30:00Z",
    );
}

#[test]
fn zones_have_names() {
    assert_eq!("Etc/UTC".parse(), Ok(Zone::Utc));
    assert_eq!(
        "Europe/Berlin".parse::<Zone>().unwrap().name(),
        "Europe/Berlin"
    );
    let refusal = "Berlin".parse::<Zone>().unwrap_err().to_string();
    assert!(refusal.contains("Europe/Berlin"), "{refusal}");
}
