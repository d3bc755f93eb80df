//! What finds events without reading the log: one index a segment, derived, disposable, rebuilt when absent or damaged.
//!
//! While a segment is written its index is in memory ([`MemoryIndex`]); when it is sealed the same content is laid out
//! in a file ([`IndexFile`]) that is mapped, not loaded. Both answer in *ordinals*: an event's number within its segment,
//! from 0. An ordinal plus the segment's first position is the event's position.

mod file;
mod memory;
mod postings;
#[cfg(test)]
mod tests;

use uuid::Uuid;

use crate::position::Version;
use crate::time::Timestamp;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use file::seal;
pub(crate) use file::{IndexFile, IndexIdentity, encode};
pub(crate) use memory::{IndexedEvent, MemoryIndex};

/// What a list of ordinals is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Stream(u32),
    AggregateType(u16),
    EventType(u16),
    /// The [`tag_hash`]; whoever reads the event checks the tag itself.
    Tag(u64),
}

/// A file section does not verify: the index must be rebuilt from its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexDamaged;

/// Where the events of one stream begin in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamSpan {
    pub(crate) first_version: Version,
    pub(crate) count: u32,
}

/// The last event of one stream in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamEnd {
    pub(crate) stream: u32,
    pub(crate) version: Version,
    pub(crate) ordinal: u32,
}

impl StreamEnd {
    /// Of a stream whose events in the segment are `ordinals`; versions follow one another in a segment that is whole.
    fn of(stream: u32, first_version: Version, ordinals: &[u32]) -> Option<StreamEnd> {
        let ordinal = *ordinals.last()?;
        let behind = u32::try_from(ordinals.len() - 1).ok()?;
        let version = Version::new(first_version.get().checked_add(behind)?);
        Some(StreamEnd {
            stream,
            version,
            ordinal,
        })
    }
}

/// A segment's index, wherever it lives.
#[derive(Debug)]
pub(crate) enum SegmentIndex {
    Memory(MemoryIndex),
    File(IndexFile),
}

impl SegmentIndex {
    /// Events in the segment, lost ones included.
    pub(crate) fn count(&self) -> u32 {
        match self {
            SegmentIndex::Memory(index) => index.count(),
            SegmentIndex::File(index) => index.count(),
        }
    }

    /// Where the event lies in the segment's file; `None` when it was lost to damage.
    pub(crate) fn offset(&self, ordinal: u32) -> Result<Option<u64>, IndexDamaged> {
        match self {
            SegmentIndex::Memory(index) => Ok(index.offset(ordinal)),
            SegmentIndex::File(index) => index.offset(ordinal),
        }
    }

    /// The ordinals in `from..=to` of events that were lost to damage before this index was made, ascending. They are in no
    /// list: nothing is known of them but where they were.
    pub(crate) fn lost(&self, from: u32, to: u32) -> Result<&[u32], IndexDamaged> {
        match self {
            SegmentIndex::Memory(index) => Ok(index.lost(from, to)),
            SegmentIndex::File(index) => index.lost(from, to),
        }
    }

    /// Appends the ordinals kept for `key` that lie in `from..=to`, ascending, to `ordinals`.
    pub(crate) fn list(
        &self,
        key: Key,
        from: u32,
        to: u32,
        ordinals: &mut Vec<u32>,
    ) -> Result<(), IndexDamaged> {
        match self {
            SegmentIndex::Memory(index) => {
                index.list(key, from, to, ordinals);
                Ok(())
            }
            SegmentIndex::File(index) => index.list(key, from, to, ordinals),
        }
    }

    /// Which versions of a stream the segment holds.
    pub(crate) fn stream_span(&self, stream: u32) -> Result<Option<StreamSpan>, IndexDamaged> {
        match self {
            SegmentIndex::Memory(index) => Ok(index.stream_span(stream)),
            SegmentIndex::File(index) => index.stream_span(stream),
        }
    }

    /// The last event of every stream, where no event of the segment was lost.
    pub(crate) fn stream_ends(&self) -> Result<Vec<StreamEnd>, IndexDamaged> {
        match self {
            SegmentIndex::Memory(index) => Ok(index.stream_ends()),
            SegmentIndex::File(index) => index.stream_ends(),
        }
    }

    /// The numbers of the types of the segment's events, ascending.
    pub(crate) fn event_types(&self) -> Result<Vec<u16>, IndexDamaged> {
        match self {
            SegmentIndex::Memory(index) => Ok(index.event_types()),
            SegmentIndex::File(index) => index.event_types(),
        }
    }

    /// Appends the ordinals of events that may have this id to `candidates`: never misses one, rarely gives another.
    pub(crate) fn find_id(&self, id: Uuid, candidates: &mut Vec<u32>) -> Result<(), IndexDamaged> {
        match self {
            SegmentIndex::Memory(index) => {
                index.find_id(id, candidates);
                Ok(())
            }
            SegmentIndex::File(index) => index.find_id(id, candidates),
        }
    }

    /// The earliest and latest time at which an event of the segment happened; `None` without events.
    pub(crate) fn occurred_bounds(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            SegmentIndex::Memory(index) => index.occurred_bounds(),
            SegmentIndex::File(index) => index.occurred_bounds(),
        }
    }

    /// All ordinals in the order in which the events happened; `None` when that is the order of the log.
    pub(crate) fn occurred_order(&self) -> Result<Option<Vec<u32>>, IndexDamaged> {
        match self {
            SegmentIndex::Memory(index) => Ok(index.occurred_order()),
            SegmentIndex::File(index) => index.occurred_order(),
        }
    }
}

/// A tag's place in the index: FNV-1a over its bytes, 64 bits, with a final mix. Part of the file's format.
pub(crate) fn tag_hash(tag: &str) -> u64 {
    let hash = tag.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(hash)
}

/// An id's place in the index. Part of the file's format.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the halves of the id, then the high half of the hash"
)]
pub(crate) fn id_hash(id: Uuid) -> u32 {
    let id = id.as_u128();
    (mix((id >> 64) as u64 ^ mix(id as u64)) >> 32) as u32
}

/// The finalizer of MurmurHash3 (Appleby, public domain).
fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
