//! What learning knows of the past: every vehicle's, order's and part's history, read from the log and kept in memory.
//!
//! Place on the path: log → **history** → features and labels → training, prediction. It is a fold that follows the log
//! and can be thrown away.
//!
//! # Two times
//!
//! A mark remembers when something happened and from when on it was known. Features as of a time see only what had both
//! happened and become known before it, so that what is appended later changes nothing. A live event is known from the
//! moment the log that had it first took it: for another depot's event that is its own depot's log. History that was
//! brought in (`railfleet ingest` or the importer wrote it, more than a day after it happened) is taken to have been known
//! in its own time. What a tablet reports is live however late it comes, and so is what a client says has a source.

use std::collections::BTreeMap;

use fleet::Origin;
use fleet::calendar::DAY;
use fleet::vehicle::event::VEHICLE_MAINTENANCE_REOPENED;
use serde_json::{Map, Value};
use storage::{EventRef, Log, Position, Query, ReadError, ReadRequest};

use crate::envelope::is_brought_in;

/// Aggregate types that learning reads.
const AGGREGATE_TYPES: [&str; 4] = ["Vehicle", "WorkOrder", "StockMove", "Part"];
/// Events read in one go before the fold is offered to readers again.
const BATCH_EVENTS: u64 = 20_000;
/// Marks kept of one vehicle; beyond, further ones are counted and left out.
const MARKS_MAX: usize = 1 << 20;
/// Brought-in history is recorded at least this long after it happened.
const BROUGHT_IN_AFTER: i64 = DAY;

/// When something happened and from when on it was known, which is never before, in microseconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct When {
    pub(crate) happened: i64,
    pub(crate) known: i64,
}

impl When {
    fn of(event: &EventRef<'_>) -> Self {
        let (happened, taken) = (event.occurred_at().micros(), event.recorded_at().micros());
        // What this log has is known, even if the clock of the depot that had it first was ahead.
        let recorded =
            Origin::of(event.tags()).map_or(taken, |origin| origin.recorded_at.min(taken));
        let is_late = recorded.saturating_sub(happened) > BROUGHT_IN_AFTER;
        Self {
            happened,
            known: if is_late && is_brought_in(event) {
                happened
            } else {
                recorded.max(happened)
            },
        }
    }

    /// Whether it may be used as of `time`.
    pub(crate) fn visible(self, time: i64) -> bool {
        self.happened < time && self.known < time
    }
}

/// The kind of a fault, by the part of the vehicle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FaultGroup {
    Door,
    Brake,
    Propulsion,
    Control,
    Electrical,
    Body,
    Other,
}

impl FaultGroup {
    /// All of them, in the order of the features.
    pub(crate) const ALL: [Self; 7] = [
        Self::Door,
        Self::Brake,
        Self::Propulsion,
        Self::Control,
        Self::Electrical,
        Self::Body,
        Self::Other,
    ];

    fn of(text: Option<&str>) -> Self {
        let text = text.unwrap_or_default().to_ascii_lowercase();
        let known = [
            ("door", Self::Door),
            ("brak", Self::Brake),
            ("prop", Self::Propulsion),
            ("tract", Self::Propulsion),
            ("motor", Self::Propulsion),
            ("ctrl", Self::Control),
            ("control", Self::Control),
            ("signal", Self::Control),
            ("elec", Self::Electrical),
            ("body", Self::Body),
        ];
        let found = known.iter().find(|(begin, _)| text.starts_with(begin));
        found.map_or(Self::Other, |&(_, group)| group)
    }

    /// Its name in features.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Door => "door",
            Self::Brake => "brake",
            Self::Propulsion => "propulsion",
            Self::Control => "control",
            Self::Electrical => "electrical",
            Self::Body => "body",
            Self::Other => "other",
        }
    }
}

/// Something that delayed or stopped a vehicle.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Trouble {
    pub(crate) when: When,
    /// Whether equipment failed and service suffered.
    pub(crate) failure: bool,
    pub(crate) group: FaultGroup,
    /// Whether the report named a part of the vehicle at all.
    pub(crate) named: bool,
    pub(crate) delay_min: f32,
}

/// A word that held from a time on.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Word {
    pub(crate) when: When,
    pub(crate) text: Box<str>,
}

/// A number read at a time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Reading {
    pub(crate) when: When,
    pub(crate) value: f64,
}

/// The last of these numbers, which are in order of happening, as far as was known at `time`.
pub(crate) fn last_reading(list: &[Reading], time: i64) -> Option<f64> {
    let mut newest = list.iter().rev();
    let found = newest.find(|reading| reading.when.visible(time));
    found.map(|reading| reading.value)
}

/// When something first happened. What is known of that may change: each mark happened before those behind it, and was known
/// after them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Earliest(Vec<When>);

impl Earliest {
    /// Takes a mark in; one that changes no answer is not kept.
    pub(crate) fn add(&mut self, when: When) {
        let marks = &self.0;
        let behind = marks.partition_point(|mark| mark.happened <= when.happened);
        // The mark before it is the first known of those that happened no later.
        let before = behind.checked_sub(1).and_then(|at| marks.get(at));
        if before.is_some_and(|mark| mark.known <= when.known) {
            return;
        }
        let from = marks.partition_point(|mark| mark.happened < when.happened);
        let rest = marks.get(from..).unwrap_or_default();
        let to = from + rest.partition_point(|mark| mark.known >= when.known);
        self.0.drain(from..to);
        self.0.insert(from, when);
    }

    /// The earliest that was known at `time`.
    pub(crate) fn visible(&self, time: i64) -> Option<When> {
        self.0.iter().find(|mark| mark.visible(time)).copied()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// When a vehicle was bought or built, as it was told.
#[derive(Clone, Copy, Debug)]
struct Began {
    when: When,
    at: i64,
}

/// One vehicle's past. Lists are in order of happening.
#[derive(Clone, Debug, Default)]
pub(crate) struct VehiclePast {
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) maintenance: Vec<When>,
    pub(crate) statuses: Vec<Word>,
    pub(crate) models: Vec<Word>,
    pub(crate) places: Vec<Word>,
    pub(crate) mileage: Vec<Reading>,
    pub(crate) events: Vec<When>,
    pub(crate) parts_used: Vec<When>,
    began: Vec<Began>,
    /// Orders and tasks under which maintenance was told done, and whether then that it is open again.
    done_under: BTreeMap<Box<str>, bool>,
    pub(crate) deleted: Earliest,
    /// From when on anything was known of it.
    seen: Option<i64>,
}

impl VehiclePast {
    /// The day it was bought or built, as far as was known at `time`.
    pub(crate) fn began(&self, time: i64) -> Option<i64> {
        let mut newest = self.began.iter().rev();
        let found = newest.find(|told| told.when.visible(time));
        found.map(|told| told.at)
    }

    /// Whether an event tells maintenance that none told before. That which was open again and is done once more is the
    /// same: its first completion stays, as that of an order does.
    fn is_new_maintenance(&mut self, event_type: &str, data: &Map<String, Value>) -> bool {
        let is_done = is_maintenance_done(event_type);
        let Some(under) = text(data, &["work_order_id", "maintenance_task_id"]) else {
            return is_done;
        };
        if event_type == VEHICLE_MAINTENANCE_REOPENED
            && let Some(is_open) = self.done_under.get_mut(under)
        {
            *is_open = true;
        }
        is_done && !matches!(self.done_under.insert(under.into(), false), Some(true))
    }
}

/// One work order's past.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderPast {
    pub(crate) created: Earliest,
    pub(crate) started: Earliest,
    pub(crate) completed: Earliest,
    pub(crate) changes: Vec<When>,
    pub(crate) priority: Vec<Word>,
    pub(crate) tasks: Vec<Reading>,
    pub(crate) staff: Vec<Reading>,
    pub(crate) parts: Vec<Reading>,
    pub(crate) hours: Vec<Reading>,
    pub(crate) vehicle: Option<Box<str>>,
}

/// One part's past: what came into the store and what went out. Lists are in order of happening.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartPast {
    /// By how much each move changed the stock: what was used is below zero.
    pub(crate) moves: Vec<Reading>,
    lead_time_days: Vec<Reading>,
}

impl PartPast {
    /// What had been used as far as was known at `time`, each a number above zero.
    pub(crate) fn usage(&self, time: i64) -> impl DoubleEndedIterator<Item = Reading> {
        let used = self.moves.iter().filter(|one| one.value < 0.0);
        used.filter(move |one| one.when.visible(time))
            .map(|one| Reading {
                when: one.when,
                value: -one.value,
            })
    }

    /// Stock by moves, in minus out, as far as was known at `time`.
    pub(crate) fn stock(&self, time: i64) -> f64 {
        let known = self.moves.iter().filter(|one| one.when.visible(time));
        known.fold(0.0, |stock, one| stock + one.value)
    }

    /// The last lead time that was told, as far as was known at `time`.
    pub(crate) fn lead_time_days(&self, time: i64) -> Option<f64> {
        last_reading(&self.lead_time_days, time)
    }
}

/// Everything, up to a position.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) position: Position,
    pub(crate) vehicles: BTreeMap<Box<str>, VehiclePast>,
    pub(crate) orders: BTreeMap<Box<str>, OrderPast>,
    pub(crate) parts: BTreeMap<Box<str>, PartPast>,
    /// Asset id of each vehicle's UUID.
    uuids: BTreeMap<Box<str>, Box<str>>,
    /// Failures of the whole fleet, in order of happening.
    pub(crate) fleet_failures: Vec<When>,
    /// The last thing that happened to any vehicle.
    pub(crate) last_vehicle_event: i64,
    /// From when on anything was known of each vehicle, in order.
    first_seen: Vec<i64>,
    skipped: u64,
}

impl History {
    /// Reads on from where it stands; returns whether anything is left to read.
    ///
    /// # Errors
    /// [`ReadError`] where the log cannot be read; a damaged event is passed over.
    pub(crate) fn advance(&mut self, log: &Log, to: Position) -> Result<bool, ReadError> {
        if self.position >= to {
            return Ok(false);
        }
        let request = ReadRequest {
            query: Query::aggregate_types(AGGREGATE_TYPES),
            from: self.position.next(),
            to,
            limit: Some(BATCH_EVENTS),
            ..ReadRequest::default()
        };
        let mut reader = log.read(&request)?;
        let mut read = 0;
        while let Some(event) = reader.next() {
            match event {
                Ok(event) => {
                    // At once: behind an error, or a panic, nothing is taken twice.
                    self.position = event.position();
                    read += 1;
                    self.take(&event);
                }
                Err(ReadError::Damaged { .. }) => self.skipped += 1,
                Err(error) => return Err(error),
            }
        }
        let more = read == BATCH_EVENTS;
        if !more {
            self.position = to;
        }
        Ok(more)
    }

    fn take(&mut self, event: &EventRef<'_>) {
        let Ok(data) = serde_json::from_slice::<Map<String, Value>>(event.data()) else {
            self.skipped += 1;
            return;
        };
        let when = When::of(event);
        let stream = event.stream();
        let id = stream.aggregate_id;
        match stream.aggregate_type {
            "Vehicle" => self.take_vehicle(id, event.event_type(), when, &data),
            "WorkOrder" => self.take_order(id, event.event_type(), when, &data),
            "StockMove" => self.take_move(when, &data),
            "Part" => self.take_part(id, when, &data),
            _ => {}
        }
    }

    fn take_vehicle(&mut self, id: &str, event_type: &str, when: When, data: &Map<String, Value>) {
        if let Some(uuid) = text(data, &["id"]) {
            self.uuids.insert(uuid.into(), id.into());
        }
        self.last_vehicle_event = self.last_vehicle_event.max(when.happened);
        let past = self.vehicles.entry(id.into()).or_default();
        if past.seen.is_none_or(|seen| when.known < seen) {
            if let Some(later) = past.seen.replace(when.known) {
                let at = self.first_seen.partition_point(|&seen| seen < later);
                self.first_seen.remove(at);
            }
            let at = self.first_seen.partition_point(|&seen| seen < when.known);
            self.first_seen.insert(at, when.known);
        }
        if past.events.len() >= MARKS_MAX {
            self.skipped += 1;
            return;
        }
        insert(&mut past.events, when, |mark| *mark);
        for (list, names) in [
            (&mut past.models, &["model"][..]),
            (&mut past.statuses, &["new_status", "status"][..]),
            (
                &mut past.places,
                &["line", "location", "current_location"][..],
            ),
        ] {
            if let Some(text) = text(data, names) {
                insert(
                    list,
                    Word {
                        when,
                        text: text.into(),
                    },
                    |word| word.when,
                );
            }
        }
        if let Some(value) = number(
            data,
            &["new_mileage", "mileage_km", "current_mileage_km", "mileage"],
        ) {
            insert(&mut past.mileage, Reading { when, value }, |reading| {
                reading.when
            });
        }
        if let Some(at) = began(data) {
            insert(&mut past.began, Began { when, at }, |told| told.when);
        }
        if event_type.contains("Deleted") {
            past.deleted.add(when);
        }
        if past.is_new_maintenance(event_type, data) {
            insert(&mut past.maintenance, when, |mark| *mark);
        }
        let is_incident = event_type.starts_with("VehicleIncident");
        let is_breakdown = event_type.contains("Breakdown") || event_type.contains("Failure");
        if is_incident || is_breakdown {
            let delay = number(data, &["delay_min"]).unwrap_or(0.0);
            let flagged = data
                .get("is_failure")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            let group = text(data, &["fault_group"]);
            let trouble = Trouble {
                when,
                failure: is_breakdown || flagged,
                group: FaultGroup::of(group),
                named: group.is_some(),
                delay_min: narrow(delay),
            };
            insert(&mut past.troubles, trouble, |trouble| trouble.when);
            if trouble.failure {
                insert(&mut self.fleet_failures, when, |mark| *mark);
            }
        }
    }

    fn take_order(&mut self, id: &str, event_type: &str, when: When, data: &Map<String, Value>) {
        let vehicle = text(data, &["vehicle_id", "asset_id"]).map(|given| {
            let known = self.uuids.get(given).map(|asset| &**asset);
            Box::<str>::from(known.unwrap_or(given))
        });
        let past = self.orders.entry(id.into()).or_default();
        past.vehicle = vehicle.or_else(|| past.vehicle.take());
        past.created.add(when);
        if let Some(text) = text(data, &["priority"]) {
            insert(
                &mut past.priority,
                Word {
                    when,
                    text: text.into(),
                },
                |word| word.when,
            );
        }
        for (list, value) in [
            (&mut past.tasks, length(data, "tasks")),
            (&mut past.staff, length(data, "assigned_staff")),
            (
                &mut past.parts,
                length(data, "required_parts").or_else(|| length(data, "parts_required")),
            ),
            (&mut past.hours, number(data, &["estimated_hours"])),
        ] {
            if let Some(value) = value {
                insert(list, Reading { when, value }, |reading| reading.when);
            }
        }
        if event_type.contains("Status") {
            insert(&mut past.changes, when, |mark| *mark);
        }
        let status = text(data, &["new_status", "status"]);
        if event_type.contains("Started") || status == Some("in_progress") {
            past.started.add(when);
        }
        let done = event_type.contains("Completed") || status == Some("completed");
        // The vehicle keeps the completion that came first: moving it would change rows of the time between.
        let newly_done = done && past.completed.is_empty();
        if done {
            past.completed.add(when);
        }
        let used = event_type == "WorkOrderPartUsed";
        let Some(vehicle) = past.vehicle.clone().filter(|_| newly_done || used) else {
            return;
        };
        if let Some(past) = self.vehicles.get_mut(&vehicle) {
            let list = if used {
                &mut past.parts_used
            } else {
                &mut past.maintenance
            };
            insert(list, when, |mark| *mark);
        }
    }

    fn take_move(&mut self, when: When, data: &Map<String, Value>) {
        let Some(part) = text(data, &["part_no", "part_id"]) else {
            return;
        };
        let quantity = number(data, &["quantity"]).unwrap_or(0.0);
        let kind = text(data, &["move_type"])
            .unwrap_or_default()
            .to_ascii_uppercase();
        let value = match kind.as_str() {
            "USAGE" | "ISSUE" | "OUT" | "SCRAP" | "CONSUMPTION" => -quantity.abs(),
            "RECEIPT" | "INCOMING" | "IN" | "RETURN" => quantity.abs(),
            "TRANSFER" => 0.0,
            _ => quantity,
        };
        let past = self.parts.entry(part.into()).or_default();
        insert(&mut past.moves, Reading { when, value }, |one| one.when);
    }

    fn take_part(&mut self, id: &str, when: When, data: &Map<String, Value>) {
        let past = self.parts.entry(id.into()).or_default();
        if let Some(value) = number(data, &["lead_time_days"]) {
            insert(&mut past.lead_time_days, Reading { when, value }, |one| {
                one.when
            });
        }
    }

    /// The asset id behind what a path names: an asset id, or a vehicle's UUID.
    pub(crate) fn asset_id<'a>(&'a self, name: &'a str) -> &'a str {
        self.uuids.get(name).map_or(name, |asset| asset)
    }

    /// Of how many vehicles anything had been known before `time`.
    pub(crate) fn fleet_size(&self, time: i64) -> usize {
        self.first_seen.partition_point(|&seen| seen < time)
    }

    /// When the fleet of `end` began: when more than one in a hundred of its vehicles were known. From ten vehicles on a single
    /// one does not begin it, lest one without a time, or of a mistyped year, puts centuries of nothing before the others.
    pub(crate) fn fleet_begin(&self, end: i64) -> Option<i64> {
        let size = self.fleet_size(end);
        let strays = size.div_ceil(100).min(size / 10);
        self.first_seen.get(strays).copied()
    }

    /// A time just behind the last thing that happened to a vehicle, but never later than `now`.
    pub(crate) fn end(&self, now: i64) -> i64 {
        (self.last_vehicle_event + 1).min(now)
    }
}

/// Puts a mark in order of happening; marks mostly come in that order.
fn insert<T>(list: &mut Vec<T>, mark: T, when: impl Fn(&T) -> When) {
    let happened = when(&mark).happened;
    let at = match list.last() {
        Some(last) if when(last).happened > happened => {
            list.partition_point(|known| when(known).happened <= happened)
        }
        _ => list.len(),
    };
    list.insert(at, mark);
}

fn is_maintenance_done(event_type: &str) -> bool {
    let done = event_type.contains("Completed")
        || event_type.contains("Performed")
        || event_type.contains("Released");
    event_type.contains("Maintenance") && done
}

fn text<'a>(data: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    let mut found = names.iter().filter_map(|name| data.get(*name)?.as_str());
    found.find(|text| !text.is_empty())
}

/// A finite number, also one that was written as a string.
fn number(data: &Map<String, Value>, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| {
        let value = data.get(*name)?;
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
        number.is_finite().then_some(number)
    })
}

fn length(data: &Map<String, Value>, name: &str) -> Option<f64> {
    Some(data.get(name)?.as_array()?.len() as f64)
}

fn began(data: &Map<String, Value>) -> Option<i64> {
    if let Some(bought) = text(data, &["purchase_date"]) {
        return crate::rfc3339::parse(bought)
            .ok()
            .map(storage::Timestamp::micros);
    }
    let year = number(data, &["year", "build_year"])?;
    // Whatever no table knows may say anything.
    if !(1.0..=9_999.0).contains(&year) {
        return None;
    }
    // A year has 365.2425 days on average; the day within it is not known.
    #[expect(clippy::cast_possible_truncation, reason = "years are four digits")]
    let days = ((year - 1970.0) * 365.2425) as i64;
    Some(days * DAY)
}

#[expect(clippy::cast_possible_truncation, reason = "features are f32")]
pub(crate) fn narrow(value: f64) -> f32 {
    value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
}
