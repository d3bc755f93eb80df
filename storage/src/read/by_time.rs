//! Events in the order in which they happened: within a segment by its index, across segments through a heap.
//!
//! A segment is only looked into when the merge reaches the span of time that its events lie in, so a page costs the
//! segments of its own time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::items::{Items, Step, ordinal_bounds};
use super::{Direction, ReadError, TimeRange};
use crate::matching::Matcher;
use crate::names::Names;
use crate::position::Position;
use crate::record;
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

    /// When the event happened; one that was lost takes the time of the one before it, as the index has it.
    fn time(&self, rank: u32) -> Result<Timestamp, SegmentUnreadable> {
        for ordinal in (0..=self.ordinal(rank)).rev() {
            let offset = self.segment.with_index(|index| index.offset(ordinal))?;
            if let Some(time) = offset.and_then(|offset| occurred_at(self.bytes, offset)) {
                return Ok(time);
            }
        }
        Ok(Timestamp::MIN)
    }

    /// The ordinals of the events that happened in `range`, in the order in which they did: two binary searches.
    pub(super) fn within(&self, range: TimeRange) -> Result<Vec<u32>, SegmentUnreadable> {
        let from = self.rank_of(|time| time < range.from)?;
        let to = self.rank_of(|time| time <= range.to)?;
        Ok((from..to).map(|rank| self.ordinal(rank)).collect())
    }

    /// The first rank for which `before` no longer holds.
    fn rank_of(&self, before: impl Fn(Timestamp) -> bool) -> Result<u32, SegmentUnreadable> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.time(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

/// When the event whose record begins at `offset` says that it happened.
fn occurred_at(bytes: &[u8], offset: u64) -> Option<Timestamp> {
    record::peek_occurred_at(bytes.get(usize::try_from(offset).ok()?..)?)
}

/// See the module.
#[derive(Debug)]
pub(super) struct ByTime {
    matcher: Matcher,
    bounds: (Position, Position),
    occurred: TimeRange,
    direction: Direction,
    sources: Vec<Source>,
    heap: BinaryHeap<Reverse<Head>>,
    current: Option<Items>,
}

/// A segment, and what is left of it once it has been looked into.
#[derive(Debug)]
struct Source {
    segment: Arc<Segment>,
    opened: Option<(Arc<dyn View>, std::vec::IntoIter<u32>)>,
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
            sources: Vec::new(),
            heap: BinaryHeap::new(),
            current: None,
        };
        for segment in segments {
            let (first, last) = ordinal_bounds(segment, bounds);
            if first > last {
                continue;
            }
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
            by_time.sources.push(Source {
                segment: segment.clone(),
                opened: None,
            });
            by_time.heap.push(Reverse(Head {
                time: by_time.key(nearest.micros().into()),
                position: i128::MIN,
                source,
                ordinal: None,
            }));
        }
        Ok(by_time)
    }

    /// The segment of the last step.
    pub(super) fn current(&self) -> Option<&Items> {
        self.current.as_ref()
    }

    pub(super) fn advance(&mut self, names: &Names) -> Option<Result<Step, ReadError>> {
        loop {
            let Reverse(head) = self.heap.pop()?;
            let found = match head.ordinal {
                None => self
                    .open(head.source)
                    .and_then(|()| self.push_next(head.source))
                    .map(|()| None),
                Some(ordinal) => self.give(head.source, ordinal, names),
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
        names: &Names,
    ) -> Result<Option<Step>, SegmentUnreadable> {
        self.push_next(source)?;
        let segment = self.sources[source].segment.clone();
        let offset = segment.with_index(|index| index.offset(ordinal))?;
        let step = Step::at(ordinal, offset);
        let Some(items) = Items::list(segment, vec![step], Direction::Forward)? else {
            return Ok(None);
        };
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
        let view = segment.bytes()?;
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

    /// A query's events are few against a segment's, so they are sorted by themselves.
    fn sorted_matches(
        &self,
        segment: &Segment,
        bytes: &[u8],
        first: u32,
        last: u32,
    ) -> Result<Vec<u32>, SegmentUnreadable> {
        let places = segment.with_index(|index| {
            let ordinals = self.matcher.ordinals(index, first, last)?;
            ordinals
                .into_iter()
                .map(|ordinal| Ok((ordinal, index.offset(ordinal)?)))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let timed = places.into_iter().map(|(ordinal, offset)| {
            (
                offset
                    .and_then(|offset| occurred_at(bytes, offset))
                    .unwrap_or(Timestamp::MIN),
                ordinal,
            )
        });
        let mut timed: Vec<_> = timed
            .filter(|(time, _)| self.occurred.contains(*time))
            .collect();
        timed.sort_unstable();
        Ok(timed.into_iter().map(|(_, ordinal)| ordinal).collect())
    }

    fn push_next(&mut self, source: usize) -> Result<(), SegmentUnreadable> {
        let from = &mut self.sources[source];
        let Some((view, rest)) = &mut from.opened else {
            return Ok(());
        };
        let Some(ordinal) = rest.next() else {
            return Ok(());
        };
        let offset = from.segment.with_index(|index| index.offset(ordinal))?;
        let time = offset
            .and_then(|offset| occurred_at(view.bytes(), offset))
            .unwrap_or(Timestamp::MIN);
        let position = from.segment.position(ordinal);
        self.heap.push(Reverse(Head {
            time: self.key(time.micros().into()),
            position: self.key(position.get().into()),
            source,
            ordinal: Some(ordinal),
        }));
        Ok(())
    }

    fn key(&self, value: i128) -> i128 {
        match self.direction {
            Direction::Forward => value,
            Direction::Backward => -value,
        }
    }
}
