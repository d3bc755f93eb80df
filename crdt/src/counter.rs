//! Counters: sums of increments that many replicas make.

use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::collections::BTreeMap;

/// A counter that only grows: per replica the sum of its own increments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrowCounter<R> {
    counts: BTreeMap<R, u64>,
}

impl<R: Replica> Default for GrowCounter<R> {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
        }
    }
}

impl<R: Replica> GrowCounter<R> {
    /// The sum over all replicas.
    pub fn value(&self) -> u128 {
        self.counts.values().map(|count| u128::from(*count)).sum()
    }

    /// What `replica` has added so far.
    pub fn count_of(&self, replica: &R) -> u64 {
        self.counts.get(replica).copied().unwrap_or(0)
    }

    /// Per replica its sum, by replica.
    pub fn iter(&self) -> impl Iterator<Item = (&R, u64)> {
        self.counts.iter().map(|(replica, count)| (replica, *count))
    }

    /// Adds `amount` for `replica` and returns the delta. A replica's sum stops at 2^64 - 1.
    pub fn increment(&mut self, replica: R, amount: u64) -> Self {
        let delta = Self::of(
            replica.clone(),
            self.count_of(&replica).saturating_add(amount),
        );
        self.join(&delta);
        delta
    }

    /// The counter in which `replica` has added `count` in all.
    pub fn of(replica: R, count: u64) -> Self {
        let counts = if count == 0 {
            BTreeMap::new()
        } else {
            BTreeMap::from([(replica, count)])
        };
        Self { counts }
    }
}

impl<R: Replica> Lattice for GrowCounter<R> {
    fn join(&mut self, other: &Self) {
        for (replica, count) in other.iter() {
            let own = self.counts.entry(replica.clone()).or_default();
            *own = count.max(*own);
        }
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.iter()
            .all(|(replica, count)| count <= other.count_of(replica))
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        Box::new(
            self.iter()
                .map(|(replica, count)| Self::of(replica.clone(), count)),
        )
    }
}

/// Count, then (replica, sum), replicas rising, sums at least 1.
impl<R: Replica> Wire for GrowCounter<R> {
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
            let replica = R::decode(reader)?;
            let count = reader.varint()?;
            if count == 0
                || counts
                    .last_key_value()
                    .is_some_and(|(last, _)| *last >= replica)
            {
                return Err(DecodeError::NotCanonical { what: "counter" });
            }
            counts.insert(replica, count);
        }
        Ok(Self { counts })
    }
}

/// A counter that goes up and down: two growing ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PnCounter<R> {
    increments: GrowCounter<R>,
    decrements: GrowCounter<R>,
}

impl<R: Replica> Default for PnCounter<R> {
    fn default() -> Self {
        Self {
            increments: GrowCounter::default(),
            decrements: GrowCounter::default(),
        }
    }
}

impl<R: Replica> PnCounter<R> {
    /// The counter made of these two halves.
    pub fn of(increments: GrowCounter<R>, decrements: GrowCounter<R>) -> Self {
        Self {
            increments,
            decrements,
        }
    }

    /// Increments minus decrements. The halves fit 2^64 times the number of replicas, so the difference fits 128 bits.
    pub fn value(&self) -> i128 {
        let up = i128::try_from(self.increments.value()).unwrap_or(i128::MAX);
        let down = i128::try_from(self.decrements.value()).unwrap_or(i128::MAX);
        up - down
    }

    /// The increments.
    pub fn increments(&self) -> &GrowCounter<R> {
        &self.increments
    }

    /// The decrements.
    pub fn decrements(&self) -> &GrowCounter<R> {
        &self.decrements
    }

    /// Adds `amount`, which may be negative, for `replica`, and returns the delta.
    pub fn add(&mut self, replica: R, amount: i64) -> Self {
        let size = amount.unsigned_abs();
        if amount < 0 {
            Self::of(
                GrowCounter::default(),
                self.decrements.increment(replica, size),
            )
        } else {
            Self::of(
                self.increments.increment(replica, size),
                GrowCounter::default(),
            )
        }
    }
}

impl<R: Replica> Lattice for PnCounter<R> {
    fn join(&mut self, other: &Self) {
        self.increments.join(&other.increments);
        self.decrements.join(&other.decrements);
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.increments.is_included_in(&other.increments)
            && self.decrements.is_included_in(&other.decrements)
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        let up = self
            .increments
            .decompose()
            .map(|half| Self::of(half, GrowCounter::default()));
        let down = self
            .decrements
            .decompose()
            .map(|half| Self::of(GrowCounter::default(), half));
        Box::new(up.chain(down))
    }
}

/// The increments, then the decrements.
impl<R: Replica> Wire for PnCounter<R> {
    fn encode(&self, writer: &mut Writer) {
        self.increments.encode(writer);
        self.decrements.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::of(
            GrowCounter::decode(reader)?,
            GrowCounter::decode(reader)?,
        ))
    }
}
