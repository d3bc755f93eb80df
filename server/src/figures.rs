//! Key figures over the log: facts that follow it, and the catalogue taken from them.
//!
//! On the data path this stands behind the log like a read model, but is drawn and not pushed: a question first takes in
//! what was appended since the last one, so that writers pay nothing for figures nobody asks for. Facts are compact (a
//! few dozen bytes an event) and are all in memory; they are derived, and a start makes them again from the log. As of
//! an earlier position they are folded from the beginning, so an old answer comes out the same, bit for bit.

mod calendar;
mod fold;
#[cfg(test)]
mod tests;

use std::sync::{PoisonError, RwLock};

use analytics::facts::Facts;
use storage::{Log, Position, Query, QueryItem, ReadError, ReadRequest};

pub(crate) use calendar::{Interval, edges, local_month, months_before};
use fold::Folding;

/// Facts, and the position up to which they reflect the log.
#[derive(Debug, Default)]
pub(crate) struct Known {
    folding: Folding,
    position: Position,
}

impl Known {
    /// The facts.
    pub(crate) fn facts(&self) -> &Facts {
        &self.folding.facts
    }

    /// Every event up to here is in them, and none after it.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The workshop's code by its row id, where one is known.
    pub(crate) fn workshop_code<'a>(&'a self, id: &'a str) -> &'a str {
        self.folding.workshop_code(id)
    }

    fn take_in(&mut self, log: &Log, to: Position) -> Result<(), ReadError> {
        if to <= self.position {
            return Ok(());
        }
        let request = ReadRequest {
            query: Query {
                items: vec![QueryItem {
                    aggregate_types: fold::AGGREGATES.iter().map(|name| (*name).into()).collect(),
                    ..QueryItem::default()
                }],
            },
            from: self.position.next(),
            to,
            ..ReadRequest::default()
        };
        let mut reader = log.read(&request)?;
        while let Some(event) = reader.next() {
            // What rotted is named by /health; the reader goes on behind it, and so do the figures.
            if let Ok(event) = event {
                self.folding.fold(&event);
            }
        }
        self.position = to;
        Ok(())
    }
}

/// The facts of one log.
#[derive(Debug, Default)]
pub struct Figures(RwLock<Known>);

impl Figures {
    /// Lets go of all facts; the next question takes them from the log again.
    pub(crate) fn forget(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }

    /// Answers from the facts as of the log's durable end, or as of an earlier position. Touches the disk: for blocking
    /// threads.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn ask<T>(
        &self,
        log: &Log,
        as_of: Option<Position>,
        answer: impl FnOnce(&Known) -> T,
    ) -> Result<T, ReadError> {
        let end = log.durable_position();
        if let Some(position) = as_of.filter(|position| *position < end) {
            let mut then = Known::default();
            then.take_in(log, position)?;
            return Ok(answer(&then));
        }
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if known.position >= end {
                return Ok(answer(&known));
            }
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.take_in(log, end)?;
        Ok(answer(&known))
    }
}
