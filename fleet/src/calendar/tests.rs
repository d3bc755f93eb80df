//! The calendar against known days and against itself.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let micros = parse_time(text).unwrap_or_else(|| panic!("{text} does not read"));
    assert_eq!(format_time(micros), expected, "{text}");
}

#[test]
fn times_read_in_every_form_that_clients_send() {
    check("1970-01-01", "1970-01-01T00:00:00.000000Z");
    check("2025-11-23T10:30:45.123456", "2025-11-23T10:30:45.123456Z");
    check("2025-11-23T10:30:45.1Z", "2025-11-23T10:30:45.100000Z");
    check("2025-11-23 10:30", "2025-11-23T10:30:00.000000Z");
    check(
        "2025-11-23T10:30:45.1234567899+01:00",
        "2025-11-23T09:30:45.123456Z",
    );
    check("2025-03-01T00:15:00-0030", "2025-03-01T00:45:00.000000Z");
    check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z");
    check("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z");
}

#[test]
fn what_is_no_time_does_not_read() {
    for text in [
        "",
        "2025",
        "2025-13-01",
        "2025-02-29",
        "2025-1-01",
        "99999-01-01",
        "2025-01-01T",
        "2025-01-01T25:00",
        "2025-01-01T10:00:60Z",
        "2025-01-01T10:00:00.Z",
        "2025-01-01T10:00:00+1",
        "2025-01-01X10:00:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:30:00-01:00",
        "2025-01-01T10:00:00ZZ",
        "20é5-01-01T10:00:00",
    ] {
        assert_eq!(parse_time(text), None, "{text:?}");
    }
}

#[test]
fn weekdays_are_known() {
    assert_eq!(
        Date {
            year: 1970,
            month: 1,
            day: 1
        }
        .weekday(),
        3
    );
    assert_eq!(
        Date {
            year: 2026,
            month: 10,
            day: 31
        }
        .weekday(),
        5
    );
    assert_eq!(
        Date {
            year: 2000,
            month: 2,
            day: 29
        }
        .days(),
        11_016
    );
}

/// Every day of the 400-year cycle is one after the day before it, counted by the calendar's own rules.
#[test]
fn days_follow_each_other_over_a_whole_era() {
    let mut date = Date::new(1_600, 1, 1).unwrap();
    let first = date.days();
    for days in first..first + 146_097 {
        assert_eq!((Date::from_days(days), date.days()), (date, days));
        date.day += 1;
        if date.day > days_in_month(date.year, date.month) {
            (date.day, date.month) = (1, date.month + 1);
        }
        if date.month > 12 {
            (date.month, date.year) = (1, date.year + 1);
        }
    }
}

proptest! {
    #[test]
    fn days_and_dates_are_inverse(days in -719_162_i64..2_932_897) {
        let date = Date::from_days(days);
        prop_assert_eq!(Date::new(date.year, date.month, date.day), Some(date));
        prop_assert_eq!(date.days(), days);
    }

    #[test]
    fn written_times_read_back(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
        prop_assert_eq!(parse_time(&format_time(micros)), Some(micros));
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,40}") {
        let _ = parse_time(&text);
    }

    #[test]
    fn arbitrary_near_times_never_panic(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,+-]{0,20}") {
        let _ = parse_time(&text);
    }
}

#[test]
fn midnight_stands_for_a_date_alone() {
    for (time, expected) in [
        ("2026-11-03", Some("2026-11-03")),
        ("2026-11-03T00:00:00Z", Some("2026-11-03")),
        ("1969-12-31", Some("1969-12-31")),
        ("2026-11-03T08:00:00Z", None),
        ("2026-11-03T00:00:00+01:00", None),
    ] {
        let date = date_alone(parse_time(time).unwrap()).map(format_date);
        assert_eq!(date.as_deref(), expected, "{time}");
    }
}

#[test]
fn months_are_read_with_their_length() {
    let days = |text| parse_month(text).map(|(start, end)| (end - start) / DAY);
    assert_eq!(days("2024-02"), Some(29));
    assert_eq!(days("2025-02"), Some(28));
    assert_eq!(days("2025-12"), Some(31));
    for text in [
        "", "2025", "2025-13", "2025-00", "25-01", "2025/01", "2025-1x", "ö025-1",
    ] {
        assert_eq!(parse_month(text), None, "{text}");
    }
    let (start, end) = parse_month("2025-12").unwrap();
    assert_eq!(month_of(start), "2025-12");
    assert_eq!(month_of(end - 1), "2025-12");
    assert_eq!(month_of(end), "2026-01");
}
