//! What the history says of vehicles, work orders and tasks, in the form in which figures are taken from it.
//!
//! Facts are folded event by event, in whatever order events come: everything is kept by the time at which it happened,
//! so an event reported late lands where it belongs and only what follows from it changes. Times are microseconds since
//! 1970, UTC. Each fact remembers the log position of its event: a figure opens into exactly the events that make it.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// What a status means for availability. The table of the seven statuses, definition 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Standing {
    /// It could run and did not: available, or planned for the workshop.
    Ready,
    /// It ran.
    Running,
    /// It was asked for and could not: in the workshop, out of service, maintenance due.
    Down,
    /// Nobody asked for it: retired, or gone.
    NotRequired,
}

impl Standing {
    /// The standing of a vehicle with this status; an unknown word counts as not required, so that no figure rests on
    /// a guess.
    pub fn of_status(status: &str) -> Self {
        match status {
            "available" | "workshop_planned" => Standing::Ready,
            "in_service" => Standing::Running,
            "in_workshop" | "out_of_service" | "maintenance_due" => Standing::Down,
            _ => Standing::NotRequired,
        }
    }
}

/// From when on a vehicle had a standing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StandingSince {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// Which.
    pub standing: Standing,
}

/// A reading of the odometer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// Kilometres.
    pub km: i64,
    /// Whether it sets a wrong reading right: then nothing was driven between it and the one before.
    pub corrects: bool,
}

/// Something that befell a vehicle in service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// Minutes of delay; 0 where none are known.
    pub delay_min: i64,
    /// Whether the vehicle itself failed.
    pub is_failure: bool,
}

/// One vehicle's history. Each list is in order of time, then position.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct VehicleFacts {
    /// Standings, each until the next one.
    pub standings: Vec<StandingSince>,
    /// Readings of the odometer.
    pub readings: Vec<Reading>,
    /// What befell it.
    pub incidents: Vec<Incident>,
}

impl VehicleFacts {
    /// Takes in a standing.
    pub fn stands(&mut self, since: StandingSince) {
        insert(&mut self.standings, since, |one| (one.at, one.position));
    }

    /// Takes in a reading.
    pub fn read(&mut self, reading: Reading) {
        insert(&mut self.readings, reading, |one| (one.at, one.position));
    }

    /// Takes in an incident.
    pub fn suffers(&mut self, incident: Incident) {
        insert(&mut self.incidents, incident, |one| (one.at, one.position));
    }
}

/// Puts `item` where its time belongs; nearly always that is the end.
fn insert<T: Copy>(list: &mut Vec<T>, item: T, key: impl Fn(&T) -> (i64, u64)) {
    let place = match list.last() {
        Some(last) if key(last) > key(&item) => list.partition_point(|one| key(one) <= key(&item)),
        _ => list.len(),
    };
    list.insert(place, item);
}

/// What kind of work an order is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Work {
    /// Something had failed.
    Corrective,
    /// It was due.
    #[default]
    Planned,
}

/// A work order as it stands.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct OrderFacts {
    /// The vehicle's row id or asset id, as the order says it.
    pub vehicle: Box<str>,
    /// The workshop's id, if it has one.
    pub workshop: Option<Box<str>>,
    /// What kind of work.
    pub work: Work,
    /// The kind of maintenance in the depot's words (`HU`, `REPAIR`), where one is told.
    pub kind: Option<Box<str>>,
    /// When it was created.
    pub created: i64,
    /// When it should begin.
    pub scheduled_start: Option<i64>,
    /// When it should end.
    pub scheduled_end: Option<i64>,
    /// When it began.
    pub started: Option<i64>,
    /// When it ended; only of a completed order.
    pub ended: Option<i64>,
    /// Whether it was cancelled or deleted.
    pub is_void: bool,
    /// What it cost, in hundredths of the currency.
    pub cost_cents: Option<i64>,
    /// The position of its last event.
    pub position: u64,
}

/// A maintenance task as it stands.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TaskFacts {
    /// The vehicle's row id or asset id, as the task says it.
    pub vehicle: Box<str>,
    /// Whether a legal limit stands behind its date: main and ECM inspections.
    pub is_safety_critical: bool,
    /// When it is due.
    pub due: i64,
    /// When it was done.
    pub done: Option<i64>,
    /// Whether it was deleted.
    pub is_void: bool,
    /// The position of its last event.
    pub position: u64,
}

/// All of a depot's facts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Facts {
    /// Vehicles with their asset ids, in the order in which they were first heard of.
    pub vehicles: Vec<(Box<str>, VehicleFacts)>,
    /// Orders.
    pub orders: Vec<OrderFacts>,
    /// Tasks.
    pub tasks: Vec<TaskFacts>,
}
