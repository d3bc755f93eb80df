//! Dot stores: the three shapes from which every causal type is made, and the one rule that joins them.
//!
//! A store holds what is alive, each thing under the dot of its write. Together with a [`DotContext`] it says: a dot in
//! the context but not in the store was overwritten or removed. So a join keeps a live dot when both sides hold it, or
//! when the side without it has not seen it. Source: Almeida, Shoker, Baquero, *Delta State Replicated Data Types*,
//! 2018, figures 4 to 8.

mod fun;
mod map;
mod set;

pub use fun::DotFun;
pub use map::DotMap;
pub use set::DotSet;

use crate::clock::{Dot, DotContext};
use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// A container of live dots that can be joined under two contexts.
pub trait DotStore: Clone + Default + PartialEq + Debug + Wire {
    /// Who writes.
    type Replica: Replica;

    /// Whether nothing is alive.
    fn is_empty(&self) -> bool;

    /// Calls `visit` with every live dot.
    fn visit_dots(&self, visit: &mut dyn FnMut(&Dot<Self::Replica>));

    /// Takes in `other`, where `own` and `others` are what the two sides have seen.
    fn join(
        &mut self,
        own: &DotContext<Self::Replica>,
        other: &Self,
        others: &DotContext<Self::Replica>,
    );

    /// Keeps only what stands under dots that `keep` accepts.
    fn retain(&mut self, keep: &dyn Fn(&Dot<Self::Replica>) -> bool);

    /// The store cut into one store per live dot.
    fn split(&self) -> BTreeMap<Dot<Self::Replica>, Self>;

    /// The live dots.
    fn live_dots(&self) -> BTreeSet<Dot<Self::Replica>> {
        let mut dots = BTreeSet::new();
        self.visit_dots(&mut |dot| {
            dots.insert(dot.clone());
        });
        dots
    }
}

/// A dot store with its context: the lattice behind flags, multi-value registers, sets and maps.
#[derive(Clone, Debug, PartialEq)]
pub struct Causal<S: DotStore> {
    /// What is alive.
    pub store: S,
    /// Everything seen, alive or not.
    pub context: DotContext<S::Replica>,
}

impl<S: DotStore> Default for Causal<S> {
    fn default() -> Self {
        Self {
            store: S::default(),
            context: DotContext::default(),
        }
    }
}

impl<S: DotStore> Causal<S> {
    /// The delta that puts `store` (one write, alive under `dot`) in the place of the writes `replaced`.
    pub(crate) fn write(
        dot: Dot<S::Replica>,
        store: S,
        replaced: &impl DotStore<Replica = S::Replica>,
    ) -> Self {
        let mut context = context_of(replaced);
        context.insert(dot);
        Self { store, context }
    }

    /// The delta that removes the writes `removed`.
    pub(crate) fn removal(removed: &impl DotStore<Replica = S::Replica>) -> Self {
        Self {
            store: S::default(),
            context: context_of(removed),
        }
    }

    /// The dots that a join with `other` would have to learn: new ones, and those removed here that live there.
    fn news_for(&self, other: &Self) -> DotContext<S::Replica> {
        let mut news = self.context.without(&other.context);
        let alive_here = self.store.live_dots();
        other.store.visit_dots(&mut |dot| {
            if self.context.contains(dot) && !alive_here.contains(dot) {
                news.insert(dot.clone());
            }
        });
        news
    }
}

/// The context of what lives in `store`.
fn context_of<S: DotStore>(store: &S) -> DotContext<S::Replica> {
    let mut context = DotContext::new();
    store.visit_dots(&mut |dot| context.insert(dot.clone()));
    context
}

impl<S: DotStore> Lattice for Causal<S> {
    fn join(&mut self, other: &Self) {
        self.store.join(&self.context, &other.store, &other.context);
        self.context.join(&other.context);
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.news_for(other).is_empty()
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        let mut live = self.store.split();
        Box::new(self.context.dots().map(move |dot| Self {
            store: live.remove(&dot).unwrap_or_default(),
            context: DotContext::of([dot]),
        }))
    }

    fn difference(&self, other: &Self) -> Self {
        let context = self.news_for(other);
        let mut store = self.store.clone();
        store.retain(&|dot| context.contains(dot));
        Self { store, context }
    }
}

/// The context, then the store; every live dot must be in the context.
impl<S: DotStore> Wire for Causal<S> {
    fn encode(&self, writer: &mut Writer) {
        self.context.encode(writer);
        self.store.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let context = DotContext::decode(reader)?;
        let store = S::decode(reader)?;
        check_covered(&store, &context)?;
        Ok(Self { store, context })
    }
}

/// Refuses a store with a live dot that its context has not seen: such a state is not one any replica can reach.
pub(crate) fn check_covered<S: DotStore>(
    store: &S,
    context: &DotContext<S::Replica>,
) -> Result<(), DecodeError> {
    let mut covered = true;
    store.visit_dots(&mut |dot| covered &= context.contains(dot));
    if covered {
        Ok(())
    } else {
        Err(DecodeError::NotCanonical {
            what: "live dot outside the context",
        })
    }
}

/// Gives a type with one field `state: Causal<…>` over a replica the lattice and the binary form of that field.
macro_rules! causal_newtype {
    ($name:ident) => {
        impl<R: $crate::replica::Replica> $crate::lattice::Lattice for $name<R> {
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

        impl<R: $crate::replica::Replica> $crate::wire::Wire for $name<R> {
            fn encode(&self, writer: &mut $crate::wire::Writer) {
                self.state.encode(writer);
            }

            fn decode(
                reader: &mut $crate::wire::Reader<'_>,
            ) -> Result<Self, $crate::wire::DecodeError> {
                $crate::store::Causal::decode(reader).map(|state| Self { state })
            }
        }
    };
}
pub(crate) use causal_newtype;
