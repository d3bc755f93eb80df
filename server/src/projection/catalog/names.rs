//! The rows that go by another business key than the one that they began with.
//!
//! A vehicle, a part or a cost center begins under its key, which names its stream for good. Where the key changes later,
//! as in a database that an importer follows, its state tells the new one
//! (`AggregateSchema::named_by`): that is what clients see and ask for.

use std::collections::BTreeSet;

use hashbrown::HashMap;

/// The rows of a type whose key is another than their id. There are few, mostly none.
#[derive(Debug, Default)]
pub(super) struct Renamed {
    /// By key the ordinals of the rows that have it. Mostly one: which of several is found must be the same now and after a
    /// start from what was saved.
    rows: HashMap<Box<str>, BTreeSet<u32>>,
    key_of: HashMap<u32, Box<str>>,
}

impl Renamed {
    /// Has the row found by this key, and by no other. `None`: its id is its key.
    pub(super) fn set(&mut self, ordinal: u32, key: Option<Box<str>>) {
        if let Some(held) = self.key_of.remove(&ordinal)
            && let Some(rows) = self.rows.get_mut(&held)
        {
            rows.remove(&ordinal);
            if rows.is_empty() {
                self.rows.remove(&held);
            }
        }
        if let Some(key) = key {
            self.rows.entry(key.clone()).or_default().insert(ordinal);
            self.key_of.insert(ordinal, key);
        }
    }

    /// Whether the row's key is another than its id.
    pub(super) fn has(&self, ordinal: u32) -> bool {
        self.key_of.contains_key(&ordinal)
    }

    /// The row with this key, of those whose id is another; the one that began first, should there be several.
    pub(super) fn find(&self, key: &str) -> Option<u32> {
        self.rows.get(key)?.first().copied()
    }
}
