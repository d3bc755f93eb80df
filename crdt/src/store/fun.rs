//! Live dots, each with the value it wrote.

use super::DotStore;
use crate::clock::{Dot, DotContext};
use crate::replica::Replica;
use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Values under the dots of their writes: the concurrent writes of a register.
///
/// A dot stands for one write, so both sides hold the same value under it. Should a broken device ever use a dot
/// twice, the greater value wins, so that replicas still agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotFun<R: Replica, V> {
    values: BTreeMap<Dot<R>, V>,
}

impl<R: Replica, V> Default for DotFun<R, V> {
    fn default() -> Self {
        Self {
            values: BTreeMap::new(),
        }
    }
}

impl<R: Replica, V> DotFun<R, V> {
    /// One write.
    pub fn of(dot: Dot<R>, value: V) -> Self {
        Self {
            values: BTreeMap::from([(dot, value)]),
        }
    }

    pub(crate) fn insert(&mut self, dot: Dot<R>, value: V) {
        self.values.insert(dot, value);
    }

    /// The live writes, by dot.
    pub fn iter(&self) -> impl Iterator<Item = (&Dot<R>, &V)> {
        self.values.iter()
    }

    /// How many writes are alive.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl<R: Replica, V: Clone + Ord + Debug + Wire> DotStore for DotFun<R, V> {
    type Replica = R;

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn visit_dots(&self, visit: &mut dyn FnMut(&Dot<R>)) {
        self.values.keys().for_each(visit);
    }

    fn join(&mut self, own: &DotContext<R>, other: &Self, others: &DotContext<R>) {
        self.values
            .retain(|dot, _| other.values.contains_key(dot) || !others.contains(dot));
        for (dot, value) in &other.values {
            match self.values.get_mut(dot) {
                Some(held) if *held < *value => *held = value.clone(),
                Some(_) => {}
                None if own.contains(dot) => {}
                None => {
                    self.values.insert(dot.clone(), value.clone());
                }
            }
        }
    }

    fn retain(&mut self, keep: &dyn Fn(&Dot<R>) -> bool) {
        self.values.retain(|dot, _| keep(dot));
    }

    fn split(&self) -> BTreeMap<Dot<R>, Self> {
        self.values
            .iter()
            .map(|(dot, value)| (dot.clone(), Self::of(dot.clone(), value.clone())))
            .collect()
    }
}

/// Count, then (dot, value), dots rising.
impl<R: Replica, V: Wire> Wire for DotFun<R, V> {
    fn encode(&self, writer: &mut Writer) {
        writer.count(self.values.len());
        for (dot, value) in &self.values {
            dot.encode(writer);
            value.encode(writer);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut values = BTreeMap::new();
        for _ in 0..reader.count(3)? {
            let dot = Dot::decode(reader)?;
            if values
                .last_key_value()
                .is_some_and(|(last, _)| *last >= dot)
            {
                return Err(DecodeError::NotCanonical { what: "dots" });
            }
            values.insert(dot, V::decode(reader)?);
        }
        Ok(Self { values })
    }
}
