//! What the events of an entity fold to of which a reading was corrected: which of its readings count then is told by their
//! times, and the tablets' state has none of readings.
//!
//! Corrections are rare. The first event about such an entity has its stream read, up to there; then the fold goes on with
//! each event as it comes. Nothing of it is saved: what was dropped is read again, and comes to the same.

use std::collections::HashMap;

use crdt::collapsed::Handle;
use fleet::EventView;
use fleet::fold::{State, fold};
use serde_json::{Map, Value};
use storage::{EventRef, Log, Query, ReadError, ReadRequest};

/// Entities whose folds are kept.
const KEPT_MAX: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Corrected(HashMap<Handle, State>);

impl Corrected {
    /// What the entity's stream folds to, this event included; `view` is the event.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub(super) fn with(
        &mut self,
        log: &Log,
        handle: Handle,
        event: &EventRef<'_>,
        view: &EventView<'_>,
    ) -> Result<&State, ReadError> {
        // A fold that an event is missing in is none to go on from.
        let held = self
            .0
            .remove(&handle)
            .filter(|held| held.version().checked_add(1) == Some(view.version));
        let before = match held {
            Some(held) => held,
            None => stream_before(log, event)?,
        };
        if self.0.len() >= KEPT_MAX {
            self.0.clear();
        }
        let state: &State = self.0.entry(handle).or_insert(fold(before, view));
        Ok(state)
    }
}

/// What the events before this one fold to, of its stream. Those that are damaged are missing, as they are everywhere.
fn stream_before(log: &Log, event: &EventRef<'_>) -> Result<State, ReadError> {
    let mut reader = log.read(&ReadRequest {
        query: Query::stream(event.stream().to_name()),
        to: event.position().previous(),
        ..ReadRequest::default()
    })?;
    let mut state = State::default();
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            Err(ReadError::Damaged { .. }) => continue,
            Err(error) => return Err(error),
        };
        if let Ok(data) = serde_json::from_slice::<Map<String, Value>>(event.data()) {
            state = fold(state, &crate::projection::view(&event, &data));
        }
    }
    Ok(state)
}
