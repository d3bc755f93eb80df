//! A page: one answer to a pull.

use super::cursor::Cursor;
use super::digest::Digest;
use crate::clock::LogPosition;
use crate::collapsed::{Handle, Update};

/// One update of one field of an entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// The field.
    pub field: u16,
    /// What it is now.
    pub update: Update,
}

/// Changes since a cursor, grouped by entity, handles rising. It is the last of its download when `upto == head`.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The cursor it answers. A device drops a page that does not answer its present cursor.
    pub from: Cursor,
    /// Entities whose last change is at or below here were sent.
    pub upto: LogPosition,
    /// The head of the log when the page was made.
    pub head: LogPosition,
    /// When the log took the record at `head`, in milliseconds since 1970; only the last page tells it, 0 otherwise.
    pub head_ms: u64,
    /// Entities the device cannot know yet: handle, table, id. Handles rise.
    pub created: Vec<(Handle, u16, Box<[u8]>)>,
    /// What changed, handles rising.
    pub entities: Vec<(Handle, Vec<Slot>)>,
    /// Entities deleted since, rising.
    pub deleted: Vec<Handle>,
    /// Everything that lives, rising, when the device is behind the floor: it drops what is not listed.
    pub manifest: Option<Vec<Handle>>,
    /// The digest of the whole view at `head`, when it was asked for and this is the last page.
    pub digest: Option<Digest>,
}

impl Page {
    /// Whether the device's view is whole after this page.
    pub fn is_last(&self) -> bool {
        self.upto == self.head
    }
}
