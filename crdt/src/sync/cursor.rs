//! A device's place in the log: up to where its view is whole, and how far an unfinished download has come.

use crate::clock::LogPosition;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// A pull cursor. Asking with it acknowledges everything at or below `complete`.
///
/// Two numbers, because a page walks entities in the order of their last change: an entity that changes during the
/// download moves behind the head and must then be sent with everything since the last *complete* point, not since the
/// page before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The head at which the last download ended: the device's `base`.
    pub complete: LogPosition,
    /// The last change already received of the present download; equals `complete` between downloads.
    pub reached: LogPosition,
}

impl Cursor {
    /// The cursor between two downloads.
    pub const fn at(complete: LogPosition) -> Self {
        Self {
            complete,
            reached: complete,
        }
    }
}

/// `complete`, then `reached - complete`.
impl Wire for Cursor {
    fn encode(&self, writer: &mut Writer) {
        self.complete.encode(writer);
        writer.varint(self.reached.get().saturating_sub(self.complete.get()));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let complete = LogPosition::decode(reader)?;
        let reached = complete.get() + reader.exact("cursor")?;
        Ok(Self {
            complete,
            reached: LogPosition::new(reached),
        })
    }
}
