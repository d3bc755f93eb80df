//! What the history says of vehicles, work orders and tasks, in the form in which figures are taken from it.
//!
//! Facts are folded event by event, in whatever order events come: everything is kept by the time at which it happened,
//! so an event reported late lands where it belongs and only what follows from it changes. Times are microseconds since
//! 1970, UTC. Each fact remembers the log position of its event: a figure opens into exactly the events that make it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::blocks::Blocks;

/// What a status means for availability. The table of the seven statuses, definition 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It could run and did not: available, or planned for the workshop.
    Ready,
    /// It ran.
    Running,
    /// It was asked for and could not: in the workshop, maintenance due.
    Down,
    /// Nobody asked for it: retired, or gone.
    NotRequired,
    /// The same as down, since something is wrong with it: out of service.
    Failed,
}

const STANDINGS: [Standing; 5] = [
    Standing::Ready,
    Standing::Running,
    Standing::Down,
    Standing::NotRequired,
    Standing::Failed,
];

impl Standing {
    /// The standing of a vehicle with this status; an unknown word counts as not required, so that no figure rests on
    /// a guess.
    pub fn of_status(status: &str) -> Self {
        match status {
            "available" | "workshop_planned" => Standing::Ready,
            "in_service" => Standing::Running,
            "in_workshop" | "maintenance_due" => Standing::Down,
            "out_of_service" => Standing::Failed,
            _ => Standing::NotRequired,
        }
    }

    /// Whether it could run.
    pub fn is_up(self) -> bool {
        matches!(self, Standing::Ready | Standing::Running)
    }

    /// Whether it was asked for and could not.
    pub fn is_down(self) -> bool {
        matches!(self, Standing::Down | Standing::Failed)
    }

    /// Whether it was asked for.
    pub fn is_required(self) -> bool {
        self != Standing::NotRequired
    }
}

/// From when on a vehicle had a standing. Half of a depot's facts are of this kind, so it is kept in 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StandingSince {
    /// When.
    pub at: i64,
    /// The position, and below it three bits for the standing: the order of the numbers is that of the positions.
    packed: u64,
}

impl StandingSince {
    /// From `at` on, by the event at this position, which is below 2^61.
    pub fn new(at: i64, position: u64, standing: Standing) -> Self {
        StandingSince {
            at,
            packed: position << 3 | standing as u64,
        }
    }

    /// The event's position.
    pub fn position(&self) -> u64 {
        self.packed >> 3
    }

    /// Whether it is one of these, a bit each.
    pub(crate) fn is_one_of(&self, standings: u8) -> bool {
        u64::from(standings) >> (self.packed & 7) & 1 == 1
    }

    /// The standing's number, below 8.
    pub(crate) fn number(&self) -> usize {
        (self.packed & 7) as usize
    }

    /// Which.
    pub fn standing(&self) -> Standing {
        STANDINGS
            .get(self.number())
            .copied()
            .unwrap_or(Standing::NotRequired)
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

/// What a vehicle was bought for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acquired {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// The price, in hundredths of the currency.
    pub cents: i64,
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
    /// What it was bought for, where that is told.
    pub acquired: Option<Acquired>,
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

    /// Whether the standing of this number is time of a restoration: down since it was out of service.
    pub fn is_restored_at(&self, index: usize) -> bool {
        let run = self.standings[..=index].iter().rev();
        run.map(StandingSince::standing)
            .take_while(|one| one.is_down())
            .any(|one| one == Standing::Failed)
    }

    /// Its standing at a time.
    pub fn standing_at(&self, at: i64) -> Option<Standing> {
        let behind = self.standings.partition_point(|one| one.at <= at);
        let last = behind.checked_sub(1)?;
        Some(self.standings[last].standing())
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
    /// The last moment at which its end is in time: of one that should end on a day, that day's last.
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
    /// How many minutes of work it is estimated to be; 0 where nobody said.
    pub estimated_min: u32,
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
    /// The last moment at which it is in time: of one that is due on a day, that day's last.
    pub due: i64,
    /// When it was done.
    pub done: Option<i64>,
    /// Whether it was deleted.
    pub is_void: bool,
    /// The position of its last event.
    pub position: u64,
}

/// How much of a part there was from a time on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StockSince {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// How much.
    pub level: i64,
}

/// Some of a part that was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Issue {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// How much.
    pub quantity: i64,
}

/// A part as it stands, and what became of it.
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
    /// What one of it costs, in hundredths of the currency.
    pub price_cents: i64,
    /// How much of it there was, each until the next one; in order of time, then position.
    pub stock: Vec<StockSince>,
    /// What was used of it, in order of time, then position.
    pub issues: Vec<Issue>,
}

impl PartFacts {
    /// Takes in that some of it came or went.
    pub fn moves(&mut self, at: i64, position: u64, delta: i64) {
        let key = |one: &StockSince| (one.at, one.position);
        let place = self.stock.partition_point(|one| key(one) < (at, position));
        let before = place
            .checked_sub(1)
            .map_or(0, |last| self.stock[last].level);
        let since = StockSince {
            at,
            position,
            level: before,
        };
        insert(&mut self.stock, since, key);
        for later in &mut self.stock[place..] {
            later.level = later.level.saturating_add(delta);
        }
    }

    /// Takes in that some of it was used.
    pub fn is_used(&mut self, issue: Issue) {
        insert(&mut self.issues, issue, |one| (one.at, one.position));
    }

    /// How much of it there was right before a time.
    pub fn level_before(&self, at: i64) -> i64 {
        let behind = self.stock.partition_point(|one| one.at < at);
        behind
            .checked_sub(1)
            .map_or(0, |last| self.stock[last].level)
    }
}

/// What an order asks of the store.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RequestFacts {
    /// When it asked.
    pub at: i64,
    /// The position of the event that asked.
    pub position: u64,
    /// Parts, as they are numbered among the facts, and how many of each.
    pub parts: Box<[(u32, i64)]>,
    /// Whether the order was cancelled or deleted.
    pub is_void: bool,
}

/// How much work a person can do, from a time on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CapacitySince {
    /// When.
    pub at: i64,
    /// The event's position.
    pub position: u64,
    /// Minutes a week.
    pub minutes: i64,
}

/// A person of the staff: how much work they can do, in order of time, then position.
pub type PersonFacts = Vec<CapacitySince>;

/// Time that somebody clocked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockedFacts {
    /// When it ended.
    pub at: i64,
    /// The position of the last event that tells of it.
    pub position: u64,
    /// How long it was; 0 as long as it is not over, and of what was deleted.
    pub time: i64,
    /// Whether it was work on an order.
    pub is_on_order: bool,
}

/// A vehicle that a train is to leave with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DepartureFacts {
    /// The vehicle, as it is numbered among the facts, where it is known.
    pub vehicle: Option<u32>,
    /// When it is to leave.
    pub at: i64,
    /// The position of the event that planned it.
    pub position: u64,
    /// Whether it was called off or has no time.
    pub is_void: bool,
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
    pub orders: Blocks<OrderFacts>,
    /// Tasks.
    pub tasks: Blocks<TaskFacts>,
    /// Parts.
    pub parts: Vec<PartFacts>,
    /// What orders ask of the store.
    pub requests: Vec<RequestFacts>,
    /// The staff.
    pub people: Vec<PersonFacts>,
    /// Time that was clocked.
    pub clocked: Vec<ClockedFacts>,
    /// Vehicles that are to leave.
    pub departures: Vec<DepartureFacts>,
}
