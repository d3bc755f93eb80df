//! Names that the saved tables lack and the log says again: a segment, or its index, was put back. What else the tables
//! say, and indexes that were made without these names, is not used any more but made anew.

use super::listing::{Listed, Listing};
use super::{OpenError, doing, index_of, salvage_names};
use crate::header::SEGMENT_HEADER_BYTES;
use crate::index::{IndexDamaged, IndexFile, Key};
use crate::names::{Name, Names};
use crate::position::{Position, SegmentId};
use crate::recovery::{self, Found};
use crate::segment::index_file;

/// Whether names that `names`, of the saved tables, lack are said by now; they are taken in. The tables are to be made
/// anew then, and the index files that were made without these names are removed: their segments are read again.
pub(super) fn take_returned(listing: &mut Listing, names: &Names) -> Result<bool, OpenError> {
    let lost = names.lost();
    if lost.is_empty() {
        return Ok(false);
    }
    salvage_names(listing, names);
    let mut stale = said_by_segments(listing, &lost, names);
    let returned: Vec<Name> = lost.into_iter().filter(|&name| names.knows(name)).collect();
    // Nothing is fetched to make tables: where that were needed, these do, with the names as they are now.
    let mut away = listing.segments.iter().filter(|at| at.away.is_some());
    let is_at_hand = |at: &Listed| index_of(listing, at).is_some_and(|index| index.is_whole());
    if returned.is_empty() || !away.all(is_at_hand) {
        return Ok(false);
    }
    for listed in sealed(listing) {
        let index = index_of(listing, listed);
        if index.is_some_and(|index| is_without_types(&index, &returned, names).unwrap_or(true)) {
            stale.push(listed.header.segment);
        }
    }
    stale.sort_unstable();
    stale.dedup();
    for segment in stale {
        let of = |listed: &&Listed| listed.header.segment == segment;
        if let Some(listed) = listing.segments.iter().find(of) {
            let removed = listed.repo.remove(&index_file(segment));
            removed.map_err(doing("removing an index that was made without names"))?;
        }
        listing.forget_index(segment);
    }
    Ok(true)
}

/// The segments that can be read again without being fetched, but for the last, which is read anyway.
fn sealed(listing: &Listing) -> impl Iterator<Item = &Listed> {
    let count = listing.segments.len().saturating_sub(1);
    let sealed = listing.segments.iter().take(count);
    sealed.filter(|listed| listed.away.is_none())
}

/// Reads the segments that may say one of these names. Returns those that do although their index files do not.
fn said_by_segments(listing: &Listing, lost: &[Name], names: &Names) -> Vec<SegmentId> {
    let mut wanted: Vec<Name> = lost.to_vec();
    wanted.retain(|&name| !names.knows(name));
    let mut stale = Vec::new();
    for listed in sealed(listing) {
        if wanted.is_empty() {
            break;
        }
        let before = lost.iter().filter(|&&name| names.knows(name)).count();
        match index_of(listing, listed) {
            Some(index) if may_say(&index, &mut wanted) => {
                say_names(listing, listed, names);
                if lost.iter().filter(|&&name| names.knows(name)).count() > before {
                    stale.push(listed.header.segment);
                }
            }
            Some(_) => {}
            None => say_names(listing, listed, names),
        }
    }
    stale
}

/// Whether a segment may say one of these names: it holds the first event that needs it, for a name lies in front of
/// that in the same group; or lost ones, which may have been the first. No later one says a name whose event was found.
fn may_say(index: &IndexFile, wanted: &mut Vec<Name>) -> bool {
    let before = wanted.len();
    wanted.retain(|&name| !has_events(index, key_of(name)).unwrap_or(false));
    let may_have_lost = match index.lost(0, u32::MAX) {
        Ok(lost) => !lost.is_empty(),
        Err(IndexDamaged) => true,
    };
    may_have_lost || wanted.len() < before
}

fn key_of(name: Name) -> Key {
    match name {
        Name::Stream(number) => Key::Stream(number),
        Name::AggregateType(number) => Key::AggregateType(number),
        Name::EventType(number) => Key::EventType(number),
    }
}

fn has_events(index: &IndexFile, key: Key) -> Result<bool, IndexDamaged> {
    let mut ordinals = Vec::new();
    index.list(key, 0, u32::MAX, &mut ordinals)?;
    Ok(!ordinals.is_empty())
}

/// Takes in the names that the records of a segment say.
fn say_names(listing: &Listing, listed: &Listed, names: &Names) {
    // One whose file is gone says nothing.
    let Ok(view) = listed.view() else { return };
    let mut segments = listing.segments.iter();
    let next = segments.find(|next| next.header.segment == listed.header.segment.next());
    let known = next.map_or(Position::START, |next| {
        next.header.first_position.previous()
    });
    let bytes = view.bytes();
    recovery::scan(
        bytes,
        SEGMENT_HEADER_BYTES.min(bytes.len()),
        listed.header.place(),
        known,
        &mut |found| match *found {
            Found::StreamName {
                number,
                aggregate_type,
                aggregate_id,
            } => names.add_stream(number, aggregate_type, aggregate_id),
            Found::TypeName { of, number, name } => names.add_type(of, number, name),
            Found::Event { .. } | Found::Group { .. } | Found::Damage(_) => {}
        },
    );
}

/// Whether an index does not list events of these streams by their aggregate types: it was made while nobody knew them.
fn is_without_types(
    index: &IndexFile,
    returned: &[Name],
    names: &Names,
) -> Result<bool, IndexDamaged> {
    for name in returned {
        let Name::Stream(number) = *name else {
            continue;
        };
        let Some(of) = names.aggregate_type_of(number) else {
            continue;
        };
        let (mut of_stream, mut of_type) = (Vec::new(), Vec::new());
        index.list(Key::Stream(number), 0, u32::MAX, &mut of_stream)?;
        if let Some(&first) = of_stream.first() {
            index.list(Key::AggregateType(of), first, first, &mut of_type)?;
            if of_type.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
