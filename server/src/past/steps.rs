//! A stream event by event: the state before and after each, and what it changed.

use std::collections::HashMap;

use storage::{EventRef, Position, ReadError, StreamName};

use super::cache::Past;
use super::diff::{Difference, diff};
use super::folded::Folded;
use super::moment::Bounds;

/// Streams whose last state is kept.
const STREAMS_MAX: usize = 256;

/// Gives states after single events, in whatever order they are asked for; cheapest when they follow one another.
#[derive(Debug)]
pub struct Steps<'a> {
    past: &'a Past,
    /// The last state given, by stream.
    known: HashMap<StreamName, Folded>,
}

impl<'a> Steps<'a> {
    /// Steps through the streams of this past.
    pub fn new(past: &'a Past) -> Self {
        Steps {
            past,
            known: HashMap::new(),
        }
    }

    /// The states of the event's stream before and after it, by version: as they were known then.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn around(&mut self, event: &EventRef<'_>) -> Result<(Folded, Folded), ReadError> {
        let version = event.version().get();
        let stream = event.stream().to_name();
        let known = self.known.remove(&stream);
        let before = match known.filter(|known| version_of(known) + 1 == version) {
            Some(known) => known,
            None => self.before(&stream, version)?,
        };
        let mut after = before.clone();
        after.fold(event);
        if self.known.len() >= STREAMS_MAX {
            self.known.clear();
        }
        self.known.insert(stream, after.clone());
        Ok((before, after))
    }

    /// What the event changed.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn changes(&mut self, event: &EventRef<'_>) -> Result<Vec<Difference>, ReadError> {
        let (before, after) = self.around(event)?;
        Ok(diff(&before.to_object(), &after.to_object()))
    }

    fn before(&self, name: &StreamName, version: u32) -> Result<Folded, ReadError> {
        let bounds = Bounds {
            version: version.saturating_sub(1),
            position: Position::MAX,
            at: storage::Timestamp::MAX,
        };
        Ok(self.past.state_within(name, &bounds)?.0)
    }
}

fn version_of(folded: &Folded) -> u32 {
    folded.last.map_or(0, |last| last.version)
}
