//! The six key figures of the old interface, under its names and by its formulas, so that its clients see what they know.
//!
//! They are not the figures of [`crate::kpi`]: a vehicle planned for maintenance counts as 48 hours down, a piece as 50 of
//! the currency, and time between failures is the window's length, whatever the size of the fleet. Each value is
//! compared with that of the window of the same length before it, once; the old code asked itself again without an end.

#[cfg(test)]
mod tests;

use crate::columns::{Columns, Filter};
use crate::kpi::measure::DAY;
use crate::rollup::Store;

const HOUR: f64 = 3_600_000_000.0;
/// Hours that a vehicle counts as down for each maintenance that was planned for it.
const DOWN_HOURS: f64 = 48.0;
/// What a piece counts as worth.
pub const UNIT_COST: i64 = 50;
/// An order is overdue this long after it was created.
const OVERDUE_AFTER: i64 = 7 * DAY;

const SCHEDULED: &str = "VehicleMaintenanceScheduled";
/// The events that count as failures.
pub const BREAKDOWN: &str = "VehicleBreakdownReported";
/// The events that tell of parts used.
pub const USED: &str = "InventoryItemUsed";
const LOW_STOCK: &str = "InventoryLowStockAlert";

/// Which way a figure went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// It rose by more than its threshold.
    Up,
    /// It fell by more than its threshold.
    Down,
    /// Neither.
    Stable,
}

impl Direction {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Stable => "stable",
        }
    }
}

/// A figure of the old interface.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its value, rounded.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// Against the window before: points, or percent of it.
    pub change: f64,
    /// Which way it went.
    pub direction: Direction,
}

/// What is common to a figure's windows.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    unit: &'static str,
    /// Days of its window where none is given.
    pub days: i64,
    places: i32,
    threshold: f64,
    in_points: bool,
    value: fn(&Source<'_>, &Window) -> Option<f64>,
    /// What stands where there is nothing to take it from.
    empty: f64,
    /// What each point of a series looks back on: that many steps; `None` where the old interface has no series.
    pub series_steps: Option<i64>,
}

/// From when to when, both inclusive, microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// From this time.
    pub from: i64,
    /// To this time.
    pub to: i64,
}

impl Window {
    fn before(&self) -> Window {
        Window {
            from: self.from.saturating_sub(self.to.saturating_sub(self.from)),
            to: self.from,
        }
    }

    fn hours(&self) -> f64 {
        self.to.saturating_sub(self.from) as f64 / HOUR
    }
}

/// What the figures are taken from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Orders and parts.
    pub store: &'a Store,
    /// Events.
    pub columns: &'a Columns,
    /// How many vehicles there are.
    pub vehicles: u64,
    /// Failures of this vehicle only, by asset id.
    pub vehicle: Option<&'a str>,
}

/// All of them.
pub const METRICS: &[Definition] = &[
    Definition {
        name: "fleet_availability",
        unit: "%",
        days: 30,
        places: 2,
        threshold: 0.5,
        in_points: true,
        value: availability,
        empty: 0.0,
        series_steps: Some(1),
    },
    Definition {
        name: "mtbf",
        unit: "hours",
        days: 90,
        places: 1,
        threshold: 5.0,
        in_points: false,
        value: mtbf,
        empty: 0.0,
        series_steps: Some(7),
    },
    Definition {
        name: "mttr",
        unit: "hours",
        days: 90,
        places: 1,
        threshold: 5.0,
        in_points: false,
        value: mttr,
        empty: 0.0,
        series_steps: Some(7),
    },
    Definition {
        name: "workorder_completion_rate",
        unit: "%",
        days: 30,
        places: 2,
        threshold: 2.0,
        in_points: true,
        value: completion,
        empty: 100.0,
        series_steps: Some(1),
    },
    Definition {
        name: "inventory_turnover",
        unit: "per month",
        days: 90,
        places: 2,
        threshold: 5.0,
        in_points: false,
        value: turnover,
        empty: 0.0,
        series_steps: None,
    },
    Definition {
        name: "stockout_rate",
        unit: "%",
        days: 30,
        places: 2,
        threshold: 1.0,
        in_points: true,
        value: stockout,
        empty: 0.0,
        series_steps: None,
    },
];

impl Definition {
    /// The figure of this name.
    pub fn named(name: &str) -> Option<&'static Definition> {
        METRICS.iter().find(|metric| metric.name == name)
    }

    /// Its value over a window.
    pub fn value(&self, source: &Source<'_>, window: &Window) -> f64 {
        let value = (self.value)(source, window).unwrap_or(self.empty);
        rounded(value, self.places)
    }

    /// Its value, held against the window before.
    pub fn metric(&self, source: &Source<'_>, window: &Window) -> Metric {
        let found = (self.value)(source, window);
        let value = rounded(found.unwrap_or(self.empty), self.places);
        let before = self.value(source, &window.before());
        let change = match (found, self.in_points) {
            // Without vehicles, and without repairs, nothing is compared.
            (None, _) if self.empty == 0.0 => 0.0,
            (_, true) => value - before,
            (_, false) if before == 0.0 => 0.0,
            (_, false) => (value - before) / before * 100.0,
        };
        let direction = match change {
            change if change > self.threshold => Direction::Up,
            change if change < -self.threshold => Direction::Down,
            _ => Direction::Stable,
        };
        Metric {
            name: self.name,
            value,
            unit: self.unit,
            change: rounded(change, 2),
            direction,
        }
    }
}

/// Rounded to so many places, halves away from zero.
pub fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}

/// How many events of a kind happened, and what their amounts come to.
fn events(source: &Source<'_>, kind: &str, window: &Window) -> (u64, i64) {
    let Some(kind) = source.columns.kind(kind) else {
        return (0, 0);
    };
    let cell = source
        .columns
        .total(kind, window.from, window.to.saturating_add(1));
    (cell.count, cell.sum)
}

fn availability(source: &Source<'_>, window: &Window) -> Option<f64> {
    let whole = window.hours() * source.vehicles as f64;
    if whole <= 0.0 {
        return None;
    }
    let (planned, _) = events(source, SCHEDULED, window);
    Some(((whole - DOWN_HOURS * planned as f64) / whole * 100.0).max(0.0))
}

fn mtbf(source: &Source<'_>, window: &Window) -> Option<f64> {
    let failures = match source.vehicle {
        None => events(source, BREAKDOWN, window).0,
        Some(vehicle) => {
            let who = source.columns.who().find(vehicle);
            let mut count = 0;
            if let (Some(kind), Some(who)) = (source.columns.kind(BREAKDOWN), who) {
                let filter = Filter {
                    from: window.from,
                    to: window.to.saturating_add(1),
                    kind: Some(kind),
                    who: Some(who),
                };
                source.columns.each(&filter, |_| count += 1);
            }
            count
        }
    };
    Some(window.hours() / failures.max(1) as f64)
}

/// Completed orders by their last change, and from their creation until then.
fn completed(source: &Source<'_>, window: &Window) -> (i64, i64) {
    let sums = source
        .store
        .orders_happened(&[window.from, window.to.saturating_add(1)])[0];
    (sums.completed, sums.completed_time)
}

/// Orders that are still to be done though they were created more than a week before `end`.
pub fn overdue(store: &Store, end: i64) -> i64 {
    store.orders_happened(&[i64::MIN, end.saturating_sub(OVERDUE_AFTER)])[0].waiting
}

fn mttr(source: &Source<'_>, window: &Window) -> Option<f64> {
    let (count, time) = completed(source, window);
    (count > 0).then(|| time as f64 / HOUR / count as f64)
}

fn completion(source: &Source<'_>, window: &Window) -> Option<f64> {
    let (completed, _) = completed(source, window);
    let all = completed + overdue(source.store, window.to);
    (all > 0).then(|| completed as f64 / all as f64 * 100.0)
}

fn turnover(source: &Source<'_>, window: &Window) -> Option<f64> {
    let kept = source.store.parts().iter().filter(|part| part.exists);
    let stock: i64 = kept.map(|part| part.level).sum();
    let days = window.hours() / 24.0;
    let (_, used) = events(source, USED, window);
    (stock > 0 && days > 0.0).then(|| {
        let worth = |pieces: i64| pieces as f64 * UNIT_COST as f64;
        worth(used) / worth(stock) / (days / 30.0)
    })
}

fn stockout(source: &Source<'_>, window: &Window) -> Option<f64> {
    let kept = source.store.parts().iter().filter(|part| part.exists);
    let items = kept.count();
    let (alerts, _) = events(source, LOW_STOCK, window);
    (items > 0).then(|| (alerts as f64 / items as f64 * 10.0).min(100.0))
}
