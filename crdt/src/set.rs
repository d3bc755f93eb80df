//! The add-wins set: an element stays while one of its additions was seen by no removal.
//!
//! There are no tombstones. The context remembers which additions were seen, in a run or two per replica, and an
//! addition that is in the context but not in the set was removed.

use crate::clock::DotContext;
use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::store::{Causal, DotMap, DotSet};
use crate::value::Value;

/// An observed-remove set of values.
#[derive(Clone, Debug, PartialEq)]
pub struct OrSet<R: Replica> {
    state: Causal<DotMap<Value, DotSet<R>>>,
}

impl<R: Replica> Default for OrSet<R> {
    fn default() -> Self {
        Self {
            state: Causal::default(),
        }
    }
}

impl<R: Replica> OrSet<R> {
    /// Whether `element` is present.
    pub fn contains(&self, element: &Value) -> bool {
        self.state.store.contains_key(element)
    }

    /// The elements, rising, each with the dots of its live additions.
    pub fn iter(&self) -> impl Iterator<Item = (&Value, &DotSet<R>)> {
        self.state.store.iter()
    }

    /// How many elements are present.
    pub fn len(&self) -> usize {
        self.state.store.len()
    }

    /// Whether no element is present.
    pub fn is_empty(&self) -> bool {
        self.state.store.is_empty()
    }

    /// What this set has seen.
    pub fn context(&self) -> &DotContext<R> {
        &self.state.context
    }

    /// Adds `element` and returns the delta. Earlier additions seen here are replaced, so re-adding costs nothing.
    pub fn add(&mut self, replica: &R, element: Value) -> Self {
        let dot = self.state.context.next_dot(replica);
        // What joining the delta comes to, without a walk over all elements.
        let added = DotSet::of(dot.clone());
        let replaced = self.state.store.insert(element.clone(), added.clone());
        self.state.context.insert(dot.clone());
        let replaced = replaced.unwrap_or_default();
        Self {
            state: Causal::write(dot, DotMap::of(element, added), &replaced),
        }
    }

    /// Removes `element`: all its additions seen here. Returns the delta, empty when it was absent.
    pub fn remove(&mut self, element: &Value) -> Self {
        // What joining the delta comes to, without a walk over all elements.
        let removed = self.state.store.remove(element).unwrap_or_default();
        Self {
            state: Causal::removal(&removed),
        }
    }

    /// Removes every element seen here and returns the delta.
    pub fn clear(&mut self) -> Self {
        let delta = Self {
            state: Causal::removal(&self.state.store),
        };
        self.join(&delta);
        delta
    }
}

crate::store::causal_newtype!(OrSet);
