//! From the log's record to the event that the domain folds.

use std::borrow::Cow;
use std::sync::Arc;

use fleet::EventView;
use hashbrown::HashMap;
use serde_json::{Map, Value};
use storage::EventRef;

use super::read_model::FoldError;
use crate::json::{JsonError, Scanner};

/// The event's data as an object. An event without any has an empty one.
///
/// # Errors
/// [`FoldError::Payload`] when it is anything else.
pub(super) fn payload(event: &EventRef<'_>) -> Result<Map<String, Value>, FoldError> {
    if event.data().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(event.data()).map_err(FoldError::Payload)
}

/// The fields of the event's data as text: each key, which is unique, and its value. `None` when they cannot be told apart
/// without decoding them, or are none that the strictest reader takes; [`payload`] is asked then.
pub(crate) fn field_texts<'a>(event: &EventRef<'a>) -> Option<Vec<(&'a str, &'a str)>> {
    const FIELDS_EXPECTED: usize = 16;
    if event.data().is_empty() {
        return Some(Vec::new());
    }
    let mut scanner = Scanner::new(event.data()).ok()?;
    let mut fields = Vec::with_capacity(FIELDS_EXPECTED);
    let mut plain = true;
    scanner
        .object(|scanner, key| {
            match key {
                Cow::Borrowed(key) => fields.push((key, scanner.text()?)),
                Cow::Owned(_) => {
                    plain = false;
                    scanner.skip()?;
                }
            }
            Ok::<_, JsonError>(())
        })
        .ok()?;
    scanner.finish().ok()?;
    plain.then_some(fields)
}

/// The event as folds see it.
pub(crate) fn view<'a>(event: &EventRef<'a>, data: &'a Map<String, Value>) -> EventView<'a> {
    let stream = event.stream();
    EventView {
        aggregate_type: stream.aggregate_type,
        aggregate_id: stream.aggregate_id,
        event_type: event.event_type(),
        schema: event.schema(),
        version: event.version().get(),
        position: event.position().get(),
        occurred_at: event.occurred_at().micros(),
        recorded_at: event.recorded_at().micros(),
        order: order_of(event),
        data,
    }
}

/// What orders the event among those that happened in the same microsecond.
pub(crate) fn order_of(event: &EventRef<'_>) -> u64 {
    fleet::order(
        event.recorded_at().micros(),
        event.id().as_u128(),
        fleet::Origin::of(event.tags()),
    )
}

/// Few names that occur in many rows, each kept once. Numbered in the order in which they first appeared.
#[derive(Debug, Default)]
pub(super) struct NameList {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, usize>,
}

impl NameList {
    /// The number of this name, if it occurred.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The number of this name, which is new or not.
    pub(super) fn number(&mut self, name: &str) -> usize {
        self.find(name).unwrap_or_else(|| {
            let shared: Arc<str> = name.into();
            self.names.push(Arc::clone(&shared));
            self.numbers.insert(shared, self.names.len() - 1);
            self.names.len() - 1
        })
    }

    /// The name of this number, to be shared.
    pub(super) fn get(&self, number: usize) -> Option<&Arc<str>> {
        self.names.get(number)
    }

    /// The one shared name that reads like this.
    pub(super) fn shared(&mut self, name: &str) -> Arc<str> {
        let number = self.number(name);
        Arc::clone(&self.names[number])
    }
}
