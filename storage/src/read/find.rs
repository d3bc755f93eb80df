//! Finding a position: by when it was recorded, or as the newest that matches.

use super::items::{kept_here, matching, ordinal_bounds};
use crate::matching::Matcher;
use crate::position::Position;
use crate::segment::{Segment, SegmentUnreadable};
use crate::shared::Shared;
use crate::time::Timestamp;

/// The last durable position recorded at or before `time`; [`Position::START`] when there is none.
///
/// `recorded_at` rises with the position, so this is a binary search: over the segments by their first events, then
/// within one. Events lost to damage are stepped over.
pub(crate) fn position_at(shared: &Shared, time: Timestamp) -> Result<Position, SegmentUnreadable> {
    let segments = shared.segments();
    let durable = shared.durable.get();
    let mut low = Position::START;
    let mut high = durable;
    // Invariant: everything up to `low` was recorded by `time`, everything above `high` was not.
    for segment in segments.iter() {
        let Some(away) = segment.away() else { continue };
        let ((first, last), next) = (away.stub.recorded, away.stub.successor.0);
        // Only one that holds the moment is looked into, and fetched.
        match () {
            () if last <= time => low = low.max(next.previous()),
            () if first > time => high = high.min(segment.place.first_position.previous()),
            () => {
                low = low.max(segment.place.first_position);
                high = high.min(next.previous());
            }
        }
    }
    while low < high {
        let middle = Position::new(low.get() + low.distance_to(high).div_ceil(2));
        match recorded_from(&segments, middle, high)? {
            Some((position, recorded_at)) if recorded_at <= time => low = position,
            Some(_) | None => high = middle.previous(),
        }
    }
    Ok(low)
}

/// The position before the first readable event recorded after `time`: events that cannot be read may have been recorded
/// by then. (Not so where the log's last event was lost and the clock set back before the next: its time is known to nobody.)
pub(super) fn position_before(
    shared: &Shared,
    time: Timestamp,
) -> Result<Position, SegmentUnreadable> {
    let durable = shared.durable.get();
    let last = position_at(shared, time)?;
    let later = recorded_from(&shared.segments(), last.next(), durable)?;
    Ok(later.map_or(durable, |(position, _)| position.previous()))
}

/// The first readable event in `from..=to`, and when it was recorded.
fn recorded_from(
    segments: &[std::sync::Arc<Segment>],
    from: Position,
    to: Position,
) -> Result<Option<(Position, Timestamp)>, SegmentUnreadable> {
    let first = segments
        .partition_point(|segment| segment.place.first_position <= from)
        .saturating_sub(1);
    for segment in segments.iter().skip(first) {
        let (mut ordinal, last) = ordinal_bounds(segment, (from, to));
        if let Some(away) = segment.away()
            && ordinal == 0
            && ordinal <= last
        {
            return Ok(Some((segment.place.first_position, away.stub.recorded.0)));
        }
        if ordinal <= last {
            segment.bring_index()?;
        }
        while ordinal <= last {
            let offset = segment.with_index(|index| {
                if ordinal < index.count() {
                    index.offset(ordinal)
                } else {
                    Ok(None)
                }
            })?;
            let view = match segment.bytes() {
                Ok(view) => view,
                Err(error) if error.is_archived() => return Err(error),
                Err(_) => break,
            };
            if let Some(event) = segment.event(view.bytes(), ordinal, offset) {
                return Ok(Some((segment.position(ordinal), event.recorded_at)));
            }
            ordinal += 1;
        }
    }
    Ok(None)
}

/// The newest durable event behind `after` that matches, for the writer: it fetches nothing.
pub(crate) fn newest_match(
    shared: &Shared,
    matcher: &Matcher,
    after: Position,
) -> Result<Option<Position>, SegmentUnreadable> {
    let durable = shared.durable.get();
    if after >= durable {
        return Ok(None);
    }
    if matcher.is_all() {
        return Ok(Some(durable));
    }
    for segment in shared.segments().iter().rev() {
        let (first, last) = ordinal_bounds(segment, (after.next(), durable));
        if first <= last {
            let mut steps = matching(segment, matcher, first, last)?;
            let here = kept_here(segment, &mut steps).map(Ok);
            let view = match here.unwrap_or_else(|| segment.bytes_at_hand()) {
                Err(error) if error.is_archived() && !steps.is_empty() => return Err(error),
                view => view,
            };
            for step in steps.iter().rev() {
                let event = view
                    .as_ref()
                    .ok()
                    .and_then(|view| segment.event(view.bytes(), step.ordinal, step.offset));
                // An event that cannot be read, or has lost its name, may be the one that the condition excludes.
                if event.is_none_or(|event| {
                    matcher.matches(&event, shared.names.aggregate_type_of(event.stream))
                }) {
                    return Ok(Some(segment.position(step.ordinal)));
                }
            }
        }
        if segment.place.first_position <= after.next() {
            break;
        }
    }
    Ok(None)
}
