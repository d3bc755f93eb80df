//! A set of live dots without content.

use super::DotStore;
use crate::clock::{Dot, DotContext};
use crate::replica::Replica;
use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// Live dots: a flag is on, or an element is present, while there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotSet<R: Replica> {
    dots: BTreeSet<Dot<R>>,
}

impl<R: Replica> Default for DotSet<R> {
    fn default() -> Self {
        Self {
            dots: BTreeSet::new(),
        }
    }
}

impl<R: Replica> DotSet<R> {
    /// The set of this one dot.
    pub fn of(dot: Dot<R>) -> Self {
        Self {
            dots: BTreeSet::from([dot]),
        }
    }

    /// The live dots, rising.
    pub fn iter(&self) -> impl Iterator<Item = &Dot<R>> {
        self.dots.iter()
    }

    pub(crate) fn insert(&mut self, dot: Dot<R>) {
        self.dots.insert(dot);
    }
}

impl<R: Replica> DotStore for DotSet<R> {
    type Replica = R;

    fn is_empty(&self) -> bool {
        self.dots.is_empty()
    }

    fn visit_dots(&self, visit: &mut dyn FnMut(&Dot<R>)) {
        self.dots.iter().for_each(visit);
    }

    fn join(&mut self, own: &DotContext<R>, other: &Self, others: &DotContext<R>) {
        self.dots
            .retain(|dot| other.dots.contains(dot) || !others.contains(dot));
        for dot in &other.dots {
            if !own.contains(dot) {
                self.dots.insert(dot.clone());
            }
        }
    }

    fn retain(&mut self, keep: &dyn Fn(&Dot<R>) -> bool) {
        self.dots.retain(|dot| keep(dot));
    }

    fn split(&self) -> BTreeMap<Dot<R>, Self> {
        self.dots
            .iter()
            .map(|dot| (dot.clone(), Self::of(dot.clone())))
            .collect()
    }
}

/// Count, then the dots, rising.
impl<R: Replica> Wire for DotSet<R> {
    fn encode(&self, writer: &mut Writer) {
        writer.count(self.dots.len());
        self.dots.iter().for_each(|dot| dot.encode(writer));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut dots = BTreeSet::new();
        for _ in 0..reader.count(2)? {
            let dot = Dot::decode(reader)?;
            if dots.last().is_some_and(|last| *last >= dot) {
                return Err(DecodeError::NotCanonical { what: "dots" });
            }
            dots.insert(dot);
        }
        Ok(Self { dots })
    }
}
