//! One stream's saved states, and how an answer is put together from them.
//!
//! Shape: the stream's versions in chunks of [`CHUNK`], with the state before each (the *course by version*). Where events
//! arrived late, every version's time and position as well, and *courses by time*: the versions up to some chunk in the
//! order in which they happened, with the state before every [`CHUNK`]th of them.
//!
//! An answer for (prefix, `at`) starts from the state that misses fewest events of those wanted and holds no other:
//! by version, the last chunk before which nothing had happened later than `at`; by time, the last state at or before
//! `at` in a course that ends within the prefix. What is missing is folded on top, in any order.
//!
//! Invariant: all chunks are full, so what is kept of them never changes; the versions behind the last chunk are read
//! anew for each answer.

use std::ops::Range;

use bincode::{Decode, Encode};
use storage::{EventRef, Log, Position, Query, ReadError, ReadRequest, StreamName};

use super::folded::{Folded, payload};
use super::folding::Folding;
use super::moment::Bounds;

/// Versions between two saved states: what an answer folds on average is half of it, what a stream takes in memory is a
/// packed state for each.
pub(super) const CHUNK: usize = 64;
/// Events folded beyond the nearest state before a course by time is worth making.
const REST_MAX: usize = 192;
/// Chunks of the shortest course by time. The next ends half as far again behind, and so on: any prefix has one that
/// covers two thirds of it, and all together are three times as long as the stream.
const COURSE_CHUNKS_MIN: usize = 8;
/// In place of the time of an event that cannot be read: after every moment.
const NEVER: i64 = i64::MAX;

/// See the module.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub(super) struct Timeline {
    chunks: Vec<Chunk>,
    /// The packed state after all chunks; empty before the first.
    tip: Box<[u8]>,
    /// Events in it.
    events: u64,
    /// Behind the last event of the last chunk.
    next_position: u64,
    /// Only of streams in which an event happened before one of a lower version.
    disorder: Option<Disorder>,
}

/// [`CHUNK`] versions.
#[derive(Clone, Debug, Encode, Decode)]
struct Chunk {
    /// At or before its first event, behind the one before it.
    first_position: u64,
    /// The latest time at which anything happened up to its end.
    latest: i64,
    /// Events that can be read before it.
    events_before: u64,
    /// The packed state before it.
    state: Box<[u8]>,
}

/// By version, less one.
#[derive(Clone, Debug, Default, Encode, Decode)]
struct Disorder {
    times: Vec<i64>,
    positions: Vec<u64>,
    courses: Vec<Course>,
}

/// A course by time.
#[derive(Clone, Debug, Encode, Decode)]
struct Course {
    /// The chunks whose versions are in it.
    chunks: usize,
    /// Their versions less one, in the order in which they happened.
    order: Vec<u32>,
    /// The packed state before every [`CHUNK`]th of them.
    states: Vec<Box<[u8]>>,
}

/// What to start from, and what to fold on top.
struct Plan<'a> {
    base: &'a [u8],
    /// Positions of single events.
    rest: Vec<u64>,
    /// Neighbouring versions, of which those within the bounds are meant.
    stretches: Vec<Stretch>,
    /// Chunks that lie in the prefix as a whole.
    whole: usize,
    /// Where the course by time should end that would make this cheap.
    wants_course: Option<usize>,
}

/// Neighbouring versions of a stream.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// At or before the first of them, behind the version before.
    from_position: u64,
    /// The last of them.
    to_version: u32,
}

/// The fold of a set of events.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) folded: Folded,
    /// Events of the prefix that cannot be read.
    pub(super) damaged: u64,
    /// The end of a course by time that would have made this cheaper. See [`Timeline::make_course`].
    pub(super) wants_course: Option<usize>,
}

impl Timeline {
    /// How many versions the chunks hold.
    pub(super) fn versions(&self) -> u32 {
        u32::try_from(self.chunks.len() * CHUNK).unwrap_or(u32::MAX)
    }

    /// The position of the last event of the last chunk.
    pub(super) fn last_position(&self) -> u64 {
        self.next_position.saturating_sub(1)
    }

    /// Bytes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.state.len() + 48).sum();
        let disorder = self.disorder.as_ref().map_or(0, Disorder::bytes);
        chunks + disorder + self.tip.len()
    }

    /// Takes in what the stream has in full chunks up to `version`. After an error the timeline must be dropped.
    pub(super) fn extend(
        &mut self,
        log: &Log,
        name: &StreamName,
        version: u32,
    ) -> Result<(), ReadError> {
        let whole = version as usize / CHUNK;
        if whole <= self.chunks.len() {
            return Ok(());
        }
        let mut state = Folding::of(Folded::unpack(&self.tip));
        let mut latest = self.latest(self.chunks.len());
        let mut in_order = true;
        let stretch = Stretch {
            from_position: self.next_position,
            to_version: u32::try_from(whole * CHUNK).unwrap_or(u32::MAX),
        };
        read_stretch(log, name, stretch, Position::MAX, |event| {
            let index = index_of(event);
            while self.chunks.len() <= index / CHUNK {
                self.begin_chunk(event.position().get(), latest, state.settled());
            }
            self.next_position = event.position().get() + 1;
            if state.fold(event) {
                let occurred_at = event.occurred_at().micros();
                in_order &= occurred_at >= latest;
                latest = latest.max(occurred_at);
                if let Some(chunk) = self.chunks.last_mut() {
                    chunk.latest = latest;
                }
                if let Some(disorder) = &mut self.disorder {
                    disorder.note(event);
                }
            }
        })?;
        while self.chunks.len() < whole {
            self.begin_chunk(self.next_position, latest, state.settled());
        }
        self.events = state.events();
        self.tip = state.settled().pack();
        if let Some(disorder) = &mut self.disorder {
            disorder.grow(whole * CHUNK);
        } else if !in_order {
            self.disorder = Some(self.read_disorder(log, name)?);
        }
        Ok(())
    }

    fn begin_chunk(&mut self, first_position: u64, latest: i64, state: &Folded) {
        self.chunks.push(Chunk {
            first_position,
            latest,
            events_before: state.events,
            state: state.pack(),
        });
    }

    fn read_disorder(&self, log: &Log, name: &StreamName) -> Result<Disorder, ReadError> {
        let mut disorder = Disorder::default();
        let stretch = Stretch {
            from_position: 0,
            to_version: self.versions(),
        };
        read_stretch(log, name, stretch, Position::MAX, |event| {
            // What cannot be folded must not count as having happened.
            if payload(event).is_some() {
                disorder.note(event);
            }
        })?;
        disorder.grow(self.chunks.len() * CHUNK);
        Ok(disorder)
    }

    /// Makes the course by time that ends after so many chunks.
    pub(super) fn make_course(&mut self, log: &Log, chunks: usize) -> Result<(), ReadError> {
        let Some(disorder) = &mut self.disorder else {
            return Ok(());
        };
        if chunks <= self.chunks.len() {
            let course = Course::read(log, disorder, chunks)?;
            // Of those that end where the stream once ended, the newest serves best.
            disorder
                .courses
                .retain(|course| course.chunks != chunks && is_regular_end(course.chunks));
            disorder.courses.push(course);
        }
        Ok(())
    }

    /// Whether the log still folds to what is kept: the last chunk is folded anew. Tells a state that an older program
    /// saved from one that can be used.
    pub(super) fn agrees_with(&self, log: &Log, name: &StreamName) -> bool {
        let Some(chunk) = self.chunks.last() else {
            return false;
        };
        let mut state = Folding::of(Folded::unpack(&chunk.state));
        let stretch = Stretch {
            from_position: chunk.first_position,
            to_version: self.versions(),
        };
        let read = read_stretch(log, name, stretch, Position::MAX, |event| {
            state.fold(event);
        });
        read.is_ok() && Folded::unpack(&self.tip) == *state.settled()
    }

    /// The fold of the events within `bounds`.
    pub(super) fn fold(
        &self,
        log: &Log,
        name: &StreamName,
        bounds: &Bounds,
    ) -> Result<Found, ReadError> {
        let plan = self.plan(bounds);
        let mut folded = Folding::of(Folded::unpack(plan.base));
        for position in &plan.rest {
            read_one(log, *position, &mut folded)?;
        }
        let whole_versions = plan.whole * CHUNK;
        let mut damaged = whole_versions as u64 - self.events_before(plan.whole);
        for stretch in &plan.stretches {
            let mut expected = whole_versions;
            let is_followed = read_stretch(log, name, *stretch, bounds.position, |event| {
                let folds = if event.occurred_at() <= bounds.at {
                    folded.fold(event)
                } else {
                    true
                };
                let index = index_of(event);
                if index >= expected {
                    damaged += (index - expected) as u64 + u64::from(!folds);
                    expected = index + 1;
                }
            })?;
            if is_followed {
                // A later version is there, so all up to the stretch's end were: those not met are lost.
                damaged += (stretch.to_version as usize).saturating_sub(expected) as u64;
            }
        }
        Ok(Found {
            folded: folded.into_settled(),
            damaged,
            wants_course: plan.wants_course,
        })
    }

    fn plan(&self, bounds: &Bounds) -> Plan<'_> {
        let whole = self.whole_chunks(bounds);
        let at = bounds.at.micros();
        let behind = Stretch {
            from_position: self.position_of(whole),
            to_version: bounds.version,
        };
        let mut plan = Plan {
            base: self.state_before(whole),
            rest: Vec::new(),
            stretches: vec![behind],
            whole,
            wants_course: None,
        };
        if at >= self.latest(whole) {
            return plan;
        }
        // Something in these chunks happened later than `at`: only a state from before it will do.
        let usable = self.chunks[..whole].partition_point(|chunk| chunk.latest <= at);
        plan.base = self.state_before(usable);
        match &self.disorder {
            Some(disorder) => {
                plan.rest = disorder.happened_by(at, usable * CHUNK..whole * CHUNK);
                for course in &disorder.courses {
                    self.prefer(course, disorder, at, &mut plan);
                }
                if plan.rest.len() > REST_MAX {
                    plan.wants_course = self.course_end(disorder, whole);
                }
            }
            None => {
                // In order: the one chunk holds all that is missing. Behind the last chunk nothing is known.
                let within = Stretch {
                    from_position: self.position_of(usable),
                    to_version: u32::try_from((usable + 1) * CHUNK).unwrap_or(u32::MAX),
                };
                plan.stretches = match whole == self.chunks.len() {
                    true => vec![within, behind],
                    false => vec![within],
                };
            }
        }
        plan
    }

    /// Starts from a state of `course` where that leaves less to fold.
    fn prefer<'a>(&self, course: &'a Course, disorder: &Disorder, at: i64, plan: &mut Plan<'a>) {
        if course.chunks > plan.whole {
            return;
        }
        let happened = course
            .order
            .partition_point(|index| disorder.times[*index as usize] <= at);
        let start = happened / CHUNK;
        let mut rest = disorder.happened_by(at, course.chunks * CHUNK..plan.whole * CHUNK);
        if rest.len() + happened % CHUNK >= plan.rest.len() {
            return;
        }
        let Some(base) = course.states.get(start) else {
            return;
        };
        let within = &course.order[start * CHUNK..happened];
        rest.extend(
            within
                .iter()
                .map(|index| disorder.positions[*index as usize]),
        );
        (plan.base, plan.rest) = (base, rest);
    }

    /// Where a course by time for the first `whole` chunks should end, if there is none yet.
    fn course_end(&self, disorder: &Disorder, whole: usize) -> Option<usize> {
        let end = if whole == self.chunks.len() {
            whole
        } else {
            regular_ends().take_while(|end| *end <= whole).last()?
        };
        let is_there = disorder.courses.iter().any(|course| course.chunks == end);
        (end >= COURSE_CHUNKS_MIN && !is_there).then_some(end)
    }

    /// How many chunks lie within the prefix as a whole.
    fn whole_chunks(&self, bounds: &Bounds) -> usize {
        let position = bounds.position.get();
        let begun = self
            .chunks
            .partition_point(|chunk| chunk.first_position <= position);
        let whole =
            if begun == self.chunks.len() && self.next_position <= position.saturating_add(1) {
                begun
            } else {
                begun.saturating_sub(1)
            };
        whole.min(bounds.version as usize / CHUNK)
    }

    /// The latest time at which anything happened in the first `chunks` chunks.
    fn latest(&self, chunks: usize) -> i64 {
        let last = chunks.checked_sub(1).and_then(|last| self.chunks.get(last));
        last.map_or(i64::MIN, |chunk| chunk.latest)
    }

    fn state_before(&self, chunk: usize) -> &[u8] {
        self.chunks
            .get(chunk)
            .map_or(&self.tip, |chunk| &chunk.state)
    }

    fn position_of(&self, chunk: usize) -> u64 {
        self.chunks
            .get(chunk)
            .map_or(self.next_position, |chunk| chunk.first_position)
    }

    fn events_before(&self, chunk: usize) -> u64 {
        self.chunks
            .get(chunk)
            .map_or(self.events, |chunk| chunk.events_before)
    }
}

impl Disorder {
    fn note(&mut self, event: &EventRef<'_>) {
        let index = index_of(event);
        self.grow(index + 1);
        self.times[index] = event.occurred_at().micros();
        self.positions[index] = event.position().get();
    }

    /// Makes room for so many versions; those not noted never happened.
    fn grow(&mut self, versions: usize) {
        if self.times.len() < versions {
            self.times.resize(versions, NEVER);
            self.positions.resize(versions, 0);
        }
    }

    /// The positions of those among these versions that happened by `at`.
    fn happened_by(&self, at: i64, indexes: Range<usize>) -> Vec<u64> {
        let at = at.min(NEVER - 1);
        let times = self.times.get(indexes.clone()).unwrap_or_default();
        let happened = times.iter().zip(indexes).filter(|(time, _)| **time <= at);
        happened.map(|(_, index)| self.positions[index]).collect()
    }

    fn bytes(&self) -> usize {
        let courses = self.courses.iter().map(|course| {
            let states: usize = course.states.iter().map(|state| state.len() + 16).sum();
            course.order.len() * 4 + states
        });
        self.times.len() * 16 + courses.sum::<usize>()
    }
}

impl Course {
    fn read(log: &Log, disorder: &Disorder, chunks: usize) -> Result<Self, ReadError> {
        let versions = u32::try_from(chunks * CHUNK).unwrap_or(u32::MAX);
        let when = |index: &u32| {
            disorder
                .times
                .get(*index as usize)
                .copied()
                .unwrap_or(NEVER)
        };
        let mut order: Vec<u32> = (0..versions).filter(|index| when(index) < NEVER).collect();
        // Stable: among events of the same moment the version decides, as the position does in a fold.
        order.sort_by_key(when);
        let mut states = Vec::with_capacity(chunks + 1);
        let mut state = Folding::default();
        for (done, index) in order.iter().enumerate() {
            if done.is_multiple_of(CHUNK) {
                states.push(state.settled().pack());
            }
            read_one(log, disorder.positions[*index as usize], &mut state)?;
        }
        if order.len().is_multiple_of(CHUNK) {
            states.push(state.settled().pack());
        }
        Ok(Course {
            chunks,
            order,
            states,
        })
    }
}

/// Where courses by time end that last, in chunks.
fn regular_ends() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(COURSE_CHUNKS_MIN), |end| end.checked_add(end / 2))
}

fn is_regular_end(chunks: usize) -> bool {
    regular_ends()
        .take_while(|end| *end <= chunks)
        .any(|end| end == chunks)
}

fn index_of(event: &EventRef<'_>) -> usize {
    (event.version().get() as usize).saturating_sub(1)
}

/// Gives the events of a stretch, in order, up to a position. Those that are damaged are left out. Whether a version behind the
/// stretch was met.
fn read_stretch(
    log: &Log,
    name: &StreamName,
    stretch: Stretch,
    to: Position,
    mut each: impl FnMut(&EventRef<'_>),
) -> Result<bool, ReadError> {
    let mut reader = log.read(&ReadRequest {
        query: Query::stream(name.clone()),
        from: Position::new(stretch.from_position),
        to,
        ..ReadRequest::default()
    })?;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) if event.version().get() > stretch.to_version => return Ok(true),
            Ok(event) => each(&event),
            Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Folds the event at a position; one that is damaged is left out.
fn read_one(log: &Log, position: u64, folded: &mut Folding) -> Result<(), ReadError> {
    let position = Position::new(position);
    let mut reader = log.read(&ReadRequest::at(position))?;
    match reader.next() {
        Some(Ok(event)) => {
            folded.fold(&event);
            Ok(())
        }
        None | Some(Err(ReadError::Damaged { .. })) => Ok(()),
        Some(Err(error)) => Err(error),
    }
}
