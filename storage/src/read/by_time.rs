//! Events in the order in which they happened, across segments.
//!
//! Each segment is sorted by its index; the segments are merged through a heap. A segment is only looked into when the
//! merge reaches the span of time that its events lie in, so a page costs the segments of its own time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::items::{Items, Step, matching, ordinal_bounds};
use super::{Direction, ReadError, TimeRange};
use crate::matching::Matcher;
use crate::names::Names;
use crate::position::Position;
use crate::record;
use crate::repo::View;
use crate::segment::{Segment, SegmentUnreadable};
use crate::time::Timestamp;

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
    opened: Option<(Arc<dyn View>, std::vec::IntoIter<(Timestamp, Step)>)>,
}

/// What a source would give next, or the time before which it gives nothing. The smallest is taken first, so for reading
/// backwards times and positions are negated. A source not looked into comes before an event of the same time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    time: i128,
    position: i128,
    source: usize,
    step: Option<OrderedStep>,
}

#[derive(Debug, Clone, Copy)]
struct OrderedStep(Step);

impl PartialEq for OrderedStep {
    fn eq(&self, other: &Self) -> bool {
        self.0.ordinal == other.0.ordinal
    }
}

impl Eq for OrderedStep {}

impl PartialOrd for OrderedStep {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedStep {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.ordinal.cmp(&other.0.ordinal)
    }
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
            let span = segment.with_index(|index| Ok(index.occurred_bounds()))?;
            let Some((earliest, latest)) = span.filter(|_| first <= last) else {
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
                step: None,
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
            let Some(OrderedStep(step)) = head.step else {
                if let Err(error) = self.open(head.source) {
                    return Some(Err(error.into()));
                }
                self.push_next(head.source);
                continue;
            };
            self.push_next(head.source);
            let segment = self.sources[head.source].segment.clone();
            let items = match Items::list(segment, vec![step], Direction::Forward) {
                Ok(items) => items?,
                Err(error) => return Some(Err(error.into())),
            };
            let matches = items.event(&step).is_none_or(|event| {
                self.occurred.contains(event.occurred_at)
                    && self
                        .matcher
                        .matches(&event, names.aggregate_type_of(event.stream))
            });
            if matches {
                self.current = Some(items);
                return Some(Ok(step));
            }
        }
    }

    /// Looks into a segment: its matching events, sorted.
    fn open(&mut self, source: usize) -> Result<(), SegmentUnreadable> {
        let segment = &self.sources[source].segment;
        let (first, last) = ordinal_bounds(segment, self.bounds);
        let view = segment.bytes()?;
        let time_of = |step: &Step| {
            let at = usize::try_from(step.offset?).ok()?;
            record::peek_occurred_at(view.bytes().get(at..)?)
        };
        let steps = matching(segment, &self.matcher, first, last)?;
        let timed = steps
            .into_iter()
            .map(|step| (time_of(&step).unwrap_or(Timestamp::MIN), step));
        let mut timed: Vec<(Timestamp, Step)> = timed
            .filter(|(time, _)| self.occurred.contains(*time))
            .collect();
        // Mostly in order already, which this sort takes in one pass.
        timed.sort_by_key(|(time, step)| (*time, step.ordinal));
        if self.direction == Direction::Backward {
            timed.reverse();
        }
        self.sources[source].opened = Some((view, timed.into_iter()));
        Ok(())
    }

    fn push_next(&mut self, source: usize) {
        let Some((_, rest)) = &mut self.sources[source].opened else {
            return;
        };
        let Some((time, step)) = rest.next() else {
            return;
        };
        let position = self.sources[source].segment.position(step.ordinal);
        let head = Head {
            time: self.key(time.micros().into()),
            position: self.key(position.get().into()),
            source,
            step: Some(OrderedStep(step)),
        };
        self.heap.push(Reverse(head));
    }

    fn key(&self, value: i128) -> i128 {
        match self.direction {
            Direction::Forward => value,
            Direction::Backward => -value,
        }
    }
}
