//! What the counts answer.

use serde_json::json;
use storage::Timestamp;

use super::Day;
use crate::projection::tests::harness::{BEGINNING, Depot, HOUR, answers};

fn day(offset_hours: i64) -> Day {
    Day::of(Timestamp::from_micros(BEGINNING + offset_hours * HOUR))
}

#[test]
fn days_are_utc_and_read_as_dates() {
    assert_eq!(day(0).to_string(), "2026-03-01");
    assert_eq!(day(-1).to_string(), "2026-02-28");
    assert_eq!(day(23).to_string(), "2026-03-01");
    assert_eq!(day(24).to_string(), "2026-03-02");
    assert_eq!(
        Day::of(Timestamp::from_micros(-1)).to_string(),
        "1969-12-31"
    );
    assert_eq!(Day::of(day(30).start()), day(30));
    assert_eq!(day(30).start().micros(), BEGINNING + 24 * HOUR);
}

#[test]
fn events_are_counted_by_type_and_day() {
    let depot = Depot::new();
    // Recorded on 1 March: what happened in February is late.
    for (event_type, hours) in [
        ("Opened", 0),
        ("OpenedEvent", 1),
        ("Opened", -1),
        ("Closed", -30),
        ("Closed", 50),
        ("Closed", -30),
    ] {
        depot.append_at(
            ("Door", "1"),
            event_type,
            BEGINNING + hours * HOUR,
            &json!({}),
        );
    }
    let projections = depot.start();
    answers(&depot, &projections);
    let counts = projections.event_counts();
    let by_day = |event_type, from, to| {
        let days = counts.by_day(event_type, from, to).value.into_iter();
        days.map(|day| (day.day.to_string(), day.events, day.late))
            .collect::<Vec<_>>()
    };
    let row = |day: &str, events, late| (day.to_owned(), events, late);
    assert_eq!(
        by_day(None, None, None),
        [
            row("2026-02-27", 2, 2),
            row("2026-02-28", 1, 1),
            row("2026-03-01", 2, 0),
            row("2026-03-03", 1, 0)
        ]
    );
    let opened = [row("2026-02-28", 1, 1), row("2026-03-01", 2, 0)];
    assert_eq!(by_day(Some("Opened"), None, None), opened);
    assert_eq!(by_day(Some("OpenedEvent"), None, None), opened);
    assert_eq!(by_day(Some("Opened"), Some(day(0)), None), opened[1..]);
    assert_eq!(by_day(Some("Opened"), None, Some(day(-1))), opened[..1]);
    assert_eq!(by_day(Some("Opened"), Some(day(-1)), Some(day(0))), opened);
    assert!(by_day(Some("Opened"), Some(day(0)), Some(day(-1))).is_empty());
    assert!(by_day(Some("Painted"), None, None).is_empty());

    let types = counts.by_type().value;
    let types: Vec<_> = types
        .iter()
        .map(|of| {
            (
                of.event_type.as_str(),
                of.events,
                of.late,
                of.first_day.to_string(),
                of.last_day.to_string(),
            )
        })
        .collect();
    assert_eq!(
        types,
        [
            (
                "Closed",
                3,
                2,
                "2026-02-27".to_owned(),
                "2026-03-03".to_owned()
            ),
            (
                "Opened",
                3,
                1,
                "2026-02-28".to_owned(),
                "2026-03-01".to_owned()
            ),
        ]
    );
}
