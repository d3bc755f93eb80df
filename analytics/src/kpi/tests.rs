use proptest::prelude::*;

use super::*;
use crate::facts::{
    Acquired, CapacitySince, ClockedFacts, DepartureFacts, Incident, Issue, OrderFacts, PartFacts,
    Reading, RequestFacts, Standing, StandingSince, TaskFacts, VehicleFacts, Work,
};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Vehicles 1 and 2: the first runs for ten days, is out of service and in the workshop for the next two and up again;
/// the second stands ready.
fn depot() -> Facts {
    let mut first = VehicleFacts::default();
    for (day, standing, position) in [
        (0, Standing::Running, 1),
        (10, Standing::Failed, 2),
        (11, Standing::Down, 17),
        (12, Standing::Running, 3),
    ] {
        let at = day * DAY;
        first.stands(StandingSince::new(at, position, standing));
    }
    for (day, km, position, corrects) in [
        (0, 1_000, 4, false),
        (10, 3_000, 5, false),
        (15, 2_500, 6, true),
        (20, 3_500, 7, false),
    ] {
        first.read(Reading {
            at: day * DAY,
            position,
            km,
            corrects,
        });
    }
    for (day, is_failure, position) in [(5, true, 8), (10, true, 9), (11, false, 10)] {
        first.suffers(Incident {
            at: day * DAY,
            position,
            delay_min: 7,
            is_failure,
        });
    }
    first.acquired = Some(Acquired {
        at: -366 * DAY,
        position: 20,
        cents: 1_000_000,
    });
    let mut second = VehicleFacts::default();
    second.stands(StandingSince::new(0, 11, Standing::Ready));
    let waits = OrderFacts {
        vehicle: "2".into(),
        created: 18 * DAY,
        scheduled_start: Some(25 * DAY),
        estimated_min: 600,
        position: 21,
        ..OrderFacts::default()
    };
    let order = |created: i64, started: i64, ended: i64, work, cost, position| OrderFacts {
        vehicle: "1".into(),
        work,
        created: created * DAY,
        scheduled_end: Some(12 * DAY),
        started: Some(started * DAY),
        ended: Some(ended * DAY),
        cost_cents: Some(cost),
        position,
        ..OrderFacts::default()
    };
    Facts {
        vehicles: vec![("1".into(), first), ("2".into(), second)],
        orders: vec![
            order(9, 10, 12, Work::Corrective, 50_000, 12),
            order(13, 14, 15, Work::Corrective, 10_000, 13),
            order(1, 2, 3, Work::Planned, 20_000, 14),
            waits,
        ]
        .into(),
        tasks: vec![
            TaskFacts {
                vehicle: "1".into(),
                is_safety_critical: true,
                due: 14 * DAY,
                done: None,
                is_void: false,
                position: 15,
            },
            TaskFacts {
                vehicle: "1".into(),
                is_safety_critical: false,
                due: 3 * DAY,
                done: Some(3 * DAY + HOUR),
                is_void: false,
                position: 16,
            },
        ]
        .into(),
        ..store_and_staff()
    }
}

/// What lies in the store, what is asked of it, and who works.
fn store_and_staff() -> Facts {
    let mut part = PartFacts {
        exists: true,
        price_cents: 100,
        ..PartFacts::default()
    };
    // Reported in another order than it happened in.
    part.moves(10 * DAY, 31, -6);
    part.moves(0, 30, 10);
    part.is_used(Issue {
        at: 10 * DAY,
        position: 32,
        quantity: 6,
    });
    let asks = |day: i64, quantity, position| RequestFacts {
        at: day * DAY,
        position,
        parts: [(0, quantity), (7, 1)].into(),
        is_void: false,
    };
    let works = |day: i64, minutes, position| CapacitySince {
        at: day * DAY,
        position,
        minutes,
    };
    let clocked = |hours: i64, is_on_order, position| ClockedFacts {
        at: DAY,
        position,
        time: hours * HOUR,
        is_on_order,
    };
    let departs = |day: i64, vehicle, position| DepartureFacts {
        vehicle,
        at: day * DAY,
        position,
        is_void: false,
    };
    Facts {
        parts: vec![part],
        requests: vec![asks(10, 10, 33), asks(11, 5, 34)],
        people: vec![vec![works(0, 600, 35), works(5, 1_200, 36)]],
        clocked: vec![clocked(6, true, 37), clocked(2, false, 38)],
        departures: vec![
            departs(5, Some(0), 39),
            departs(11, Some(0), 40),
            departs(11, Some(1), 41),
            departs(21, Some(1), 42),
        ],
        ..Facts::default()
    }
}

fn value(key: &str, edges: &[i64], vehicle: Option<&str>) -> Option<f64> {
    let kpi = Kpi::named(key).unwrap();
    let selection = Selection {
        edges,
        now: 20 * DAY,
        vehicle,
    };
    kpi.value(kpi.figures(&depot(), &selection)[0])
}

#[track_caller]
fn check(key: &str, expected: f64) {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let found = value(key, &[0, 30 * DAY], None);
    assert_eq!(found.map(rounded), Some(rounded(expected)), "{key}");
}

#[test]
fn each_figure_is_what_its_definition_says() {
    check("availability", 95.0); // 38 of 40 vehicle days
    check("utilisation", 45.0); // 18 of 40
    check("mtbf", 38.0 * 24.0 / 2.0);
    check("mdbf", 3_000.0 / 2.0); // the correction drove nothing
    check("mttrs", 48.0);
    check("mttr", (48.0 + 24.0) / 2.0);
    check("mtbm", 38.0 * 24.0 / 3.0);
    check("failures", 1.0);
    check("pm_compliance", 50.0);
    check("schedule_compliance", 66.666667);
    check("overdue_safety_critical", 1.0);
    check("planned_share", 25.0);
    check("first_time_fix", 50.0);
    check("cycle_time", 2.333333);
    check("maintenance_cost", 800.0);
    check("cost_per_km", 0.266667);
    check("availability_restoration", 95.0);
    check("availability_inherent", 100.0 * 38.0 / (38.0 + 3.0));
    check("roll_out", 66.666667); // the last one is to come
    check("backlog_weeks", 0.5);
    check("wrench_time", 75.0);
    check("stock_outs", 50.0); // of the other part nothing is known
    check(
        "inventory_turns",
        600.0 * 8_766.0 / (1_000.0 * 240.0 + 400.0 * 240.0),
    );
    // 10,000 EUR, and the orders' 800 a year later; less than two years apart.
    check("life_cycle_cost", 10_000.0 + 485.43 + 97.08 + 194.17);
}

#[test]
fn a_planned_visit_is_no_restoration_until_something_is_wrong() {
    let mut vehicle = VehicleFacts::default();
    for (day, standing) in [
        (0, Standing::Ready),
        (4, Standing::Down),
        (5, Standing::Ready),
        (10, Standing::Down),
        (11, Standing::Failed),
        (12, Standing::Down),
        (14, Standing::Ready),
    ] {
        vehicle.stands(StandingSince::new(day * DAY, 1, standing));
    }
    let facts = Facts {
        vehicles: vec![("1".into(), vehicle)],
        ..Facts::default()
    };
    let kpi = Kpi::named("availability_restoration").unwrap();
    let edges = [0, 13 * DAY, 20 * DAY];
    let selection = Selection {
        edges: &edges,
        now: 20 * DAY,
        vehicle: None,
    };
    let days: Vec<(i64, i64)> = kpi
        .figures(&facts, &selection)
        .iter()
        .map(|figure| (figure.numerator / DAY, figure.denominator / DAY))
        .collect();
    assert_eq!(days, [(9, 11), (6, 7)]);
}

#[test]
fn nothing_to_divide_by_gives_no_value() {
    assert_eq!(value("mtbf", &[0, 30 * DAY], Some("2")), None);
    assert_eq!(value("availability", &[0, 30 * DAY], Some("3")), None);
    let empty = Facts::default();
    let selection = Selection {
        edges: &[0, DAY],
        now: DAY,
        vehicle: None,
    };
    for kpi in KPIS {
        let figure = kpi.figures(&empty, &selection)[0];
        let value = kpi.value(figure);
        assert!(
            value.is_none_or(|value| value == 0.0),
            "{}: {value:?}",
            kpi.key
        );
    }
}

#[test]
fn without_failures_only_the_lower_end_is_known() {
    let kpi = Kpi::named("mtbf").unwrap();
    let figure = Figure {
        numerator: 1_000 * HOUR,
        denominator: 0,
    };
    let (low, high) = kpi.interval(figure).unwrap();
    assert!((low - 333.8).abs() < 0.1 && high.is_none());
}

#[test]
fn a_target_is_met_from_the_good_side() {
    let named = |key| Kpi::named(key).unwrap();
    let met = [89.9, 90.0].map(|value| named("pm_compliance").meets_target(value));
    assert_eq!(met, [Some(false), Some(true)]);
    let met = [4.0, 4.1].map(|value| named("backlog_weeks").meets_target(value));
    assert_eq!(met, [Some(true), Some(false)]);
    assert_eq!(named("mtbf").meets_target(1.0), None);
}

#[test]
fn names_are_unique_and_every_figure_is_defined() {
    for (index, kpi) in KPIS.iter().enumerate() {
        assert!(KPIS[..index].iter().all(|other| other.key != kpi.key));
        assert!(kpi.text.ends_with('.') && kpi.definition >= 1);
    }
}

/// A random vehicle's history, in a random order of arrival.
fn history() -> impl Strategy<Value = VehicleFacts> {
    let standing = prop_oneof![
        Just(Standing::Ready),
        Just(Standing::Running),
        Just(Standing::Down),
        Just(Standing::NotRequired)
    ];
    let standings = proptest::collection::vec((0..40 * 24_i64, standing), 0..12);
    let readings = proptest::collection::vec((0..40 * 24_i64, 0..10_000_i32), 0..12);
    let incidents = proptest::collection::vec((0..40 * 24_i64, any::<bool>()), 0..12);
    (standings, readings, incidents).prop_map(|(standings, readings, incidents)| {
        let mut vehicle = VehicleFacts::default();
        let mut position = 0;
        let mut next = || {
            position += 1;
            position
        };
        for (hour, standing) in standings {
            vehicle.stands(StandingSince::new(hour * HOUR, next(), standing));
        }
        for (hour, km) in readings {
            vehicle.read(Reading {
                at: hour * HOUR,
                position: next(),
                km,
                corrects: false,
            });
        }
        for (hour, is_failure) in incidents {
            vehicle.suffers(Incident {
                at: hour * HOUR,
                position: next(),
                delay_min: 0,
                is_failure,
            });
        }
        vehicle
    })
}

/// Availability hour by hour, the slow and plain way.
fn hours_up_and_required(vehicle: &VehicleFacts, from: i64, to: i64) -> (i64, i64) {
    let (mut up, mut required) = (0, 0);
    for hour in from..to {
        let now = vehicle
            .standings
            .iter()
            .filter(|one| one.at <= hour * HOUR)
            .max_by_key(|one| (one.at, one.position()))
            .map(StandingSince::standing);
        up += i64::from(matches!(now, Some(Standing::Ready | Standing::Running)));
        required += i64::from(now.is_some_and(|now| now != Standing::NotRequired));
    }
    (up, required)
}

proptest! {
    #[test]
    fn availability_equals_a_count_of_hours(vehicle in history(), from in 0..20_i64, days in 1..20_i64) {
        let (first, last) = (from * 24, (from + days) * 24);
        let facts = Facts { vehicles: vec![("1".into(), vehicle.clone())], ..Facts::default() };
        let selection = Selection { edges: &[first * HOUR, last * HOUR], now: 100 * DAY, vehicle: None };
        let figure = Kpi::named("availability").unwrap().figures(&facts, &selection)[0];
        let (up, required) = hours_up_and_required(&vehicle, first, last);
        prop_assert_eq!((figure.numerator, figure.denominator), (up * HOUR, required * HOUR));
    }

    #[test]
    fn days_add_up_to_the_whole(vehicle in history(), days in 2..30_usize) {
        let facts = Facts { vehicles: vec![("1".into(), vehicle)], ..Facts::default() };
        let edges: Vec<i64> = (0..=days).map(|day| day as i64 * DAY).collect();
        let whole = [0, days as i64 * DAY];
        // Counts of vehicles and of what is open at an end are no sums over time.
        let sums = ["availability", "utilisation", "mtbf", "mdbf", "mttrs"];
        for key in sums {
            let kpi = Kpi::named(key).unwrap();
            let parts = kpi.figures(&facts, &Selection { edges: &edges, now: 100 * DAY, vehicle: None });
            let all = kpi.figures(&facts, &Selection { edges: &whole, now: 100 * DAY, vehicle: None })[0];
            prop_assert_eq!(parts.iter().map(|part| part.numerator).sum::<i64>(), all.numerator, "{}", key);
            prop_assert_eq!(parts.iter().map(|part| part.denominator).sum::<i64>(), all.denominator, "{}", key);
        }
    }
}
