//! A set of live dots without content.

use super::DotStore;
use crate::clock::{Dot, DotContext};
use crate::replica::Replica;
use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::collections::BTreeMap;

/// Live dots: a flag is on, or an element is present, while there is one. Nearly always there is just one, which needs
/// no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotSet<R: Replica> {
    first: Option<Dot<R>>,
    /// The others, rising; none without a first one.
    rest: Vec<Dot<R>>,
}

impl<R: Replica> Default for DotSet<R> {
    fn default() -> Self {
        Self {
            first: None,
            rest: Vec::new(),
        }
    }
}

impl<R: Replica> DotSet<R> {
    /// The set of this one dot.
    pub fn of(dot: Dot<R>) -> Self {
        Self {
            first: Some(dot),
            rest: Vec::new(),
        }
    }

    /// The live dots, rising.
    pub fn iter(&self) -> impl Iterator<Item = &Dot<R>> {
        self.first.iter().chain(&self.rest)
    }

    pub(crate) fn insert(&mut self, dot: Dot<R>) {
        match &mut self.first {
            None => self.first = Some(dot),
            Some(first) if *first == dot => {}
            Some(first) => {
                let later = if dot < *first {
                    std::mem::replace(first, dot)
                } else {
                    dot
                };
                if let Err(place) = self.rest.binary_search(&later) {
                    self.rest.insert(place, later);
                }
            }
        }
    }

    fn contains(&self, dot: &Dot<R>) -> bool {
        self.first.as_ref() == Some(dot) || self.rest.binary_search(dot).is_ok()
    }

    fn keep(&mut self, keep: impl Fn(&Dot<R>) -> bool) {
        self.rest.retain(&keep);
        if self.first.as_ref().is_some_and(|first| !keep(first)) {
            self.first = (!self.rest.is_empty()).then(|| self.rest.remove(0));
        }
    }
}

impl<R: Replica> DotStore for DotSet<R> {
    type Replica = R;

    fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn visit_dots(&self, visit: &mut dyn FnMut(&Dot<R>)) {
        self.iter().for_each(visit);
    }

    fn join(&mut self, own: &DotContext<R>, other: &Self, others: &DotContext<R>) {
        self.keep(|dot| other.contains(dot) || !others.contains(dot));
        for dot in other.iter().filter(|dot| !own.contains(dot)) {
            self.insert(dot.clone());
        }
    }

    fn retain(&mut self, keep: &dyn Fn(&Dot<R>) -> bool) {
        self.keep(keep);
    }

    fn split(&self) -> BTreeMap<Dot<R>, Self> {
        self.iter()
            .map(|dot| (dot.clone(), Self::of(dot.clone())))
            .collect()
    }
}

/// Count, then the dots, rising.
impl<R: Replica> Wire for DotSet<R> {
    fn encode(&self, writer: &mut Writer) {
        writer.count(usize::from(self.first.is_some()) + self.rest.len());
        self.iter().for_each(|dot| dot.encode(writer));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut dots = Self::default();
        for _ in 0..reader.count(2)? {
            let dot = Dot::decode(reader)?;
            let last = dots.rest.last().or(dots.first.as_ref());
            if last.is_some_and(|last| *last >= dot) {
                return Err(DecodeError::NotCanonical { what: "dots" });
            }
            dots.insert(dot);
        }
        Ok(dots)
    }
}
