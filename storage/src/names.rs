//! The numbers that streams and types have in the log, both ways.
//!
//! The log itself holds the names: a name record precedes the first event that uses its number. Numbers are dense from
//! 0 and never change, so looking a name up by its number takes no lock; finding a number by name takes a short one.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{OnceLock, PoisonError, RwLock};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::event::StreamName;
use crate::record::TypeNameOf;

#[cfg(test)]
mod tests;

/// What a number that no name record explains is called: its name record is damaged.
const UNREADABLE: &str = "unreadable-name";

/// All names of a log.
pub(crate) struct Names {
    streams: Slots<Stream>,
    aggregate_types: Slots<Box<str>>,
    event_types: Slots<Box<str>>,
    numbers: RwLock<Numbers>,
    hasher: DefaultHashBuilder,
    unreadable: StreamName,
}

struct Stream {
    name: StreamName,
    aggregate_type: u16,
}

#[derive(Default)]
struct Numbers {
    /// Numbers by the hash of (type, id); the names are in the slots.
    streams: HashTable<u32>,
    stream_count: u32,
    aggregate_types: Vec<Box<str>>,
    event_types: Vec<Box<str>>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Names {
            streams: Slots::new(),
            aggregate_types: Slots::new(),
            event_types: Slots::new(),
            numbers: RwLock::default(),
            hasher: DefaultHashBuilder::default(),
            unreadable: StreamName::new(UNREADABLE, UNREADABLE),
        }
    }

    /// The stream with this number.
    pub(crate) fn stream(&self, number: u32) -> &StreamName {
        self.streams
            .get(number)
            .map_or(&self.unreadable, |stream| &stream.name)
    }

    /// The number of the aggregate type of the stream with this number.
    pub(crate) fn aggregate_type_of(&self, stream: u32) -> Option<u16> {
        self.streams.get(stream).map(|stream| stream.aggregate_type)
    }

    /// The event type with this number.
    pub(crate) fn event_type(&self, number: u16) -> &str {
        self.event_types
            .get(u32::from(number))
            .map_or(UNREADABLE, |name| name)
    }

    /// The aggregate type with this number.
    pub(crate) fn aggregate_type(&self, number: u16) -> &str {
        self.aggregate_types
            .get(u32::from(number))
            .map_or(UNREADABLE, |name| name)
    }

    /// The number of a stream.
    pub(crate) fn stream_number(&self, name: &StreamName) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        numbers
            .streams
            .find(hash, |&number| self.stream(number) == name)
            .copied()
    }

    /// The number of a type. Types are few, so the list is searched.
    pub(crate) fn type_number(&self, of: TypeNameOf, name: &str) -> Option<u16> {
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        let found = numbers
            .types(of)
            .iter()
            .position(|known| &**known == name)?;
        u16::try_from(found).ok()
    }

    /// How many streams have a number: the next one's number.
    pub(crate) fn stream_count(&self) -> u32 {
        self.numbers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .stream_count
    }

    /// The streams of an aggregate type, by number.
    pub(crate) fn streams_of_type(
        &self,
        aggregate_type: u16,
    ) -> impl Iterator<Item = (u32, &StreamName)> {
        (0..self.stream_count())
            .filter_map(|number| Some((number, self.streams.get(number)?)))
            .filter(move |(_, stream)| stream.aggregate_type == aggregate_type)
            .map(|(number, stream)| (number, &stream.name))
    }

    /// The names of all types, by number.
    pub(crate) fn types(&self, of: TypeNameOf) -> Vec<Box<str>> {
        self.numbers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .types(of)
            .to_vec()
    }

    /// Takes a name record in. One that is known already changes nothing.
    pub(crate) fn add_stream(&self, number: u32, aggregate_type: u16, aggregate_id: &str) {
        let name = StreamName::new(self.aggregate_type(aggregate_type), aggregate_id);
        let hash = self.hasher.hash_one(&name);
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if self.streams.set(
            number,
            Stream {
                name,
                aggregate_type,
            },
        ) {
            let rehash = |&number: &u32| self.hasher.hash_one(self.stream(number));
            numbers.streams.insert_unique(hash, number, rehash);
            numbers.stream_count = numbers.stream_count.max(number + 1);
        }
    }

    /// Sees to it that no new name gets a number that an event uses already: its own name record may be damaged.
    pub(crate) fn keep_numbers(&self, stream: u32, event_type: u16) {
        if self.streams.get(stream).is_none() {
            let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
            numbers.stream_count = numbers.stream_count.max(stream + 1);
        }
        if self.event_types.get(u32::from(event_type)).is_none() {
            let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
            let count = numbers.event_types.len().max(usize::from(event_type) + 1);
            numbers.event_types.resize(count, UNREADABLE.into());
        }
    }

    /// Makes room for `count` more streams at once.
    pub(crate) fn reserve_streams(&self, count: usize) {
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        numbers
            .streams
            .reserve(count, |&number| self.hasher.hash_one(self.stream(number)));
    }

    /// Takes a name record in. One that is known already changes nothing.
    pub(crate) fn add_type(&self, of: TypeNameOf, number: u16, name: &str) {
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        let slots = match of {
            TypeNameOf::Aggregate => &self.aggregate_types,
            TypeNameOf::Event => &self.event_types,
        };
        if slots.set(u32::from(number), name.into()) {
            let types = numbers.types_mut(of);
            // A damaged name record leaves a gap, which keeps its number.
            types.resize(types.len().max(usize::from(number) + 1), UNREADABLE.into());
            types[usize::from(number)] = name.into();
        }
    }
}

impl Numbers {
    fn types(&self, of: TypeNameOf) -> &[Box<str>] {
        match of {
            TypeNameOf::Aggregate => &self.aggregate_types,
            TypeNameOf::Event => &self.event_types,
        }
    }

    fn types_mut(&mut self, of: TypeNameOf) -> &mut Vec<Box<str>> {
        match of {
            TypeNameOf::Aggregate => &mut self.aggregate_types,
            TypeNameOf::Event => &mut self.event_types,
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Names")
            .field("streams", &self.stream_count())
            .finish_non_exhaustive()
    }
}

/// A list that grows while it is read, and a slot once set stays. Block `n` holds `2^(n + 6)` slots, in pieces that are made as
/// they are needed: a list just over a power of two takes no more than a piece too much.
struct Slots<T> {
    blocks: [OnceLock<Free<Free<T>>>; SLOT_BLOCKS],
}

/// Places of which each is free until it is set.
type Free<T> = Box<[OnceLock<T>]>;

const SLOTS_FIRST_LOG2: u32 = 6;
const SLOT_BLOCKS: usize = (u32::BITS - SLOTS_FIRST_LOG2 + 1) as usize;
/// Slots of a piece, where its block has so many.
const PIECE_SLOTS: usize = 1 << 10;

impl<T> Slots<T> {
    fn new() -> Self {
        Slots {
            blocks: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    fn get(&self, index: u32) -> Option<&T> {
        let (block, slot) = slot_of(index);
        let piece = self.blocks[block].get()?[slot / PIECE_SLOTS].get()?;
        piece[slot % PIECE_SLOTS].get()
    }

    /// Whether the slot was free.
    fn set(&self, index: u32, value: T) -> bool {
        let (block, slot) = slot_of(index);
        let length = block_length(block);
        let pieces = self.blocks[block].get_or_init(|| free(length.div_ceil(PIECE_SLOTS)));
        let piece = pieces[slot / PIECE_SLOTS].get_or_init(|| free(length.min(PIECE_SLOTS)));
        piece[slot % PIECE_SLOTS].set(value).is_ok()
    }
}

fn free<T>(count: usize) -> Free<T> {
    (0..count).map(|_| OnceLock::new()).collect()
}

fn block_length(block: usize) -> usize {
    1 << (block + SLOTS_FIRST_LOG2 as usize)
}

fn slot_of(index: u32) -> (usize, usize) {
    let shifted = u64::from(index) + (1 << SLOTS_FIRST_LOG2);
    let block = shifted.ilog2() - SLOTS_FIRST_LOG2;
    let slot = shifted - (1 << (block + SLOTS_FIRST_LOG2));
    (block as usize, usize::try_from(slot).unwrap_or(usize::MAX))
}
