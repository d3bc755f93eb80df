//! Cursors as devices hold them: opaque, and of no use to anybody else.
//!
//! Beside the two numbers of the protocol stands what tells another history from this one (the last bytes of the id of
//! the event at `reached`, the later of the two: a log that was restored from a backup has another event there, or none),
//! and an HMAC under a key of this server, so that a device cannot claim to have seen what it was never given.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crdt::LogPosition;
use crdt::sync::Cursor;
use crdt::wire::{Reader, Wire, Writer};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use storage::Position;

use super::engine::Engine;

const CHECK_BYTES: usize = 4;
const MAC_BYTES: usize = 12;
/// Longest cursor as text.
pub const CURSOR_CHARS_MAX: usize = 64;

/// Why a cursor is not one of this device and this log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CursorError {
    /// It was not made by this server for this device.
    #[error("the cursor was not given to this device by this server")]
    Forged,
    /// It is of a history that is not this one: the log was restored from a backup.
    #[error(
        "the cursor is of another history of the log, which was restored; register the device again and push what it holds"
    )]
    OtherHistory,
}

/// Makes cursors and reads them.
pub struct Cursors(Hmac<Sha256>);

impl std::fmt::Debug for Cursors {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cursors").finish_non_exhaustive()
    }
}

impl Cursors {
    /// Cursors under a key that is made from the server's own.
    pub fn new(key: &[u8]) -> Option<Self> {
        let mut derive = Hmac::<Sha256>::new_from_slice(key).ok()?;
        derive.update(b"railfleet sync cursor 1");
        let derived = derive.finalize().into_bytes();
        Hmac::new_from_slice(&derived).ok().map(Cursors)
    }

    /// The cursor as text.
    pub fn write(&self, engine: &Engine, device: u32, cursor: Cursor) -> String {
        let mut writer = Writer::new();
        cursor.encode(&mut writer);
        writer.raw(&check(engine, cursor.reached).flatten().unwrap_or_default());
        let mac = self.mac(device, writer.as_bytes());
        writer.raw(&mac);
        URL_SAFE_NO_PAD.encode(writer.as_bytes())
    }

    /// The cursor of a text.
    ///
    /// # Errors
    /// See [`CursorError`].
    pub fn read(&self, engine: &Engine, device: u32, text: &str) -> Result<Cursor, CursorError> {
        let forged = CursorError::Forged;
        if text.len() > CURSOR_CHARS_MAX {
            return Err(forged);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| forged)?;
        let at = bytes.len().checked_sub(MAC_BYTES).ok_or(forged)?;
        let (said, mac) = bytes.split_at(at);
        // Compared as a whole; it tells nothing about the key how far it agreed, since it is cut from a longer one.
        if self.mac(device, said) != mac {
            return Err(forged);
        }
        let mut reader = Reader::new(said);
        let cursor = Cursor::decode(&mut reader).map_err(|_| forged)?;
        let said = reader.rest();
        let is_of_here = match check(engine, cursor.reached) {
            None => false,
            Some(None) => true,
            // Cursors of a download that began before an update name the event at `complete` here.
            Some(Some(check)) => said == check || names(engine, cursor.complete, said),
        };
        match is_of_here {
            true => Ok(cursor),
            false => Err(CursorError::OtherHistory),
        }
    }

    fn mac(&self, device: u32, bytes: &[u8]) -> [u8; MAC_BYTES] {
        let mut mac = self.0.clone();
        mac.update(&device.to_be_bytes());
        mac.update(bytes);
        let whole = mac.finalize().into_bytes();
        let mut cut = [0; MAC_BYTES];
        cut.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        cut
    }
}

/// Whether these are the bytes of the event at a position.
fn names(engine: &Engine, position: LogPosition, said: &[u8]) -> bool {
    let known = check(engine, position).flatten();
    known.is_some_and(|check| said == check)
}

/// The last bytes of the id of the event at a position; zeros at the start. `None` where the log does not reach so far,
/// `Some(None)` where the event cannot be read any more: damage is not another history.
fn check(engine: &Engine, position: LogPosition) -> Option<Option<[u8; CHECK_BYTES]>> {
    let mut check = [0; CHECK_BYTES];
    if position == LogPosition::START {
        return Some(Some(check));
    }
    let position = Position::new(position.get());
    if position > engine.log().durable_position() {
        return None;
    }
    let id = engine.event_at(position, |event| event.id());
    Some(id.map(|id| {
        check
            .iter_mut()
            .zip(id.as_bytes().iter().rev())
            .for_each(|(to, from)| *to = *from);
        check
    }))
}

#[cfg(test)]
mod tests;
