//! The event's envelope: what a caller hands in, and what a reader gets back.
//!
//! The log does not look inside `data` and `metadata`. What it must find again without reading them (who, which
//! correlation) is handed in beside them as tags.

use std::fmt;

use uuid::Uuid;

use crate::names::Names;
use crate::position::{Position, Version};
use crate::time::Timestamp;

/// A stream's name: one aggregate, given by its type and its id. Both are free Unicode, neither is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamName {
    /// The aggregate's type, `Vehicle`; 1 to 255 bytes.
    pub aggregate_type: Box<str>,
    /// The aggregate's id within its type; 1 to 1,024 bytes.
    pub aggregate_id: Box<str>,
}

impl StreamName {
    /// The stream of the aggregate `aggregate_id` of type `aggregate_type`. Lengths are checked at append.
    pub fn new(aggregate_type: impl Into<Box<str>>, aggregate_id: impl Into<Box<str>>) -> Self {
        StreamName {
            aggregate_type: aggregate_type.into(),
            aggregate_id: aggregate_id.into(),
        }
    }

    /// The same name, borrowed.
    pub fn borrowed(&self) -> StreamRef<'_> {
        StreamRef {
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
        }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(formatter)
    }
}

/// A stream's name where the log keeps it. Hashes as the [`StreamName`] of the same parts does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamRef<'a> {
    /// The aggregate's type.
    pub aggregate_type: &'a str,
    /// The aggregate's id within its type.
    pub aggregate_id: &'a str,
}

impl StreamRef<'_> {
    /// A copy that outlives the log.
    pub fn to_name(self) -> StreamName {
        StreamName::new(self.aggregate_type, self.aggregate_id)
    }
}

impl PartialEq<StreamName> for StreamRef<'_> {
    fn eq(&self, other: &StreamName) -> bool {
        *self == other.borrowed()
    }
}

impl fmt::Display for StreamRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.aggregate_type, self.aggregate_id)
    }
}

/// An event to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The id that makes the append idempotent, for ever. `None`: the log makes a UUIDv7, and nothing is checked.
    pub id: Option<Uuid>,
    /// What happened, `VehicleStatusChanged`; 1 to 255 bytes.
    pub event_type: Box<str>,
    /// The number of the schema that `data` follows.
    pub schema: u16,
    /// When it happened. `None`: when the log accepts it.
    pub occurred_at: Option<Timestamp>,
    /// The payload, opaque to the log; at most [`Limits::data_bytes_max`](crate::Limits::data_bytes_max).
    pub data: Vec<u8>,
    /// What surrounds the payload, opaque to the log; at most 65,535 bytes.
    pub metadata: Vec<u8>,
    /// What the event can be found by besides stream and type: at most 255 tags of 1 to 255 bytes each.
    pub tags: Vec<Box<str>>,
}

impl NewEvent {
    /// An event of this type with this payload, schema 1, happening now, without metadata or tags.
    pub fn new(event_type: impl Into<Box<str>>, data: impl Into<Vec<u8>>) -> Self {
        NewEvent {
            id: None,
            event_type: event_type.into(),
            schema: 1,
            occurred_at: None,
            data: data.into(),
            metadata: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// The same event under this id.
    #[must_use]
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// The same event, found by one more tag.
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// The same event, having happened at `occurred_at`.
    #[must_use]
    pub fn at(mut self, occurred_at: Timestamp) -> Self {
        self.occurred_at = Some(occurred_at);
        self
    }
}

/// An event in the log, borrowed from the page cache: nothing is copied until a field is.
///
/// Its checksum has been verified. Valid until the reader that gave it is asked for the next one.
#[derive(Clone, Copy)]
pub struct EventRef<'a> {
    pub(crate) names: &'a Names,
    pub(crate) position: Position,
    pub(crate) record: crate::record::EventRecord<'a>,
}

impl<'a> EventRef<'a> {
    /// Its place in the whole log.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Its place in its stream.
    pub fn version(&self) -> Version {
        self.record.version
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.record.id
    }

    /// Its stream.
    pub fn stream(&self) -> StreamRef<'a> {
        self.names.stream(self.record.stream)
    }

    /// Its type.
    pub fn event_type(&self) -> &'a str {
        self.names.event_type(self.record.event_type)
    }

    /// The number of the schema that its data follows.
    pub fn schema(&self) -> u16 {
        self.record.schema
    }

    /// When it happened.
    pub fn occurred_at(&self) -> Timestamp {
        self.record.occurred_at
    }

    /// When the log accepted it; rises strictly with the position.
    pub fn recorded_at(&self) -> Timestamp {
        self.record.recorded_at
    }

    /// Whether it is the last event of its transaction.
    pub fn ends_transaction(&self) -> bool {
        self.record.ends_transaction
    }

    /// The payload as it was handed in.
    pub fn data(&self) -> &'a [u8] {
        self.record.data
    }

    /// The metadata as it was handed in.
    pub fn metadata(&self) -> &'a [u8] {
        self.record.metadata
    }

    /// Its tags, in the order they were handed in.
    pub fn tags(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.record.tags()
    }

    /// The whole record as it lies in the log, from its length to its length: what a proof hashes.
    pub fn record_bytes(&self) -> &'a [u8] {
        self.record.bytes
    }

    /// A copy that outlives the reader.
    pub fn to_owned(&self) -> Event {
        Event {
            id: self.id(),
            position: self.position,
            version: self.version(),
            stream: self.stream().to_name(),
            event_type: self.event_type().into(),
            schema: self.schema(),
            occurred_at: self.occurred_at(),
            recorded_at: self.recorded_at(),
            ends_transaction: self.ends_transaction(),
            data: self.data().to_vec(),
            metadata: self.metadata().to_vec(),
            tags: self.tags().map(Box::from).collect(),
        }
    }
}

impl fmt::Debug for EventRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_owned().fmt(formatter)
    }
}

/// An event in the log, copied out of it. Fields as in [`EventRef`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is described at the method of EventRef with its name"
)]
pub struct Event {
    pub id: Uuid,
    pub position: Position,
    pub version: Version,
    pub stream: StreamName,
    pub event_type: Box<str>,
    pub schema: u16,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    pub ends_transaction: bool,
    pub data: Vec<u8>,
    pub metadata: Vec<u8>,
    pub tags: Vec<Box<str>>,
}
