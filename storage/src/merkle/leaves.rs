//! The tree's leaves, out of the segments.

use super::TILE_LEAVES;
use super::hash::{TreeHash, hash_leaves};
use crate::header::SEGMENT_HEADER_BYTES;
use crate::position::Position;
use crate::read::ReadError;
use crate::record;
use crate::segment::Segment;
use crate::shared::Shared;

/// The hashes of a tile's leaves, up to what is durable; an event that cannot be read is an empty leaf.
pub(super) fn tile(shared: &Shared, tile: u64) -> Result<Tile, ReadError> {
    let from = Position::new(tile * TILE_LEAVES + 1);
    let to = Position::new((tile + 1) * TILE_LEAVES).min(shared.durable.get());
    let mut found = Tile {
        leaves: Vec::new(),
        is_readable: true,
    };
    each(shared, from, to, |leaves| {
        found.is_readable &= leaves.iter().all(|leaf| !leaf.is_empty());
        found.leaves.extend(hash_leaves(leaves.iter().copied()));
    })?;
    Ok(found)
}

/// See [`tile`].
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) leaves: Vec<TreeHash>,
    /// Whether all of its events can be read.
    pub(super) is_readable: bool,
}

/// The bytes of one leaf; none when its event cannot be read.
pub(super) fn bytes(shared: &Shared, position: Position) -> Result<Vec<u8>, ReadError> {
    let mut found = Vec::new();
    each(shared, position, position, |leaves| found = leaves.concat())?;
    Ok(found)
}

/// Gives the bytes of the leaves from `from` to `to`, both included, in order, those of a segment at once.
fn each(
    shared: &Shared,
    from: Position,
    to: Position,
    mut give: impl FnMut(&[&[u8]]),
) -> Result<(), ReadError> {
    let segments = shared.segments();
    let first = segments.partition_point(|segment| segment.place.first_position <= from);
    let mut next = from;
    for segment in segments.iter().skip(first.saturating_sub(1)) {
        if next > to {
            break;
        }
        let last = segment.last_position().map_or(to, |last| last.min(to));
        if last >= next {
            each_of_segment(segment, next, last, &mut give)?;
            next = last.next();
        }
    }
    Ok(())
}

fn each_of_segment(
    segment: &Segment,
    from: Position,
    to: Position,
    give: &mut impl FnMut(&[&[u8]]),
) -> Result<(), ReadError> {
    let (first, last) = (segment.ordinal(from), segment.ordinal(to));
    let before = first.saturating_sub(1);
    segment.bring_index()?;
    let offsets = segment.with_index(|index| {
        (before..=last)
            .map(|ordinal| index.offset(ordinal))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let view = segment.bytes()?;
    let bytes = view.bytes();
    let mut leaves = Vec::with_capacity(offsets.len());
    let mut behind = (first == 0).then_some(SEGMENT_HEADER_BYTES);
    for (ordinal, offset) in (before..=last).zip(offsets) {
        let start = offset.and_then(|offset| usize::try_from(offset).ok());
        let event = segment.event(bytes, ordinal, offset);
        let end = start
            .zip(event)
            .map(|(start, event)| start + event.bytes.len());
        if ordinal >= first {
            let leaf = start.zip(end).and_then(|(start, end)| {
                let begins = behind.map_or(start, |behind| leaf_start(bytes, behind, start));
                bytes.get(begins..end)
            });
            leaves.push(leaf.unwrap_or_default());
        }
        behind = end;
    }
    give(&leaves);
    Ok(())
}

/// Where the leaf of the event at `event` begins, when the record before it ends at `behind`: in front of the name records
/// that lie between, behind the commit marker.
pub(crate) fn leaf_start(bytes: &[u8], behind: usize, event: usize) -> usize {
    let (mut start, mut at) = (behind, behind);
    while at < event {
        let rest = bytes.get(at..event).unwrap_or_default();
        let Ok(length) = record::frame_length(rest) else {
            return event;
        };
        at += length;
        if record::claims_commit(rest) {
            start = at;
        }
    }
    start
}
