//! Who works in the workshops, what time they clock, and which vehicles are to leave.

use std::collections::HashMap;

use analytics::facts::{CapacitySince, ClockedFacts, DepartureFacts, PersonFacts};
use fleet::calendar::HOUR;
use serde_json::Value;

use super::Folding;
use super::told::{Latest, Told, When, text, time};

/// Who does the work of orders.
const HANDS: &[&str] = &["mechanic", "technician"];
/// Hours a week of somebody of whom nobody says them, as in the staff's own rows.
const WEEKLY_HOURS: i64 = 40;
/// There are no more in a week.
const WEEKLY_HOURS_MAX: i64 = 168;

/// What one event says of a person; what it does not say stays as it was.
#[derive(Clone, Debug)]
struct Said {
    when: When,
    position: u64,
    has_hands: Option<bool>,
    is_active: Option<bool>,
    is_available: Option<bool>,
    weekly_hours: Option<i64>,
    is_deleted: bool,
}

/// Time that somebody clocks.
#[derive(Clone, Debug, Default)]
struct Clocking {
    is_on_order: Latest<bool>,
    began: Latest<i64>,
    ended: Latest<i64>,
    hours: Latest<i64>,
    is_deleted: bool,
    position: u64,
}

/// A plan by which a train leaves.
#[derive(Clone, Debug, Default)]
struct Plan {
    departs: Latest<i64>,
    is_cancelled: Latest<bool>,
    is_deleted: bool,
    /// Vehicles that are in it, or were.
    vehicles: Vec<usize>,
}

/// A vehicle in a plan.
#[derive(Clone, Debug, Default)]
struct Assigned {
    plan: Latest<Box<str>>,
    vehicle: Latest<Box<str>>,
    is_cancelled: Latest<bool>,
    is_deleted: bool,
    position: u64,
}

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Staff {
    people: HashMap<Box<str>, (usize, Vec<Said>)>,
    clockings: HashMap<Box<str>, (usize, Clocking)>,
    plans: HashMap<Box<str>, Plan>,
    assigned: HashMap<Box<str>, usize>,
    assignments: Vec<Assigned>,
}

fn said(told: &Told<'_>) -> Said {
    let word = |key: &str| told.word(key);
    Said {
        when: told.when,
        position: told.position,
        has_hands: word("role").map(|role| HANDS.contains(&&*role)),
        is_active: word("status").map(|status| *status == *"active"),
        is_available: told.get("is_available").and_then(Value::as_bool),
        weekly_hours: told.get("max_weekly_hours").and_then(Value::as_i64),
        is_deleted: told.known.event.event_type == "StaffDeleted",
    }
}

/// What a person can do, from each event on that changes it.
fn capacity(said: &[Said]) -> PersonFacts {
    let (mut has_hands, mut is_active, mut is_available) = (false, true, true);
    let (mut hours, mut is_deleted) = (WEEKLY_HOURS, false);
    let mut steps = PersonFacts::new();
    for one in said {
        has_hands = one.has_hands.unwrap_or(has_hands);
        is_active = one.is_active.unwrap_or(is_active);
        is_available = one.is_available.unwrap_or(is_available);
        hours = one.weekly_hours.unwrap_or(hours);
        is_deleted |= one.is_deleted;
        let works = has_hands && is_active && is_available && !is_deleted;
        let minutes = i64::from(works) * hours.clamp(0, WEEKLY_HOURS_MAX) * 60;
        if steps.last().map_or(0, |last| last.minutes) != minutes {
            steps.push(CapacitySince {
                at: one.when.0,
                position: one.position,
                minutes,
            });
        }
    }
    steps
}

fn clocked(clocking: &Clocking) -> ClockedFacts {
    let ended = clocking.ended.value.filter(|_| !clocking.is_deleted);
    let time = ended.map_or(0, |ended| match clocking.began.value {
        Some(began) => ended.saturating_sub(began).max(0),
        None => clocking.hours.value.unwrap_or(0).clamp(0, WEEKLY_HOURS_MAX) * HOUR,
    });
    ClockedFacts {
        at: ended.unwrap_or(0),
        position: clocking.position,
        time,
        is_on_order: clocking.is_on_order.value == Some(true),
    }
}

impl Folding {
    pub(super) fn fold_person(&mut self, told: &Told<'_>) {
        let next = self.staff.people.len();
        let entry = self.staff.people.entry(told.id.into());
        let (index, events) = entry.or_insert_with(|| (next, Vec::new()));
        let place = events.partition_point(|one| one.when <= told.when);
        events.insert(place, said(told));
        self.store.set_person(*index, capacity(events));
    }

    pub(super) fn fold_clocking(&mut self, told: &Told<'_>) {
        let next = self.staff.clockings.len();
        let entry = self.staff.clockings.entry(told.id.into());
        let (index, state) = entry.or_insert_with(|| (next, Clocking::default()));
        told.set(&mut state.is_on_order, "work_order_id", |order| {
            Some(text(order).is_some())
        });
        told.set(&mut state.began, "actual_start_ts", time);
        told.set(&mut state.ended, "actual_end_ts", time);
        told.set(&mut state.hours, "actual_hours", Value::as_i64);
        match told.known.event.event_type {
            "StaffAssignmentEnded" if told.get("actual_end_ts").is_none() => {
                state.ended.set(Some(told.when.0), told.when);
            }
            "StaffAssignmentDeleted" => state.is_deleted = true,
            _ => {}
        }
        state.position = state.position.max(told.position);
        self.store.set_clocked(*index, clocked(state));
    }

    pub(super) fn fold_plan(&mut self, told: &Told<'_>) {
        let plan = self.staff.plans.entry(told.id.into()).or_default();
        told.set(&mut plan.departs, "scheduled_departure_ts", time);
        if let Some(status) = told.word("status") {
            let is_cancelled = *status == *"cancelled";
            plan.is_cancelled.set(Some(is_cancelled), told.when);
        }
        plan.is_deleted |= told.known.event.event_type == "TransferPlanDeleted";
        for index in plan.vehicles.clone() {
            self.set_departure(index);
        }
    }

    pub(super) fn fold_assigned(&mut self, told: &Told<'_>) {
        let staff = &mut self.staff;
        let index = *staff.assigned.entry(told.id.into()).or_insert_with(|| {
            staff.assignments.push(Assigned::default());
            staff.assignments.len() - 1
        });
        let state = &mut staff.assignments[index];
        let name = |value: &Value| text(value).map(Into::into);
        told.set(&mut state.plan, "transfer_plan_id", name);
        told.set(&mut state.vehicle, "vehicle_id", name);
        if let Some(word) = told.word("is_confirmed") {
            let is_cancelled = *word == *"cancelled";
            state.is_cancelled.set(Some(is_cancelled), told.when);
        }
        state.is_deleted |= told.known.event.event_type == "TransferAssignmentDeleted";
        state.position = state.position.max(told.position);
        if let Some(plan) = state.plan.value.clone() {
            let vehicles = &mut staff.plans.entry(plan).or_default().vehicles;
            if !vehicles.contains(&index) {
                vehicles.push(index);
            }
        }
        self.set_departure(index);
    }

    fn set_departure(&mut self, index: usize) {
        let state = &self.staff.assignments[index];
        let plan = state.plan.value.as_ref();
        let plan = plan.and_then(|plan| self.staff.plans.get(plan));
        let departs = plan
            .filter(|plan| !plan.is_deleted && plan.is_cancelled.value != Some(true))
            .and_then(|plan| plan.departs.value);
        let vehicle = state.vehicle.value.as_deref();
        let vehicle = vehicle.and_then(|named| self.vehicle(self.asset_id(named)));
        let departure = DepartureFacts {
            vehicle: vehicle.and_then(|index| u32::try_from(index).ok()),
            at: departs.unwrap_or(0),
            position: state.position,
            is_void: departs.is_none()
                || state.is_deleted
                || state.is_cancelled.value == Some(true),
        };
        self.store.set_departure(index, departure);
    }
}
