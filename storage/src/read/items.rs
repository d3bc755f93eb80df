//! The events that a read takes from one segment.

use std::io;
use std::sync::Arc;

use super::by_time::TimeOrder;
use super::fetch::fetch_ahead;
use super::ranks::ranks_within;
use super::{Direction, Selection, TimeRange};
use crate::header::SEGMENT_HEADER_BYTES;
use crate::index::{IndexDamaged, Key, SegmentIndex};
use crate::matching::Matcher;
use crate::position::{Position, Version};
use crate::record::{self, EventRecord};
use crate::repo::View;
use crate::segment::{Segment, SegmentUnreadable};

/// Where an event lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) ordinal: u32,
    /// `None` when it was lost to damage.
    pub(super) offset: Option<u64>,
    /// The last of a run of lost events that begins here; the event itself otherwise.
    pub(super) last_lost: u32,
    /// Whether its checksum has been verified on the way here.
    pub(super) verified: bool,
}

impl Step {
    /// Where the index says that an event lies.
    pub(super) fn at(ordinal: u32, offset: Option<u64>) -> Self {
        Step {
            ordinal,
            offset,
            last_lost: ordinal,
            verified: false,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Items {
    pub(super) segment: Arc<Segment>,
    view: Arc<dyn View>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Record after record, up to an ordinal.
    Walk {
        offset: usize,
        ordinal: u32,
        last: u32,
    },
    /// The places in `steps`, in the order to be given.
    List {
        steps: std::vec::IntoIter<Step>,
        /// What comes behind `steps`: ordinals whose places have not been looked up.
        behind: std::vec::IntoIter<u32>,
    },
}

impl Way {
    fn list(steps: Vec<Step>) -> Self {
        Way::List {
            steps: steps.into_iter(),
            behind: Vec::new().into_iter(),
        }
    }
}

impl Items {
    /// What `selection` takes from `segment` within the bounds; `None` when that is nothing.
    pub(super) fn of(
        segment: Arc<Segment>,
        selection: &Selection,
        bounds: (Position, Position),
        direction: Direction,
    ) -> Result<Option<Items>, SegmentUnreadable> {
        let (first, last) = ordinal_bounds(&segment, bounds);
        if first > last {
            return Ok(None);
        }
        segment.bring_index()?;
        match selection {
            Selection::Query { matcher, occurred } => {
                let in_time = match occurred {
                    Some(range) => in_time(&segment, *range)?,
                    None => None,
                };
                if in_time.is_none() && matcher.is_all() && direction == Direction::Forward {
                    return Items::walk(segment, first, last);
                }
                let mut steps = matching_or_lost(&segment, matcher, first, last)?;
                if let Some(ordinals) = in_time {
                    steps.retain(|step| {
                        step.offset.is_none() || ordinals.binary_search(&step.ordinal).is_ok()
                    });
                }
                Items::list(segment, steps, direction)
            }
            Selection::Stream { number, from, to } => {
                match of_stream(&segment, *number, (*from, *to), (first, last))? {
                    Listed::Dense(ordinals) => Items::ordinals(segment, ordinals, direction),
                    Listed::WithLost(steps) => Items::list(segment, steps, direction),
                }
            }
        }
    }

    fn walk(
        segment: Arc<Segment>,
        first: u32,
        last: u32,
    ) -> Result<Option<Items>, SegmentUnreadable> {
        let offset = if first == 0 {
            Some(SEGMENT_HEADER_BYTES as u64)
        } else {
            segment.with_index(|index| index.offset(first))?
        };
        let view = match (offset, bytes_or_none(&segment)) {
            (_, Err(archived)) => return Err(archived),
            (Some(offset), Ok(Some(view))) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                return Ok(Some(Items {
                    segment,
                    view,
                    way: Way::Walk {
                        offset,
                        ordinal: first,
                        last,
                    },
                }));
            }
            (None, Ok(Some(view))) => view,
            // A missing file: the index knows how many events are lost.
            (_, Ok(None)) => Arc::new(NoBytes),
        };
        let steps = range_steps(&segment, first, last)?;
        Ok(Some(Items {
            segment,
            view,
            way: Way::list(steps),
        }))
    }

    /// The places in `steps`, which ascend, in the given direction.
    pub(super) fn list(
        segment: Arc<Segment>,
        steps: Vec<Step>,
        direction: Direction,
    ) -> Result<Option<Items>, SegmentUnreadable> {
        if steps.is_empty() {
            return Ok(None);
        }
        let mut steps = join_lost(steps);
        let view = match kept_here(&segment, &mut steps) {
            Some(view) => view,
            None => bytes_or_none(&segment)?.unwrap_or_else(|| Arc::new(NoBytes)),
        };
        if direction == Direction::Backward {
            steps.reverse();
        }
        Ok(Some(Items::in_view(segment, view, steps)))
    }

    /// The places in `steps`, in their order, of bytes that are here.
    pub(super) fn in_view(segment: Arc<Segment>, view: Arc<dyn View>, steps: Vec<Step>) -> Items {
        Items {
            segment,
            view,
            way: Way::list(steps),
        }
    }

    /// The events with these ordinals, which ascend, in the given direction. Each is there, or was when its index was made.
    fn ordinals(
        segment: Arc<Segment>,
        mut ordinals: Vec<u32>,
        direction: Direction,
    ) -> Result<Option<Items>, SegmentUnreadable> {
        if ordinals.is_empty() {
            return Ok(None);
        }
        if direction == Direction::Backward {
            ordinals.reverse();
        }
        let mut steps: Vec<Step> = match segment.away() {
            Some(_) => ordinals.iter().map(|&at| Step::at(at, None)).collect(),
            None => Vec::new(),
        };
        if let Some(view) = kept_here(&segment, &mut steps) {
            return Ok(Some(Items::in_view(segment, view, steps)));
        }
        let view = bytes_or_none(&segment)?.unwrap_or_else(|| Arc::new(NoBytes));
        Ok(Some(Items {
            segment,
            view,
            way: Way::List {
                steps: Vec::new().into_iter(),
                behind: ordinals.into_iter(),
            },
        }))
    }

    /// Goes on to the next place.
    pub(super) fn step(&mut self) -> Option<Step> {
        match &mut self.way {
            Way::List { steps, behind } => {
                if steps.len() == 0 {
                    *steps = look_up(&self.segment, behind).into_iter();
                }
                fetch_ahead(self.view.bytes(), steps.as_slice());
                steps.next()
            }
            Way::Walk {
                offset,
                ordinal,
                last,
            } => {
                if *ordinal > *last {
                    return None;
                }
                while let Some(rest) = self.view.bytes().get(*offset..)
                    && let Ok(length) = record::frame_length(rest)
                {
                    let at = *offset;
                    *offset += length;
                    if !record::claims_event(rest) {
                        continue;
                    }
                    let position = self.segment.position(*ordinal);
                    if !record::is_event_at(&rest[..length], self.segment.place.seed, position) {
                        break;
                    }
                    let step = Step {
                        verified: true,
                        ..Step::at(*ordinal, Some(at as u64))
                    };
                    *ordinal += 1;
                    return Some(step);
                }
                // Damage: the index knows which events are lost and where the others are.
                let (first, last) = (*ordinal, *last);
                let steps = range_steps(&self.segment, first, last).unwrap_or_default();
                self.way = Way::list(steps);
                self.step()
            }
        }
    }

    /// The event at a place; `None` when it does not verify.
    #[inline]
    pub(super) fn event(&self, step: &Step) -> Option<EventRecord<'_>> {
        if step.verified {
            let from = usize::try_from(step.offset?).ok()?;
            return record::parse_verified(self.view.bytes().get(from..)?);
        }
        self.segment
            .event(self.view.bytes(), step.ordinal, step.offset)
    }
}

/// Places that are looked up together: enough to be found at once, few enough for who reads only the first.
const LOOKED_UP: usize = 1_024;
/// In place of the bytes of a file that is gone.
#[derive(Debug)]
struct NoBytes;

impl View for NoBytes {
    fn bytes(&self) -> &[u8] {
        &[]
    }
}

/// The segment's bytes; none where its file is lost. One that lies in an archive is not lost.
fn bytes_or_none(segment: &Segment) -> Result<Option<Arc<dyn View>>, SegmentUnreadable> {
    match segment.bytes() {
        Ok(view) => Ok(Some(view)),
        Err(error) if error.is_archived() => Err(error),
        Err(_) => Ok(None),
    }
}

/// What of a segment that was sent away stayed here, if all places are among it: they become places in that.
pub(super) fn kept_here(segment: &Segment, steps: &mut [Step]) -> Option<Arc<dyn View>> {
    let stub = &segment.away()?.stub;
    let kept = |step: &Step| stub.kept(step.ordinal);
    let offsets: Vec<u64> = steps.iter().map(kept).collect::<Option<_>>()?;
    for (step, offset) in steps.iter_mut().zip(offsets) {
        *step = Step::at(step.ordinal, Some(offset));
    }
    (!steps.is_empty()).then(|| stub.view().clone())
}

/// The first and last ordinal of the segment within the bounds; the first is above the last when there is none.
pub(super) fn ordinal_bounds(segment: &Segment, (from, to): (Position, Position)) -> (u32, u32) {
    let to = segment.last_position().map_or(to, |last| last.min(to));
    if to < segment.place.first_position {
        return (1, 0);
    }
    (segment.ordinal(from), segment.ordinal(to))
}

/// The places of the events in `first..=last` that may match.
pub(super) fn matching(
    segment: &Segment,
    matcher: &Matcher,
    first: u32,
    last: u32,
) -> Result<Vec<Step>, SegmentUnreadable> {
    segment.with_index(|index| places(index, &matcher.ordinals(index, first, last)?))
}

/// The same, with the events that were lost: any of them may have matched.
fn matching_or_lost(
    segment: &Segment,
    matcher: &Matcher,
    first: u32,
    last: u32,
) -> Result<Vec<Step>, SegmentUnreadable> {
    segment.with_index(|index| {
        let ordinals = matcher.ordinals(index, first, last)?;
        places(index, &with_lost(index, ordinals, first, last)?)
    })
}

/// Adds the lost ones in `first..=last` to `ordinals`. Both ascend.
fn with_lost(
    index: &SegmentIndex,
    mut ordinals: Vec<u32>,
    first: u32,
    last: u32,
) -> Result<Vec<u32>, IndexDamaged> {
    let lost = index.lost(first, last)?;
    if !lost.is_empty() {
        ordinals.extend_from_slice(lost);
        ordinals.sort_unstable();
        ordinals.dedup();
    }
    Ok(ordinals)
}

/// Where the events with these ordinals lie.
fn places(index: &SegmentIndex, ordinals: &[u32]) -> Result<Vec<Step>, IndexDamaged> {
    let place = |&ordinal| Ok(Step::at(ordinal, index.offset(ordinal)?));
    ordinals.iter().map(place).collect()
}

/// The places of the events that were lost.
pub(super) fn lost_steps(
    segment: &Segment,
    first: u32,
    last: u32,
) -> Result<Vec<Step>, SegmentUnreadable> {
    let lost = |index: &SegmentIndex| places(index, index.lost(first, last)?);
    Ok(join_lost(segment.with_index(lost)?))
}

/// The ordinals of the events that happened in `range`, ascending; `None` when all of the segment's did.
fn in_time(segment: &Segment, range: TimeRange) -> Result<Option<Vec<u32>>, SegmentUnreadable> {
    let Some((earliest, latest)) = segment.with_index(|index| Ok(index.occurred_bounds()))? else {
        return Ok(Some(Vec::new()));
    };
    if latest < range.from || range.to < earliest {
        return Ok(Some(Vec::new()));
    }
    if range.contains(earliest) && range.contains(latest) {
        return Ok(None);
    }
    let view = bytes_of(segment)?;
    let mut ordinals = TimeOrder::of(segment, view.bytes())?.within(range)?;
    ordinals.sort_unstable();
    Ok(Some(ordinals))
}

/// A stream's events in a segment.
enum Listed {
    /// None was lost: the ordinals of those that are wanted.
    Dense(Vec<u32>),
    /// Some may have been: the places of those that are wanted, and of the lost ones that may be such.
    WithLost(Vec<Step>),
}

/// The events of a stream whose versions lie in `from..=to`, and the lost events that may be such.
fn of_stream(
    segment: &Segment,
    stream: u32,
    (from, to): (Version, Version),
    (first, last): (u32, u32),
) -> Result<Listed, SegmentUnreadable> {
    let (ordinals, lost, span) = segment.with_index(|index| {
        let mut ordinals = Vec::new();
        index.list(Key::Stream(stream), first, last, &mut ordinals)?;
        let found = ordinals.len();
        let ordinals = with_lost(index, ordinals, first, last)?;
        let lost = ordinals.len() > found;
        Ok((ordinals, lost, index.stream_span(stream)?))
    })?;
    let all_wanted = span.is_none_or(|span| from <= span.first_version) && to == Version::MAX;
    if !lost && (ordinals.is_empty() || all_wanted) {
        return Ok(Listed::Dense(ordinals));
    }
    if !lost && let Some(span) = span {
        // Where none was lost versions follow one another, so a segment without wanted ones is not looked into.
        let last = span
            .first_version
            .get()
            .saturating_add(span.count.saturating_sub(1));
        if to < span.first_version || from.get() > last {
            return Ok(Listed::Dense(Vec::new()));
        }
    }
    // Versions rise with the ordinals; the records say them, where they can be read.
    let view = bytes_of(segment)?;
    let version = |step: &Step| {
        let event = segment.event(view.bytes(), step.ordinal, step.offset);
        event.map(|event| event.version)
    };
    if !lost {
        let wanted = ranks_within(count_of(&ordinals), (from, to), |rank| {
            let ordinal = ordinals[rank as usize];
            let offset = segment.with_index(|index| index.offset(ordinal))?;
            Ok::<_, SegmentUnreadable>(version(&Step::at(ordinal, offset)))
        })?;
        let wanted = wanted.start as usize..wanted.end as usize;
        return Ok(Listed::Dense(ordinals[wanted].to_vec()));
    }
    let steps = segment.with_index(|index| places(index, &ordinals))?;
    let steps = without_others(steps, version);
    let wanted = ranks_within(count_of(&steps), (from, to), |rank| {
        Ok::<_, SegmentUnreadable>(version(&steps[rank as usize]))
    })?;
    let wanted = wanted.start as usize..wanted.end as usize;
    Ok(Listed::WithLost(steps[wanted].to_vec()))
}

/// How many a segment's list has: fewer than 2^32.
fn count_of<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

/// The places of the next of `ordinals`. One that the index cannot tell any more counts as lost.
fn look_up(segment: &Segment, ordinals: &mut std::vec::IntoIter<u32>) -> Vec<Step> {
    let next = ordinals.as_slice();
    let next = &next[..next.len().min(LOOKED_UP)];
    if next.is_empty() {
        return Vec::new();
    }
    let steps = segment.with_index(|index| places(index, next));
    let steps = steps.unwrap_or_else(|_| next.iter().map(|&lost| Step::at(lost, None)).collect());
    let count = next.len();
    ordinals.by_ref().take(count).for_each(drop);
    steps
}

/// Leaves out the lost events that cannot be of the stream: those before its first event, or between two whose versions
/// follow one another. That holds within a segment alone: one in which events were lost is not written any more, so the
/// versions in it were given while all of its events could be read.
fn without_others(steps: Vec<Step>, version: impl Fn(&Step) -> Option<Version>) -> Vec<Step> {
    let mut kept: Vec<Step> = Vec::with_capacity(steps.len());
    let mut before: Option<Version> = None;
    for step in steps {
        if step.offset.is_some() {
            let here = version(&step);
            if let Some(here) = here
                && (here == Version::FIRST || before.and_then(Version::next) == Some(here))
            {
                while kept.pop_if(|last| last.offset.is_none()).is_some() {}
            }
            before = here;
        }
        kept.push(step);
    }
    kept
}

/// The bytes of a segment; none where its file is gone, whose events are all lost then.
pub(super) fn bytes_of(segment: &Segment) -> Result<Arc<dyn View>, SegmentUnreadable> {
    match segment.bytes() {
        Err(gone) if gone.source.kind() == io::ErrorKind::NotFound => Ok(Arc::new(NoBytes)),
        found => found,
    }
}

fn range_steps(segment: &Segment, first: u32, last: u32) -> Result<Vec<Step>, SegmentUnreadable> {
    let steps = segment.with_index(|index| {
        let last = last.min(index.count().saturating_sub(1));
        places(index, &(first..=last).collect::<Vec<_>>())
    })?;
    Ok(join_lost(steps))
}

/// Makes one step of each run of neighbours that are lost.
fn join_lost(steps: Vec<Step>) -> Vec<Step> {
    if steps.iter().all(|step| step.offset.is_some()) {
        return steps;
    }
    let mut joined: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        match joined.last_mut() {
            Some(before)
                if before.offset.is_none()
                    && step.offset.is_none()
                    && before.last_lost + 1 == step.ordinal =>
            {
                before.last_lost = step.ordinal;
            }
            _ => joined.push(step),
        }
    }
    joined
}
