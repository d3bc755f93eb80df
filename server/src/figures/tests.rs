use analytics::kpi::{Kpi, Selection};
use chrono_tz::Tz;
use fleet::calendar::HOUR;
use serde_json::json;
use storage::{ExpectedVersion, Log, LogOptions, NewEvent, StreamName, Timestamp, Transaction};
use uuid::Uuid;

use super::{Figures, Interval, edges, local_month, months_before};
use crate::rfc3339;

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

/// Two depots that heard of the same in another order, all of it within a microsecond.
#[test]
fn figures_do_not_mind_the_order_in_which_depots_hear_of_a_tie() {
    let status = |number: u64, status: &str, cost: u64| {
        let data = json!({ "status": status, "actual_cost": cost });
        let origin = fleet::Origin {
            log: 0x1f,
            position: number,
            recorded_at: number as i64,
        };
        let mut event = NewEvent::new("WorkOrderUpdated", data.to_string()).with_tag(origin.tag());
        event.id = Some(Uuid::from_u128(u128::from(number)));
        event.occurred_at = Some(Timestamp::from_micros(1_700_000_000_000_000));
        event
    };
    let facts = |events: [NewEvent; 2]| {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), LogOptions::default()).unwrap();
        for event in events {
            let stream = StreamName::new("WorkOrder", "7");
            let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
            log.append(transaction).unwrap();
        }
        let figures = Figures::new(BERLIN);
        let told = figures.ask(&log, None, |known| {
            let order = &known.facts().orders[0];
            (order.status, order.cost_cents, order.position)
        });
        told.unwrap()
    };
    let early = || status(1, "in_progress", 100);
    let late = || status(2, "completed", 900);
    assert_eq!(facts([early(), late()]), facts([late(), early()]));
    assert_eq!(facts([late(), early()]).1, Some(90_000));
}

/// A log with main inspections that are due and done at these times.
fn inspections(log: &Log, tasks: &[(&str, Option<&str>)]) {
    for (number, (due, done)) in tasks.iter().enumerate() {
        let created = json!({ "vehicle_id": "V", "type": "HU", "due_date": due });
        let created = NewEvent::new("MaintenanceTaskCreated", created.to_string());
        let done = done.map(|at| {
            let data = json!({ "completed_at": at });
            NewEvent::new("MaintenanceTaskCompleted", data.to_string())
        });
        for event in [Some(created), done].into_iter().flatten() {
            let stream = StreamName::new("MaintenanceTask", number.to_string());
            let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
            log.append(transaction).unwrap();
        }
    }
}

/// Regression: a date was taken for its first moment, so what was done on its day at ten counted as late for good.
#[test]
fn a_task_that_is_due_on_a_day_is_in_time_until_that_day_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let day = "2026-11-03T00:00:00.000000Z";
    inspections(
        &log,
        &[
            (day, Some("2026-11-03T10:00:00Z")),
            (day, Some("2026-11-03T22:59:59Z")),
            // The day after it, in Berlin.
            (day, Some("2026-11-03T23:00:00Z")),
            (day, None),
            // Due at a moment, and done two hours later.
            ("2026-11-03T08:00:00Z", Some("2026-11-03T10:00:00Z")),
        ],
    );
    let (that_day, later) = ("2026-11-03T12:00:00Z", "2026-11-10T12:00:00Z");
    let check = |key: &str, now: &str, expected: [(i64, i64); 2]| {
        assert_eq!(of_two_days(&log, key, now), expected, "{key} at {now}");
    };
    check("pm_compliance", that_day, [(0, 1), (0, 0)]);
    check("pm_compliance", later, [(2, 5), (0, 0)]);
    check("overdue_safety_critical", that_day, [(0, 1), (0, 1)]);
    check("overdue_safety_critical", later, [(2, 1), (1, 1)]);
}

/// What a figure is over, and under, on the local third and fourth of November, as of `now`.
fn of_two_days(log: &Log, key: &str, now: &str) -> Vec<(i64, i64)> {
    let edges = ["2026-11-02", "2026-11-03", "2026-11-04"]
        .map(|day| at(&format!("{day}T23:00:00Z")).micros());
    let told = Figures::new(BERLIN).ask(log, None, |known| {
        let selection = Selection {
            edges: &edges,
            now: at(now).micros(),
            vehicle: None,
        };
        let figures = known.take(&selection).figures(Kpi::named(key).unwrap());
        let sums = figures.iter().map(|one| (one.numerator, one.denominator));
        sums.collect()
    });
    told.unwrap()
}

/// Regression: as with tasks, so with orders: an end that was planned as a date was taken for that day's first moment.
#[test]
fn an_order_that_should_end_on_a_day_is_in_time_until_that_day_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    let day = "2026-11-03T00:00:00.000000Z";
    for (number, (planned, ended)) in [
        (day, Some("2026-11-03T10:00:00Z")),
        (day, Some("2026-11-03T22:59:59Z")),
        // The day after it, in Berlin.
        (day, Some("2026-11-03T23:00:00Z")),
        (day, None),
        // Planned to end at a moment, and done two hours later.
        ("2026-11-03T08:00:00Z", Some("2026-11-03T10:00:00Z")),
    ]
    .into_iter()
    .enumerate()
    {
        let created = json!({ "vehicle_id": "V", "scheduled_end": planned });
        let created = NewEvent::new("WorkOrderCreated", created.to_string());
        let ended = ended.map(|at| {
            let data = json!({ "actual_end": at });
            NewEvent::new("WorkOrderCompleted", data.to_string())
        });
        for event in [Some(created), ended].into_iter().flatten() {
            let stream = StreamName::new("WorkOrder", number.to_string());
            let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
            log.append(transaction).unwrap();
        }
    }
    let figures = |now: &str| of_two_days(&log, "schedule_compliance", now);
    assert_eq!(figures("2026-11-03T12:00:00Z"), [(0, 1), (0, 0)]);
    assert_eq!(figures("2026-11-10T12:00:00Z"), [(2, 5), (0, 0)]);
}
