//! Vector clocks: per replica, how many of its writes were seen.

use super::Dot;
use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::collections::BTreeMap;

/// How two events are related in causal order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causality {
    /// The same knowledge.
    Equal,
    /// The left is contained in the right.
    Before,
    /// The right is contained in the left.
    After,
    /// Each knows something the other does not.
    Concurrent,
}

/// Per replica the number of its writes seen, without gaps. An absent replica counts 0, and 0 is never stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VectorClock<R> {
    counts: BTreeMap<R, u64>,
}

impl<R: Replica> Default for VectorClock<R> {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
        }
    }
}

impl<R: Replica> VectorClock<R> {
    /// A clock that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many writes of `replica` were seen.
    pub fn get(&self, replica: &R) -> u64 {
        self.counts.get(replica).copied().unwrap_or(0)
    }

    /// Notes that `counter` writes of `replica` were seen; never goes back.
    pub fn raise(&mut self, replica: R, counter: u64) {
        if counter > self.get(&replica) {
            self.counts.insert(replica, counter);
        }
    }

    /// Counts one more write of `replica` and returns its dot.
    pub fn increment(&mut self, replica: R) -> Dot<R> {
        let counter = self.get(&replica) + 1;
        self.counts.insert(replica.clone(), counter);
        Dot::new(replica, counter)
    }

    /// Whether this write was seen.
    pub fn contains(&self, dot: &Dot<R>) -> bool {
        dot.counter <= self.get(&dot.replica)
    }

    /// The relation of this clock to `other`.
    pub fn compare(&self, other: &Self) -> Causality {
        match (self.is_included_in(other), other.is_included_in(self)) {
            (true, true) => Causality::Equal,
            (true, false) => Causality::Before,
            (false, true) => Causality::After,
            (false, false) => Causality::Concurrent,
        }
    }

    /// The replicas seen and their counts, in replica order.
    pub fn iter(&self) -> impl Iterator<Item = (&R, u64)> {
        self.counts.iter().map(|(replica, count)| (replica, *count))
    }

    /// How many replicas were seen.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl<R: Replica> Lattice for VectorClock<R> {
    fn join(&mut self, other: &Self) {
        for (replica, count) in other.iter() {
            self.raise(replica.clone(), count);
        }
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.iter()
            .all(|(replica, count)| count <= other.get(replica))
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        Box::new(self.iter().map(|(replica, count)| Self {
            counts: BTreeMap::from([(replica.clone(), count)]),
        }))
    }
}

/// Count, then (replica, count) with replicas rising; count is at least 1.
impl<R: Replica> Wire for VectorClock<R> {
    fn encode(&self, writer: &mut Writer) {
        writer.count(self.counts.len());
        for (replica, count) in self.iter() {
            replica.encode(writer);
            writer.varint(count);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut counts = BTreeMap::new();
        for _ in 0..reader.count(2)? {
            let dot = Dot::decode(reader)?;
            if counts
                .last_key_value()
                .is_some_and(|(last, _)| *last >= dot.replica)
            {
                return Err(DecodeError::NotCanonical {
                    what: "vector clock",
                });
            }
            counts.insert(dot.replica, dot.counter);
        }
        Ok(Self { counts })
    }
}
