//! How each figure is taken from the facts: one walk a figure, which yields what each event adds.

use super::{Contribution, Selection, Side};
use crate::facts::{Facts, Incident, OrderFacts, Standing, StandingSince, VehicleFacts, Work};

const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;
/// A repair after which the vehicle comes back sooner than this did not fix it.
pub(crate) const FIXED_AFTER: i64 = 30 * DAY;

type Visit<'a> = &'a mut dyn FnMut(Contribution);

/// The chosen vehicles.
fn vehicles<'a>(
    facts: &'a Facts,
    selection: &'a Selection<'_>,
) -> impl Iterator<Item = (usize, &'a VehicleFacts)> {
    facts
        .vehicles
        .iter()
        .enumerate()
        .filter(|(_, (id, _))| selection.vehicle.is_none_or(|wanted| **id == *wanted))
        .map(|(index, (_, vehicle))| (index, vehicle))
}

/// The orders of the chosen vehicle that are not void.
fn orders<'a>(
    facts: &'a Facts,
    selection: &'a Selection<'_>,
) -> impl Iterator<Item = &'a OrderFacts> {
    facts.orders.iter().filter(|order| {
        !order.is_void
            && selection
                .vehicle
                .is_none_or(|wanted| *order.vehicle == *wanted)
    })
}

/// The bucket that holds a time.
fn bucket_of(selection: &Selection<'_>, at: i64) -> Option<usize> {
    let (first, last) = (selection.edges.first()?, selection.edges.last()?);
    if at < *first || at >= *last {
        return None;
    }
    Some(selection.edges.partition_point(|edge| *edge <= at) - 1)
}

/// Calls `part` with each bucket that a span reaches into, and for how long.
fn spread(selection: &Selection<'_>, from: i64, to: i64, mut part: impl FnMut(usize, i64)) {
    let to = to.min(selection.now);
    let first = selection.edges.partition_point(|edge| *edge <= from);
    for bucket in first.saturating_sub(1)..selection.buckets() {
        let begin = from.max(selection.edges[bucket]);
        let end = to.min(selection.edges[bucket + 1]);
        if begin >= to {
            return;
        }
        if end > begin {
            part(bucket, end - begin);
        }
    }
}

/// Calls `part` with each stretch of time at one standing: since when, until when.
fn stretches(vehicle: &VehicleFacts, mut part: impl FnMut(&StandingSince, i64)) {
    for (index, since) in vehicle.standings.iter().enumerate() {
        let until = vehicle
            .standings
            .get(index + 1)
            .map_or(i64::MAX, |next| next.at);
        part(since, until);
    }
}

/// Time at standings that `counts`, to one side.
fn time_at(
    facts: &Facts,
    selection: &Selection<'_>,
    side: Side,
    counts: impl Fn(Standing) -> bool,
    visit: Visit<'_>,
) {
    for (index, vehicle) in vehicles(facts, selection) {
        stretches(vehicle, |since, until| {
            if !counts(since.standing) {
                return;
            }
            spread(selection, since.at, until, |bucket, amount| {
                visit(Contribution {
                    side,
                    bucket,
                    amount,
                    position: since.position,
                    vehicle: Some(index),
                });
            });
        });
    }
}

pub(crate) fn is_up(standing: Standing) -> bool {
    matches!(standing, Standing::Ready | Standing::Running)
}

pub(crate) fn is_required(standing: Standing) -> bool {
    standing != Standing::NotRequired
}

pub(super) fn availability(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    time_at(facts, selection, Side::Numerator, is_up, visit);
    time_at(facts, selection, Side::Denominator, is_required, visit);
}

pub(super) fn utilisation(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    let is_running = |standing| standing == Standing::Running;
    time_at(facts, selection, Side::Numerator, is_running, visit);
    time_at(facts, selection, Side::Denominator, is_required, visit);
}

/// Failures, one each, to one side.
fn failed(facts: &Facts, selection: &Selection<'_>, side: Side, visit: Visit<'_>) {
    for (index, vehicle) in vehicles(facts, selection) {
        for Incident { at, position, .. } in vehicle.incidents.iter().filter(|one| one.is_failure) {
            if let Some(bucket) = bucket_of(selection, *at) {
                visit(Contribution {
                    side,
                    bucket,
                    amount: 1,
                    position: *position,
                    vehicle: Some(index),
                });
            }
        }
    }
}

pub(super) fn mtbf(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    time_at(facts, selection, Side::Numerator, is_up, visit);
    failed(facts, selection, Side::Denominator, visit);
}

/// Kilometres between neighbouring readings, at the later one's time, to one side.
fn driven(facts: &Facts, selection: &Selection<'_>, side: Side, visit: Visit<'_>) {
    for (index, vehicle) in vehicles(facts, selection) {
        for pair in vehicle.readings.windows(2) {
            let (before, reading) = (pair[0], pair[1]);
            let km = i64::from(reading.km) - i64::from(before.km);
            if reading.corrects || km <= 0 {
                continue;
            }
            if let Some(bucket) = bucket_of(selection, reading.at) {
                visit(Contribution {
                    side,
                    bucket,
                    amount: km,
                    position: reading.position,
                    vehicle: Some(index),
                });
            }
        }
    }
}

pub(super) fn mdbf(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    driven(facts, selection, Side::Numerator, visit);
    failed(facts, selection, Side::Denominator, visit);
}

/// Times down that ended, counted where they ended.
pub(super) fn mttrs(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    for (index, vehicle) in vehicles(facts, selection) {
        let mut down_since: Option<i64> = None;
        for since in &vehicle.standings {
            if since.standing == Standing::Down {
                down_since.get_or_insert(since.at);
                continue;
            }
            let Some(began) = down_since.take().filter(|_| is_up(since.standing)) else {
                continue;
            };
            if let Some(bucket) = bucket_of(selection, since.at) {
                let (position, vehicle) = (since.position, Some(index));
                let amount = since.at - began;
                visit(Contribution {
                    side: Side::Numerator,
                    bucket,
                    amount,
                    position,
                    vehicle,
                });
                visit(Contribution {
                    side: Side::Denominator,
                    bucket,
                    amount: 1,
                    position,
                    vehicle,
                });
            }
        }
    }
}

/// Orders closed in the time that `chosen` wants, each with what `amount` says it adds.
fn closed(
    facts: &Facts,
    selection: &Selection<'_>,
    side: Side,
    chosen: impl Fn(&OrderFacts) -> bool,
    amount: impl Fn(&OrderFacts, i64) -> Option<i64>,
    visit: Visit<'_>,
) {
    for order in orders(facts, selection).filter(|order| chosen(order)) {
        let Some(ended) = order.ended else { continue };
        let (Some(bucket), Some(amount)) = (bucket_of(selection, ended), amount(order, ended))
        else {
            continue;
        };
        visit(Contribution {
            side,
            bucket,
            amount,
            position: order.position,
            vehicle: None,
        });
    }
}

fn is_corrective(order: &OrderFacts) -> bool {
    order.work == Work::Corrective
}

fn any(_: &OrderFacts) -> bool {
    true
}

fn one(_: &OrderFacts, _: i64) -> Option<i64> {
    Some(1)
}

/// Working time; an order without a begin has none that is known.
fn worked(order: &OrderFacts, ended: i64) -> Option<i64> {
    order.started.map(|started| (ended - started).max(0))
}

pub(super) fn mttr(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    let known = |order: &OrderFacts| is_corrective(order) && order.started.is_some();
    closed(facts, selection, Side::Numerator, known, worked, visit);
    closed(facts, selection, Side::Denominator, known, one, visit);
}

pub(super) fn mtbm(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    time_at(facts, selection, Side::Numerator, is_up, visit);
    closed(facts, selection, Side::Denominator, any, one, visit);
}

pub(super) fn planned_share(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    let is_planned = |order: &OrderFacts| order.work == Work::Planned;
    closed(facts, selection, Side::Numerator, is_planned, worked, visit);
    closed(facts, selection, Side::Denominator, any, worked, visit);
}

pub(super) fn cycle_time(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    let took = |order: &OrderFacts, ended: i64| Some((ended - order.created).max(0));
    closed(facts, selection, Side::Numerator, any, took, visit);
    closed(facts, selection, Side::Denominator, any, one, visit);
}

pub(super) fn first_time_fix(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    let mut begun: std::collections::BTreeMap<&str, Vec<i64>> = std::collections::BTreeMap::new();
    let followed = |order: &&OrderFacts| is_corrective(order) && !order.vehicle.is_empty();
    for order in orders(facts, selection).filter(followed) {
        begun.entry(&order.vehicle).or_default().push(order.created);
    }
    for times in begun.values_mut() {
        times.sort_unstable();
    }
    let came_back = |order: &OrderFacts| {
        let Some(ended) = order.ended else {
            return false;
        };
        let times = begun.get(&*order.vehicle).map_or(&[][..], Vec::as_slice);
        let next = times.partition_point(|time| *time <= ended.max(order.created));
        times
            .get(next)
            .is_some_and(|time| time - ended < FIXED_AFTER)
    };
    let fixed = |order: &OrderFacts| is_corrective(order) && !came_back(order);
    closed(facts, selection, Side::Numerator, fixed, one, visit);
    closed(
        facts,
        selection,
        Side::Denominator,
        is_corrective,
        one,
        visit,
    );
}

/// Whole time, counted once a bucket: a figure that is a plain sum divides by one.
fn once(selection: &Selection<'_>, visit: Visit<'_>) {
    for bucket in 0..selection.buckets() {
        visit(Contribution {
            side: Side::Denominator,
            bucket,
            amount: 1,
            position: 0,
            vehicle: None,
        });
    }
}

fn cost(order: &OrderFacts, _: i64) -> Option<i64> {
    order.cost_cents
}

pub(super) fn maintenance_cost(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    closed(facts, selection, Side::Numerator, any, cost, visit);
    once(selection, visit);
}

pub(super) fn cost_per_km(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    closed(facts, selection, Side::Numerator, any, cost, visit);
    driven(facts, selection, Side::Denominator, visit);
}

pub(super) fn failures(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    failed(facts, selection, Side::Numerator, visit);
    for (index, vehicle) in vehicles(facts, selection) {
        let mut counted = vec![false; selection.buckets()];
        stretches(vehicle, |since, until| {
            if !is_required(since.standing) {
                return;
            }
            spread(selection, since.at, until, |bucket, _| {
                if std::mem::replace(&mut counted[bucket], true) {
                    return;
                }
                visit(Contribution {
                    side: Side::Denominator,
                    bucket,
                    amount: 1,
                    position: since.position,
                    vehicle: Some(index),
                });
            });
        });
    }
}

pub(super) fn pm_compliance(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    for task in facts.tasks.iter().filter(|task| !task.is_void) {
        if selection
            .vehicle
            .is_some_and(|wanted| *task.vehicle != *wanted)
            || task.due > selection.now
        {
            continue;
        }
        let Some(bucket) = bucket_of(selection, task.due) else {
            continue;
        };
        let (position, vehicle) = (task.position, None);
        let grace = if task.is_safety_critical { 0 } else { DAY };
        if task.done.is_some_and(|done| done <= task.due + grace) {
            visit(Contribution {
                side: Side::Numerator,
                bucket,
                amount: 1,
                position,
                vehicle,
            });
        }
        visit(Contribution {
            side: Side::Denominator,
            bucket,
            amount: 1,
            position,
            vehicle,
        });
    }
}

pub(super) fn schedule_compliance(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    for order in orders(facts, selection) {
        let Some(planned) = order.scheduled_end.filter(|end| *end <= selection.now) else {
            continue;
        };
        let Some(bucket) = bucket_of(selection, planned) else {
            continue;
        };
        let (position, vehicle) = (order.position, None);
        if order.ended.is_some_and(|ended| ended <= planned) {
            visit(Contribution {
                side: Side::Numerator,
                bucket,
                amount: 1,
                position,
                vehicle,
            });
        }
        visit(Contribution {
            side: Side::Denominator,
            bucket,
            amount: 1,
            position,
            vehicle,
        });
    }
}

pub(super) fn overdue_safety_critical(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    let tasks = facts
        .tasks
        .iter()
        .filter(|task| task.is_safety_critical && !task.is_void)
        .filter(|task| {
            selection
                .vehicle
                .is_none_or(|wanted| *task.vehicle == *wanted)
        });
    for task in tasks {
        for bucket in 0..selection.buckets() {
            let end = selection.edges[bucket + 1].min(selection.now);
            if task.due < end && task.done.is_none_or(|done| done >= end) {
                visit(Contribution {
                    side: Side::Numerator,
                    bucket,
                    amount: 1,
                    position: task.position,
                    vehicle: None,
                });
            }
        }
    }
    once(selection, visit);
}

pub(super) fn order_age(facts: &Facts, selection: &Selection<'_>, visit: Visit<'_>) {
    for order in orders(facts, selection) {
        for bucket in 0..selection.buckets() {
            let end = selection.edges[bucket + 1].min(selection.now);
            if order.created >= end || order.ended.is_some_and(|ended| ended < end) {
                continue;
            }
            let (position, vehicle) = (order.position, None);
            visit(Contribution {
                side: Side::Numerator,
                bucket,
                amount: end - order.created,
                position,
                vehicle,
            });
            visit(Contribution {
                side: Side::Denominator,
                bucket,
                amount: 1,
                position,
                vehicle,
            });
        }
    }
}
