//! The observed-remove map: keys come and go like the elements of an add-wins set, and what stands under a key merges.
//!
//! A key is present while anything under it is alive. Removing a key removes what the remover had seen; a concurrent
//! change under the key survives and keeps the key (update wins).

use crate::clock::{Dot, DotContext};
use crate::lattice::Lattice;
use crate::store::{Causal, DotMap, DotStore};
use crate::value::Value;

/// A map from values to dot stores: a [`crate::DotSet`], a [`crate::DotFun`], or a map again.
#[derive(Clone, Debug, PartialEq)]
pub struct OrMap<S: DotStore> {
    state: Causal<DotMap<Value, S>>,
}

impl<S: DotStore> Default for OrMap<S> {
    fn default() -> Self {
        Self {
            state: Causal::default(),
        }
    }
}

impl<S: DotStore> OrMap<S> {
    /// What is alive under `key`.
    pub fn get(&self, key: &Value) -> Option<&S> {
        self.state.store.get(key)
    }

    /// The entries, keys rising.
    pub fn iter(&self) -> impl Iterator<Item = (&Value, &S)> {
        self.state.store.iter()
    }

    /// How many keys are present.
    pub fn len(&self) -> usize {
        self.state.store.len()
    }

    /// Whether no key is present.
    pub fn is_empty(&self) -> bool {
        self.state.store.is_empty()
    }

    /// What this map has seen.
    pub fn context(&self) -> &DotContext<S::Replica> {
        &self.state.context
    }

    /// Writes under `key` and returns the delta. `write` gets the dot of the write and what is alive under the key, and
    /// answers with the store to put there under that dot and the part of the old one that it replaces.
    pub fn update(
        &mut self,
        replica: &S::Replica,
        key: Value,
        write: impl FnOnce(Dot<S::Replica>, &S) -> (S, S),
    ) -> Self {
        let dot = self.state.context.next_dot(replica);
        let held = self.state.store.get(&key).cloned().unwrap_or_default();
        let (written, replaced) = write(dot.clone(), &held);
        let replaced = DotMap::of(key.clone(), replaced);
        let delta = Self {
            state: Causal::write(dot, DotMap::of(key, written), &replaced),
        };
        self.join(&delta);
        delta
    }

    /// Removes `key` with everything seen under it and returns the delta.
    pub fn remove(&mut self, key: &Value) -> Self {
        let removed = self.state.store.get(key).cloned().unwrap_or_default();
        let delta = Self {
            state: Causal::removal(&DotMap::of(key.clone(), removed)),
        };
        self.join(&delta);
        delta
    }
}

impl<S: DotStore> Lattice for OrMap<S> {
    fn join(&mut self, other: &Self) {
        self.state.join(&other.state);
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.state.is_included_in(&other.state)
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        Box::new(self.state.decompose().map(|state| Self { state }))
    }

    fn difference(&self, other: &Self) -> Self {
        Self {
            state: self.state.difference(&other.state),
        }
    }
}

impl<S: DotStore> crate::wire::Wire for OrMap<S> {
    fn encode(&self, writer: &mut crate::wire::Writer) {
        self.state.encode(writer);
    }

    fn decode(reader: &mut crate::wire::Reader<'_>) -> Result<Self, crate::wire::DecodeError> {
        Causal::decode(reader).map(|state| Self { state })
    }
}
