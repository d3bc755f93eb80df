//! The enable-wins flag: a safety hold set by one and lifted by another at the same time stays set.

use crate::clock::DotContext;
use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::store::{Causal, DotSet, DotStore};

/// A truth that is on while one of its enablings was seen by no disabling.
#[derive(Clone, Debug, PartialEq)]
pub struct EnableWinsFlag<R: Replica> {
    state: Causal<DotSet<R>>,
}

impl<R: Replica> Default for EnableWinsFlag<R> {
    fn default() -> Self {
        Self {
            state: Causal::default(),
        }
    }
}

impl<R: Replica> EnableWinsFlag<R> {
    /// Whether the flag is on.
    pub fn is_enabled(&self) -> bool {
        !self.state.store.is_empty()
    }

    /// What this flag has seen.
    pub fn context(&self) -> &DotContext<R> {
        &self.state.context
    }

    /// Turns the flag on and returns the delta.
    pub fn enable(&mut self, replica: &R) -> Self {
        let dot = self.state.context.next_dot(replica);
        let delta = Self {
            state: Causal::write(dot.clone(), DotSet::of(dot), &self.state.store),
        };
        self.join(&delta);
        delta
    }

    /// Turns off every enabling seen here and returns the delta.
    pub fn disable(&mut self) -> Self {
        let delta = Self {
            state: Causal::removal(&self.state.store),
        };
        self.join(&delta);
        delta
    }
}

crate::store::causal_newtype!(EnableWinsFlag);
