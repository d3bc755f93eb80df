//! The values that the old formulas give, by hand.

use super::*;
use crate::facts::{OrderFacts, OrderStatus, PartFacts};
use crate::rollup;

fn calendar(at: i64) -> rollup::Day {
    let begin = at.div_euclid(DAY) * DAY;
    rollup::Day {
        begin,
        end: begin + DAY,
    }
}

const END: i64 = 1_000 * DAY;

/// Two vehicles, three planned maintenances in the last 30 days and one before, breakdowns, orders, parts.
fn depot() -> (Store, Columns) {
    let mut columns = Columns::default();
    let mut told = |kind: &str, days_ago: i64, who: &str, amount: i64| {
        let who = columns.who_mut().number(who);
        let at = END - days_ago * DAY;
        columns.push(kind, at, who, amount, &|at| {
            let day = calendar(at);
            (day, u16::try_from(day.begin / DAY).unwrap())
        });
    };
    for days_ago in [1, 10, 29, 40] {
        told(SCHEDULED, days_ago, "1", 0);
    }
    for (days_ago, vehicle) in [(5, "1"), (30, "1"), (60, "2"), (100, "1")] {
        told(BREAKDOWN, days_ago, vehicle, 0);
    }
    told(USED, 3, "P", 30);
    told(USED, 80, "P", 15);
    told(LOW_STOCK, 2, "P", 0);
    let mut store = Store::new(calendar);
    let order = |status, created: i64, updated: i64| OrderFacts {
        status,
        created: END - created * DAY,
        updated: END - updated * DAY,
        ..OrderFacts::default()
    };
    store.set_order(0, order(OrderStatus::Completed, 4, 2));
    store.set_order(1, order(OrderStatus::Completed, 12, 8));
    store.set_order(2, order(OrderStatus::InProgress, 9, 1));
    store.set_order(3, order(OrderStatus::Draft, 3, 3));
    for (index, level) in [(0, 40), (1, 20)] {
        let part = PartFacts {
            number: index.to_string().into(),
            level,
            least: 10,
            exists: true,
            ..PartFacts::default()
        };
        store.set_part(index, part);
    }
    (store, columns)
}

fn metric(name: &str, vehicles: u64, vehicle: Option<&str>) -> Metric {
    let (store, columns) = depot();
    let source = Source {
        store: &store,
        columns: &columns,
        vehicles,
        vehicle,
    };
    let definition = Definition::named(name).unwrap();
    let window = Window {
        from: END - definition.days * DAY,
        to: END,
    };
    definition.metric(&source, &window)
}

#[track_caller]
fn check(name: &str, value: f64, change: f64, direction: Direction) {
    let found = metric(name, 2, None);
    assert_eq!(
        (found.value, found.change, found.direction),
        (value, change, direction),
        "{name}"
    );
}

#[test]
fn each_value_is_what_the_old_formula_gives() {
    // (720 · 2 − 48 · 3) / (720 · 2); before: one planned maintenance.
    check("fleet_availability", 90.0, -6.67, Direction::Down);
    // 2,160 hours over three failures; before: one.
    check("mtbf", 720.0, -66.67, Direction::Down);
    // (48 + 96) / 2; before: nothing was repaired.
    check("mttr", 72.0, 0.0, Direction::Stable);
    // Two of three; before, one order was overdue as of then: none of it, so nothing was there, which is 100.
    check("workorder_completion_rate", 66.67, -33.33, Direction::Down);
    // 45 · 50 / (60 · 50) / 3.
    check("inventory_turnover", 0.25, 0.0, Direction::Stable);
    // One alert, two items, times ten.
    check("stockout_rate", 5.0, 5.0, Direction::Up);
}

#[test]
fn failures_of_one_vehicle_are_its_own() {
    assert_eq!(metric("mtbf", 2, Some("2")).value, 2_160.0);
    assert_eq!(metric("mtbf", 2, Some("1")).value, 1_080.0);
    assert_eq!(metric("mtbf", 2, Some("none")).value, 2_160.0);
}

#[test]
fn nothing_is_a_number_everywhere() {
    let (store, columns) = (Store::new(calendar), Columns::default());
    let source = Source {
        store: &store,
        columns: &columns,
        vehicles: 0,
        vehicle: None,
    };
    for definition in METRICS {
        for window in [
            Window { from: 0, to: END },
            Window { from: 5, to: 5 },
            Window {
                from: i64::MIN / 2,
                to: i64::MAX / 2,
            },
        ] {
            let found = definition.metric(&source, &window);
            assert!(found.value.is_finite() && found.change.is_finite());
        }
    }
    let definition = Definition::named("fleet_availability").unwrap();
    let found = definition.metric(&source, &Window { from: 0, to: END });
    assert_eq!(
        (found.value, found.change, found.direction),
        (0.0, 0.0, Direction::Stable)
    );
}
