//! Keys that stand twice in an object.

use std::borrow::Cow;
use std::collections::HashSet;

/// Above this many keys an object's keys are compared through a set; below, comparing each with each is faster.
const KEYS_COMPARED_MAX: usize = 24;

/// The keys of one open object.
pub(super) struct KeySet<'a> {
    /// Where its keys begin among those of all open objects.
    pub(super) first: usize,
    /// A bit for each key, at the place that its [`mark`] says: a key whose bit is not set is new.
    marks: u64,
    /// All of its keys, once there are many: an object of a megabyte of keys must not cost their square.
    large: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> KeySet<'a> {
    /// No keys yet, behind those of the objects that are open.
    pub(super) fn behind(keys: &[Cow<'a, str>]) -> Self {
        KeySet {
            first: keys.len(),
            marks: 0,
            large: None,
        }
    }

    /// Remembers the key; says false when it was there already.
    #[inline]
    pub(super) fn insert(&mut self, keys: &mut Vec<Cow<'a, str>>, key: Cow<'a, str>) -> bool {
        if let Some(set) = &mut self.large {
            return set.insert(key);
        }
        let mark = mark(&key);
        if self.marks & mark != 0 && keys[self.first..].contains(&key) {
            return false;
        }
        self.marks |= mark;
        keys.push(key);
        if keys.len() - self.first > KEYS_COMPARED_MAX {
            self.large = Some(keys.drain(self.first..).collect());
        }
        true
    }
}

/// One of 64 bits, which few keys of an object share.
fn mark(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let (first, last) = (bytes.first(), bytes.last());
    let mixed = usize::from(first.copied().unwrap_or(0))
        .wrapping_add(usize::from(last.copied().unwrap_or(0)) << 2)
        .wrapping_add(bytes.len() << 3);
    1 << (mixed % 64)
}
