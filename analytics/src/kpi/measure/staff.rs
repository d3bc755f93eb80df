//! What the staff can do, what it did, and what waits for it.

use super::{Contribution, Facts, Selection, Side, Visit, bucket_of, orders};
use crate::facts::{DepartureFacts, OrderFacts};

/// Until when an order is ready to be begun: it has its time and its estimate, and nobody began it.
pub(crate) fn ready_until(order: &OrderFacts) -> Option<i64> {
    if order.is_void || order.scheduled_start.is_none() || order.estimated_min == 0 {
        return None;
    }
    let begun = [order.started, order.ended].into_iter().flatten().min();
    let until = begun.unwrap_or(i64::MAX);
    (until > order.created).then_some(until)
}

/// What each person can do at a time: the event that says so, and minutes a week.
fn capacity(facts: &Facts, at: i64) -> impl Iterator<Item = (u64, i64)> {
    facts.people.iter().filter_map(move |person| {
        let behind = person.partition_point(|one| one.at < at);
        let last = person[..behind].last()?;
        (last.minutes > 0).then_some((last.position, last.minutes))
    })
}

/// What all can do at a time, minutes a week.
pub(crate) fn capacity_in_all(facts: &Facts, at: i64) -> i64 {
    capacity(facts, at).map(|(_, minutes)| minutes).sum()
}

pub(in crate::kpi) fn backlog(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    for order in orders(facts, selection) {
        let Some(until) = ready_until(order) else {
            continue;
        };
        for bucket in 0..selection.buckets() {
            let end = selection.edges[bucket + 1].min(selection.now);
            if order.created < end && until >= end {
                visit.take(Contribution {
                    side: Side::Numerator,
                    bucket,
                    amount: order.estimated_min.into(),
                    position: order.position,
                    vehicle: None,
                });
            }
        }
    }
    if selection.vehicle.is_some() {
        return;
    }
    for bucket in 0..selection.buckets() {
        let end = selection.edges[bucket + 1].min(selection.now);
        for (position, amount) in capacity(facts, end) {
            visit.take(Contribution {
                side: Side::Denominator,
                bucket,
                amount,
                position,
                vehicle: None,
            });
        }
    }
}

pub(in crate::kpi) fn wrench_time(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    if selection.vehicle.is_some() {
        return;
    }
    for clocked in facts.clocked.iter().filter(|clocked| clocked.time > 0) {
        let Some(bucket) = bucket_of(selection, clocked.at) else {
            continue;
        };
        let mut part = Contribution {
            side: Side::Denominator,
            bucket,
            amount: clocked.time,
            position: clocked.position,
            vehicle: None,
        };
        visit.take(part);
        if clocked.is_on_order {
            part.side = Side::Numerator;
            visit.take(part);
        }
    }
}

pub(in crate::kpi) fn roll_out(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    for departure in facts.departures.iter().filter(|one| !one.is_void) {
        let DepartureFacts { at, position, .. } = *departure;
        let named = departure.vehicle.map(|number| number as usize);
        let vehicle = named.and_then(|index| Some((index, facts.vehicles.get(index)?)));
        let (id, is_ready) = match vehicle {
            Some((_, (id, facts))) => (&**id, facts.standing_at(at).is_some_and(|it| it.is_up())),
            None => ("", false),
        };
        if at > selection.now || selection.vehicle.is_some_and(|wanted| wanted != id) {
            continue;
        }
        let Some(bucket) = bucket_of(selection, at) else {
            continue;
        };
        let mut part = Contribution {
            side: Side::Denominator,
            bucket,
            amount: 1,
            position,
            vehicle: named,
        };
        visit.take(part);
        if is_ready {
            part.side = Side::Numerator;
            visit.take(part);
        }
    }
}
