//! Reading: the whole log, a query, or one stream, forwards or backwards, an event at a time, borrowed from the page cache.
//!
//! A reader looks at what was durable when it was made. It goes from segment to segment; within one it either walks the
//! records (everything, forwards) or follows the ordinals that the index gives. An event that does not verify is an
//! error for that event alone: the reader goes on behind it. One of which nothing is known but its position, for it was
//! lost before its segment's index was made, is an error for every read that it may have belonged to. So is one whose stream
//! or type has lost its name.

mod by_time;
mod fetch;
mod find;
mod items;
mod ranks;

use std::sync::Arc;

use crate::event::{EventRef, StreamName};
use crate::matching::Matcher;
use crate::names::Names;
use crate::position::{Position, SegmentId, Version};
use crate::query::Query;
use crate::segment::{Segment, SegmentUnreadable};
use crate::shared::{DamagedRange, Shared};
use crate::tier::ArchivedError;
use crate::time::Timestamp;
use crate::veil::Uncovered;

use by_time::ByTime;
use find::position_before;
pub(crate) use find::{newest_match, position_at};
use items::{Items, Step};

/// Which way to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the first to the last.
    #[default]
    Forward,
    /// From the last to the first.
    Backward,
}

/// What events are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The order of the log.
    #[default]
    Position,
    /// The order in which they happened, and the order of the log among those that happened at once.
    Occurred,
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The earliest moment in it.
    pub from: Timestamp,
    /// The latest moment in it.
    pub to: Timestamp,
}

impl TimeRange {
    /// All time.
    pub const ALL: TimeRange = TimeRange {
        from: Timestamp::MIN,
        to: Timestamp::MAX,
    };

    /// Whether `at` lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }
}

/// Which events to read, and how. The default is everything, forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// What must match.
    pub query: Query,
    /// The lowest position to read, itself included.
    pub from: Position,
    /// The highest position to read, itself included; never beyond what is durable when the read begins.
    pub to: Position,
    /// Which way.
    pub direction: Direction,
    /// Sorted by what.
    pub order: Order,
    /// Only events that happened in this span.
    pub occurred: Option<TimeRange>,
    /// Only events that the log accepted in this span.
    pub recorded: Option<TimeRange>,
    /// At most this many.
    pub limit: Option<u64>,
}

impl ReadRequest {
    /// The event at `position` and no other.
    pub fn at(position: Position) -> Self {
        ReadRequest {
            from: position,
            to: position,
            ..ReadRequest::default()
        }
    }
}

impl Default for ReadRequest {
    fn default() -> Self {
        ReadRequest {
            query: Query::all(),
            from: Position::FIRST,
            to: Position::MAX,
            direction: Direction::Forward,
            order: Order::Position,
            occurred: None,
            recorded: None,
            limit: None,
        }
    }
}

/// Which events of a stream to read, and how. The default is all, forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRange {
    /// The lowest version to read, itself included.
    pub from: Version,
    /// The highest version to read, itself included.
    pub to: Version,
    /// Which way.
    pub direction: Direction,
    /// At most this many.
    pub limit: Option<u64>,
}

impl Default for StreamRange {
    fn default() -> Self {
        StreamRange {
            from: Version::FIRST,
            to: Version::MAX,
            direction: Direction::Forward,
            limit: None,
        }
    }
}

/// Why an event, or all from here on, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// These events do not verify, are gone, or have lost the name of their stream or type. The reader goes on behind them.
    #[error("the events at positions {first} to {last} are damaged, in segment {segment}")]
    Damaged {
        /// The first of them.
        first: Position,
        /// The last of them.
        last: Position,
        /// Where they lie.
        segment: SegmentId,
    },
    /// A segment's file cannot be read at all. The reader goes on behind it.
    #[error("segment {segment} cannot be read")]
    Unreadable {
        /// The segment.
        segment: SegmentId,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A segment lies in an archive, whole as far as anybody knows, and cannot be had now. Nothing may be taken for lost: whoever
    /// needs all events stops here and tries again later. The reader goes on behind it.
    #[error("segment {segment} cannot be fetched from the archive")]
    Archived {
        /// The segment.
        segment: SegmentId,
        /// Why not.
        source: ArchivedError,
    },
}

impl From<SegmentUnreadable> for ReadError {
    fn from(unreadable: SegmentUnreadable) -> Self {
        let segment = unreadable.segment;
        match unreadable.source.downcast::<ArchivedError>() {
            Ok(source) => ReadError::Archived { segment, source },
            Err(source) => ReadError::Unreadable { segment, source },
        }
    }
}

/// What a reader gives.
#[derive(Debug)]
enum Selection {
    Query {
        matcher: Matcher,
        occurred: Option<TimeRange>,
    },
    Stream {
        number: u32,
        from: Version,
        to: Version,
    },
}

/// Gives events one after the other. See [`Log::read`](crate::Log::read).
#[derive(Debug)]
pub struct Reader<'a> {
    shared: &'a Shared,
    segments: Arc<Vec<Arc<Segment>>>,
    selection: Selection,
    /// Positions, both included; empty when the first is above the second.
    bounds: (Position, Position),
    direction: Direction,
    remaining: u64,
    /// Segments not yet looked at, by number in `segments`.
    ahead: std::ops::Range<usize>,
    current: Option<Items>,
    by_time: Option<ByTime>,
    /// What the event given last holds, where the log holds it covered.
    uncovered: Uncovered,
}

impl<'a> Reader<'a> {
    pub(crate) fn of_log(shared: &'a Shared, request: &ReadRequest) -> Result<Self, ReadError> {
        let segments = shared.segments();
        let mut from = request.from.max(Position::FIRST);
        let mut to = request.to.min(shared.durable.get());
        if let Some(recorded) = request.recorded {
            from = from.max(position_at(shared, recorded.from.plus_micros(-1))?.next());
            to = to.min(position_before(shared, recorded.to)?);
        }
        let matcher = Matcher::new(&request.query, &*shared.names);
        let by_time = match request.order {
            Order::Position => None,
            Order::Occurred => {
                let occurred = request.occurred.unwrap_or(TimeRange::ALL);
                Some(ByTime::new(
                    &segments,
                    matcher.clone(),
                    (from, to),
                    occurred,
                    request.direction,
                )?)
            }
        };
        let ahead = overlapping(&segments, from, to);
        Ok(Reader {
            shared,
            selection: Selection::Query {
                matcher,
                occurred: request.occurred,
            },
            bounds: (from, to),
            direction: request.direction,
            remaining: request.limit.unwrap_or(u64::MAX),
            ahead,
            current: None,
            by_time,
            uncovered: Uncovered::default(),
            segments,
        })
    }

    pub(crate) fn of_stream(shared: &'a Shared, name: &StreamName, range: &StreamRange) -> Self {
        let segments = shared.segments();
        let to = shared.durable.get();
        let number = shared.names.stream_number(name);
        let selection = match number {
            Some(number) => Selection::Stream {
                number,
                from: range.from,
                to: range.to,
            },
            // Events that have lost their names may be its own, whatever their versions.
            None => Selection::Query {
                matcher: Matcher::new(&Query::stream(name.clone()), &*shared.names),
                occurred: None,
            },
        };
        let ahead = if number.is_some() || shared.names.may_lack() {
            0..segments.len()
        } else {
            0..0
        };
        Reader {
            shared,
            selection,
            bounds: (Position::FIRST, to),
            direction: range.direction,
            remaining: range.limit.unwrap_or(u64::MAX),
            ahead,
            current: None,
            by_time: None,
            uncovered: Uncovered::default(),
            segments,
        }
    }

    /// The next event, valid until the next call; `None` behind the last. After an error the next call goes on behind it.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] for events that do not verify, [`ReadError::Unreadable`] for a segment that cannot be opened.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it gives borrows from the reader, which no Iterator can say"
    )]
    pub fn next(&mut self) -> Option<Result<EventRef<'_>, ReadError>> {
        if self.remaining == 0 {
            return None;
        }
        let step = match self.advance()? {
            Ok(step) => step,
            Err(error) => return Some(Err(error)),
        };
        let items = match &self.by_time {
            Some(by_time) => by_time.current(),
            None => self.current.as_ref(),
        }?;
        // One whose name is lost is as good as lost: it is given to nobody under another.
        let record = items.event(&step);
        match record.filter(|record| self.shared.names.explains(record)) {
            Some(record) => {
                self.remaining -= 1;
                let mut event = EventRef {
                    names: &self.shared.names,
                    position: items.segment.position(step.ordinal),
                    record,
                };
                if let Some(veil) = &self.shared.options.veil
                    && event.record.is_covered()
                    && let Some(uncovered) = veil.uncover(&event)
                {
                    self.uncovered = uncovered;
                    event.record.data = &self.uncovered.data;
                    event.record.metadata = &self.uncovered.metadata;
                }
                Some(Ok(event))
            }
            None => {
                let (first, last) = (
                    items.segment.position(step.ordinal),
                    items.segment.position(step.last_lost),
                );
                let segment = items.segment.id;
                let offset = step.offset.unwrap_or(0);
                self.shared.note_damage(DamagedRange {
                    segment,
                    offsets: (offset, offset),
                    positions: Some((first, last)),
                });
                Some(Err(ReadError::Damaged {
                    first,
                    last,
                    segment,
                }))
            }
        }
    }

    /// Goes on to the next event that is asked for, and says where it lies.
    fn advance(&mut self) -> Option<Result<Step, ReadError>> {
        if let Some(by_time) = &mut self.by_time {
            return by_time.advance(&self.shared.names);
        }
        loop {
            if let Some(items) = &mut self.current {
                while let Some(step) = items.step() {
                    if items.may_give(&step, &self.selection, &self.shared.names) {
                        return Some(Ok(step));
                    }
                }
                self.current = None;
            }
            let segment = match self.direction {
                Direction::Forward => self.ahead.next()?,
                Direction::Backward => self.ahead.next_back()?,
            };
            let segment = self.segments[segment].clone();
            match Items::of(segment, &self.selection, self.bounds, self.direction) {
                Ok(items) => self.current = items,
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

impl Items {
    /// Whether the event is one that was asked for, as far as the index did not say. One that does not verify may be.
    fn may_give(&self, step: &Step, selection: &Selection, names: &Names) -> bool {
        let Selection::Query { matcher, occurred } = selection else {
            return true;
        };
        if matcher.is_all() && occurred.is_none() {
            return true;
        }
        self.event(step).is_none_or(|event| {
            occurred.is_none_or(|range| range.contains(event.occurred_at))
                && matcher.matches(&event, names.aggregate_type_of(event.stream))
        })
    }
}

/// The segments that may hold positions `from..=to`.
fn overlapping(segments: &[Arc<Segment>], from: Position, to: Position) -> std::ops::Range<usize> {
    if from > to {
        return 0..0;
    }
    let after_first = segments.partition_point(|segment| segment.place.first_position <= from);
    let after_last = segments.partition_point(|segment| segment.place.first_position <= to);
    after_first.saturating_sub(1)..after_last
}
