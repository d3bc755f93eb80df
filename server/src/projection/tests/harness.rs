//! A depot in a temporary folder, what its projections answer, and what they ought to answer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fleet::{EventView, Folded};
use serde_json::{Map, Value, json};
use storage::{
    Clock, ExpectedVersion, Log, LogOptions, NewEvent, Position, ReadRequest, StreamName,
    Timestamp, Transaction,
};

use crate::projection::{
    Ask, Day, DayCount, ProjectionSettings, Projections, StateFilter, StreamState, TypeSummary,
};

/// 2026-03-01T00:00:00Z
pub(in crate::projection) const BEGINNING: i64 = 1_772_323_200_000_000;
pub(in crate::projection) const HOUR: i64 = 3_600_000_000;
/// Long enough for whatever has to happen, short enough to notice that it does not.
pub(in crate::projection) const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(in crate::projection) struct TestClock(AtomicI64);

impl TestClock {
    pub(in crate::projection) fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A folder with a log in it.
pub(in crate::projection) struct Depot {
    pub(in crate::projection) folder: tempfile::TempDir,
    pub(in crate::projection) clock: Arc<TestClock>,
    pub(in crate::projection) log: Option<Arc<Log>>,
}

impl Depot {
    pub(in crate::projection) fn new() -> Self {
        let mut depot = Depot {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(TestClock(AtomicI64::new(BEGINNING))),
            log: None,
        };
        depot.open_log();
        depot
    }

    pub(in crate::projection) fn log_folder(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(in crate::projection) fn store_folder(&self) -> PathBuf {
        self.folder.path().join("projections")
    }

    pub(in crate::projection) fn aside_folder(&self) -> PathBuf {
        self.folder.path().join("projections.aside")
    }

    pub(in crate::projection) fn open_log(&mut self) {
        let options = LogOptions {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ..LogOptions::default()
        };
        self.log = Some(Arc::new(Log::open(&self.log_folder(), options).unwrap()));
    }

    pub(in crate::projection) fn close_log(&mut self) {
        let log = Arc::try_unwrap(self.log.take().unwrap());
        log.expect("nobody else holds the log any more").close();
    }

    pub(in crate::projection) fn log(&self) -> &Arc<Log> {
        self.log.as_ref().unwrap()
    }

    /// Settings under which nothing happens by itself in the time of a test.
    pub(in crate::projection) fn settings(&self) -> ProjectionSettings {
        ProjectionSettings {
            checkpoint_interval: Duration::from_secs(3_600),
            checkpoint_events: u64::MAX,
            linger: Duration::ZERO,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ..ProjectionSettings::default()
        }
    }

    pub(in crate::projection) fn start(&self) -> Arc<Projections> {
        self.start_with(self.settings())
    }

    pub(in crate::projection) fn start_with(
        &self,
        settings: ProjectionSettings,
    ) -> Arc<Projections> {
        Projections::start(Arc::clone(self.log()), &self.store_folder(), settings)
    }

    pub(in crate::projection) fn append(
        &self,
        stream: (&str, &str),
        event_type: &str,
        data: &Value,
    ) -> Position {
        self.append_at(stream, event_type, BEGINNING, data)
    }

    pub(in crate::projection) fn append_at(
        &self,
        (aggregate_type, aggregate_id): (&str, &str),
        event_type: &str,
        occurred_at: i64,
        data: &Value,
    ) -> Position {
        let place = self.log().durable_position().next();
        let name = format!("{place} {aggregate_type} {aggregate_id} {data}");
        // States keep a part of ids, so what is saved of them is the same in every run only if these are.
        let event = NewEvent::new(event_type, data.to_string().into_bytes())
            .at(Timestamp::from_micros(occurred_at))
            .with_id(uuid::Uuid::new_v5(&uuid::Uuid::nil(), name.as_bytes()));
        let stream = StreamName::new(aggregate_type, aggregate_id);
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        self.log().append(transaction).unwrap().last_position()
    }

    /// The same event so many times, in one transaction.
    pub(in crate::projection) fn append_many(
        &self,
        (aggregate_type, aggregate_id): (&str, &str),
        event_type: &str,
        count: usize,
        data: &Value,
    ) {
        let event = NewEvent::new(event_type, data.to_string().into_bytes())
            .at(Timestamp::from_micros(BEGINNING));
        let stream = StreamName::new(aggregate_type, aggregate_id);
        let events = vec![event; count];
        let transaction = Transaction::stream(stream, ExpectedVersion::Any, events);
        self.log().append(transaction).unwrap();
    }

    /// `count` events of several kinds; `seed` makes them differ.
    pub(in crate::projection) fn live_on(&self, count: u64, seed: u64) {
        for step in 0..count {
            let number = seed * 1_000 + step;
            let unit = format!("unit-{}", number % 7);
            let occurred_at = BEGINNING + i64::try_from(number % 50).unwrap() * HOUR - 20 * HOUR;
            match number % 5 {
                0 => self.append_at(
                    ("Vehicle", &unit),
                    "VehicleCreated",
                    occurred_at,
                    &json!({"asset_id": unit, "model": "BR 185", "manufacturer": "Bombardier", "status": "available"}),
                ),
                1 => self.append_at(
                    ("Vehicle", &unit),
                    "VehicleStatusChanged",
                    occurred_at,
                    &json!({"old_status": "available", "new_status": if number.is_multiple_of(2) { "in_service" } else { "in_workshop" }}),
                ),
                2 => self.append_at(
                    ("Vehicle", &unit),
                    "VehicleIncidentReported",
                    occurred_at,
                    &json!({"delay_min": number % 9, "fault_group": "door", "is_failure": true}),
                ),
                3 => self.append_at(
                    ("Depot", &format!("depot/{}", number % 3)),
                    "TrackClosed",
                    occurred_at,
                    &json!({"track": number % 4, "note": "Gleis ü"}),
                ),
                _ => self.append_at(
                    ("Depot", &format!("depot/{}", number % 3)),
                    "DepotDeletedEvent",
                    occurred_at,
                    &json!({}),
                ),
            };
        }
    }
}

/// Everything that the projections answer.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::projection) struct Answers {
    position: Position,
    states: Vec<StreamState>,
    types: Vec<TypeSummary>,
    days: Vec<DayCount>,
    by_type: Vec<(String, u64, u64, Day, Day)>,
    vehicles: Vec<(String, Folded)>,
}

/// What they answer once they reflect everything that is in the log now.
#[track_caller]
pub(in crate::projection) fn answers(depot: &Depot, projections: &Projections) -> Answers {
    let position = depot.log().durable_position();
    for name in ["current_state", "event_counts"] {
        let status = || projections.status_of(name).unwrap();
        assert!(
            projections.wait_for(name, position, PATIENCE),
            "{:?}",
            status()
        );
    }
    read(projections, position)
}

/// What they answer now.
#[track_caller]
pub(in crate::projection) fn read(projections: &Projections, position: Position) -> Answers {
    let everything = StateFilter {
        include_deleted: true,
        ..StateFilter::default()
    };
    let states = projections.catalog().list(&everything, None, usize::MAX);
    let types = projections.catalog().types();
    let days = projections.event_counts().by_day(None, None, None);
    let by_type = projections.event_counts().by_type();
    let ask = Ask {
        aggregate_type: "Vehicle",
        limit: usize::MAX,
        ..Ask::default()
    };
    let vehicles = projections.catalog().page(&ask).unwrap();
    for reflected in [
        states.position,
        types.position,
        days.position,
        by_type.position,
        vehicles.position,
    ] {
        assert_eq!(reflected, position);
    }
    assert_eq!(states.value.next, None);
    assert_eq!(vehicles.value.total, vehicles.value.entries.len());
    let by_type = by_type.value.into_iter();
    Answers {
        position,
        states: states.value.streams,
        types: types.value,
        days: days.value,
        by_type: by_type
            .map(|count| {
                (
                    count.event_type,
                    count.events,
                    count.late,
                    count.first_day,
                    count.last_day,
                )
            })
            .collect(),
        vehicles: vehicles
            .value
            .entries
            .into_iter()
            .map(|entry| (entry.aggregate_id.to_string(), entry.folded))
            .collect(),
    }
}

/// What they ought to answer: a plain fold of the whole log, without any of their machinery.
pub(in crate::projection) fn expected(log: &Log) -> Answers {
    let mut order: Vec<(String, String)> = Vec::new();
    let mut folds: BTreeMap<(String, String), (Folded, storage::Event)> = BTreeMap::new();
    let mut days: BTreeMap<(String, Day), (u64, u64)> = BTreeMap::new();
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    while let Some(event) = reader.next() {
        let event = event.unwrap().to_owned();
        let key = (
            event.stream.aggregate_type.to_string(),
            event.stream.aggregate_id.to_string(),
        );
        let data: Map<String, Value> = serde_json::from_slice(&event.data).unwrap();
        let view = EventView {
            aggregate_type: &key.0,
            aggregate_id: &key.1,
            event_type: &event.event_type,
            schema: event.schema,
            version: event.version.get(),
            position: event.position.get(),
            occurred_at: event.occurred_at.micros(),
            recorded_at: event.recorded_at.micros(),
            order: fleet::order(event.recorded_at.micros(), event.id.as_u128(), None),
            data: &data,
        };
        let mut folded = match folds.remove(&key) {
            Some((folded, _)) => folded,
            None => {
                order.push(key.clone());
                Folded::default()
            }
        };
        folded.fold(&view);
        let day = Day::of(event.occurred_at);
        let name = fleet::alias::canonical(&event.event_type).to_owned();
        let count = days.entry((name, day)).or_default();
        count.0 += 1;
        count.1 += u64::from(Day::of(event.recorded_at) > day);
        folds.insert(key, (folded, event));
    }
    Answers {
        position: log.durable_position(),
        states: order
            .iter()
            .map(|key| expected_state(key, &folds[key].0, &folds[key].1))
            .collect(),
        types: expected_types(&folds),
        days: expected_days(&days),
        by_type: expected_by_type(&days),
        vehicles: folds
            .iter()
            .filter(|((aggregate_type, _), _)| aggregate_type == "Vehicle")
            .filter(|(_, (folded, _))| folded.exists())
            .map(|((_, id), (folded, _))| (id.clone(), folded.clone()))
            .collect(),
    }
}

fn expected_state(key: &(String, String), folded: &Folded, last: &storage::Event) -> StreamState {
    StreamState {
        aggregate_type: key.0.clone(),
        aggregate_id: key.1.clone(),
        version: last.version,
        position: last.position,
        occurred_at: last.occurred_at,
        recorded_at: last.recorded_at,
        deleted: folded.record.is_deleted(),
        state: folded.record.to_object(),
    }
}

fn expected_types(
    folds: &BTreeMap<(String, String), (Folded, storage::Event)>,
) -> Vec<TypeSummary> {
    let mut types: BTreeMap<&str, TypeSummary> = BTreeMap::new();
    for ((name, _), (folded, last)) in folds {
        let summary = types.entry(name).or_insert_with(|| TypeSummary {
            aggregate_type: name.clone(),
            streams: 0,
            deleted: 0,
            events: 0,
        });
        summary.streams += 1;
        summary.deleted += u64::from(folded.record.is_deleted());
        summary.events += u64::from(last.version.get());
    }
    types.into_values().collect()
}

fn expected_days(counts: &BTreeMap<(String, Day), (u64, u64)>) -> Vec<DayCount> {
    let mut days: BTreeMap<Day, DayCount> = BTreeMap::new();
    for ((_, day), (events, late)) in counts {
        let count = days.entry(*day).or_insert(DayCount {
            day: *day,
            events: 0,
            late: 0,
        });
        count.events += events;
        count.late += late;
    }
    days.into_values().collect()
}

fn expected_by_type(
    counts: &BTreeMap<(String, Day), (u64, u64)>,
) -> Vec<(String, u64, u64, Day, Day)> {
    let mut types: BTreeMap<&str, (u64, u64, Day, Day)> = BTreeMap::new();
    for ((name, day), (events, late)) in counts {
        let count = types.entry(name).or_insert((0, 0, *day, *day));
        *count = (
            count.0 + events,
            count.1 + late,
            count.2.min(*day),
            count.3.max(*day),
        );
    }
    types
        .into_iter()
        .map(|(name, (events, late, first, last))| (name.to_owned(), events, late, first, last))
        .collect()
}
