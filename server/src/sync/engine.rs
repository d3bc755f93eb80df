//! The protocol's state beside the log: a [`Depot`] that is folded from the log and from nothing else.
//!
//! What a push would come to is judged on the state, which stays as it is; its events are appended under the condition that
//! nothing they were judged on has changed; then they are folded as the log has them. So the live way and a restart are
//! the same, an append that fails leaves no trace, and nobody who writes by another way has to know of tablets. Positions
//! of the protocol are positions of the log.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crdt::collapsed::{CollapsedEntity, Handle, StoreError};
use crdt::sync::{Depot, Record, RecordBody, Verdict};
#[cfg(test)]
use crdt::wire::Writer;
use crdt::{Change, DeviceId, EntityTable, LogPosition};
use fleet::sync::tables::STAFF_ASSIGNMENT;
use fleet::sync::{Readings, TABLES, has_readings, stamp_of, table_of, told};
use fleet::{device, sync_session};
use serde_json::{Map, Value};
use storage::{EventRef, Log, Position, Query, ReadError, ReadRequest, Timestamp};
use uuid::Uuid;

mod said;

pub use said::sum_name;
use said::{says, sum_of};

use super::carrier::{self, CarrierId};
use super::checkpoint::{self, Checkpoint};
use super::contact::Contacts;
use super::devices::begins_store;
use super::heard::{self, Heard};
use super::planned::Plans;
use crate::http::problem::{Kind, Problem};

/// The authority of what was not written on a tablet: that of anybody who may write at all, so that between it and a
/// tablet's concurrent change the time decides, unless the tablet's user has the last word over the field.
const WRITTEN_RANK: u8 = 1;
/// Entities that stay decoded after they were edited.
pub(super) const DECODED_MAX: usize = 2_000;
/// Events folded while the state is held, before somebody else may have it, and the processor.
const HELD_EVENTS_MAX: u64 = 2_000;
/// Events that a request folds itself; with more to go it is answered that it is too early.
const BEHIND_MAX: u64 = 500_000;
/// How often the state is saved.
const SAVED_EVERY: Duration = Duration::from_secs(60);
/// Events since the last save that make another one worth its while.
const SAVED_EVENTS_MIN: u64 = 10_000;
/// Events after which it is saved while the log is still being folded.
const SAVED_EVENTS_MAX: u64 = 1_000_000;
/// After how long the log is tried again at the latest that could not be folded.
const RETRIED_EVERY_MAX: Duration = Duration::from_secs(600);
/// Longest aggregate id that tablets can name, in bytes.
const ID_BYTES_MAX: usize = crdt::collapsed::ENTITY_ID_BYTES_MAX;

/// See the module.
#[derive(Debug)]
pub struct Engine {
    log: Arc<Log>,
    fold: Mutex<Fold>,
    checkpoint: Checkpoint,
    contacts: Arc<Contacts>,
    /// How far what is saved is; held through a save.
    saved: Mutex<Position>,
    ends: Arc<Ends>,
}

/// Tells the thread that keeps up that the service has ended.
#[derive(Debug, Default)]
struct Ends {
    over: Mutex<bool>,
    told: Condvar,
}

impl Ends {
    fn tell(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    /// Waits for the end, at most so long. Answers whether it came.
    fn within(&self, time: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.told.wait_timeout_while(over, time, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.ends.tell();
    }
}

/// The state, and how far it is.
#[derive(Debug)]
pub struct Fold {
    /// The protocol's state.
    pub depot: Depot,
    /// Every event up to here is in it.
    pub position: Position,
    /// The present number of each device.
    pub(super) numbers: HashMap<Box<str>, u32>,
    /// What devices that send whole states have counted so far, by the name of the count.
    pub(super) sums: HashMap<Box<str>, i64>,
    /// Who is planned for which order.
    pub(super) plans: Plans,
    /// Where devices had asked from before the server began, by their numbers.
    asked: BTreeMap<u32, LogPosition>,
    /// What was read of entities that have fields which only rise: about as much as the entity itself.
    pub(super) readings: BTreeMap<Handle, Readings>,
}

/// Why the log is not folded.
#[derive(Debug, thiserror::Error)]
enum FoldError {
    /// The log does not hold what this service wrote. The state is none any more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log cannot be read, or not now. The state is good as far as it is.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<FoldError> for Problem {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Store(error) => Problem::internal(&error),
            FoldError::Read(error) => error.into(),
        }
    }
}

impl Engine {
    /// The state as it was saved in `folder`, or that of an empty log; the rest is folded when somebody asks.
    pub fn open(log: Arc<Log>, folder: &Path) -> Self {
        let checkpoint = Checkpoint::at(folder);
        let fold = checkpoint.load(&log).unwrap_or_else(|error| {
            tracing::warn!(%error, folder = %folder.display(), "the saved state of tablets is passed over; the log is folded from its beginning");
            None
        });
        let mut fold = fold.unwrap_or_else(Fold::new);
        let heard = heard::load(folder, &log);
        fold.take_up(heard.values());
        let contacts = heard.into_iter().map(|(id, heard)| (id, heard.contact()));
        Engine {
            log,
            contacts: Arc::new(Contacts::of_before(contacts)),
            saved: Mutex::new(fold.position),
            fold: Mutex::new(fold),
            checkpoint,
            ends: Arc::default(),
        }
    }

    /// When devices were last heard of.
    pub fn contacts(&self) -> &Arc<Contacts> {
        &self.contacts
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// The state as of everything durable now. Blocks while it is folded and while somebody else has it.
    ///
    /// # Errors
    /// When the log cannot be read, or does not hold what this service wrote.
    pub fn current(&self) -> Result<MutexGuard<'_, Fold>, Problem> {
        loop {
            let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
            let durable = self.log.durable_position();
            self.go_on(&mut fold, durable)?;
            if fold.position >= durable {
                return Ok(fold);
            }
            let behind = durable.get().saturating_sub(fold.position.get());
            if behind > BEHIND_MAX {
                let detail =
                    format!("the log is still being read for tablets; {behind} events to go");
                return Err(Problem::new(Kind::Unavailable, detail).retry_after(5));
            }
        }
    }

    /// Folds the log on a thread of its own, so that the first tablet need not wait for all of it, and saves the state now
    /// and then. The thread holds nothing between stretches, and ends with the service.
    pub fn keep_up(engine: &Arc<Self>) {
        let (engine, ends) = (Arc::downgrade(engine), engine.ends.clone());
        let run = move || {
            let mut pause = SAVED_EVERY;
            while let Some(engine) = engine.upgrade() {
                let folded = engine.advance();
                let least = match &folded {
                    Ok(true) => SAVED_EVENTS_MIN,
                    _ => SAVED_EVENTS_MAX,
                };
                engine.save(least);
                engine.save_heard();
                drop(engine);
                std::thread::yield_now();
                match folded {
                    Ok(true) if ends.within(SAVED_EVERY) => return,
                    Ok(_) => pause = SAVED_EVERY,
                    Err(problem) => {
                        tracing::error!(
                            detail = problem.detail(),
                            retry_after_seconds = pause.as_secs(),
                            "the log could not be folded for tablets, and is tried again"
                        );
                        if ends.within(pause) {
                            return;
                        }
                        pause = (pause * 2).min(RETRIED_EVERY_MAX);
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("sync-fold".to_owned());
        if let Err(error) = thread.spawn(run) {
            tracing::warn!(%error, "the log is folded for tablets when the first one asks");
        }
    }

    /// Ends the thread and saves the state as it is.
    pub fn stop(&self) {
        self.ends.tell();
        self.save(1);
        self.save_heard();
    }

    /// Keeps when devices were last heard of, if one was.
    fn save_heard(&self) {
        let folder = self.checkpoint.folder();
        heard::keep(&self.contacts, &self.fold, folder, &self.log);
    }

    /// Saves the state if at least `events` came since. What cannot be saved is folded again at the next start.
    fn save(&self, events: u64) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let (position, content) = {
            let fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
            if fold.position.get() < saved.get().saturating_add(events) {
                return;
            }
            (fold.position, checkpoint::encode(&self.log, &fold))
        };
        let Some(content) = content else { return };
        match self.checkpoint.save(&content) {
            Ok(()) => *saved = position,
            Err(error) => tracing::warn!(%error, "the state of tablets was not saved"),
        }
    }

    /// Folds one stretch. Answers whether the log's end is reached.
    fn advance(&self) -> Result<bool, Problem> {
        let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        let durable = self.log.durable_position();
        self.go_on(&mut fold, durable)?;
        Ok(fold.position >= durable)
    }

    /// Folds on towards `durable`, as far as the state may be held for.
    fn go_on(&self, fold: &mut Fold, durable: Position) -> Result<(), Problem> {
        let to = durable.min(fold.position.advanced_by(HELD_EVENTS_MAX));
        fold.catch_up(&self.log, to).map_err(|error| {
            // Half an event is none: begin again with the next question. What could not be read changed nothing.
            if matches!(error, FoldError::Store(_)) {
                *fold = Fold::new();
            }
            error.into()
        })
    }

    /// The state as it is saved.
    #[cfg(test)]
    pub(crate) fn state_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.current().unwrap().save(&mut writer);
        writer.into_bytes()
    }

    /// How far the state is, without waiting for more.
    pub fn position(&self) -> Position {
        self.fold
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .position
    }

    /// When the log took the entry at `position`, in milliseconds since 1970; 0 where it cannot be read.
    pub fn time_of(&self, position: LogPosition) -> u64 {
        self.event_at(Position::new(position.get()), |event| {
            millis(event.recorded_at())
        })
        .unwrap_or(0)
    }

    /// Where the log has the event that carries this operation of a device of this log, if it has.
    pub(super) fn place_of(&self, carrier: CarrierId) -> Option<Position> {
        carrier::place_of(&self.log, carrier)
    }

    /// Whether the log has it.
    pub(super) fn has(&self, carrier: CarrierId) -> bool {
        self.place_of(carrier).is_some()
    }

    /// The event that carries this operation of a device of this log, if the log has it.
    pub(super) fn event_of<T>(
        &self,
        carrier: CarrierId,
        read: impl FnOnce(&EventRef<'_>) -> T,
    ) -> Option<T> {
        self.event_at(self.place_of(carrier)?, read)
    }

    /// The event at a position.
    pub fn event_at<T>(
        &self,
        position: Position,
        read: impl FnOnce(&EventRef<'_>) -> T,
    ) -> Option<T> {
        event_in(&self.log, position, read)
    }
}

/// The event at a position of the log.
pub(super) fn event_in<T>(
    log: &Log,
    position: Position,
    read: impl FnOnce(&EventRef<'_>) -> T,
) -> Option<T> {
    let request = ReadRequest::at(position);
    let mut reader = log.read(&request).ok()?;
    let event = reader.next()?.ok()?;
    Some(read(&event))
}

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.micros() / 1_000).unwrap_or(0)
}

impl Fold {
    pub(super) fn new() -> Self {
        Fold {
            depot: Depot::new(&TABLES, DECODED_MAX),
            position: Position::START,
            numbers: HashMap::new(),
            sums: HashMap::new(),
            plans: Plans::default(),
            asked: BTreeMap::new(),
            readings: BTreeMap::new(),
        }
    }

    /// Takes up where devices had asked from; of those that are not folded yet, once they are.
    fn take_up<'a>(&mut self, heard: impl Iterator<Item = &'a Heard>) {
        for heard in heard {
            let position = LogPosition::new(heard.acknowledged);
            self.depot.take_up(DeviceId::new(heard.number), position);
            self.asked.insert(heard.number, position);
        }
    }

    /// Folds what the log has up to `to`. Where that cannot be read, the state is as of the last event that could.
    fn catch_up(&mut self, log: &Log, to: Position) -> Result<(), FoldError> {
        if to <= self.position {
            return Ok(());
        }
        let folded = self.fold_up_to(log, to);
        if folded.is_ok() {
            self.position = to;
        }
        self.depot.advance_to(LogPosition::new(self.position.get()));
        folded
    }

    fn fold_up_to(&mut self, log: &Log, to: Position) -> Result<(), FoldError> {
        let mut types: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        types.extend([device::AGGREGATE_TYPE, sync_session::AGGREGATE_TYPE]);
        let mut reader = log.read(&ReadRequest {
            query: Query::aggregate_types(types),
            from: self.position.next(),
            to,
            ..ReadRequest::default()
        })?;
        while let Some(event) = reader.next() {
            match event {
                Ok(event) => {
                    self.fold(log.log_id(), &event)?;
                    self.position = event.position();
                }
                Err(ReadError::Damaged { .. }) => {
                    tracing::error!("an event that tablets should have cannot be read");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Folds an event of the log with this id. Nothing else is read for it.
    fn fold(&mut self, log: Uuid, event: &EventRef<'_>) -> Result<(), StoreError> {
        let aggregate_type = event.stream().aggregate_type;
        if aggregate_type == device::AGGREGATE_TYPE {
            return self.fold_device(event);
        }
        let position = LogPosition::new(event.position().get());
        let time_ms = millis(event.recorded_at());
        if aggregate_type == sync_session::AGGREGATE_TYPE {
            self.fold_session(event)?;
        }
        let mut carried = None;
        if let Some(note) = carrier::note_of(log, event) {
            match note.record(&self.depot, position, time_ms) {
                Some(record) => {
                    let verdict = self.depot.replay_at(position, &record)?;
                    if let Some((name, total)) = sum_of(&note.operation)
                        && verdict.is_folded()
                    {
                        let counted = self.sums.entry(name.into()).or_insert(total);
                        *counted = total.max(*counted);
                    }
                    carried = Some((record.body, verdict));
                }
                None => {
                    let position = position.get();
                    tracing::error!(position, "an operation in the log cannot be read");
                }
            }
        }
        match table_of_exactly(aggregate_type) {
            Some(table) if table.number == STAFF_ASSIGNMENT.number => {
                self.fold_assignment(event, carried.as_ref())
            }
            Some(table) => self.fold_written(table, event, carried.as_ref()),
            None => Ok(()),
        }
    }

    fn fold_device(&mut self, event: &EventRef<'_>) -> Result<(), StoreError> {
        let id = event.stream().aggregate_id;
        let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
        let number = self.numbers.get(id).copied();
        let body = match fleet::alias::canonical(event.event_type()) {
            event_type if begins_store(event_type, &data, number.is_some()) => {
                let device = self.depot.next_device();
                self.numbers.insert(id.into(), device.get());
                RecordBody::Registered { device }
            }
            device::event::DEVICE_DEACTIVATED => match number {
                Some(number) => RecordBody::Expired {
                    device: DeviceId::new(number),
                },
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        let begun = match &body {
            RecordBody::Registered { device } => Some(*device),
            _ => None,
        };
        // A device that begins anew leaves its older store behind: nobody waits for it any more.
        if let (RecordBody::Registered { .. }, Some(before)) = (&body, number) {
            let device = DeviceId::new(before);
            self.replay(event, RecordBody::Expired { device })?;
        }
        self.replay(event, body)?;
        if let Some(device) = begun
            && let Some(position) = self.asked.get(&device.get())
        {
            self.depot.take_up(device, *position);
        }
        Ok(())
    }

    fn fold_session(&mut self, event: &EventRef<'_>) -> Result<(), StoreError> {
        let number = |name: &str| {
            let data: Map<String, Value> = serde_json::from_slice(event.data()).ok()?;
            data.get(name)?.as_u64()
        };
        let body = match fleet::alias::canonical(event.event_type()) {
            sync_session::SYNC_COMPACTED => RecordBody::Compacted {
                horizon: LogPosition::new(number("horizon").unwrap_or(0)),
            },
            sync_session::SYNC_DEVICE_EXPIRED => {
                let device = number("device_number").and_then(|number| u32::try_from(number).ok());
                RecordBody::Expired {
                    device: DeviceId::new(device.unwrap_or(0)),
                }
            }
            _ => return Ok(()),
        };
        self.replay(event, body)
    }

    fn replay(&mut self, event: &EventRef<'_>, body: RecordBody) -> Result<(), StoreError> {
        let position = LogPosition::new(event.position().get());
        let time_ms = millis(event.recorded_at());
        let record = Record { time_ms, body };
        self.depot.replay_at(position, &record).map(|_| ())
    }

    /// What the event says beside the operation that it carries, if it carries one.
    pub(super) fn fold_written(
        &mut self,
        table: &'static EntityTable,
        event: &EventRef<'_>,
        carried: Option<&(RecordBody, Verdict)>,
    ) -> Result<(), StoreError> {
        let id = event.stream().aggregate_id.as_bytes();
        if id.len() > ID_BYTES_MAX {
            return Ok(());
        }
        let Ok(data) = serde_json::from_slice::<Map<String, Value>>(event.data()) else {
            return Ok(());
        };
        let handle = match self.depot.store().find(table, id) {
            Some(handle) => handle,
            None => {
                let (table_number, id) = (table.number, id.into());
                let body = RecordBody::Created {
                    table: table_number,
                    id,
                };
                self.replay(event, body)?;
                match self.depot.store().find(table, id_of(event)) {
                    Some(handle) => handle,
                    None => return Ok(()),
                }
            }
        };
        let view = crate::projection::view(event, &data);
        let none = Readings::default();
        let readings = if has_readings(table) {
            let readings = self.readings.entry(handle).or_default();
            readings.take(table, &view);
            &*readings
        } else {
            &none
        };
        let changes = {
            let entity = self.depot.store().get(handle)?;
            told(table, &entity, &view, readings)
        };
        let base = LogPosition::new(event.position().previous().get());
        for (field, change) in changes {
            // What readings come to is told where the entity with the operation in it has something else.
            let is_more = matches!(change, Change::Raise { .. });
            if !is_more && carried.is_some_and(|(body, _)| says(body, field, &change)) {
                continue;
            }
            let body = RecordBody::Written {
                handle,
                field,
                change,
                base,
                stamp: stamp_of(event.occurred_at().micros()),
                rank: WRITTEN_RANK,
            };
            self.replay(event, body)?;
        }
        Ok(())
    }

    /// The present number of a device.
    pub fn number_of(&self, device_id: &str) -> Option<DeviceId> {
        self.numbers.get(device_id).copied().map(DeviceId::new)
    }

    /// What a device that sends whole states has counted so far.
    pub fn sum(&self, name: &str) -> i64 {
        self.sums.get(name).copied().unwrap_or(0)
    }

    /// The entity of this type and id, as tablets have it.
    pub fn entity(
        &self,
        table: &'static EntityTable,
        id: &str,
    ) -> Option<(Handle, std::borrow::Cow<'_, CollapsedEntity>)> {
        let handle = self.depot.store().find(table, id.as_bytes())?;
        Some((handle, self.depot.store().get(handle).ok()?))
    }
}

fn id_of<'a>(event: &EventRef<'a>) -> &'a [u8] {
    event.stream().aggregate_id.as_bytes()
}

fn table_of_exactly(aggregate_type: &str) -> Option<&'static EntityTable> {
    table_of(aggregate_type).filter(|table| table.name == aggregate_type)
}

#[cfg(test)]
mod tests;
