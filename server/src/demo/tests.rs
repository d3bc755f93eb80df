//! The demo's history: the same for ever, as the measured one in its rates and shapes, and free of contradictions.

mod summary;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fleet::EventView;
use fleet::calendar::DAY;
use fleet::vehicle::VehicleState;
use serde_json::Map;

use super::rates::{
    FAILURE_MONTH, FAILURE_WEEKDAY, GROUPS, OTHER_DELAYS, OTHER_MONTH, OTHER_PER_YEAR,
    OTHER_WEEKDAY, OTHER_WITHOUT_DELAY,
};
use super::*;
use summary::{Incident, Summary, month_and_weekday};

/// The whole default history, walked through once for all tests.
static SUMMARY: LazyLock<Summary> = LazyLock::new(Summary::of_default_history);

/// How many vehicles of each kind the default history has.
const UNITS: [f64; 2] = [104.0, 46.0];
const YEARS: f64 = 3.0;

fn column(incident: &Incident) -> usize {
    usize::from(incident.vehicle.starts_with('6'))
}

#[track_caller]
fn near(what: &str, measured: f64, expected: f64, tolerance: f64) {
    assert!(
        (measured / expected - 1.0).abs() <= tolerance,
        "{what}: {measured:.4}, the source has {expected:.4}"
    );
}

fn small(seed: u64) -> Vec<DemoEvent> {
    Simulation::new(
        seed,
        Options {
            vehicles: 12,
            days: 250,
            ..Options::default()
        },
    )
    .collect()
}

/// A change here changes every demo there is: bump it knowingly.
#[test]
fn the_default_history_never_changes() {
    assert_eq!(
        (SUMMARY.count, SUMMARY.digest),
        (258_072, 8_714_010_458_746_193_654)
    );
}

#[test]
fn a_seed_is_a_history() {
    assert_eq!(small(7), small(7));
    let (one, other) = (small(7), small(8));
    assert!(
        one.iter()
            .all(|event| other.iter().all(|another| event.id != another.id))
    );
}

#[test]
fn the_size_is_that_of_a_depots_log() {
    assert!(
        (150_000..400_000).contains(&SUMMARY.count),
        "{}",
        SUMMARY.count
    );
    assert_eq!(SUMMARY.ids.len(), SUMMARY.count);
}

#[test]
fn every_envelope_is_in_order_and_every_payload_passes_its_table() {
    assert_eq!(SUMMARY.faults.first(), None);
}

#[test]
fn a_few_percent_arrive_days_later() {
    let share = SUMMARY.late as f64 / SUMMARY.count as f64;
    assert!((0.02..0.06).contains(&share), "{share}");
}

#[test]
fn a_tablet_reports_in_the_order_in_which_it_was_used() {
    let mut latest: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let mut by_tablet: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for event in small(3) {
        if let Some(device) = event.metadata["device_id"].as_str() {
            by_tablet
                .entry(device.to_owned())
                .or_default()
                .push((event.occurred_at, event.arrived_at));
        }
    }
    for (device, mut events) in by_tablet {
        events.sort_unstable();
        for (occurred_at, arrived_at) in events {
            let earlier = latest.insert(device.clone(), (occurred_at, arrived_at));
            assert!(
                earlier.is_none_or(|earlier| earlier.1 <= arrived_at),
                "{device} at {occurred_at}"
            );
        }
    }
}

#[test]
fn incidents_are_as_frequent_as_measured() {
    for kind in 0..2 {
        let rate = |keep: &dyn Fn(&Incident) -> bool| {
            let kept = SUMMARY
                .incidents
                .iter()
                .filter(|incident| column(incident) == kind && keep(incident));
            kept.count() as f64 / UNITS[kind] / YEARS
        };
        let other = rate(&|incident| incident.group.is_none());
        near(
            "incidents of other causes",
            other,
            OTHER_PER_YEAR[kind],
            0.05,
        );
        let failures = GROUPS
            .iter()
            .map(|group| group.failures_per_year[kind])
            .sum::<f64>();
        near(
            "failures",
            rate(&|incident| incident.is_failure),
            failures,
            0.12,
        );
        let minors = GROUPS
            .iter()
            .map(|group| group.minors_per_year[kind])
            .sum::<f64>();
        near(
            "minor incidents",
            rate(&|incident| incident.group.is_some() && !incident.is_failure),
            minors,
            0.20,
        );
    }
}

#[test]
fn the_fault_mix_is_as_measured() {
    let failures: Vec<_> = SUMMARY
        .incidents
        .iter()
        .filter(|incident| incident.is_failure)
        .collect();
    let expected = |group: &rates::Group| {
        group
            .failures_per_year
            .iter()
            .zip(UNITS)
            .map(|(rate, units)| rate * units)
            .sum::<f64>()
    };
    let total: f64 = GROUPS.iter().map(expected).sum();
    for group in &GROUPS {
        let share = failures
            .iter()
            .filter(|failure| failure.group.as_deref() == Some(group.name))
            .count() as f64
            / failures.len() as f64;
        assert!(
            (share - expected(group) / total).abs() < 0.04,
            "{}: {share}",
            group.name
        );
    }
}

#[test]
fn seasons_and_weekdays_are_as_measured() {
    let mut months = [0.0; 12];
    let mut weekdays = [0.0; 7];
    let first = Options::default().end.micros() - (Options::default().days - 1) * DAY;
    for day in 0..Options::default().days {
        let (month, weekday) = month_and_weekday(first + day * DAY);
        months[month] += 1.0;
        weekdays[weekday] += 1.0;
    }
    let by_month = SUMMARY.shape(12, |incident| month_and_weekday(incident.at).0, &months);
    let by_weekday = SUMMARY.shape(7, |incident| month_and_weekday(incident.at).1, &weekdays);
    // Nearly all incidents are of other causes, so theirs is the shape; some 2,000 a month leave 3 % to chance.
    (0..12).for_each(|month| near("month", by_month[month], OTHER_MONTH[month], 0.07));
    (0..7).for_each(|weekday| near("weekday", by_weekday[weekday], OTHER_WEEKDAY[weekday], 0.07));
}

#[test]
fn failures_follow_their_own_season_and_week() {
    let failures = || {
        SUMMARY
            .incidents
            .iter()
            .filter(|incident| incident.is_failure)
    };
    let mean =
        |of: &dyn Fn(&Incident) -> f64| failures().map(of).sum::<f64>() / failures().count() as f64;
    // Were failures spread evenly, the mean factor at their times would be 1; following the factors, it is the mean of
    // their squares.
    let squares = |factors: &[f64]| {
        factors.iter().map(|factor| factor * factor).sum::<f64>() / factors.len() as f64
    };
    let months = mean(&|failure| FAILURE_MONTH[month_and_weekday(failure.at).0]);
    let weekdays = mean(&|failure| FAILURE_WEEKDAY[month_and_weekday(failure.at).1]);
    assert!((months - squares(&FAILURE_MONTH)).abs() < 0.02, "{months}");
    assert!(
        (weekdays - squares(&FAILURE_WEEKDAY)).abs() < 0.02,
        "{weekdays}"
    );
}

#[test]
fn delays_are_as_measured() {
    let mut other: Vec<_> = SUMMARY
        .incidents
        .iter()
        .filter(|incident| incident.group.is_none())
        .collect();
    let without = other
        .iter()
        .filter(|incident| incident.delay_min == 0)
        .count() as f64
        / other.len() as f64;
    near(
        "incidents without delay",
        without,
        OTHER_WITHOUT_DELAY,
        0.05,
    );
    other.retain(|incident| incident.delay_min > 0);
    for (share, minutes) in OTHER_DELAYS
        .iter()
        .filter(|(share, _)| (0.5..=0.98).contains(share))
    {
        let below = other
            .iter()
            .filter(|incident| (incident.delay_min as f64) < minutes - 1.0 - 0.05 * minutes)
            .count();
        let above = other
            .iter()
            .filter(|incident| (incident.delay_min as f64) > minutes + 1.0 + 0.05 * minutes)
            .count();
        let (below, above) = (
            below as f64 / other.len() as f64,
            above as f64 / other.len() as f64,
        );
        assert!(
            below <= *share && above <= 1.0 - share,
            "{share} below {minutes}: {below}, {above}"
        );
    }
    assert!(
        SUMMARY
            .incidents
            .iter()
            .all(|incident| !incident.is_failure || incident.delay_min >= 3)
    );
}

#[test]
fn mileage_never_falls_in_the_order_of_time() {
    assert_eq!(SUMMARY.mileages.len(), 150);
    for (vehicle, readings) in &SUMMARY.mileages {
        let mut readings = readings.clone();
        readings.sort_by_key(|reading| reading.0);
        for pair in readings.windows(2) {
            assert!(pair[0].1 <= pair[1].1, "{vehicle}: {pair:?}");
        }
        let run = readings[readings.len() - 1].1 - readings[0].1;
        assert!(
            (120_000..450_000).contains(&run),
            "{vehicle} ran {run} km in three years"
        );
    }
}

#[test]
fn each_status_follows_from_the_one_before() {
    for changes in SUMMARY.statuses.values() {
        let mut changes = changes.clone();
        changes.sort();
        for pair in changes.windows(2) {
            assert_eq!(pair[0].3, pair[1].2, "{pair:?}");
        }
    }
}

#[test]
fn work_orders_live_legal_lives() {
    let legal = [
        ("", "draft"),
        ("draft", "scheduled"),
        ("scheduled", "in_progress"),
        ("scheduled", "cancelled"),
        ("in_progress", "completed"),
    ];
    let mut ends = BTreeMap::new();
    let mut missing = 0;
    for (order, steps) in &SUMMARY.orders {
        let mut steps = steps.clone();
        steps.sort();
        assert!(
            steps.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "{order}: {steps:?}"
        );
        for pair in steps.windows(2) {
            // A step that was entered offline in the last days may not have arrived.
            missing += usize::from(pair[0].3 != pair[1].2);
        }
        for step in &steps {
            assert!(
                legal.contains(&(step.2.as_str(), step.3.as_str())),
                "{order}: {step:?}"
            );
        }
        *ends.entry(steps[steps.len() - 1].3.clone()).or_insert(0) += 1;
    }
    assert!(missing <= 20, "{missing} steps that never arrived");
    assert!(
        ends["completed"] > 2_500 && ends["cancelled"] > 20,
        "{ends:?}"
    );
}

#[test]
fn stock_is_what_was_moved_and_never_below_zero() {
    assert_eq!(SUMMARY.opening.len(), 24);
    for (part, opening) in &SUMMARY.opening {
        let mut level = *opening;
        let mut steps = SUMMARY.levels[part].clone();
        steps.sort_by_key(|step| step.0);
        for (_, old, new) in steps {
            assert_eq!(level, old, "{part}");
            assert!(new >= 0, "{part}");
            level = new;
        }
        assert_eq!(level, opening + SUMMARY.moved[part], "{part}");
    }
}

#[test]
fn upkeep_costs_what_one_would_believe() {
    let per_vehicle_year = SUMMARY.cost_cents as f64 / 100.0 / 150.0 / YEARS;
    assert!(
        (5_000.0..40_000.0).contains(&per_vehicle_year),
        "{per_vehicle_year}"
    );
}

#[test]
fn every_kind_of_event_occurs() {
    for event_type in [
        "BudgetBooked",
        "BudgetCreated",
        "CostCenterCreated",
        "InventoryLowStockAlert",
        "InvoiceApproved",
        "InvoiceCreated",
        "InvoiceReviewed",
        "MaintenanceCompleted",
        "MaintenanceTaskCompleted",
        "MaintenanceTaskCreated",
        "PartCreated",
        "PurchaseOrderApproved",
        "PurchaseOrderCreated",
        "PurchaseOrderOrdered",
        "PurchaseOrderReceived",
        "StockLevelChanged",
        "StockLocationCreated",
        "StockMoveCreated",
        "SupplierCreated",
        "TeamCreated",
        "TrackCreated",
        "VehicleBreakdownReported",
        "VehicleCreated",
        "VehicleIncidentReported",
        "VehicleLocationChanged",
        "VehicleMaintenanceScheduled",
        "VehicleMileageUpdated",
        "VehicleOperatingHoursUpdated",
        "VehicleStatusChanged",
        "WorkOrderCompleted",
        "WorkOrderCreated",
        "WorkOrderStatusChanged",
        "WorkOrderUpdated",
        "WorkshopCreated",
    ] {
        assert!(SUMMARY.types.contains(event_type), "{event_type}");
    }
}

/// What a predictor lives on: a component far from its last renewal fails more often than a fresh one.
#[test]
fn wear_shows_in_the_failures() {
    let (mut fresh, mut worn) = ((0.0, 0.0), (0.0, 0.0));
    for (vehicle, renewals) in &SUMMARY.renewals {
        for (at, group) in renewals {
            let again = renewals
                .iter()
                .find(|(later, other)| later > at && other == group)
                .map(|(later, _)| *later);
            let until = again.unwrap_or(Options::default().end.micros());
            let failed_in = |from: i64, to: i64| {
                let failures = SUMMARY.incidents.iter().filter(|incident| {
                    incident.is_failure
                        && incident.vehicle == *vehicle
                        && incident.group.as_deref() == Some(group)
                        && (from..to).contains(&incident.at)
                });
                failures.count() as f64
            };
            // The first month is left out: there, poor repairs show.
            let spans = [(30, 300, &mut fresh), (300, 1_096, &mut worn)];
            for (from, to, tally) in spans {
                let (from, to) = (at + from * DAY, until.min(at + to * DAY));
                if from < to {
                    tally.0 += failed_in(from, to);
                    tally.1 += (to - from) as f64 / DAY as f64;
                }
            }
        }
    }
    let (fresh_rate, worn_rate) = (fresh.0 / fresh.1, worn.0 / worn.1);
    assert!(fresh.0 > 10.0 && worn.0 > 10.0, "{fresh:?} {worn:?}");
    assert!(
        worn_rate > 1.5 * fresh_rate,
        "{fresh_rate} a day when fresh, {worn_rate} when worn"
    );
}

#[test]
fn the_last_known_state_does_not_depend_on_when_it_was_reported() {
    let events = small(5);
    let fold = |order: &mut dyn Iterator<Item = (usize, &DemoEvent)>| {
        let mut states: BTreeMap<String, VehicleState> = BTreeMap::new();
        for (position, event) in order.filter(|(_, event)| event.aggregate_type == "Vehicle") {
            let none = Map::new();
            let state: &mut fleet::Folded = states.entry(event.aggregate_id.clone()).or_default();
            let view = EventView {
                aggregate_type: event.aggregate_type,
                aggregate_id: &event.aggregate_id,
                event_type: event.event_type,
                schema: event.schema,
                version: 1,
                position: position as u64 + 1,
                occurred_at: event.occurred_at,
                recorded_at: event.arrived_at,
                order: position as u64,
                data: event.data.as_object().unwrap_or(&none),
            };
            state.fold(&view);
        }
        states
    };
    let as_arrived = fold(&mut events.iter().enumerate());
    let mut sorted: Vec<_> = events.iter().enumerate().collect();
    sorted.sort_by_key(|(_, event)| event.occurred_at);
    let as_occurred = fold(&mut sorted.into_iter());
    assert!(
        events
            .iter()
            .any(|event| event.arrived_at - event.occurred_at > DAY),
        "some are late"
    );
    assert_eq!(as_arrived, as_occurred);
    assert!(
        as_arrived
            .values()
            .all(|state| state.exists() && fleet::vehicle::occurrences(state).incidents > 0)
    );
}
