//! What the history says of vehicles, work orders and tasks, in the form in which figures are taken from it.
//!
//! Facts are folded event by event, in whatever order events come: everything is kept by the time at which it happened,
//! so an event reported late lands where it belongs and only what follows from it changes. Times are microseconds since
//! 1970, UTC. Each fact remembers the log position of its event: a figure opens into exactly the events that make it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

/// What a status means for availability. The table of the seven statuses, definition 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

const STANDINGS: [Standing; 4] = [
    Standing::Ready,
    Standing::Running,
    Standing::Down,
    Standing::NotRequired,
];

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

/// From when on a vehicle had a standing. Half of a depot's facts are of this kind, so it is kept in 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StandingSince {
    /// When.
    pub at: i64,
    /// The position, and below it two bits for the standing: the order of the numbers is that of the positions.
    packed: u64,
}

impl StandingSince {
    /// From `at` on, by the event at this position, which is below 2^62.
    pub fn new(at: i64, position: u64, standing: Standing) -> Self {
        StandingSince {
            at,
            packed: position << 2 | standing as u64,
        }
    }

    /// The event's position.
    pub fn position(&self) -> u64 {
        self.packed >> 2
    }

    /// Which.
    pub fn standing(&self) -> Standing {
        STANDINGS[(self.packed & 3) as usize]
    }
}

impl fmt::Debug for StandingSince {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?} since {} by {}",
            self.standing(),
            self.at,
            self.position()
        )
    }
}

/// A reading of the odometer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// Kilometres.
    pub km: i32,
    /// Whether it sets a wrong reading right: then nothing was driven between it and the one before.
    pub corrects: bool,
}

/// Something that befell a vehicle in service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incident {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// Minutes of delay; 0 where none are known.
    pub delay_min: i32,
    /// Whether the vehicle itself failed.
    pub is_failure: bool,
}

/// One vehicle's history. Each list is in order of time, then position.
#[derive(Clone, PartialEq, Debug, Default)]
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
        insert(&mut self.standings, since, |one| (one.at, one.position()));
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
    // Lists grow by an eighth: a vehicle's history is kept for years, and doubling would keep as much again in reserve.
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 4);
    }
    list.insert(place, item);
}

/// What kind of work an order is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Work {
    /// Something had failed.
    Corrective,
    /// It was due.
    #[default]
    Planned,
}

/// How far an order is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OrderStatus {
    /// Nobody planned it yet.
    #[default]
    Draft,
    /// It has its time.
    Scheduled,
    /// Somebody works on it.
    InProgress,
    /// It is done.
    Completed,
    /// It will not be done.
    Cancelled,
}

impl OrderStatus {
    /// The status of this word; an unknown word is a draft, as orders begin.
    pub fn of_word(word: &str) -> Self {
        match word {
            "scheduled" => OrderStatus::Scheduled,
            "in_progress" => OrderStatus::InProgress,
            "completed" => OrderStatus::Completed,
            "cancelled" => OrderStatus::Cancelled,
            _ => OrderStatus::Draft,
        }
    }

    /// Whether there is still something to do.
    pub fn is_open(self) -> bool {
        !matches!(self, OrderStatus::Completed | OrderStatus::Cancelled)
    }
}

/// How urgent an order is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Priority {
    /// When there is time.
    Low,
    /// As usual.
    #[default]
    Medium,
    /// Soon.
    High,
    /// At once.
    Urgent,
}

impl Priority {
    /// The priority of this word; an unknown word is the usual one.
    pub fn of_word(word: &str) -> Self {
        match word {
            "low" => Priority::Low,
            "high" => Priority::High,
            "urgent" => Priority::Urgent,
            _ => Priority::Medium,
        }
    }
}

/// A work order as it stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct OrderFacts {
    /// The vehicle's row id or asset id, as the order says it. Names are shared: the same few stand in every order.
    pub vehicle: Arc<str>,
    /// The workshop's id, if it has one.
    pub workshop: Option<Arc<str>>,
    /// What kind of work.
    pub work: Work,
    /// The kind of maintenance in the depot's words (`HU`, `REPAIR`), where one is told.
    pub kind: Option<Arc<str>>,
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
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// How far it is.
    pub status: OrderStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// When it last changed.
    pub updated: i64,
    /// What it cost, in hundredths of the currency.
    pub cost_cents: Option<i64>,
    /// The position of its last event.
    pub position: u64,
}

/// A maintenance task as it stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TaskFacts {
    /// The vehicle's row id or asset id, as the task says it.
    pub vehicle: Arc<str>,
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

/// A part as it stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PartFacts {
    /// Its number.
    pub number: Box<str>,
    /// How much of it is there.
    pub level: i64,
    /// At this level or below, more must be bought.
    pub least: i64,
    /// Whether it is kept.
    pub exists: bool,
}

/// What a vehicle is at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VehicleNow {
    /// Whether it was created and not deleted.
    pub exists: bool,
    /// Its standing.
    pub standing: Option<Standing>,
    /// Whether its standing is out of service, and not in the workshop.
    pub is_out_of_service: bool,
    /// Whether it is in the workshop, planned for it or due.
    pub is_in_maintenance: bool,
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
