//! An event as the domain sees it: [`EventView`] on its way from the log into a fold, [`EventDraft`] on its way from
//! `decide` to the log.

use serde_json::{Map, Value};

use crate::alias;

/// A stored event, borrowed from whoever read it.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The aggregate's type, `Vehicle`.
    pub aggregate_type: &'a str,
    /// The aggregate's id within its type.
    pub aggregate_id: &'a str,
    /// What happened, in either spelling ([`alias`]).
    pub event_type: &'a str,
    /// The number of the schema that `data` follows.
    pub schema: u16,
    /// The place in the stream, first is 1.
    pub version: u32,
    /// The place in the whole log, first is 1.
    pub position: u64,
    /// When it happened: microseconds since 1970-01-01T00:00:00Z.
    pub occurred_at: i64,
    /// When the log accepted it: microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at: i64,
    /// The payload as it was stored.
    pub data: &'a Map<String, Value>,
}

impl EventView<'_> {
    /// The event type in its canonical spelling.
    pub fn canonical_type(&self) -> &str {
        alias::canonical(self.event_type)
    }

    /// What folds order by when two events set the same field.
    pub const fn stamp(&self) -> Stamp {
        Stamp {
            occurred_at: self.occurred_at,
            position: self.position,
        }
    }
}

/// The order in which events count, whatever the order they arrived in: by when they happened, and among those of
/// the same microsecond by their position.
///
/// A tablet that was offline reports yesterday's status today. With a stamp beside each field, a fold keeps today's
/// status; without one, yesterday's would overwrite it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
pub struct Stamp {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub occurred_at: i64,
    /// The place in the whole log; breaks ties.
    pub position: u64,
}

impl Stamp {
    /// Before every event.
    pub const NEVER: Stamp = Stamp {
        occurred_at: i64::MIN,
        position: 0,
    };

    /// After every event.
    pub const LAST: Stamp = Stamp {
        occurred_at: i64::MAX,
        position: u64::MAX,
    };
}

/// An event that `decide` wants appended. Id, times, metadata and stream are the caller's to add.
#[derive(Clone, PartialEq, Debug)]
pub struct EventDraft {
    /// What happened, in the canonical spelling.
    pub event_type: &'static str,
    /// The number of the schema that `data` follows; always the current one.
    pub schema: u16,
    /// The payload, a JSON object.
    pub data: Value,
}

impl EventDraft {
    /// An event of this type with this payload, following schema 1.
    pub fn new(event_type: &'static str, data: Value) -> Self {
        debug_assert!(data.is_object(), "an event's data is an object");
        EventDraft {
            event_type,
            schema: 1,
            data,
        }
    }

    /// The same event, following another schema.
    #[must_use]
    pub fn with_schema(mut self, schema: u16) -> Self {
        self.schema = schema;
        self
    }
}
