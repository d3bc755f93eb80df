//! An event as depots tell it to each other.

use bincode::config::{self, Config};
use bincode::{BorrowDecode, Encode};
use fleet::{Origin, erasure, registry};
use storage::{COVERED_PREFIX, EventRef, NewEvent, Position, StreamName, TAGS_MAX, Timestamp};
use uuid::Uuid;

use crate::few::Few;

/// The layout of a message, its first byte. Another one is not read.
const FORMAT: u8 = 1;
/// What a message may take when it is read: an event of the largest size, with room.
const BYTES_MAX: usize = 32 << 20;

/// Room for names, tags and numbers, which most messages keep within: their bytes are not moved while they are written.
const HEAD_ROOM: usize = 384;

/// One event of the log that recorded it first.
#[derive(Clone, PartialEq, Eq, Debug, Encode, BorrowDecode)]
pub(crate) struct Message<'a> {
    /// The log's id.
    pub(crate) log: u128,
    /// What people call its depot.
    pub(crate) depot: &'a str,
    /// Its place there.
    pub(crate) position: u64,
    /// Behind this place and before its own the log has nothing for others: the place of the event that is published before
    /// it; 0 where there is none. All depots hear a message, so it says nothing that holds only for one of them.
    pub(crate) before: u64,
    /// When it was recorded there, in microseconds since 1970.
    pub(crate) recorded_at: i64,
    /// When it happened, in microseconds since 1970.
    pub(crate) occurred_at: i64,
    pub(crate) id: u128,
    pub(crate) aggregate_type: &'a str,
    pub(crate) aggregate_id: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) schema: u16,
    pub(crate) tags: Few<&'a str, TAGS_MAX>,
    pub(crate) metadata: &'a [u8],
    pub(crate) data: &'a [u8],
}

impl<'a> Message<'a> {
    /// Tells an event that this log recorded first.
    pub(crate) fn of(event: &EventRef<'a>, log: Uuid, depot: &'a str, before: Position) -> Self {
        let stream = event.stream();
        Message {
            log: log.as_u128(),
            depot,
            position: event.position().get(),
            before: before.get(),
            recorded_at: event.recorded_at().micros(),
            occurred_at: event.occurred_at().micros(),
            id: event.id().as_u128(),
            aggregate_type: stream.aggregate_type,
            aggregate_id: stream.aggregate_id,
            event_type: event.event_type(),
            schema: event.schema(),
            // Under whose key values lie is each log's own affair.
            tags: Few(event
                .tags()
                .filter(|tag| !tag.starts_with(COVERED_PREFIX))
                .collect()),
            metadata: event.metadata(),
            data: event.data(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_ROOM + self.metadata.len() + self.data.len());
        bytes.push(FORMAT);
        let written = bincode::encode_into_std_write(self, &mut bytes, layout());
        written.expect("memory takes what is written to it");
        bytes
    }

    /// # Errors
    /// What is wrong with the bytes.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (format, payload) = bytes.split_first().ok_or("it is empty")?;
        if *format != FORMAT {
            return Err("it has a format that this server does not know");
        }
        match bincode::borrow_decode_from_slice(payload, layout()) {
            Ok((message, used)) if used == payload.len() => Ok(message),
            Ok(_) => Err("it is longer than it says"),
            Err(_) => Err("it is damaged"),
        }
    }

    pub(crate) fn stream(&self) -> StreamName {
        StreamName::new(self.aggregate_type, self.aggregate_id)
    }

    /// The event as another log takes it in.
    pub(crate) fn to_event(&self) -> NewEvent {
        let origin = Origin {
            log: self.log,
            position: self.position,
            recorded_at: self.recorded_at,
        };
        // What this log itself says in tags nobody else says for it.
        let is_foreign =
            |tag: &&&str| !tag.starts_with(Origin::PREFIX) && !tag.starts_with(COVERED_PREFIX);
        let tags = self.tags.0.iter().filter(is_foreign);
        let tags = tags.map(|tag| Box::from(*tag));
        NewEvent {
            id: Some(Uuid::from_u128(self.id)),
            event_type: self.event_type.into(),
            schema: self.schema,
            occurred_at: Some(Timestamp::from_micros(self.occurred_at)),
            data: self.data.to_vec(),
            metadata: self.metadata.to_vec(),
            tags: tags.chain([origin.tag()]).collect(),
        }
    }
}

/// Whether other depots are told of such events, and take them: of what happens to the fleet, and of who was erased. What a
/// server notes about itself stays where it is.
pub(crate) fn is_shared(aggregate_type: &str, aggregate_id: &str, event_type: &str) -> bool {
    !registry().is_internal(aggregate_type)
        || aggregate_type == erasure::AGGREGATE_TYPE
            && erasure::is_told_to_others(event_type, aggregate_id)
}

fn layout() -> impl Config {
    config::standard().with_limit::<BYTES_MAX>()
}

#[cfg(test)]
mod tests;
