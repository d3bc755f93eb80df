//! Keys, each with a dot store of its own; a key is present while something is alive under it.

use super::DotStore;
use crate::clock::{Dot, DotContext};
use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Stores by key. Empty stores are never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotMap<K: Ord, S> {
    entries: BTreeMap<K, S>,
}

impl<K: Ord, S> Default for DotMap<K, S> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone + Debug, S: DotStore> DotMap<K, S> {
    /// One key; nothing when its store is empty.
    pub fn of(key: K, store: S) -> Self {
        let mut map = Self::default();
        if !store.is_empty() {
            map.entries.insert(key, store);
        }
        map
    }

    /// What is alive under `key`.
    pub fn get(&self, key: &K) -> Option<&S> {
        self.entries.get(key)
    }

    /// Whether `key` is present.
    pub fn contains_key(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// The entries, keys rising.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.entries.iter()
    }

    /// How many keys are present.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is present.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<S> {
        self.entries.remove(key)
    }

    /// Puts a store that is not empty under `key`, and answers what was there.
    pub(crate) fn insert(&mut self, key: K, store: S) -> Option<S> {
        debug_assert!(!store.is_empty(), "empty stores are not kept");
        self.entries.insert(key, store)
    }
}

impl<K: Ord + Clone + Debug + Wire, S: DotStore> DotStore for DotMap<K, S> {
    type Replica = S::Replica;

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn visit_dots(&self, visit: &mut dyn FnMut(&Dot<S::Replica>)) {
        for store in self.entries.values() {
            store.visit_dots(visit);
        }
    }

    fn join(
        &mut self,
        own: &DotContext<S::Replica>,
        other: &Self,
        others: &DotContext<S::Replica>,
    ) {
        let nothing = S::default();
        for (key, store) in &mut self.entries {
            store.join(own, other.entries.get(key).unwrap_or(&nothing), others);
        }
        for (key, store) in &other.entries {
            if !self.entries.contains_key(key) {
                let mut joined = S::default();
                joined.join(own, store, others);
                self.entries.insert(key.clone(), joined);
            }
        }
        self.entries.retain(|_, store| !store.is_empty());
    }

    fn retain(&mut self, keep: &dyn Fn(&Dot<S::Replica>) -> bool) {
        self.entries.retain(|_, store| {
            store.retain(keep);
            !store.is_empty()
        });
    }

    fn split(&self) -> BTreeMap<Dot<S::Replica>, Self> {
        let mut parts: BTreeMap<_, Self> = BTreeMap::new();
        for (key, store) in &self.entries {
            for (dot, part) in store.split() {
                parts
                    .entry(dot)
                    .or_default()
                    .entries
                    .insert(key.clone(), part);
            }
        }
        parts
    }
}

/// Count, then (key, store), keys rising, no store empty.
impl<K: Ord + Clone + Debug + Wire, S: DotStore> Wire for DotMap<K, S> {
    fn encode(&self, writer: &mut Writer) {
        writer.count(self.entries.len());
        for (key, store) in &self.entries {
            key.encode(writer);
            store.encode(writer);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut entries = BTreeMap::new();
        for _ in 0..reader.count(4)? {
            let key = K::decode(reader)?;
            let not_rising = entries
                .last_key_value()
                .is_some_and(|(last, _)| *last >= key);
            let store = S::decode(reader)?;
            if not_rising || store.is_empty() {
                return Err(DecodeError::NotCanonical { what: "map" });
            }
            entries.insert(key, store);
        }
        Ok(Self { entries })
    }
}
