//! The numbers that streams and types have in the log, both ways.
//!
//! The log itself holds the names: a name record precedes the first event that uses its number. Numbers are dense from
//! 0 and never change, so looking a name up by its number takes no lock; finding a number by name takes a short one.
//! Aggregates may be millions: what their ids say lies in a file that stands in for memory ([`texts`]).

use std::collections::BTreeSet;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use hashbrown::{DefaultHashBuilder, HashTable};

use self::slots::Slots;
use self::texts::{Text, Texts};
use crate::event::{StreamName, StreamRef};
use crate::mmap::Scratch;
use crate::record::{EventRecord, TypeNameOf};

mod slots;
#[cfg(test)]
mod tests;
mod texts;

/// What a number that no name record explains is called: its name record is damaged. No event is given by it.
pub(crate) const UNREADABLE: &str = "unreadable-name";

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Stream(u32),
    AggregateType(u16),
    EventType(u16),
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Stream(number) => write!(formatter, "the name of stream {number}"),
            Name::AggregateType(number) => write!(formatter, "the aggregate type {number}"),
            Name::EventType(number) => write!(formatter, "the event type {number}"),
        }
    }
}

/// All names of a log.
pub(crate) struct Names {
    streams: Slots<Stream>,
    aggregate_types: Slots<Box<str>>,
    event_types: Slots<Box<str>>,
    /// The aggregates' ids.
    ids: Texts,
    numbers: RwLock<Numbers>,
    hasher: DefaultHashBuilder,
    /// Whether a name record may be damaged: until then none is looked for.
    may_lack: AtomicBool,
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
    /// Streams that have events and no name.
    streams_lost: BTreeSet<u32>,
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
            may_lack: AtomicBool::new(false),
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

    /// Whether this number is explained, of a stream with its type.
    pub(crate) fn knows(&self, name: Name) -> bool {
        match name {
            Name::Stream(number) => self
                .aggregate_type_of(number)
                .is_some_and(|of| self.knows(Name::AggregateType(of))),
            Name::AggregateType(number) => self.aggregate_types.get(number.into()).is_some(),
            Name::EventType(number) => self.event_types.get(number.into()).is_some(),
        }
    }

    /// The first name that an event needs and that is not known.
    pub(crate) fn lacks(&self, event: &EventRecord<'_>) -> Option<Name> {
        let of_stream = match self.aggregate_type_of(event.stream) {
            Some(of) => Name::AggregateType(of),
            None => Name::Stream(event.stream),
        };
        let needed = [of_stream, Name::EventType(event.event_type)];
        needed.into_iter().find(|&name| !self.knows(name))
    }

    /// Whether all is known that an event is called by. Without that nobody can say what it belongs to, nor who may see it.
    pub(crate) fn explains(&self, event: &EventRecord<'_>) -> bool {
        !self.may_lack() || self.lacks(event).is_none()
    }

    /// Whether a name record may be damaged.
    pub(crate) fn may_lack(&self) -> bool {
        self.may_lack.load(Ordering::Relaxed)
    }

    /// Says that something of the log is damaged, and name records may be among it.
    pub(crate) fn note_damage(&self) {
        self.may_lack.store(true, Ordering::Relaxed);
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

    /// The number of a stream. One whose type has lost its name goes by none, nor by what stands in for it.
    pub(crate) fn stream_number(&self, name: &StreamName) -> Option<u32> {
        let is_named = |number| !self.may_lack() || self.knows(Name::Stream(number));
        let hash = self.hasher.hash_one(name);
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        numbers
            .streams
            .find(hash, |&number| {
                self.stream(number) == *name && is_named(number)
            })
            .copied()
    }

    /// The number of a type. Types are few, so the list is searched. What stands in for a lost name is none.
    pub(crate) fn type_number(&self, of: TypeNameOf, name: &str) -> Option<u16> {
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        let types = numbers.types(of).iter().enumerate();
        let mut found = types.filter(|(_, known)| &***known == name);
        found.find_map(|(number, _)| {
            let number = u16::try_from(number).ok()?;
            self.knows(name_for(of, number)).then_some(number)
        })
    }

    /// The streams whose name records are lost, ascending: each may be of any aggregate type.
    pub(crate) fn streams_lost(&self) -> Vec<u32> {
        if !self.may_lack() {
            return Vec::new();
        }
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        numbers.streams_lost.iter().copied().collect()
    }

    /// The streams that have lost their names, and may be the one of this name where no number goes by it.
    pub(crate) fn streams_maybe(&self, name: &StreamName) -> Vec<u32> {
        if !self.may_lack() {
            return Vec::new();
        }
        let mut found = self.streams_lost();
        let known = self.type_number(TypeNameOf::Aggregate, &name.aggregate_type);
        let types = self.types_maybe(TypeNameOf::Aggregate, known);
        // A stream whose type alone is lost is filed under what stands in for that.
        let filed = StreamRef {
            aggregate_type: UNREADABLE,
            aggregate_id: &name.aggregate_id,
        };
        let hash = self.hasher.hash_one(filed);
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        let of_lost_type = numbers.streams.iter_hash(hash).filter(|&&number| {
            let of = self.aggregate_type_of(number);
            self.stream(number) == filed && of.is_some_and(|of| types.contains(&of))
        });
        found.extend(of_lost_type);
        found
    }

    /// The types that have lost their names, and may be the one whose name has the number `known`, or none. A name has
    /// one number, unless that was lost and the name begun anew, under a higher one: a lost one above `known` is another's.
    pub(crate) fn types_maybe(&self, of: TypeNameOf, known: Option<u16>) -> Vec<u16> {
        if !self.may_lack() {
            return Vec::new();
        }
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        let count = numbers.types(of).len();
        drop(numbers);
        let before = known.map_or(count, usize::from).min(count);
        let slots = self.slots(of);
        let numbers = (0..=u16::MAX).take(before);
        numbers
            .filter(|&number| slots.get(number.into()).is_none())
            .collect()
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

    /// The same, with `None` where the name is lost.
    pub(crate) fn known_types(&self, of: TypeNameOf) -> Vec<Option<Box<str>>> {
        let types = (0_u32..).zip(self.types(of));
        let slots = self.slots(of);
        types
            .map(|(number, name)| slots.get(number).map(|_| name))
            .collect()
    }

    fn slots(&self, of: TypeNameOf) -> &Slots<Box<str>> {
        match of {
            TypeNameOf::Aggregate => &self.aggregate_types,
            TypeNameOf::Event => &self.event_types,
        }
    }

    /// Takes a name record in. One that is known already changes nothing.
    pub(crate) fn add_stream(&self, number: u32, aggregate_type: u16, aggregate_id: &str) {
        self.keep_type(TypeNameOf::Aggregate, aggregate_type);
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
        numbers.streams_lost.remove(&number);
        numbers.stream_count = numbers.stream_count.max(number + 1);
    }

    /// Sees to it that no new name gets a number that an event uses already: its own name record may be damaged.
    pub(crate) fn keep_numbers(&self, stream: u32, event_type: u16) {
        self.keep_stream(stream);
        self.keep_type(TypeNameOf::Event, event_type);
    }

    /// The same of a stream alone.
    pub(crate) fn keep_stream(&self, number: u32) {
        if self.streams.get(number).is_none() {
            self.note_damage();
            let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
            numbers.stream_count = numbers.stream_count.max(number + 1);
            if self.streams.get(number).is_none() {
                numbers.streams_lost.insert(number);
            }
        }
    }

    /// The same of a type.
    pub(crate) fn keep_type(&self, of: TypeNameOf, number: u16) {
        if !self.knows(name_for(of, number)) {
            self.note_damage();
            let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
            let types = numbers.types_mut(of);
            let count = types.len().max(usize::from(number) + 1);
            types.resize(count, UNREADABLE.into());
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
        if self.slots(of).set(u32::from(number), name.into()) {
            let types = numbers.types_mut(of);
            // A damaged name record leaves a gap, which keeps its number.
            types.resize(types.len().max(usize::from(number) + 1), UNREADABLE.into());
            types[usize::from(number)] = name.into();
        }
    }
}

fn name_for(of: TypeNameOf, number: u16) -> Name {
    match of {
        TypeNameOf::Aggregate => Name::AggregateType(number),
        TypeNameOf::Event => Name::EventType(number),
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
