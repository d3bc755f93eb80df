//! The multi-value register: keeps every concurrent write, shows one winner and the siblings it won over.

use crate::clock::{Dot, DotContext, Stamp};
use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::store::{Causal, DotFun};
use crate::value::Value;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// A value with the stamp of its write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StampedValue {
    /// When it was written; orders siblings, never overrules causality.
    pub stamp: Stamp,
    /// What was written.
    pub value: Value,
}

impl Wire for StampedValue {
    fn encode(&self, writer: &mut Writer) {
        self.stamp.encode(writer);
        self.value.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            stamp: Stamp::decode(reader)?,
            value: Value::decode(reader)?,
        })
    }
}

/// The winner among concurrent writes: later stamp, then greater replica, then greater value.
pub(crate) fn winner_of<R: Replica>(
    writes: &DotFun<R, StampedValue>,
) -> Option<(&Dot<R>, &StampedValue)> {
    writes
        .iter()
        .max_by(|(left_dot, left), (right_dot, right)| {
            (left.stamp, &left_dot.replica, &left.value).cmp(&(
                right.stamp,
                &right_dot.replica,
                &right.value,
            ))
        })
}

/// A register whose concurrent writes all stay until a write that saw them replaces them.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiValueRegister<R: Replica> {
    state: Causal<DotFun<R, StampedValue>>,
}

impl<R: Replica> Default for MultiValueRegister<R> {
    fn default() -> Self {
        Self {
            state: Causal::default(),
        }
    }
}

impl<R: Replica> MultiValueRegister<R> {
    /// The writes that no other write has seen, by dot.
    pub fn writes(&self) -> impl Iterator<Item = (&Dot<R>, &StampedValue)> {
        self.state.store.iter()
    }

    /// The value to show: the winner's; null when nobody wrote.
    pub fn value(&self) -> &Value {
        winner_of(&self.state.store).map_or(&Value::Null, |(_, write)| &write.value)
    }

    /// Whether concurrent writes are waiting for someone to choose.
    pub fn is_in_conflict(&self) -> bool {
        self.state.store.len() > 1
    }

    /// What this register has seen.
    pub fn context(&self) -> &DotContext<R> {
        &self.state.context
    }

    /// Writes `value`, replacing everything visible here, and returns the delta.
    pub fn set(&mut self, replica: &R, stamp: Stamp, value: Value) -> Self {
        let dot = self.state.context.next_dot(replica);
        let written = DotFun::of(dot.clone(), StampedValue { stamp, value });
        let delta = Self {
            state: Causal::write(dot, written, &self.state.store),
        };
        self.join(&delta);
        delta
    }
}

crate::store::causal_newtype!(MultiValueRegister);
