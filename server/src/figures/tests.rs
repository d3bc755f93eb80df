use chrono_tz::Tz;
use storage::Timestamp;

use super::{Interval, edges, local_month, months_before};
use crate::rfc3339;

const HOUR: i64 = 3_600_000_000;
const BERLIN: Tz = chrono_tz::Europe::Berlin;

fn at(text: &str) -> Timestamp {
    rfc3339::parse(text).unwrap()
}

#[test]
fn days_have_as_many_hours_as_the_clock_says() {
    let hours = |from: &str, to: &str| -> Vec<i64> {
        let edges = edges(BERLIN, Interval::Day, at(from), at(to), 10).unwrap();
        edges
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) / HOUR)
            .collect()
    };
    assert_eq!(
        hours("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"),
        [24, 23, 24]
    );
    assert_eq!(hours("2026-10-25T12:00:00Z", "2026-10-25T13:00:00Z"), [25]);
}

#[test]
fn weeks_begin_on_monday_and_months_on_their_first_day() {
    let week = edges(
        chrono_tz::UTC,
        Interval::Week,
        at("2026-11-28T10:00:00Z"),
        at("2026-11-28T11:00:00Z"),
        3,
    );
    assert_eq!(
        week.unwrap(),
        [
            at("2026-11-23T00:00:00Z").micros(),
            at("2026-11-30T00:00:00Z").micros()
        ]
    );
    let months = edges(
        BERLIN,
        Interval::Month,
        at("2026-01-15T00:00:00Z"),
        at("2026-03-01T00:00:00Z"),
        12,
    );
    assert_eq!(months.unwrap().len(), 4);
    assert_eq!(
        months_before(BERLIN, at("2026-11-28T10:00:00Z"), 12),
        at("2025-10-31T23:00:00Z")
    );
    assert_eq!(
        local_month(BERLIN, at("2025-10-31T23:00:00Z").micros()),
        "2025-11"
    );
}

#[test]
fn too_many_buckets_are_refused() {
    assert!(
        edges(
            chrono_tz::UTC,
            Interval::Day,
            at("1900-01-01T00:00:00Z"),
            at("2100-01-01T00:00:00Z"),
            100
        )
        .is_none()
    );
}
