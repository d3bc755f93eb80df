//! What one vehicle, order or task adds to the sums of a stretch of time.

use super::sums::{Lasting, Sums};
use crate::facts::{
    Acquired, OrderFacts, OrderStatus, Priority, Standing, TaskFacts, VehicleFacts, Work,
};
use crate::kpi::measure::DAY;
use crate::kpi::measure::lifetime::discounted;
use crate::kpi::measure::staff::ready_until;

/// What the standing of this number adds, up to `until`.
pub(super) fn standing(vehicle: &VehicleFacts, index: usize, until: i64, sums: &mut Sums) {
    let since = vehicle.standings[index];
    let before = index
        .checked_sub(1)
        .map(|before| vehicle.standings[before].standing());
    let mut turn = |lasting: fn(&mut Sums) -> &mut Lasting, counts: fn(Standing) -> bool| {
        let was = before.is_some_and(counts);
        let lasting = lasting(sums);
        match (was, counts(since.standing())) {
            (false, true) => lasting.enter(since.at, until),
            (true, false) => lasting.leave(until.wrapping_sub(since.at)),
            _ => {}
        }
    };
    turn(|sums| &mut sums.up, Standing::is_up);
    turn(|sums| &mut sums.running, |one| one == Standing::Running);
    turn(|sums| &mut sums.required, Standing::is_required);
    let now = since.standing();
    let was_down = before.is_some_and(Standing::is_down);
    // Being down goes on as what it was.
    if now == Standing::Failed || was_down && now != Standing::Down {
        let was = index > 0 && vehicle.is_restored_at(index - 1);
        match (was, now == Standing::Failed) {
            (false, true) => sums.restoration.enter(since.at, until),
            (true, false) => sums.restoration.leave(until.wrapping_sub(since.at)),
            _ => {}
        }
    }
    if was_down && now.is_up() {
        let down = vehicle.standings[..index]
            .iter()
            .rev()
            .take_while(|one| one.standing().is_down())
            .last();
        sums.restored += 1;
        sums.restored_time += down.map_or(0, |down| since.at - down.at);
    }
}

/// What the reading of this number adds.
pub(super) fn reading(vehicle: &VehicleFacts, index: usize, sums: &mut Sums) {
    let reading = vehicle.readings[index];
    if let Some(before) = index.checked_sub(1).map(|before| vehicle.readings[before])
        && !reading.corrects
    {
        sums.km += (i64::from(reading.km) - i64::from(before.km)).max(0);
    }
}

/// What a vehicle adds from `from` to `until`.
pub(super) fn vehicle(vehicle: &VehicleFacts, from: i64, until: i64, sums: &mut Sums) {
    let first = vehicle.standings.partition_point(|one| one.at < from);
    let last = vehicle.standings.partition_point(|one| one.at < until);
    for index in first..last {
        standing(vehicle, index, until, sums);
    }
    let first = vehicle.readings.partition_point(|one| one.at < from);
    let last = vehicle.readings.partition_point(|one| one.at < until);
    for index in first..last {
        reading(vehicle, index, sums);
    }
    let first = vehicle.incidents.partition_point(|one| one.at < from);
    let inside = vehicle.incidents[first..]
        .iter()
        .take_while(|one| one.at < until);
    sums.failures += inside.map(|one| i64::from(one.is_failure)).sum::<i64>();
    let acquired = vehicle.acquired.iter();
    for acquired in acquired.filter(|it| from <= it.at && it.at < until) {
        sums.life_cost += acquired.cents;
        sums.bought += 1;
    }
}

/// What is to be known of an order that stands in other facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    /// Whether the vehicle did not come back.
    pub(super) fixed: bool,
    /// What the vehicle was bought for.
    pub(super) acquired: Option<Acquired>,
}

/// What an order adds from `from` to `until`. Only of one that ended in it `around` is asked.
pub(super) fn order(
    order: &OrderFacts,
    around: impl FnOnce() -> Around,
    from: i64,
    until: i64,
    sums: &mut Sums,
) {
    let inside = |at: i64| from <= at && at < until;
    if !order.is_deleted {
        if order.status == OrderStatus::Completed && inside(order.updated) {
            sums.completed += 1;
            sums.completed_time += order.updated - order.created;
        }
        if inside(order.created) {
            created(order, sums);
        }
    }
    if order.is_void {
        return;
    }
    if order.ended.is_none_or(|ended| ended > order.created) {
        if inside(order.created) {
            sums.open.enter(order.created, until);
        }
        if order.ended.is_some_and(inside) {
            sums.open.leave(until.wrapping_sub(order.created));
        }
    }
    if let Some(begun) = ready_until(order) {
        let minutes = i64::from(order.estimated_min);
        sums.ready_min += minutes * i64::from(inside(order.created));
        sums.ready_min -= minutes * i64::from(inside(begun));
    }
    if let Some(planned) = order.scheduled_end.filter(|end| inside(*end)) {
        sums.planned_ends += 1;
        sums.planned_ends_met += i64::from(order.ended.is_some_and(|ended| ended <= planned));
    }
    let Some(ended) = order.ended.filter(|ended| inside(*ended)) else {
        return;
    };
    let around = around();
    let worked = order.started.map(|started| (ended - started).max(0));
    sums.closed += 1;
    sums.cycle_time += (ended - order.created).max(0);
    sums.cost += order.cost_cents.unwrap_or(0);
    sums.costed += i64::from(order.cost_cents.is_some());
    if let (Some(cents), Some(acquired)) = (order.cost_cents, around.acquired) {
        sums.life_cost += discounted(cents, acquired.at, ended);
    }
    sums.worked_time += worked.unwrap_or(0);
    match order.work {
        Work::Corrective => {
            sums.corrective += 1;
            sums.corrective_known += i64::from(worked.is_some());
            sums.corrective_time += worked.unwrap_or(0);
            sums.fixed += i64::from(around.fixed);
        }
        Work::Planned => sums.planned_time += worked.unwrap_or(0),
    }
}

/// What an order adds when it was created: one of its status and its priority.
fn created(order: &OrderFacts, sums: &mut Sums) {
    *match order.status {
        OrderStatus::Draft => &mut sums.drafts,
        OrderStatus::Scheduled => &mut sums.scheduled,
        OrderStatus::InProgress => &mut sums.in_progress,
        OrderStatus::Completed => &mut sums.done,
        OrderStatus::Cancelled => &mut sums.cancelled,
    } += 1;
    *match order.priority {
        Priority::Low => &mut sums.low,
        Priority::Medium => &mut sums.medium,
        Priority::High => &mut sums.high,
        Priority::Urgent => &mut sums.urgent,
    } += 1;
    if !order.status.is_open() {
        return;
    }
    sums.waiting += 1;
    *match order.priority {
        Priority::Low => &mut sums.open_low,
        Priority::Medium => &mut sums.open_medium,
        Priority::High => &mut sums.open_high,
        Priority::Urgent => &mut sums.open_urgent,
    } += 1;
}

/// The times at which an order adds something.
pub(super) fn order_times(order: &OrderFacts) -> impl Iterator<Item = i64> {
    [
        Some(order.created),
        order.started,
        order.ended,
        order.scheduled_end,
        Some(order.updated),
    ]
    .into_iter()
    .flatten()
}

/// What a task adds from `from` to `until`.
pub(super) fn task(task: &TaskFacts, from: i64, until: i64, sums: &mut Sums) {
    if task.is_void {
        return;
    }
    let inside = |at: i64| from <= at && at < until;
    if inside(task.due) {
        let grace = if task.is_safety_critical { 0 } else { DAY };
        sums.due += 1;
        sums.due_met += i64::from(task.done.is_some_and(|done| done <= task.due + grace));
    }
    if task.is_safety_critical && task.done.is_none_or(|done| done > task.due) {
        sums.overdue += i64::from(inside(task.due));
        sums.overdue -= i64::from(task.done.is_some_and(inside));
    }
}

/// The times at which a task adds something.
pub(super) fn task_times(task: &TaskFacts) -> impl Iterator<Item = i64> {
    [Some(task.due), task.done].into_iter().flatten()
}
