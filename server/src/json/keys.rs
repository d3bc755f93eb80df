//! Keys that stand twice in an object.

use std::borrow::Cow;
use std::collections::HashSet;

/// Above this many keys an object's keys are compared through a set; below, comparing each with each is faster.
const KEYS_COMPARED_MAX: usize = 24;

/// The keys of one open object.
pub(super) struct KeySet<'a> {
    /// Where its keys begin among those of all open objects.
    pub(super) first: usize,
    /// All of its keys, once there are many: an object of a megabyte of keys must not cost their square.
    large: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> KeySet<'a> {
    /// No keys yet, behind those of the objects that are open.
    pub(super) fn behind(keys: &[Cow<'a, str>]) -> Self {
        KeySet {
            first: keys.len(),
            large: None,
        }
    }

    /// Remembers the key; says false when it was there already.
    pub(super) fn insert(&mut self, keys: &mut Vec<Cow<'a, str>>, key: Cow<'a, str>) -> bool {
        if let Some(set) = &mut self.large {
            return set.insert(key);
        }
        if keys[self.first..].contains(&key) {
            return false;
        }
        keys.push(key);
        if keys.len() - self.first > KEYS_COMPARED_MAX {
            self.large = Some(keys.drain(self.first..).collect());
        }
        true
    }
}
