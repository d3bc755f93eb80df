//! The timelines of the streams that were asked about: in memory, the least recently used going first, and saved as the
//! log's snapshots, so that a restart does not fold long streams anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use storage::frame;
use storage::{Log, Position, ReadError, StreamName, Version};

use super::folded::Folded;
use super::moment::{Bounds, Moment};
use super::timeline::{CHUNK, Found, Timeline};

/// Bytes of timelines in memory.
const MEMORY_BYTES_MAX: usize = 192 << 20;
/// Bytes of a timeline that is saved.
const SAVED_BYTES_MAX: usize = 48 << 20;
/// Versions that a stream must have grown by before its timeline is saved again, besides a quarter of what was saved.
const SAVED_VERSIONS_MIN: u32 = 1_024;
/// What a saved timeline's frame says that it is.
const KIND: u16 = 0x5101;
/// Its layout, and the meaning of the folds in it: to be raised when a fold changes.
const FORMAT: u16 = 4;

/// Answers for any stream at any moment. Shared by all threads.
#[derive(Debug)]
pub struct Past {
    log: Arc<Log>,
    slots: Mutex<HashMap<StreamName, Arc<Slot>>>,
    clock: AtomicU64,
    answers: AtomicU64,
    made: AtomicU64,
    /// Rises when everything is forgotten: what was begun before is not saved.
    generation: RwLock<u64>,
}

/// One stream's timeline.
#[derive(Debug, Default)]
struct Slot {
    timeline: RwLock<Held>,
    used: AtomicU64,
    bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Held {
    timeline: Timeline,
    /// Whether what was saved has been looked for.
    loaded: bool,
    /// Versions in what is saved.
    saved: u32,
}

/// What the past holds and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PastStats {
    /// Streams whose timeline is in memory.
    pub streams: usize,
    /// Bytes of them.
    pub bytes: usize,
    /// States asked for.
    pub answers: u64,
    /// Timelines made or extended.
    pub made: u64,
}

impl Past {
    /// The past of `log`.
    pub fn new(log: Arc<Log>) -> Self {
        Past {
            log,
            slots: Mutex::default(),
            clock: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            made: AtomicU64::new(0),
            generation: RwLock::new(0),
        }
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// The state of `name` at a moment, and how many events of it cannot be read. No events: no state.
    ///
    /// Reads the disk: a few dozen events where the stream was asked about before, all of it the first time.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn state(&self, name: &StreamName, moment: Moment) -> Result<(Folded, u64), ReadError> {
        self.state_within(name, &moment.bounds(&self.log)?)
    }

    /// As [`Past::state`], for bounds that are known.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn state_within(
        &self,
        name: &StreamName,
        bounds: &Bounds,
    ) -> Result<(Folded, u64), ReadError> {
        self.answers.fetch_add(1, Ordering::Relaxed);
        let tip = self.log.stream(name).map_or(0, |tip| tip.version.get());
        let wanted = tip.min(bounds.version);
        if (wanted as usize) < CHUNK {
            let found = Timeline::default().fold(&self.log, name, bounds)?;
            return Ok((found.folded, found.damaged));
        }
        let slot = self.slot(name);
        let found = self.answer(&slot, name, bounds, wanted);
        if found.is_err() {
            // Half of an extension may be in it.
            self.slots().remove(name);
        }
        found.map(|found| (found.folded, found.damaged))
    }

    fn answer(
        &self,
        slot: &Slot,
        name: &StreamName,
        bounds: &Bounds,
        wanted: u32,
    ) -> Result<Found, ReadError> {
        let mut course = None;
        let generation = *self.generation();
        loop {
            {
                let held = slot.timeline.read().unwrap_or_else(PoisonError::into_inner);
                if held.loaded
                    && (held.timeline.versions() as usize) + CHUNK > wanted as usize
                    && course.is_none()
                {
                    let found = held.timeline.fold(&self.log, name, bounds)?;
                    if found.wants_course.is_none() {
                        return Ok(found);
                    }
                    course = found.wants_course;
                }
            }
            let mut held = slot
                .timeline
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if !held.loaded {
                held.load(&self.log, name);
            }
            held.timeline.extend(&self.log, name, wanted)?;
            let made_course = course.take();
            if let Some(chunks) = made_course {
                held.timeline.make_course(&self.log, chunks)?;
            }
            self.made.fetch_add(1, Ordering::Relaxed);
            let now = self.generation();
            if *now == generation {
                held.save(&self.log, name, made_course.is_some());
            }
            drop(now);
            slot.bytes.store(held.timeline.bytes(), Ordering::Relaxed);
            drop(held);
            self.make_room(name);
        }
    }

    /// Lets go of every timeline, also of what was saved: none holds what events held until now.
    ///
    /// # Errors
    /// When saved ones cannot be removed.
    pub fn forget(&self) -> std::io::Result<()> {
        let mut generation = self
            .generation
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *generation += 1;
        let cleared = self.log.snapshots().clear();
        // Behind the files: a timeline that was loaded from one of them goes, too.
        self.slots().clear();
        cleared
    }

    fn generation(&self) -> RwLockReadGuard<'_, u64> {
        self.generation
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is, and what was done.
    pub fn stats(&self) -> PastStats {
        let slots = self.slots();
        PastStats {
            streams: slots.len(),
            bytes: slots
                .values()
                .map(|slot| slot.bytes.load(Ordering::Relaxed))
                .sum(),
            answers: self.answers.load(Ordering::Relaxed),
            made: self.made.load(Ordering::Relaxed),
        }
    }

    fn slot(&self, name: &StreamName) -> Arc<Slot> {
        let mut slots = self.slots();
        let slot = match slots.get(name) {
            Some(slot) => slot.clone(),
            None => slots.entry(name.clone()).or_default().clone(),
        };
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        slot.used.store(now, Ordering::Relaxed);
        slot
    }

    /// Lets go of the timelines that were not used for longest, down to three quarters of what is allowed, so that this
    /// is not done for each. `keep` stays.
    fn make_room(&self, keep: &StreamName) {
        let mut slots = self.slots();
        let bytes_of = |slot: &Arc<Slot>| slot.bytes.load(Ordering::Relaxed);
        let mut bytes: usize = slots.values().map(bytes_of).sum();
        if bytes <= MEMORY_BYTES_MAX {
            return;
        }
        let mut by_use: Vec<(u64, StreamName)> = slots
            .iter()
            .filter(|(name, _)| *name != keep)
            .map(|(name, slot)| (slot.used.load(Ordering::Relaxed), name.clone()))
            .collect();
        by_use.sort_unstable_by_key(|(used, _)| *used);
        for (_, name) in by_use {
            if bytes <= MEMORY_BYTES_MAX / 4 * 3 {
                return;
            }
            if let Some(slot) = slots.remove(&name) {
                bytes -= bytes_of(&slot);
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Takes in what was saved, if it is of this log and this program.
    fn load(&mut self, log: &Log, name: &StreamName) {
        self.loaded = true;
        let Some(saved) = log
            .snapshots()
            .load(name, Version::MAX, log.durable_position())
        else {
            return;
        };
        let limit = bincode::config::standard().with_limit::<SAVED_BYTES_MAX>();
        let Ok((payload, _)) = frame::decode(&saved.state, KIND, FORMAT) else {
            return;
        };
        if let Ok((timeline, _)) = bincode::decode_from_slice::<Timeline, _>(payload, limit)
            && timeline.versions() == saved.version.get()
            && timeline.agrees_with(log, name)
        {
            self.saved = timeline.versions();
            self.timeline = timeline;
        }
    }

    /// Saves the timeline where it has grown enough. What fails costs time at the next start.
    fn save(&mut self, log: &Log, name: &StreamName, in_any_case: bool) {
        let versions = self.timeline.versions();
        let grown = versions - self.saved;
        let is_due = grown >= SAVED_VERSIONS_MIN && grown >= self.saved / 4;
        if !(is_due || in_any_case && versions > 0) || self.timeline.bytes() > SAVED_BYTES_MAX {
            return;
        }
        let Ok(payload) = bincode::encode_to_vec(&self.timeline, bincode::config::standard())
        else {
            return;
        };
        let state = frame::encode(KIND, FORMAT, &payload);
        let position = Position::new(self.timeline.last_position());
        let saved = log
            .snapshots()
            .save(name, Version::new(versions), position, &state);
        match saved {
            Ok(()) => self.saved = versions,
            Err(error) => tracing::warn!(%error, stream = %name, "a snapshot was not saved"),
        }
    }
}
