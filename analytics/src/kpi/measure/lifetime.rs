//! What vehicles have cost since they were bought.

use super::{Contribution, Facts, Selection, Side, Visit, orders, vehicles};

/// Microseconds of a year.
const YEAR: i64 = 31_557_600_000_000;
/// What money is worth a year later: 100 of 103, a real rate of 3 %.
const RATE: (i64, i64) = (100, 103);
/// What comes later than this is worth nothing.
const YEARS_MAX: i64 = 100;

/// What a cost is worth at the purchase, in whole hundredths: each whole year between them takes its part.
pub(crate) fn discounted(cents: i64, acquired: i64, at: i64) -> i64 {
    let years = at.saturating_sub(acquired).max(0) / YEAR;
    if years > YEARS_MAX {
        return 0;
    }
    let later = |worth: i64| i128::from(worth) * i128::from(RATE.0) / i128::from(RATE.1);
    (0..years).fold(cents, |worth, _| i64::try_from(later(worth)).unwrap_or(0))
}

pub(in crate::kpi) fn cost(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    // Everything before a bucket's end counts in it.
    let mut each = |at: i64, part: Contribution| {
        for bucket in 0..selection.buckets() {
            if at < selection.edges[bucket + 1].min(selection.now) {
                visit.take(Contribution { bucket, ..part });
            }
        }
    };
    let mut bought = std::collections::HashMap::new();
    for (index, vehicle) in vehicles(facts, selection) {
        let Some(acquired) = vehicle.acquired else {
            continue;
        };
        bought.insert(&*facts.vehicles[index].0, acquired.at);
        let mut part = Contribution {
            side: Side::Numerator,
            bucket: 0,
            amount: acquired.cents,
            position: acquired.position,
            vehicle: Some(index),
        };
        each(acquired.at, part);
        (part.side, part.amount) = (Side::Denominator, 1);
        each(acquired.at, part);
    }
    for order in orders(facts, selection) {
        let (Some(cents), Some(ended)) = (order.cost_cents, order.ended) else {
            continue;
        };
        let Some(acquired) = bought.get(&*order.vehicle) else {
            continue;
        };
        let part = Contribution {
            side: Side::Numerator,
            bucket: 0,
            amount: discounted(cents, *acquired, ended),
            position: order.position,
            vehicle: None,
        };
        each(ended, part);
    }
}
