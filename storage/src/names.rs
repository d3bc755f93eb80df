//! The numbers that streams and types have in the log, both ways.
//!
//! The log itself holds the names: a name record precedes the first event that uses its number. Numbers are dense from
//! 0 and never change, so looking a name up by its number takes no lock; finding a number by name takes a short one.
//! Aggregates may be millions: what their ids say lies in a file that stands in for memory ([`texts`]).

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

use hashbrown::{DefaultHashBuilder, HashTable};

use self::slots::Slots;
use self::texts::{Text, Texts};
use crate::event::{StreamName, StreamRef};
use crate::mmap::Scratch;
use crate::record::TypeNameOf;

mod slots;
#[cfg(test)]
mod tests;
mod texts;

/// What a number that no name record explains is called: its name record is damaged.
pub(crate) const UNREADABLE: &str = "unreadable-name";

/// All names of a log.
pub(crate) struct Names {
    streams: Slots<Stream>,
    aggregate_types: Slots<Box<str>>,
    event_types: Slots<Box<str>>,
    /// The aggregates' ids.
    ids: Texts,
    numbers: RwLock<Numbers>,
    hasher: DefaultHashBuilder,
}

struct Stream {
    aggregate_type: u16,
    aggregate_id: Text,
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
    /// No names yet. Ids of aggregates go to `scratch`; without one they stay in memory.
    pub(crate) fn new(scratch: Option<Scratch>) -> Self {
        Names {
            streams: Slots::new(),
            aggregate_types: Slots::new(),
            event_types: Slots::new(),
            ids: Texts::new(scratch),
            numbers: RwLock::default(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// The stream with this number.
    pub(crate) fn stream(&self, number: u32) -> StreamRef<'_> {
        let unreadable = StreamRef {
            aggregate_type: UNREADABLE,
            aggregate_id: UNREADABLE,
        };
        let found = self.streams.get(number);
        found.map_or(unreadable, |stream| self.name_of(stream))
    }

    fn name_of(&self, stream: &Stream) -> StreamRef<'_> {
        StreamRef {
            aggregate_type: self.aggregate_type(stream.aggregate_type),
            aggregate_id: self.ids.get(stream.aggregate_id).unwrap_or(UNREADABLE),
        }
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
            .find(hash, |&number| self.stream(number) == *name)
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
    ) -> impl Iterator<Item = (u32, StreamRef<'_>)> {
        (0..self.stream_count())
            .filter_map(|number| Some((number, self.streams.get(number)?)))
            .filter(move |(_, stream)| stream.aggregate_type == aggregate_type)
            .map(|(number, stream)| (number, self.name_of(stream)))
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
        let hash = self.hasher.hash_one(StreamRef {
            aggregate_type: self.aggregate_type(aggregate_type),
            aggregate_id,
        });
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if self.streams.get(number).is_some() {
            return;
        }
        let stream = Stream {
            aggregate_type,
            aggregate_id: self.ids.push(aggregate_id),
        };
        self.streams.set(number, stream);
        let rehash = |&number: &u32| self.hasher.hash_one(self.stream(number));
        numbers.streams.insert_unique(hash, number, rehash);
        numbers.stream_count = numbers.stream_count.max(number + 1);
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
