//! How each figure is taken from the facts: one walk a figure, which yields what each event adds.

pub(crate) mod lifetime;
pub(crate) mod staff;
pub(super) mod standing;
pub(super) mod stores;

use std::ops::Range;

use super::{Contribution, Selection, Side, Visit};
use crate::facts::{Facts, Incident, OrderFacts, VehicleFacts, Work};
use standing::{NONE, REQUIRED, RUNNING, UP, stretches, time_at};

/// Microseconds of an hour.
pub(crate) const HOUR: i64 = 3_600_000_000;
/// Microseconds of a day.
pub(crate) const DAY: i64 = 24 * HOUR;
/// A repair after which the vehicle comes back sooner than this did not fix it.
pub(crate) const FIXED_AFTER: i64 = 30 * DAY;

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

/// Calls `part` with each bucket that a span reaches into, and with the begin and the end of what lies in it.
fn spread(selection: &Selection<'_>, from: i64, to: i64, mut part: impl FnMut(usize, i64, i64)) {
    let to = to.min(selection.now);
    if let [begin, end] = selection.edges {
        let (begin, end) = (from.max(*begin), to.min(*end));
        if end > begin {
            part(0, begin, end);
        }
        return;
    }
    let first = selection.edges.partition_point(|edge| *edge <= from);
    let first = first.saturating_sub(1);
    for bucket in first..selection.buckets() {
        let begin = from.max(selection.edges[bucket]);
        let end = to.min(selection.edges[bucket + 1]);
        if begin >= to {
            return;
        }
        if end > begin {
            part(bucket, begin, end);
        }
    }
}

/// Where those of a list in order of time stand that lie in the selection.
fn inside<T>(list: &[T], selection: &Selection<'_>, at: impl Fn(&T) -> i64) -> Range<usize> {
    let (Some(from), Some(to)) = (selection.edges.first(), selection.edges.last()) else {
        return 0..0;
    };
    // A long time holds whole lists: two looks at their ends instead of two searches through memory that nobody has touched.
    let first = match list.first() {
        Some(one) if at(one) < *from => list.partition_point(|one| at(one) < *from),
        _ => 0,
    };
    let behind = match list.last() {
        Some(one) if at(one) >= *to => first + list[first..].partition_point(|one| at(one) < *to),
        _ => list.len(),
    };
    first..behind
}

pub(super) fn availability(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    time_at(facts, selection, (UP, REQUIRED), visit);
}

pub(super) fn availability_inherent(
    facts: &Facts,
    selection: &Selection<'_>,
    visit: &mut Visit<'_>,
) {
    time_at(facts, selection, (UP, UP), visit);
    closed(
        facts,
        selection,
        Side::Denominator,
        is_corrective,
        worked,
        visit,
    );
}

pub(super) fn utilisation(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    time_at(facts, selection, (RUNNING, REQUIRED), visit);
}

/// Failures, one each, to one side.
fn failed(facts: &Facts, selection: &Selection<'_>, side: Side, visit: &mut Visit<'_>) {
    for (index, vehicle) in vehicles(facts, selection) {
        let range = inside(&vehicle.incidents, selection, |one| one.at);
        let failures = vehicle.incidents[range].iter().filter(|one| one.is_failure);
        for Incident { at, position, .. } in failures {
            if let Some(bucket) = bucket_of(selection, *at) {
                visit.take(Contribution {
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

pub(super) fn mtbf(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    time_at(facts, selection, (UP, NONE), visit);
    failed(facts, selection, Side::Denominator, visit);
}

/// Kilometres between neighbouring readings, at the later one's time, to one side.
fn driven(facts: &Facts, selection: &Selection<'_>, side: Side, visit: &mut Visit<'_>) {
    for (index, vehicle) in vehicles(facts, selection) {
        let range = inside(&vehicle.readings, selection, |one| one.at);
        // The one before it is what the first is held against.
        for pair in vehicle.readings[range.start.saturating_sub(1)..range.end].windows(2) {
            let (before, reading) = (pair[0], pair[1]);
            let km = i64::from(reading.km) - i64::from(before.km);
            if reading.corrects || km <= 0 {
                continue;
            }
            if let Some(bucket) = bucket_of(selection, reading.at) {
                visit.take(Contribution {
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

pub(super) fn mdbf(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    driven(facts, selection, Side::Numerator, visit);
    failed(facts, selection, Side::Denominator, visit);
}

/// One to the denominator, and before it what there is for the numerator.
fn both(
    bucket: usize,
    numerator: Option<i64>,
    position: u64,
    vehicle: Option<usize>,
    visit: &mut Visit<'_>,
) {
    let one = Contribution {
        side: Side::Denominator,
        bucket,
        amount: 1,
        position,
        vehicle,
    };
    if let Some(amount) = numerator {
        visit.take(Contribution {
            side: Side::Numerator,
            amount,
            ..one
        });
    }
    visit.take(one);
}

/// Times down that ended, counted where they ended.
pub(super) fn mttrs(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    for (index, vehicle) in vehicles(facts, selection) {
        let mut down_since: Option<i64> = None;
        let range = inside(&vehicle.standings, selection, |one| one.at);
        // Down since when, where that was before.
        let before = vehicle.standings[..range.start].iter().rev();
        let down = before.take_while(|one| one.standing().is_down());
        let first = range.start - down.count();
        for since in &vehicle.standings[first..range.end] {
            if since.standing().is_down() {
                down_since.get_or_insert(since.at);
                continue;
            }
            let Some(began) = down_since.take().filter(|_| since.standing().is_up()) else {
                continue;
            };
            if let Some(bucket) = bucket_of(selection, since.at) {
                let lasted = Some(since.at - began);
                both(bucket, lasted, since.position(), Some(index), visit);
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
    visit: &mut Visit<'_>,
) {
    for order in orders(facts, selection).filter(|order| chosen(order)) {
        let Some(ended) = order.ended else { continue };
        let (Some(bucket), Some(amount)) = (bucket_of(selection, ended), amount(order, ended))
        else {
            continue;
        };
        visit.take(Contribution {
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

pub(super) fn mttr(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    let known = |order: &OrderFacts| is_corrective(order) && order.started.is_some();
    closed(facts, selection, Side::Numerator, known, worked, visit);
    closed(facts, selection, Side::Denominator, known, one, visit);
}

pub(super) fn mtbm(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    time_at(facts, selection, (UP, NONE), visit);
    closed(facts, selection, Side::Denominator, any, one, visit);
}

pub(super) fn planned_share(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    let is_planned = |order: &OrderFacts| order.work == Work::Planned;
    closed(facts, selection, Side::Numerator, is_planned, worked, visit);
    closed(facts, selection, Side::Denominator, any, worked, visit);
}

pub(super) fn cycle_time(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    let took = |order: &OrderFacts, ended: i64| Some((ended - order.created).max(0));
    closed(facts, selection, Side::Numerator, any, took, visit);
    closed(facts, selection, Side::Denominator, any, one, visit);
}

pub(super) fn first_time_fix(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
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
fn once(selection: &Selection<'_>, visit: &mut Visit<'_>) {
    for bucket in 0..selection.buckets() {
        visit.take(Contribution {
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

pub(super) fn maintenance_cost(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    closed(facts, selection, Side::Numerator, any, cost, visit);
    once(selection, visit);
}

pub(super) fn cost_per_km(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    closed(facts, selection, Side::Numerator, any, cost, visit);
    driven(facts, selection, Side::Denominator, visit);
}

pub(super) fn failures(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    failed(facts, selection, Side::Numerator, visit);
    for (index, vehicle) in vehicles(facts, selection) {
        // Stretches ascend, so the buckets before this one are counted.
        let mut next = 0;
        for (since, until) in stretches(vehicle, selection) {
            if next == selection.buckets() {
                break;
            }
            if !since.standing().is_required() {
                continue;
            }
            spread(selection, since.at, until, |bucket, _, _| {
                if bucket < next {
                    return;
                }
                next = bucket + 1;
                visit.take(Contribution {
                    side: Side::Denominator,
                    bucket,
                    amount: 1,
                    position: since.position(),
                    vehicle: Some(index),
                });
            });
        }
    }
}

pub(super) fn pm_compliance(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
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
        let grace = if task.is_safety_critical { 0 } else { DAY };
        let met = task.done.filter(|done| *done <= task.due + grace);
        both(bucket, met.map(|_| 1), task.position, None, visit);
    }
}

pub(super) fn schedule_compliance(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    for order in orders(facts, selection) {
        let Some(planned) = order.scheduled_end.filter(|end| *end <= selection.now) else {
            continue;
        };
        let Some(bucket) = bucket_of(selection, planned) else {
            continue;
        };
        let met = order.ended.filter(|ended| *ended <= planned);
        both(bucket, met.map(|_| 1), order.position, None, visit);
    }
}

pub(super) fn overdue_safety_critical(
    facts: &Facts,
    selection: &Selection<'_>,
    visit: &mut Visit<'_>,
) {
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
                visit.take(Contribution {
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

pub(super) fn order_age(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    for order in orders(facts, selection) {
        for bucket in 0..selection.buckets() {
            let end = selection.edges[bucket + 1].min(selection.now);
            if order.created >= end || order.ended.is_some_and(|ended| ended < end) {
                continue;
            }
            let age = Some(end - order.created);
            both(bucket, age, order.position, None, visit);
        }
    }
}
