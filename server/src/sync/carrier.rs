//! Which event of the log carries which operation of a tablet, and whose word about that counts.
//!
//! An operation's event has an id that is made of the operation's name, so that one that comes again is found and counts
//! once. The names are this log's own: devices are numbered from 1 in every log, and people call theirs alike, so of two
//! depots that hear of each other's events each would take the other's operation for its own, and lose one of them. At
//! first ids were made without the log; what was recorded so is found as well.
//!
//! Everybody can make these ids who knows what they are made of, and an id is taken once: whoever wrote an event under that of
//! a tablet's next operation would stop the tablet for good. So they have a form of their own, version 8 (RFC 9562 §5.8) with
//! the log in front ([`is_of_log`]), and no client can send an event under one of this log's. Other depots' events keep the ids that
//! they have, and the tag of their origin. **Hence an event whose id has this form, of this log, and that has no tag of an origin
//! was written by the server itself, for an operation of a tablet**, or was exported from this log and taken in again from a file.
//!
//! What an event's metadata says of an operation ([`note_of`]) counts where this log recorded the event first, a tag names
//! the device (a push alone writes it: tags that a client chooses begin otherwise), and the event's id is the operation's.
//! Anything else is folded as whatever was written: another depot's event, or one that came with metadata of its own.

use crdt::DeviceId;
use fleet::{Origin, sync_session};
use sha2::{Digest as _, Sha256};
use storage::{EventRef, Log, Position};
use uuid::{Builder, Uuid, Variant};

use super::engine::event_in;
use super::note::{self, Note};
use super::parts::STATE_PREFIX;

/// Before the name of the device that pushed an event, in its tag.
pub(crate) const DEVICE_PREFIX: &str = "device:";
/// What the ids of carrying events were made from, before the log's id was part of them.
const FORMER: Uuid = Uuid::from_u128(0x5d2a_7c1e_90b4_4f6b_8e13_c4f0_2b6d_7a91);
/// The version of ids whose bits the RFC leaves to whoever makes them.
const CUSTOM: usize = 8;
/// Bytes of an id that say of which log it is; the others are of the name.
const LOG_BYTES: usize = 6;

/// The id of the event that carries an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CarrierId {
    /// As it is: 48 bits of SHA-256 over the log's id, then as many as there is room for over the log's id and the name.
    pub(super) id: Uuid,
    /// As it was made before the log's id was part of it. Nothing is written under it any more.
    former: Uuid,
}

impl CarrierId {
    fn of(log: Uuid, name: &str) -> Self {
        let of_name: [u8; 32] = Sha256::new()
            .chain_update(log.as_bytes())
            .chain_update(name.as_bytes())
            .finalize()
            .into();
        let mut bytes = [0; 16];
        let (of_log, rest) = bytes.split_at_mut(LOG_BYTES);
        of_log.copy_from_slice(&mark_of(log));
        rest.copy_from_slice(&of_name[..16 - LOG_BYTES]);
        CarrierId {
            id: Builder::from_custom_bytes(bytes).into_uuid(),
            former: former_id(name),
        }
    }

    /// Of an operation of a device's own count.
    pub(super) fn counted(log: Uuid, device: DeviceId, seq: u64) -> Self {
        CarrierId::of(log, &counted_name(device, seq))
    }

    /// Of an operation that a client named.
    pub(super) fn named(log: Uuid, device_id: &str, operation: &str) -> Self {
        CarrierId::of(log, &named_name(device_id, operation))
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
}

/// What begins the ids of a log's carrying events.
fn mark_of(log: Uuid) -> [u8; LOG_BYTES] {
    let hash: [u8; 32] = Sha256::digest(log.as_bytes()).into();
    let mut mark = [0; LOG_BYTES];
    mark.copy_from_slice(&hash[..LOG_BYTES]);
    mark
}

fn former_id(name: &str) -> Uuid {
    Uuid::new_v5(&FORMER, name.as_bytes())
}

/// What an operation of a device's own count is called.
pub(super) fn counted_name(device: DeviceId, seq: u64) -> String {
    format!("{device}/{seq}")
}

fn named_name(device_id: &str, operation: &str) -> String {
    format!("{device_id}\0{operation}")
}

/// Where the log has the event that carries an operation of one of its own devices, if it has. The index tells it, which asks
/// no archive; only what lies under a former id is read.
pub(super) fn place_of(log: &Log, carrier: CarrierId) -> Option<Position> {
    let of = |id| log.position_of(id).ok().flatten();
    if let Some(position) = of(carrier.id) {
        return Some(position);
    }
    let position = of(carrier.former)?;
    // Another depot's was made alike. One that cannot be read was written all the same, and counts no second time.
    let is_ours = event_in(log, position, is_own).unwrap_or(true);
    is_ours.then_some(position)
}

/// The note of the operation that the event carries; `None` where it carries none of a device of this log.
pub(super) fn note_of(log: Uuid, event: &EventRef<'_>) -> Option<Note> {
    let note = note::read(event.metadata())?;
    let device_id = device_of(event).filter(|_| is_own(event))?;
    let id = event.id();
    (is_of_log(log, id) || is_former(id, device_id, &note)).then_some(note)
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

/// Whether an id has the form of those of this log's carrying events.
pub(crate) fn is_of_log(log: Uuid, id: Uuid) -> bool {
    let is_custom = id.get_version_num() == CUSTOM && id.get_variant() == Variant::RFC4122;
    is_custom && id.as_bytes().starts_with(&mark_of(log))
}

/// Whether `id` is the former one of the operation that the note tells of. Of a part of a whole state no note tells the tag, of
/// which its id is made: there the device's tag alone has to do.
fn is_former(id: Uuid, device_id: &str, note: &Note) -> bool {
    let (device, seq) = (DeviceId::new(note.device), note.seq);
    let is_part = note.operation.starts_with(STATE_PREFIX) && id.get_version_num() == 5;
    let is_counted = || {
        let name = counted_name(device, seq);
        note.operation == name && id == former_id(&name)
    };
    is_part || is_counted() || id == former_id(&named_name(device_id, &note.operation))
}
