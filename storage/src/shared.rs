//! What the writer and the readers of one log have in common.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use uuid::Uuid;

use crate::durable::DurablePosition;
use crate::id_filter::IdFilter;
use crate::log::LogOptions;
use crate::maintenance::Maintenance;
use crate::names::Names;
use crate::position::{Position, SegmentId};
use crate::queue::Queue;
use crate::record::{Chain, EventRecord};
use crate::repo::{Repo, View};
use crate::segment::{Segment, SegmentUnreadable};
use crate::tier::Cache;
use crate::transaction::StreamTip;
use crate::watermark::WatermarkWriter;

/// See the module.
pub(crate) struct Shared {
    pub(crate) log_id: Uuid,
    pub(crate) repo: Arc<dyn Repo>,
    pub(crate) options: LogOptions,
    pub(crate) names: Arc<Names>,
    /// By id, without gaps; the last one is written.
    segments: RwLock<Arc<Vec<Arc<Segment>>>>,
    pub(crate) tips: RwLock<Vec<StreamTip>>,
    pub(crate) ids: RwLock<IdFilter>,
    pub(crate) durable: DurablePosition,
    pub(crate) hooks: RwLock<Vec<Hook>>,
    pub(crate) queue: Queue,
    pub(crate) maintenance: Maintenance,
    pub(crate) watermark: Mutex<WatermarkWriter>,
    tail: Mutex<Tail>,
    state: RwLock<LogState>,
    damage: Mutex<Vec<DamagedRange>>,
    pub(crate) counters: Counters,
    /// Of segments that were fetched; `None` without a tier.
    pub(crate) cache: Option<Arc<Cache>>,
}

/// Ranges of damage that are told apart. Beyond so many the last one of a segment grows over what lies between: where the name of a
/// common type was lost, every second event may be.
const DAMAGE_MAX: usize = 1_000;

/// Called with the new durable position after each group.
pub(crate) type Hook = Box<dyn Fn(Position) + Send + Sync>;

/// Whether the log accepts events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogState {
    /// It does.
    Writable,
    /// It does not until there is space on the disk; each append tries again.
    DiskFull,
    /// It does not until it is opened again: a write or a sync failed.
    Stopped {
        /// What failed.
        reason: String,
    },
}

/// Bytes that should be records and are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// The segment.
    pub segment: SegmentId,
    /// Offsets in the segment's file, the end exclusive.
    pub offsets: (u64, u64),
    /// The first and the last event lost; `None` when only a name, a marker or a header is.
    pub positions: Option<(Position, Position)>,
}

impl DamagedRange {
    /// Whether this says all that `other` says: the events lost, or the bytes where no event is.
    fn covers(&self, other: &DamagedRange) -> bool {
        self.segment == other.segment
            && match (self.positions, other.positions) {
                (Some((first, last)), Some((other_first, other_last))) => {
                    first <= other_first && other_last <= last
                }
                (None, None) => self.offsets == other.offsets,
                _ => false,
            }
    }

    /// Whether events were lost in both, in one segment.
    fn may_grow_to(&self, other: &DamagedRange) -> bool {
        self.segment == other.segment && self.positions.is_some() && other.positions.is_some()
    }

    /// Takes in the other and all that lies between.
    fn grow_to(&mut self, other: &DamagedRange) {
        fn span<T: Ord>(ours: (T, T), theirs: (T, T)) -> (T, T) {
            (ours.0.min(theirs.0), ours.1.max(theirs.1))
        }
        self.offsets = span(self.offsets, other.offsets);
        self.positions = self
            .positions
            .zip(other.positions)
            .map(|(ours, theirs)| span(ours, theirs));
    }
}

impl fmt::Display for DamagedRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "segment {} is damaged at bytes {} to {}",
            self.segment, self.offsets.0, self.offsets.1
        )?;
        match self.positions {
            Some((first, last)) if first == last => {
                write!(formatter, ": the event at position {first} is lost")
            }
            Some((first, last)) => write!(
                formatter,
                ": the events at positions {first} to {last} are lost"
            ),
            None => write!(formatter, ": no event is lost"),
        }
    }
}

/// The end of what is durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    pub(crate) position: Position,
    pub(crate) segment: SegmentId,
    pub(crate) chain: Chain,
    /// The offset behind it in its segment.
    pub(crate) end: u64,
}

/// What has been done since the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) transactions: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) watermark_failures: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

/// An event found in a segment, with the bytes that it borrows from.
pub(crate) struct Located {
    pub(crate) segment: Arc<Segment>,
    view: Arc<dyn View>,
    ordinal: u32,
    offset: Option<u64>,
}

impl Located {
    pub(crate) fn event(&self) -> Option<EventRecord<'_>> {
        self.segment
            .event(self.view.bytes(), self.ordinal, self.offset)
    }

    pub(crate) fn position(&self) -> Position {
        self.segment.position(self.ordinal)
    }
}

/// The parts of a log that opening has found or made.
pub(crate) struct SharedParts {
    pub(crate) log_id: Uuid,
    pub(crate) repo: Arc<dyn Repo>,
    pub(crate) options: LogOptions,
    pub(crate) tables: crate::state::Tables,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) tail: Tail,
    pub(crate) watermark: WatermarkWriter,
    pub(crate) damage: Vec<DamagedRange>,
    pub(crate) cache: Option<Arc<Cache>>,
}

impl Shared {
    pub(crate) fn new(parts: SharedParts) -> Self {
        Shared {
            log_id: parts.log_id,
            repo: parts.repo,
            options: parts.options,
            names: parts.tables.names,
            segments: RwLock::new(Arc::new(parts.segments)),
            tips: RwLock::new(parts.tables.tips),
            ids: RwLock::new(parts.tables.ids),
            durable: DurablePosition::new(parts.tail.position),
            hooks: RwLock::default(),
            queue: Queue::default(),
            maintenance: Maintenance::new(),
            watermark: Mutex::new(parts.watermark),
            tail: Mutex::new(parts.tail),
            state: RwLock::new(LogState::Writable),
            damage: Mutex::new(parts.damage),
            counters: Counters::default(),
            cache: parts.cache,
        }
    }

    /// All segments, as they are now.
    pub(crate) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        self.segments
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes `segment` the one that is written.
    pub(crate) fn push_segment(&self, segment: Arc<Segment>) {
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut more = Vec::with_capacity(segments.len() + 1);
        more.extend(segments.iter().cloned());
        more.push(segment);
        *segments = Arc::new(more);
    }

    /// The last event of a stream.
    pub(crate) fn tip(&self, stream: u32) -> StreamTip {
        self.tips
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(stream as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The end of what is durable, with its chain.
    pub(crate) fn tail(&self) -> Tail {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_tail(&self, tail: Tail) {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = tail;
    }

    pub(crate) fn state(&self) -> LogState {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes how the writer fares. Stopped is final.
    pub(crate) fn set_state(&self, state: LogState) {
        let mut now = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*now, LogState::Stopped { .. }) {
            *now = state;
        }
    }

    /// Everything known to be damaged.
    pub(crate) fn damage(&self) -> Vec<DamagedRange> {
        self.damage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes damage, once: a read, the scrub and opening may each come upon the same.
    pub(crate) fn note_damage(&self, found: DamagedRange) {
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        if damage.iter().any(|known| known.covers(&found)) {
            return;
        }
        if damage.len() >= DAMAGE_MAX
            && let Some(last) = damage.iter_mut().rfind(|known| known.may_grow_to(&found))
        {
            last.grow_to(&found);
        } else {
            damage.push(found);
        }
    }

    /// The durable event with this id, for the writer: it fetches nothing.
    pub(crate) fn find_id(&self, id: Uuid) -> Result<Option<Located>, SegmentUnreadable> {
        self.each_candidate(id, |segment, ordinal, offset| {
            let found = Located {
                segment: segment.clone(),
                view: segment.bytes_at_hand()?,
                ordinal,
                offset,
            };
            Ok(found
                .event()
                .is_some_and(|event| event.id == id)
                .then_some(found))
        })
    }

    /// Where the durable event with this id is.
    pub(crate) fn position_of(&self, id: Uuid) -> Result<Option<Position>, SegmentUnreadable> {
        self.each_candidate(id, |segment, ordinal, offset| {
            // The stub of a segment that was sent away knows its ids, and was asked already.
            let is_it = match segment.away() {
                Some(away) if away.stub.is_sound() => true,
                _ => {
                    let view = segment.bytes()?;
                    let event = segment.event(view.bytes(), ordinal, offset);
                    event.is_some_and(|event| event.id == id)
                }
            };
            Ok(is_it.then(|| segment.position(ordinal)))
        })
    }

    /// Asks `ask` about the durable events that may have this id, until it has an answer. The filter answers nearly every
    /// "no" for the segments that it knows; the few others are asked themselves.
    fn each_candidate<T>(
        &self,
        id: Uuid,
        ask: impl Fn(&Arc<Segment>, u32, Option<u64>) -> Result<Option<T>, SegmentUnreadable>,
    ) -> Result<Option<T>, SegmentUnreadable> {
        let mut in_filter = None;
        let durable = self.durable.get();
        for segment in self.segments().iter().rev() {
            if segment.is_in_filter() {
                // Asked once, and after the segment was seen to be in it.
                let ids = || self.ids.read().unwrap_or_else(PoisonError::into_inner);
                if !*in_filter.get_or_insert_with(|| ids().might_contain(id.as_u128())) {
                    return Ok(None);
                }
            }
            let candidates = segment.with_index(|index| {
                let mut ordinals = Vec::new();
                index.find_id(id, &mut ordinals)?;
                ordinals
                    .into_iter()
                    .map(|ordinal| Ok((ordinal, index.offset(ordinal)?)))
                    .collect::<Result<Vec<_>, _>>()
            })?;
            for (ordinal, offset) in candidates {
                if segment.position(ordinal) > durable {
                    continue;
                }
                // An index has only hashes of ids: what is not this event must not be fetched.
                let stub = segment.away().map(|away| &away.stub);
                let known = stub.and_then(|stub| stub.id(ordinal));
                if known.is_some_and(|known| known != id) {
                    continue;
                }
                if let Some(found) = ask(segment, ordinal, offset)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("log_id", &self.log_id)
            .field("durable", &self.durable.get())
            .finish_non_exhaustive()
    }
}
