//! Folding a whole log at once: what a rebuild asks a read model for before it goes on batch by batch.
//!
//! Nobody sees the model before it is done, so nothing has to be made visible in between: a model may hold states as it
//! likes, share the work among threads, and make its rows and indexes once, at the end. What comes out is what folding
//! batch by batch gives.

use std::sync::atomic::{AtomicBool, Ordering};

use storage::{EventRef, Log, Position, ReadError, ReadRequest};

use super::checkpoint::Anchor;
use super::read_model::FoldError;
use super::status::Tally;

/// Events between two looks at whether to go on.
const LOOK_EVENTS: u64 = 4_096;

/// A model of the whole log.
#[derive(Debug)]
pub(super) struct Whole<M> {
    pub(super) model: M,
    pub(super) reach: Reach,
}

/// How far a fold got, and what it came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// Everything up to here is folded.
    pub(super) position: Position,
    pub(super) tally: Tally,
    pub(super) anchor: Option<Anchor>,
}

/// Why there is no model of the whole log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    /// It has to end.
    #[error("it has to end")]
    Ended,
    /// The log could not be read; trying again later may help.
    #[error("the log cannot be read: {0}")]
    Read(#[from] ReadError),
    /// Something that only folding batch by batch gets along with: a fold that panics.
    #[error("{0}")]
    Unsuitable(String),
}

/// Is told how far a fold is, and answers whether to go on.
pub(super) type Watch<'a> = &'a (dyn Fn(Position) -> bool + Sync);

/// One of those who read the same log at once.
#[derive(Clone, Copy)]
pub(super) struct Shift<'a> {
    pub(super) log: &'a Log,
    /// The last position to fold; it is durable.
    pub(super) to: Position,
    /// The one that tells how far it is, and counts what cannot be read.
    pub(super) leads: bool,
    pub(super) watch: Watch<'a>,
    /// Set by whoever cannot go on, for the others.
    pub(super) halted: &'a AtomicBool,
}

impl Shift<'_> {
    /// Gives every event to `fold`, which answers `None` for one that is not its own. What the fold refuses is counted as
    /// skipped.
    ///
    /// # Errors
    /// [`Halt`].
    pub(super) fn read(
        &self,
        mut fold: impl FnMut(&EventRef<'_>) -> Option<Result<(), FoldError>>,
    ) -> Result<Reach, Halt> {
        let mut reach = Reach::default();
        let mut reader = self.log.read(&ReadRequest {
            to: self.to,
            ..ReadRequest::default()
        })?;
        let mut looked_at = Position::START;
        loop {
            let event = match reader.next() {
                Some(Ok(event)) => event,
                // The reader goes on behind what is damaged; the gap is noticed at the next event.
                Some(Err(ReadError::Damaged { .. })) => continue,
                Some(Err(error)) => return Err(error.into()),
                None => break,
            };
            let position = event.position();
            self.pass_over(&mut reach, position.previous());
            reach.position = position;
            if looked_at.distance_to(position) >= LOOK_EVENTS {
                looked_at = position;
                if self.halted.load(Ordering::Relaxed) || (self.leads && !(self.watch)(position)) {
                    return Err(Halt::Ended);
                }
            }
            if self.leads {
                reach.tally.last_recorded = Some(event.recorded_at());
                reach.anchor = Some(Anchor {
                    position,
                    id: event.id(),
                    recorded_at: event.recorded_at().micros(),
                });
            }
            match fold(&event) {
                None => {}
                Some(Ok(())) => reach.tally.handled_events += 1,
                Some(Err(error)) => {
                    tracing::warn!(position = position.get(), %error, "an event is left out");
                    reach.tally.skip(position);
                }
            }
        }
        // What is missing at the end was lost with its segment.
        self.pass_over(&mut reach, self.to);
        Ok(reach)
    }

    /// Counts what was not reached up to `position` as skipped.
    fn pass_over(&self, reach: &mut Reach, position: Position) {
        while reach.position < position {
            reach.position = reach.position.next();
            if self.leads {
                reach.tally.skip(reach.position);
            }
        }
    }
}

impl Reach {
    /// Adds what another one of the same shift came to.
    pub(super) fn join(&mut self, other: Reach) {
        self.position = self.position.max(other.position);
        self.anchor = self.anchor.or(other.anchor);
        self.tally.join(other.tally);
    }
}
