//! What learning knows of the past: every vehicle's, order's and part's history, read from the log and kept in memory.
//!
//! Place on the path: log → **history** → features and labels → training, prediction. It is a fold that follows the log
//! and can be thrown away.
//!
//! # Two times
//!
//! A mark remembers when something happened and from when on it was known. Features as of a time see only what had both
//! happened and become known before it, so that what is appended later changes nothing. A live event is known from the
//! moment the log took it. History that was brought in (its metadata names a source, and it is recorded more than a day
//! after it happened) is taken to have been known in its own time.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use storage::{EventRef, Log, Position, Query, ReadError, ReadRequest};

/// Aggregate types that learning reads.
const AGGREGATE_TYPES: [&str; 4] = ["Vehicle", "WorkOrder", "StockMove", "Part"];
/// Events read in one go before the fold is offered to readers again.
const BATCH_EVENTS: u64 = 20_000;
/// Marks kept of one vehicle; beyond, further ones are counted and left out.
const MARKS_MAX: usize = 1 << 20;
/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;
/// Brought-in history is recorded at least this long after it happened.
const BROUGHT_IN_AFTER: i64 = DAY;

/// When something happened and from when on it was known, in microseconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct When {
    pub(crate) happened: i64,
    pub(crate) known: i64,
}

impl When {
    fn of(event: &EventRef<'_>) -> Self {
        let (happened, recorded) = (event.occurred_at().micros(), event.recorded_at().micros());
        let brought_in = recorded - happened > BROUGHT_IN_AFTER && names_a_source(event.metadata());
        Self {
            happened,
            known: if brought_in {
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

fn names_a_source(metadata: &[u8]) -> bool {
    let needle = b"\"source\"";
    metadata
        .windows(needle.len())
        .any(|window| window == needle)
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
    /// Day it was bought or built, where that is told.
    pub(crate) began: Option<i64>,
    pub(crate) deleted: Option<When>,
}

/// One work order's past.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderPast {
    pub(crate) created: Option<When>,
    pub(crate) started: Option<When>,
    pub(crate) completed: Option<When>,
    pub(crate) changes: Vec<When>,
    pub(crate) priority: Vec<Word>,
    pub(crate) tasks: Vec<Reading>,
    pub(crate) staff: Vec<Reading>,
    pub(crate) parts: Vec<Reading>,
    pub(crate) hours: Vec<Reading>,
    pub(crate) vehicle: Option<Box<str>>,
}

/// One part's past: what went out of the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartPast {
    pub(crate) usage: Vec<Reading>,
    pub(crate) moves: Vec<When>,
    /// Stock by moves: in minus out.
    pub(crate) stock: f64,
    pub(crate) lead_time_days: Option<f64>,
    pub(crate) price: Option<f64>,
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
    /// When each vehicle was first heard of, in order.
    pub(crate) first_seen: Vec<i64>,
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
        let mut last = self.position;
        while let Some(event) = reader.next() {
            match event {
                Ok(event) => {
                    last = event.position();
                    read += 1;
                    self.take(&event);
                }
                Err(ReadError::Damaged { .. }) => self.skipped += 1,
                Err(error) => return Err(error),
            }
        }
        let more = read == BATCH_EVENTS;
        self.position = if more { last } else { to };
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
            "Part" => self.take_part(id, &data),
            _ => {}
        }
    }

    fn take_vehicle(&mut self, id: &str, event_type: &str, when: When, data: &Map<String, Value>) {
        if let Some(uuid) = text(data, &["id"]) {
            self.uuids.insert(uuid.into(), id.into());
        }
        self.last_vehicle_event = self.last_vehicle_event.max(when.happened);
        let is_new = !self.vehicles.contains_key(id);
        if is_new {
            let at = self
                .first_seen
                .partition_point(|&seen| seen <= when.happened);
            self.first_seen.insert(at, when.happened);
        }
        let past = self.vehicles.entry(id.into()).or_default();
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
        if past.began.is_none() {
            past.began = began(data);
        }
        if event_type.contains("Deleted") {
            past.deleted = Some(when);
        }
        if is_maintenance_done(event_type) {
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
        past.created.get_or_insert(when);
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
            past.started.get_or_insert(when);
        }
        let done = event_type.contains("Completed") || status == Some("completed");
        let newly_done = done && past.completed.is_none();
        if newly_done {
            past.completed = Some(when);
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
        let past = self.parts.entry(part.into()).or_default();
        insert(&mut past.moves, when, |mark| *mark);
        match kind.as_str() {
            "USAGE" | "ISSUE" | "OUT" | "SCRAP" | "CONSUMPTION" => {
                past.stock -= quantity.abs();
                let value = quantity.abs();
                insert(&mut past.usage, Reading { when, value }, |reading| {
                    reading.when
                });
            }
            "RECEIPT" | "INCOMING" | "IN" | "RETURN" => past.stock += quantity.abs(),
            "TRANSFER" => {}
            _ => {
                past.stock += quantity;
                if quantity < 0.0 {
                    let value = -quantity;
                    insert(&mut past.usage, Reading { when, value }, |reading| {
                        reading.when
                    });
                }
            }
        }
    }

    fn take_part(&mut self, id: &str, data: &Map<String, Value>) {
        let past = self.parts.entry(id.into()).or_default();
        past.lead_time_days = number(data, &["lead_time_days"]).or(past.lead_time_days);
        past.price = number(data, &["unit_price", "price"]).or(past.price);
    }

    /// The asset id behind what a path names: an asset id, or a vehicle's UUID.
    pub(crate) fn asset_id<'a>(&'a self, name: &'a str) -> &'a str {
        self.uuids.get(name).map_or(name, |asset| asset)
    }

    /// How many vehicles had been heard of before `time`.
    pub(crate) fn fleet_size(&self, time: i64) -> usize {
        self.first_seen.partition_point(|&seen| seen < time)
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
    // A year has 365.2425 days on average; the day within it is not known.
    #[expect(clippy::cast_possible_truncation, reason = "years are four digits")]
    let days = ((year - 1970.0) * 365.2425) as i64;
    Some(days * DAY)
}

#[expect(clippy::cast_possible_truncation, reason = "features are f32")]
pub(crate) fn narrow(value: f64) -> f32 {
    value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
}
