//! The index of a segment that is still written, or whose file is being made.

use hashbrown::{DefaultHashBuilder, HashMap};
use uuid::Uuid;

use super::{Key, StreamSpan, tag_hash};
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
    pub(crate) event: EventRecord<'a>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct MemoryIndex {
    pub(super) offsets: Vec<u32>,
    pub(super) streams: HashMap<u32, StreamList>,
    pub(super) aggregate_types: Vec<Vec<u32>>,
    pub(super) event_types: Vec<Vec<u32>>,
    pub(super) tags: HashMap<u64, Vec<u32>>,
    pub(super) ids: HashMap<u128, u32, IdHasher>,
    pub(super) occurred: Vec<Timestamp>,
    pub(super) occurred_in_order: bool,
    pub(super) occurred_bounds: Option<(Timestamp, Timestamp)>,
    /// The name records of the segment as they lie in it.
    pub(super) names: Vec<u8>,
}

type IdHasher = DefaultHashBuilder;

#[derive(Debug)]
pub(super) struct StreamList {
    pub(super) first_version: Version,
    pub(super) ordinals: Vec<u32>,
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
        self.ids.reserve(events);
    }

    /// Takes the next event in.
    pub(crate) fn push(&mut self, indexed: &IndexedEvent<'_>) {
        let ordinal = self.count();
        let event = &indexed.event;
        self.offsets.push(indexed.offset);
        self.streams
            .entry(event.stream)
            .or_insert_with(|| StreamList {
                first_version: event.version,
                ordinals: Vec::new(),
            })
            .ordinals
            .push(ordinal);
        push_at(&mut self.event_types, event.event_type, ordinal);
        if let Some(aggregate_type) = indexed.aggregate_type {
            push_at(&mut self.aggregate_types, aggregate_type, ordinal);
        }
        for tag in event.tags() {
            let ordinals = self.tags.entry(tag_hash(tag)).or_default();
            // The same tag twice on one event is kept once.
            if ordinals.last() != Some(&ordinal) {
                ordinals.push(ordinal);
            }
        }
        self.ids.entry(event.id.as_u128()).or_insert(ordinal);
        self.push_occurred(event.occurred_at);
    }

    /// Counts an event that was lost to damage, so that those behind it keep their ordinals.
    pub(crate) fn push_lost(&mut self) {
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
            Key::Stream(number) => self.streams.get(&number).map(|list| &*list.ordinals),
            Key::AggregateType(number) => self
                .aggregate_types
                .get(usize::from(number))
                .map(|list| &**list),
            Key::EventType(number) => self
                .event_types
                .get(usize::from(number))
                .map(|list| &**list),
            Key::Tag(hash) => self.tags.get(&hash).map(|list| &**list),
        };
        let all = all.unwrap_or(&[]);
        let start = all.partition_point(|&ordinal| ordinal < from);
        let end = all.partition_point(|&ordinal| ordinal <= to);
        ordinals.extend_from_slice(all.get(start..end).unwrap_or(&[]));
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a segment holds fewer than 2^32 events"
    )]
    pub(crate) fn stream_span(&self, stream: u32) -> Option<StreamSpan> {
        let list = self.streams.get(&stream)?;
        Some(StreamSpan {
            first_version: list.first_version,
            count: list.ordinals.len() as u32,
        })
    }

    pub(crate) fn find_id(&self, id: Uuid) -> Option<u32> {
        self.ids.get(&id.as_u128()).copied()
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

fn push_at(lists: &mut Vec<Vec<u32>>, number: u16, ordinal: u32) {
    let number = usize::from(number);
    if lists.len() <= number {
        lists.resize_with(number + 1, Vec::new);
    }
    lists[number].push(ordinal);
}
