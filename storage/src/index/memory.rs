//! The index of a segment that is still written, or whose file is being made.

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashTable};
use uuid::Uuid;

use super::{Key, StreamEnd, StreamSpan, id_hash, tag_hash};
use crate::position::Version;
use crate::record::EventRecord;
use crate::time::Timestamp;

/// A lost event's place in the list of offsets; no record lies there, since the header does.
const LOST: u32 = 0;

/// One event as the index sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexedEvent<'a> {
    /// Where its record begins in the segment's file.
    pub(crate) offset: u32,
    /// The number of its stream's aggregate type, if that is known.
    pub(crate) aggregate_type: Option<u16>,
    pub(crate) event: &'a EventRecord<'a>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct MemoryIndex {
    pub(super) offsets: Vec<u32>,
    lost: Vec<u32>,
    pub(super) streams: HashMap<u32, StreamList>,
    pub(super) aggregate_types: Vec<Vec<u32>>,
    pub(super) event_types: Vec<Vec<u32>>,
    pub(super) tags: HashMap<u64, Ordinals>,
    pub(super) ids: HashTable<IdEntry>,
    pub(super) occurred: Vec<Timestamp>,
    pub(super) occurred_in_order: bool,
    pub(super) occurred_bounds: Option<(Timestamp, Timestamp)>,
    /// The name records of the segment as they lie in it.
    pub(super) names: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct StreamList {
    pub(super) first_version: Version,
    pub(super) ordinals: Ordinals,
}

/// A list that mostly holds one: most streams and tags of a segment have a single event, and need no allocation.
#[derive(Debug)]
pub(super) enum Ordinals {
    One([u32; 1]),
    Many(Vec<u32>),
}

impl Ordinals {
    fn push(&mut self, ordinal: u32) {
        match self {
            Ordinals::One([first]) => *self = Ordinals::Many(vec![*first, ordinal]),
            Ordinals::Many(ordinals) => ordinals.push(ordinal),
        }
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Ordinals::One(one) => one,
            Ordinals::Many(ordinals) => ordinals,
        }
    }
}

/// An id's hash and the event that has it. The id itself is in the event's record.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdEntry {
    pub(super) hash: u32,
    pub(super) ordinal: u32,
}

impl IdEntry {
    /// The table looks at the highest and the lowest bits.
    fn table_hash(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl MemoryIndex {
    pub(crate) fn new() -> Self {
        MemoryIndex {
            occurred_in_order: true,
            ..MemoryIndex::default()
        }
    }

    /// Makes room for `events` more at once.
    pub(crate) fn reserve(&mut self, events: usize) {
        self.offsets.reserve(events);
        self.occurred.reserve(events);
        self.ids
            .reserve(events, |entry| IdEntry::table_hash(entry.hash));
    }

    /// Takes the next event in.
    pub(crate) fn push(&mut self, indexed: &IndexedEvent<'_>) {
        let ordinal = self.count();
        let event = indexed.event;
        self.offsets.push(indexed.offset);
        match self.streams.entry(event.stream) {
            Entry::Occupied(mut list) => list.get_mut().ordinals.push(ordinal),
            Entry::Vacant(list) => {
                list.insert(StreamList {
                    first_version: event.version,
                    ordinals: Ordinals::One([ordinal]),
                });
            }
        }
        push_at(&mut self.event_types, event.event_type, ordinal);
        if let Some(aggregate_type) = indexed.aggregate_type {
            push_at(&mut self.aggregate_types, aggregate_type, ordinal);
        }
        for tag in event.tags() {
            match self.tags.entry(tag_hash(tag)) {
                // The same tag twice on one event is kept once.
                Entry::Occupied(list) if list.get().as_slice().last() == Some(&ordinal) => {}
                Entry::Occupied(mut list) => list.get_mut().push(ordinal),
                Entry::Vacant(list) => {
                    list.insert(Ordinals::One([ordinal]));
                }
            }
        }
        let hash = id_hash(event.id);
        self.ids.insert_unique(
            IdEntry::table_hash(hash),
            IdEntry { hash, ordinal },
            |entry| IdEntry::table_hash(entry.hash),
        );
        self.push_occurred(event.occurred_at);
    }

    /// Counts an event that was lost to damage, so that those behind it keep their ordinals.
    pub(crate) fn push_lost(&mut self) {
        self.lost.push(self.count());
        self.offsets.push(LOST);
        // It has no time; the one before it keeps the order undisturbed.
        let before = self.occurred.last().copied().unwrap_or(Timestamp::MIN);
        self.occurred.push(before);
    }

    /// Where the segment's name records are kept.
    pub(crate) fn names_mut(&mut self) -> &mut Vec<u8> {
        &mut self.names
    }

    fn push_occurred(&mut self, occurred_at: Timestamp) {
        if self
            .occurred
            .last()
            .is_some_and(|&before| before > occurred_at)
        {
            self.occurred_in_order = false;
        }
        self.occurred.push(occurred_at);
        let (earliest, latest) = self.occurred_bounds.unwrap_or((occurred_at, occurred_at));
        self.occurred_bounds = Some((earliest.min(occurred_at), latest.max(occurred_at)));
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a segment holds fewer than 2^32 events"
    )]
    pub(crate) fn count(&self) -> u32 {
        self.offsets.len() as u32
    }

    pub(crate) fn offset(&self, ordinal: u32) -> Option<u64> {
        self.offsets
            .get(ordinal as usize)
            .filter(|&&offset| offset != LOST)
            .map(|&offset| u64::from(offset))
    }

    pub(crate) fn list(&self, key: Key, from: u32, to: u32, ordinals: &mut Vec<u32>) {
        let all: Option<&[u32]> = match key {
            Key::Stream(number) => self
                .streams
                .get(&number)
                .map(|list| list.ordinals.as_slice()),
            Key::AggregateType(number) => self
                .aggregate_types
                .get(usize::from(number))
                .map(|list| &**list),
            Key::EventType(number) => self
                .event_types
                .get(usize::from(number))
                .map(|list| &**list),
            Key::Tag(hash) => self.tags.get(&hash).map(Ordinals::as_slice),
        };
        ordinals.extend_from_slice(between(all.unwrap_or(&[]), from, to));
    }

    pub(crate) fn lost(&self, from: u32, to: u32) -> &[u32] {
        between(&self.lost, from, to)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a segment holds fewer than 2^32 events"
    )]
    pub(crate) fn stream_span(&self, stream: u32) -> Option<StreamSpan> {
        let list = self.streams.get(&stream)?;
        Some(StreamSpan {
            first_version: list.first_version,
            count: list.ordinals.as_slice().len() as u32,
        })
    }

    /// The last event of every stream, in no particular order.
    pub(crate) fn stream_ends(&self) -> Vec<StreamEnd> {
        let ends = self.streams.iter().filter_map(|(&stream, list)| {
            StreamEnd::of(stream, list.first_version, list.ordinals.as_slice())
        });
        ends.collect()
    }

    /// The numbers of the types of the events, ascending.
    pub(crate) fn event_types(&self) -> Vec<u16> {
        let numbered = (0..=u16::MAX).zip(&self.event_types);
        let used = numbered.filter(|(_, ordinals)| !ordinals.is_empty());
        used.map(|(number, _)| number).collect()
    }

    /// Appends the ordinals of events that may have this id.
    pub(crate) fn find_id(&self, id: Uuid, candidates: &mut Vec<u32>) {
        let hash = id_hash(id);
        let found = self.ids.iter_hash(IdEntry::table_hash(hash));
        candidates.extend(
            found
                .filter(|entry| entry.hash == hash)
                .map(|entry| entry.ordinal),
        );
    }

    pub(crate) fn occurred_bounds(&self) -> Option<(Timestamp, Timestamp)> {
        self.occurred_bounds
    }

    pub(crate) fn occurred_order(&self) -> Option<Vec<u32>> {
        if self.occurred_in_order {
            return None;
        }
        let mut order: Vec<u32> = (0..self.count()).collect();
        order.sort_by_key(|&ordinal| (self.occurred[ordinal as usize], ordinal));
        Some(order)
    }
}

/// Those of `ordinals`, which ascend, that lie in `from..=to`.
pub(super) fn between(ordinals: &[u32], from: u32, to: u32) -> &[u32] {
    let start = ordinals.partition_point(|&ordinal| ordinal < from);
    let end = ordinals.partition_point(|&ordinal| ordinal <= to);
    ordinals.get(start..end).unwrap_or(&[])
}

fn push_at(lists: &mut Vec<Vec<u32>>, number: u16, ordinal: u32) {
    let number = usize::from(number);
    if lists.len() <= number {
        lists.resize_with(number + 1, Vec::new);
    }
    lists[number].push(ordinal);
}
