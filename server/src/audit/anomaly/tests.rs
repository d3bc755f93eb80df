//! Each detector finds what it is for, and stays silent where there is nothing.

use fleet::calendar::{DAY, SECOND};
use storage::Timestamp;
use uuid::Uuid;

use super::{Anomaly, Detector, Seen, Severity, Thresholds};

/// 2023-11-14 12:00:00 UTC: a Tuesday's noon.
const NOON: i64 = 1_699_963_200_000_000;

fn seen(position: u64, stream: &str, version: u32, at: i64) -> Seen {
    Seen {
        id: Uuid::from_u128(position.into()),
        position,
        stream: stream.into(),
        version,
        event_type: "CraneMoved".into(),
        occurred_at: Timestamp::from_micros(at),
        recorded_at: Timestamp::from_micros(at),
        user_id: Some("ada".into()),
        device_id: None,
        brought_in: false,
    }
}

fn found(events: &[Seen]) -> Vec<Anomaly> {
    let mut detector = Detector::new(Thresholds::default());
    events.iter().for_each(|event| detector.see(event));
    let (found, beyond) = detector.finish(Timestamp::from_micros(NOON + 400 * DAY));
    assert_eq!(beyond, 0);
    found
}

#[track_caller]
fn only(events: &[Seen], kind: &str) -> Anomaly {
    let mut found = found(events);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, kind);
    found.remove(0)
}

#[test]
fn ordinary_days_are_not_odd() {
    let events: Vec<Seen> = (0..200)
        .map(|n| {
            seen(
                n + 1,
                &format!("Crane/{}", n % 7),
                u32::try_from(n / 7 + 1).unwrap(),
                NOON + i64::try_from(n).unwrap() * 30 * SECOND,
            )
        })
        .collect();
    assert_eq!(found(&events), []);
}

#[test]
fn a_burst_is_one_finding_with_its_ends() {
    let mut events: Vec<Seen> = (0..25)
        .map(|n| {
            seen(
                n + 1,
                "Crane/1",
                u32::try_from(n + 1).unwrap(),
                NOON + i64::try_from(n).unwrap() * 100_000,
            )
        })
        .collect();
    events.push(seen(30, "Crane/1", 26, NOON + 60 * SECOND));
    let burst = only(&events, "rapid_changes");
    assert_eq!((burst.count, burst.evidence.len()), (25, 10));
    assert_eq!(
        (burst.evidence[0].position, burst.evidence[9].position),
        (1, 25)
    );
    assert!(
        burst.description.contains("25 events within 2.400 s"),
        "{}",
        burst.description
    );
}

#[test]
fn versions_that_are_missing_are_named() {
    let gap = only(
        &[
            seen(1, "Crane/1", 3, NOON),
            seen(2, "Crane/1", 6, NOON + 5 * SECOND),
        ],
        "missing_versions",
    );
    assert_eq!(gap.expected_versions, [4, 5]);
    assert_eq!(gap.severity, Severity::Critical);
}

/// Reports by when things happened once took every version outside their span for lost.
#[test]
fn versions_that_were_left_out_are_not_missing() {
    let mut detector = Detector::of_thinned(Thresholds::default());
    detector.see(&seen(1, "Crane/1", 1, NOON));
    detector.see(&seen(3, "Crane/1", 3, NOON + 5 * SECOND));
    let (found, _) = detector.finish(Timestamp::from_micros(NOON + DAY));
    assert_eq!(found, []);
}

#[test]
fn nights_are_counted_by_the_depots_clock() {
    // 23:30, 00:30 and 04:30 are one night; noon is none.
    let night: Vec<Seen> = [0, 41_400, 45_000, 59_400]
        .iter()
        .enumerate()
        .map(|(n, seconds)| {
            seen(
                n as u64 + 1,
                &format!("Crane/{n}"),
                1,
                NOON + seconds * SECOND,
            )
        })
        .collect();
    let outside = only(&night, "out_of_hours");
    assert_eq!(outside.count, 3);
    let mut detector = Detector::new(Thresholds {
        utc_offset_minutes: 8 * 60,
        ..Thresholds::default()
    });
    night.iter().for_each(|event| detector.see(event));
    let (found, _) = detector.finish(Timestamp::from_micros(NOON + DAY));
    assert_eq!(found.len(), 0, "there it was day: {found:?}");
}

#[test]
fn clocks_that_cannot_be_right_are_told() {
    let mut ahead = seen(1, "Crane/1", 1, NOON);
    ahead.occurred_at = Timestamp::from_micros(NOON + 3 * DAY);
    assert!(
        only(&[ahead], "clock_jump")
            .description
            .contains("3 days after")
    );

    let mut reports = [
        seen(1, "Crane/1", 1, NOON),
        seen(2, "Crane/1", 2, NOON + 600 * SECOND),
    ];
    for report in &mut reports {
        report.device_id = Some("tablet".into());
    }
    reports[1].occurred_at = Timestamp::from_micros(NOON - 7_200 * SECOND);
    assert!(
        only(&reports, "clock_jump")
            .description
            .contains("2 hours earlier")
    );

    let mut detector = Detector::new(Thresholds::default());
    detector.see(&seen(1, "Crane/1", 1, NOON));
    let (found, _) = detector.finish(Timestamp::from_micros(NOON - DAY));
    assert_eq!(
        (found.len(), found[0].kind),
        (1, "clock_jump"),
        "the log is ahead of the clock"
    );
}

#[test]
fn many_aggregates_at_once_are_a_mass_change() {
    let events: Vec<Seen> = (0..60)
        .map(|n| {
            seen(
                n + 1,
                &format!("Crane/{n}"),
                1,
                NOON + i64::try_from(n).unwrap() * SECOND / 2,
            )
        })
        .collect();
    let mass = only(&events, "mass_change");
    assert_eq!(mass.count, 60);
    assert!(mass.description.contains("60 aggregates"));
    assert_eq!(found(&events[..49]), [], "fewer are a morning's work");
}

#[test]
fn what_is_reported_late_is_gathered_by_its_device() {
    let events: Vec<Seen> = (1..=4)
        .map(|n| {
            let mut late = seen(
                n,
                &format!("Crane/{n}"),
                1,
                NOON + i64::try_from(n).unwrap() * 60 * SECOND,
            );
            late.device_id = Some("tablet".into());
            late.occurred_at =
                Timestamp::from_micros(NOON - 30 * DAY + i64::try_from(n).unwrap() * 60 * SECOND);
            late
        })
        .collect();
    let late = only(&events, "backdated");
    assert_eq!(late.count, 4);
    assert!(late.description.contains("device tablet") && late.description.contains("30 days"));
    let mut imported = events;
    imported
        .iter_mut()
        .for_each(|event| event.brought_in = true);
    assert_eq!(
        found(&imported),
        [],
        "an import tells of the past by its nature"
    );
}

#[test]
fn what_is_watched_is_bounded() {
    let mut detector = Detector::new(Thresholds::default());
    for n in 0..50_000_u64 {
        let mut event = seen(
            n + 1,
            &format!("Crane/{n}"),
            1,
            NOON + i64::try_from(n).unwrap() * 120 * SECOND,
        );
        event.user_id = Some(format!("user {n}").into());
        event.recorded_at = Timestamp::from_micros(NOON);
        event.occurred_at = Timestamp::from_micros(NOON);
        detector.see(&event);
    }
    assert!(detector.watched() <= 3 * super::WATCHED_MAX);
}
