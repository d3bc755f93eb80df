//! A new log that goes on from where another is, instead of hearing everything once more: what the other log holds of the
//! fleet is appended as if it had been published, each event with the origin that it has.
//!
//! The new log is another depot's: it has an id, keys and positions of its own. What a server notes about itself (accounts,
//! tablets) is left behind, as it is where depots publish.

use std::collections::BTreeMap;
use std::path::Path;

use fleet::Origin;
use storage::{
    AppendError, EventRef, ExpectedVersion, Log, Position, ReadError, ReadRequest, StreamWrite,
    Transaction,
};

use crate::message::{Message, is_shared};
use crate::standing::Received;
use crate::{FederationError, saved};

/// Events appended together, and bytes after which no further one joins them.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: usize = 4 << 20;

/// What was taken from another log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Adopted {
    /// Events that the new log has.
    pub events: u64,
    /// Events of the other server itself, which it has not.
    pub left: u64,
    /// Logs that recorded them first.
    pub logs: usize,
}

/// Why nothing, or not all, was taken. The new log is to be thrown away then.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The new log has events already.
    #[error("the new log has {events} events already")]
    NotEmpty {
        /// How many.
        events: u64,
    },
    /// The other log cannot be read.
    #[error("the log to go on from cannot be read")]
    Read(#[from] ReadError),
    /// The new log does not take an event.
    #[error("the new log does not take what the other holds up to position {position}")]
    Append {
        /// There.
        position: u64,
        /// Why.
        source: AppendError,
    },
    /// How far the other depots were heard cannot be kept.
    #[error(transparent)]
    Saved(#[from] FederationError),
}

/// Appends to the empty log `into` what `from` holds of the fleet, and notes in `folder`, the new depot's
/// [`Settings::folder`](crate::Settings::folder), how far each depot was heard.
///
/// # Errors
/// See [`AdoptError`].
pub fn adopt(from: &Log, into: &Log, folder: &Path) -> Result<Adopted, AdoptError> {
    let events = into.durable_position();
    if events > Position::START {
        return Err(AdoptError::NotEmpty {
            events: events.get(),
        });
    }
    let mut received: BTreeMap<u128, Received> = BTreeMap::new();
    let mut adopted = Adopted::default();
    let mut reader = from.read(&ReadRequest::default())?;
    let (mut batch, mut bytes, mut last) = (Vec::new(), 0, 0);
    while let Some(event) = reader.next() {
        let event = event?;
        let stream = event.stream();
        if !is_shared(
            stream.aggregate_type,
            stream.aggregate_id,
            event.event_type(),
        ) {
            adopted.left += 1;
            continue;
        }
        let message = as_published(from, &event);
        let of = received.entry(message.log).or_default();
        of.position = of.position.max(message.position);
        bytes += message.data.len() + message.metadata.len();
        last = event.position().get();
        batch.push(StreamWrite {
            stream: message.stream(),
            expected: ExpectedVersion::Any,
            events: vec![message.to_event()],
        });
        adopted.events += 1;
        if batch.len() >= BATCH_EVENTS || bytes >= BATCH_BYTES {
            append(into, &mut batch, last)?;
            bytes = 0;
        }
    }
    append(into, &mut batch, last)?;
    for (log, of) in &mut received {
        of.depot = uuid::Uuid::from_u128(*log).to_string();
    }
    adopted.logs = received.len();
    // Makes the folder.
    saved::read_received(folder)?;
    saved::write_received(folder, &received)?;
    Ok(adopted)
}

/// The event as the log that recorded it first published it.
fn as_published<'a>(from: &Log, event: &EventRef<'a>) -> Message<'a> {
    let mut message = Message::of(event, from.log_id(), "", Position::START);
    if let Some(origin) = Origin::of(event.tags()) {
        message.log = origin.log;
        message.position = origin.position;
        message.recorded_at = origin.recorded_at;
    }
    message
}

/// Appends a batch, and empties it. Where it is too much for one transaction it goes in halves.
fn append(into: &Log, batch: &mut Vec<StreamWrite>, position: u64) -> Result<(), AdoptError> {
    if batch.is_empty() {
        return Ok(());
    }
    let transaction = Transaction {
        writes: batch.clone(),
        condition: None,
    };
    match into.append(transaction) {
        Ok(_) => batch.clear(),
        Err(AppendError::TooLarge { .. }) if batch.len() > 1 => {
            let mut second = batch.split_off(batch.len() / 2);
            append(into, batch, position)?;
            append(into, &mut second, position)?;
        }
        Err(source) => return Err(AdoptError::Append { position, source }),
    }
    Ok(())
}
