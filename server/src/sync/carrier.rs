//! Which event of the log carries which operation of a tablet, and whose word about that counts.
//!
//! An operation's event has an id that is made of the operation's name, so that one that comes again is found and counts
//! once. The names are this log's own: devices are numbered from 1 in every log, and people call theirs alike, so of two
//! depots that hear of each other's events each would take the other's operation for its own, and lose one of them. At
//! first ids were made without the log; what was recorded so is found as well.
//!
//! What an event's metadata says of an operation ([`note_of`]) counts where this log recorded the event first, a tag names
//! the device (a push alone writes it: tags that a client chooses begin otherwise), and the event's id is the operation's.
//! Anything else is folded as whatever was written: another depot's event, or one that came with metadata of its own.

use crdt::DeviceId;
use fleet::{Origin, sync_session};
use storage::{EventRef, Log, Position};
use uuid::Uuid;

use super::engine::event_in;
use super::note::{self, Note};
use super::parts::STATE_PREFIX;

/// Before the name of the device that pushed an event, in its tag.
pub(super) const DEVICE_PREFIX: &str = "device:";
/// What the ids of carrying events are made from.
const OPERATIONS: Uuid = Uuid::from_u128(0x5d2a_7c1e_90b4_4f6b_8e13_c4f0_2b6d_7a91);

/// The id of the event that carries an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CarrierId {
    /// As it is.
    pub(super) id: Uuid,
    /// As it was made before the log's id was part of it.
    former: Uuid,
}

impl CarrierId {
    fn of(log: Uuid, name: &str) -> Self {
        let names_of_log = Uuid::new_v5(&OPERATIONS, log.as_bytes());
        CarrierId {
            id: Uuid::new_v5(&names_of_log, name.as_bytes()),
            former: Uuid::new_v5(&OPERATIONS, name.as_bytes()),
        }
    }

    /// Of an operation of a device's own count.
    pub(super) fn counted(log: Uuid, device: DeviceId, seq: u64) -> Self {
        CarrierId::of(log, &counted_name(device, seq))
    }

    /// Of an operation that a client named.
    pub(super) fn named(log: Uuid, device_id: &str, operation: &str) -> Self {
        CarrierId::of(log, &format!("{device_id}\0{operation}"))
    }

    /// Of a tagged part of a whole state, whichever device of this depot brings it: an addition (`+`) or a tombstone (`-`).
    /// Devices of other depots are not among them: they may be called as ours are and so make the same tags, and of two
    /// events under one id one is lost, where an addition that counts at two depots only stands there twice.
    pub(super) fn part(
        log: Uuid,
        aggregate_type: &str,
        id: &str,
        field: u16,
        sign: char,
        tag: &str,
    ) -> Self {
        let name = format!("state\0{aggregate_type}\0{id}\0{field}\0{sign}{tag}");
        CarrierId::of(log, &name)
    }

    fn is(self, id: Uuid) -> bool {
        self.id == id || self.former == id
    }
}

/// What an operation of a device's own count is called.
pub(super) fn counted_name(device: DeviceId, seq: u64) -> String {
    format!("{device}/{seq}")
}

/// Where the log has the event that carries an operation of one of its own devices, if it has.
pub(super) fn place_of(log: &Log, carrier: CarrierId) -> Option<Position> {
    [carrier.id, carrier.former].into_iter().find_map(|id| {
        let position = log.position_of(id).ok()??;
        // One that cannot be read was written all the same, and counts no second time.
        let is_ours = event_in(log, position, is_own).unwrap_or(true);
        is_ours.then_some(position)
    })
}

/// The note of the operation that the event carries; `None` where it carries none of a device of this log.
pub(super) fn note_of(log: Uuid, event: &EventRef<'_>) -> Option<Note> {
    let note = note::read(event.metadata())?;
    let device_id = device_of(event).filter(|_| is_own(event))?;
    is_of(log, event.id(), device_id, &note).then_some(note)
}

/// Whether a device of this log pushed the event, or the server told of what one pushed.
fn is_own(event: &EventRef<'_>) -> bool {
    let is_pushed = || {
        event.stream().aggregate_type == sync_session::AGGREGATE_TYPE || device_of(event).is_some()
    };
    Origin::of(event.tags()).is_none() && is_pushed()
}

fn device_of<'a>(event: &EventRef<'a>) -> Option<&'a str> {
    event.tags().find_map(|tag| tag.strip_prefix(DEVICE_PREFIX))
}

/// Whether `id` is that of the operation that the note tells of. Of a part of a whole state no note tells the tag, of which
/// its id is made: there the device's tag alone has to do.
fn is_of(log: Uuid, id: Uuid, device_id: &str, note: &Note) -> bool {
    let (device, seq) = (DeviceId::new(note.device), note.seq);
    let is_counted = || {
        note.operation == counted_name(device, seq) && CarrierId::counted(log, device, seq).is(id)
    };
    let is_named = || CarrierId::named(log, device_id, &note.operation).is(id);
    is_counted() || is_named() || note.operation.starts_with(STATE_PREFIX)
}
