//! Events in the order in which they happened: within a segment by its index, across segments through a heap.
//!
//! A segment is only looked into when the merge reaches the span of time that its events lie in, so a page costs the
//! segments of its own time. Lost events come first: they may have happened at any time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::items::{Items, Step, bytes_of, lost_steps, matching, ordinal_bounds};
use super::ranks::ranks_within;
use super::{Direction, ReadError, TimeRange};
use crate::matching::Matcher;
use crate::names::Names;
use crate::position::Position;
use crate::repo::View;
use crate::segment::{Segment, SegmentUnreadable};
use crate::time::Timestamp;

/// The times at which a segment's events happened, in order: the index gives the order, the records the times.
pub(super) struct TimeOrder<'a> {
    segment: &'a Segment,
    bytes: &'a [u8],
    /// `None`: the order of the log.
    order: Option<Vec<u32>>,
    count: u32,
}

impl<'a> TimeOrder<'a> {
    pub(super) fn of(segment: &'a Segment, bytes: &'a [u8]) -> Result<Self, SegmentUnreadable> {
        let (order, count) =
            segment.with_index(|index| Ok((index.occurred_order()?, index.count())))?;
        Ok(TimeOrder {
            segment,
            bytes,
            order,
            count,
        })
    }

    fn ordinal(&self, rank: u32) -> u32 {
        self.order
            .as_ref()
            .map_or(rank, |order| order[rank as usize])
    }

    /// When the event happened; `None` when it cannot be read.
    fn time(&self, rank: u32) -> Result<Option<Timestamp>, SegmentUnreadable> {
        let ordinal = self.ordinal(rank);
        let offset = self.segment.with_index(|index| index.offset(ordinal))?;
        let event = self.segment.event(self.bytes, ordinal, offset);
        Ok(event.map(|event| event.occurred_at))
    }

    /// The ordinals of the events that happened in `range`, in the order in which they did: two binary searches. Those
    /// that cannot be read are among them if they may have happened then.
    pub(super) fn within(&self, range: TimeRange) -> Result<Vec<u32>, SegmentUnreadable> {
        let ranks = ranks_within(self.count, (range.from, range.to), |rank| self.time(rank))?;
        Ok(ranks.map(|rank| self.ordinal(rank)).collect())
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct ByTime {
    matcher: Matcher,
    bounds: (Position, Position),
    occurred: TimeRange,
    direction: Direction,
    lost: VecDeque<(Arc<Segment>, Step)>,
    sources: Vec<Source>,
    heap: BinaryHeap<Reverse<Head>>,
    current: Option<Items>,
}

/// A segment, and what is left of it once it has been looked into.
#[derive(Debug)]
struct Source {
    segment: Arc<Segment>,
    opened: Option<(Arc<dyn View>, std::vec::IntoIter<u32>)>,
    /// How far it is. An event that cannot be read keeps its place by the time of the one before it.
    time: i128,
}

/// What a source would give next, or the time before which it gives nothing. The smallest is taken first; for reading
/// backwards times and positions are negated. A source not looked into comes before an event of the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    time: i128,
    position: i128,
    source: usize,
    /// `None` for a source not looked into.
    ordinal: Option<u32>,
    /// Whether the event has been verified.
    verified: bool,
}

impl ByTime {
    pub(super) fn new(
        segments: &[Arc<Segment>],
        matcher: Matcher,
        bounds: (Position, Position),
        occurred: TimeRange,
        direction: Direction,
    ) -> Result<Self, ReadError> {
        let mut by_time = ByTime {
            matcher,
            bounds,
            occurred,
            direction,
            lost: VecDeque::new(),
            sources: Vec::new(),
            heap: BinaryHeap::new(),
            current: None,
        };
        for segment in segments {
            let (first, last) = ordinal_bounds(segment, bounds);
            if first > last {
                continue;
            }
            segment.bring_index()?;
            let lost = lost_steps(segment, first, last)?;
            by_time
                .lost
                .extend(lost.into_iter().map(|step| (segment.clone(), step)));
            let Some((earliest, latest)) =
                segment.with_index(|index| Ok(index.occurred_bounds()))?
            else {
                continue;
            };
            if latest < occurred.from || occurred.to < earliest {
                continue;
            }
            let nearest = match direction {
                Direction::Forward => earliest,
                Direction::Backward => latest,
            };
            let source = by_time.sources.len();
            let time = signed(direction, nearest.micros().into());
            by_time.sources.push(Source {
                segment: segment.clone(),
                opened: None,
                time,
            });
            by_time.heap.push(Reverse(Head {
                time,
                position: i128::MIN,
                source,
                ordinal: None,
                verified: false,
            }));
        }
        Ok(by_time)
    }

    /// The segment of the last step.
    pub(super) fn current(&self) -> Option<&Items> {
        self.current.as_ref()
    }

    pub(super) fn advance(&mut self, names: &Names) -> Option<Result<Step, ReadError>> {
        if let Some((segment, step)) = self.lost.pop_front() {
            let items = Items::list(segment, vec![step], Direction::Forward);
            return Some(items.map_err(ReadError::from).map(|items| {
                self.current = items;
                step
            }));
        }
        loop {
            let Reverse(head) = self.heap.pop()?;
            let found = match head.ordinal {
                None => self
                    .open(head.source)
                    .and_then(|()| self.push_next(head.source))
                    .map(|()| None),
                Some(ordinal) => self.give(head.source, ordinal, head.verified, names),
            };
            match found {
                Ok(None) => {}
                Ok(Some(step)) => return Some(Ok(step)),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    /// The event that has come to the top, if it is one that was asked for.
    fn give(
        &mut self,
        source: usize,
        ordinal: u32,
        verified: bool,
        names: &Names,
    ) -> Result<Option<Step>, SegmentUnreadable> {
        self.push_next(source)?;
        let segment = self.sources[source].segment.clone();
        let offset = segment.with_index(|index| index.offset(ordinal))?;
        let step = Step {
            verified,
            ..Step::at(ordinal, offset)
        };
        let Some((view, _)) = &self.sources[source].opened else {
            return Ok(None);
        };
        let items = Items::in_view(segment, view.clone(), vec![step]);
        let matches = items.event(&step).is_none_or(|event| {
            self.occurred.contains(event.occurred_at)
                && self
                    .matcher
                    .matches(&event, names.aggregate_type_of(event.stream))
        });
        if !matches {
            return Ok(None);
        }
        self.current = Some(items);
        Ok(Some(step))
    }

    /// Looks into a segment: its matching events, sorted.
    fn open(&mut self, source: usize) -> Result<(), SegmentUnreadable> {
        let segment = &self.sources[source].segment;
        let (first, last) = ordinal_bounds(segment, self.bounds);
        let view = bytes_of(segment)?;
        let mut ordinals = if self.matcher.is_all() {
            let mut ordinals = TimeOrder::of(segment, view.bytes())?.within(self.occurred)?;
            ordinals.retain(|ordinal| (first..=last).contains(ordinal));
            ordinals
        } else {
            self.sorted_matches(segment, view.bytes(), first, last)?
        };
        if self.direction == Direction::Backward {
            ordinals.reverse();
        }
        self.sources[source].opened = Some((view, ordinals.into_iter()));
        Ok(())
    }

    /// A query's events are few against a segment's, so they are sorted by themselves. One that cannot be read may have
    /// happened at any time, and comes after all others.
    fn sorted_matches(
        &self,
        segment: &Segment,
        bytes: &[u8],
        first: u32,
        last: u32,
    ) -> Result<Vec<u32>, SegmentUnreadable> {
        let mut timed = Vec::new();
        for step in matching(segment, &self.matcher, first, last)? {
            let event = segment.event(bytes, step.ordinal, step.offset);
            let time = event.map(|event| event.occurred_at);
            if time.is_none_or(|time| self.occurred.contains(time)) {
                timed.push((time.unwrap_or(Timestamp::MAX), step.ordinal));
            }
        }
        timed.sort_unstable();
        Ok(timed.into_iter().map(|(_, ordinal)| ordinal).collect())
    }

    fn push_next(&mut self, source: usize) -> Result<(), SegmentUnreadable> {
        let from = &mut self.sources[source];
        let Some((view, rest)) = &mut from.opened else {
            return Ok(());
        };
        for ordinal in rest {
            let Some(offset) = from.segment.with_index(|index| index.offset(ordinal))? else {
                // Lost: it has come first.
                continue;
            };
            let event = from.segment.event(view.bytes(), ordinal, Some(offset));
            let verified = event.is_some();
            if let Some(event) = event {
                let time = i128::from(event.occurred_at.micros());
                from.time = signed(self.direction, time);
            }
            let position = from.segment.position(ordinal).get();
            self.heap.push(Reverse(Head {
                time: from.time,
                position: signed(self.direction, position.into()),
                source,
                ordinal: Some(ordinal),
                verified,
            }));
            return Ok(());
        }
        Ok(())
    }
}

/// A time or a position such that what comes first is smaller.
fn signed(direction: Direction, value: i128) -> i128 {
    match direction {
        Direction::Forward => value,
        Direction::Backward => -value,
    }
}
