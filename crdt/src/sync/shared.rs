//! Pages that several devices ask for: tablets that wake together at the beginning of a shift ask from one place, within
//! one scope, and are answered with the same bytes.
//!
//! A page is kept while the state stands still, so nothing here can be old. What differs from device to device (its
//! verdicts, its cursor under a MAC) is no part of a page.

use super::cursor::Cursor;
use super::page::Page;
use crate::clock::LogPosition;
use std::collections::HashMap;
use std::sync::Arc;

/// Most bytes of pages that are kept.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A page as bytes, and where it leads.
#[derive(Debug)]
pub struct EncodedPage {
    /// What [`Page::decode`] reads.
    pub bytes: Box<[u8]>,
    /// The cursor behind it.
    pub next: Cursor,
}

impl EncodedPage {
    /// Whether the device's view is whole after this page.
    pub fn is_last(&self) -> bool {
        self.next.complete == self.next.reached
    }
}

/// Everything that a page depends on beside the state.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct PageKey {
    pub(super) complete: LogPosition,
    pub(super) reached: LogPosition,
    pub(super) entities_max: usize,
    pub(super) with_digest: bool,
    pub(super) head_ms: u64,
    /// See [`super::Scope::shared_as`].
    pub(super) scope: Box<[u8]>,
}

/// The pages of the present state.
#[derive(Debug, Default)]
pub(super) struct SharedPages {
    pages: HashMap<PageKey, Arc<EncodedPage>>,
    bytes: usize,
}

impl SharedPages {
    /// Forgets all: the state changed.
    pub(super) fn clear(&mut self) {
        if self.bytes > 0 {
            self.pages.clear();
            self.bytes = 0;
        }
    }

    pub(super) fn get(&self, key: &PageKey) -> Option<Arc<EncodedPage>> {
        self.pages.get(key).cloned()
    }

    /// Keeps a page where there is room.
    pub(super) fn keep(&mut self, key: PageKey, page: &Arc<EncodedPage>) {
        let bytes = page.bytes.len() + key.scope.len();
        if self.bytes + bytes <= KEPT_BYTES_MAX {
            self.bytes += bytes;
            self.pages.insert(key, page.clone());
        }
    }
}

impl Page {
    /// The cursor behind this page.
    pub fn next(&self) -> Cursor {
        if self.is_last() {
            return Cursor::at(self.head);
        }
        Cursor {
            complete: self.from.complete,
            reached: self.upto,
        }
    }
}
