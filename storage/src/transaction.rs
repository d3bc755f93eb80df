//! What an append asks for, and what it is answered.

use uuid::Uuid;

use crate::event::{NewEvent, StreamName};
use crate::position::{Position, Version};
use crate::query::Query;
use crate::time::Timestamp;

/// What a stream must look like for an append to it to be accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ExpectedVersion {
    /// Anything.
    #[default]
    Any,
    /// It has no event.
    NoStream,
    /// It has at least one event.
    Exists,
    /// Its last event has exactly this version; `Exact(Version::NONE)` means the same as `NoStream`.
    Exact(Version),
}

/// A stream's last event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StreamTip {
    /// Its version; [`Version::NONE`] for a stream without events.
    pub version: Version,
    /// Its position.
    pub position: Position,
}

/// Events for one stream, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamWrite {
    /// The stream.
    pub stream: StreamName,
    /// What it must look like before the first of the events.
    pub expected: ExpectedVersion,
    /// At least one.
    pub events: Vec<NewEvent>,
}

/// "Nothing that matches `query` lies after `after`": the condition of a dynamic consistency boundary. An event that cannot
/// be read but is known to have matched counts, and so does one whose stream or type has lost its name, where that may be
/// one asked for and all else matches; one of which only the position is known does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What must not have happened. An empty query matches every event.
    pub query: Query,
    /// The position up to which the caller has seen.
    pub after: Position,
}

/// Events that are appended all or not at all, at dense positions in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// At least one. A stream may occur more than once: each expectation is then checked after the writes before it.
    pub writes: Vec<StreamWrite>,
    /// Checked against everything committed before this transaction, its own events excluded.
    pub condition: Option<Condition>,
}

impl Transaction {
    /// One event for one stream.
    pub fn single(stream: StreamName, expected: ExpectedVersion, event: NewEvent) -> Self {
        Transaction::stream(stream, expected, vec![event])
    }

    /// Several events for one stream.
    pub fn stream(stream: StreamName, expected: ExpectedVersion, events: Vec<NewEvent>) -> Self {
        Transaction {
            writes: vec![StreamWrite {
                stream,
                expected,
                events,
            }],
            condition: None,
        }
    }

    /// The same transaction under this condition.
    #[must_use]
    pub fn on_condition(mut self, query: Query, after: Position) -> Self {
        self.condition = Some(Condition { query, after });
        self
    }

    /// How many events it holds.
    pub fn event_count(&self) -> usize {
        self.writes.iter().map(|write| write.events.len()).sum()
    }
}

/// Where one event of an accepted transaction lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventReceipt {
    /// Its id: the caller's, or the one that the log made.
    pub id: Uuid,
    /// Its place in the log.
    pub position: Position,
    /// Its place in its stream.
    pub version: Version,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When the log accepted it.
    pub recorded_at: Timestamp,
}

/// The answer to an accepted transaction. It exists only once everything it names is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// One an event, in the order of the transaction.
    pub events: Vec<EventReceipt>,
    /// True when every event was in the log already and nothing was written: the receipt is the original one.
    pub duplicate: bool,
}

impl Receipt {
    /// The highest position of the transaction: what `min_position` should be set to by a client that wants to read its write.
    pub fn last_position(&self) -> Position {
        self.events
            .iter()
            .map(|event| event.position)
            .max()
            .unwrap_or(Position::START)
    }
}
