//! What orders ask of the stores, and what lies there.

use super::{Contribution, Facts, HOUR, Selection, Side, Visit, bucket_of, inside, spread};
use crate::facts::PartFacts;

/// What one part's stock is worth at most, hundredths; beyond it a price is a mistake, and sums keep in range.
const VALUE_MAX: i64 = 1_000_000_000_000;

pub(in crate::kpi) fn stock_outs(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    // Whether all of it lay there right before it was asked for; of what is not kept, nothing can be said.
    let lay_there = |part: u32, quantity: i64, at: i64| {
        let part = facts.parts.get(part as usize).filter(|part| part.exists)?;
        Some(part.level_before(at) >= quantity)
    };
    if selection.vehicle.is_some() {
        return;
    }
    for request in facts.requests.iter().filter(|request| !request.is_void) {
        let Some(bucket) = bucket_of(selection, request.at) else {
            continue;
        };
        let (mut asked, mut missing) = (0, 0);
        for (part, quantity) in &request.parts {
            if let Some(lay_there) = lay_there(*part, *quantity, request.at) {
                asked += 1;
                missing += i64::from(!lay_there);
            }
        }
        for (side, amount) in [(Side::Numerator, missing), (Side::Denominator, asked)] {
            if amount > 0 {
                visit.take(Contribution {
                    side,
                    bucket,
                    amount,
                    position: request.position,
                    vehicle: None,
                });
            }
        }
    }
}

/// What so many of a part are worth at its present price.
fn worth(part: &PartFacts, quantity: i64) -> i64 {
    let worth = quantity.max(0).saturating_mul(part.price_cents.max(0));
    worth.min(VALUE_MAX)
}

pub(in crate::kpi) fn turns(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    if selection.vehicle.is_some() {
        return;
    }
    for part in facts.parts.iter().filter(|part| part.exists) {
        for issue in &part.issues[inside(&part.issues, selection, |one| one.at)] {
            let Some(bucket) = bucket_of(selection, issue.at) else {
                continue;
            };
            visit.take(Contribution {
                side: Side::Numerator,
                bucket,
                amount: worth(part, issue.quantity),
                position: issue.position,
                vehicle: None,
            });
        }
        let range = inside(&part.stock, selection, |one| one.at);
        let first = range.start.saturating_sub(1);
        for (index, since) in (first..).zip(&part.stock[first..range.end]) {
            let until = part.stock.get(index + 1).map_or(i64::MAX, |next| next.at);
            spread(selection, since.at, until, |bucket, begin, end| {
                // Hours of the clock that begin in it: those of neighbouring stretches add up.
                let hours = end.div_euclid(HOUR) - begin.div_euclid(HOUR);
                let amount = worth(part, since.level).saturating_mul(hours);
                if amount > 0 {
                    visit.take(Contribution {
                        side: Side::Denominator,
                        bucket,
                        amount,
                        position: since.position,
                        vehicle: None,
                    });
                }
            });
        }
    }
}
