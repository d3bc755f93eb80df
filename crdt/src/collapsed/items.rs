//! Maps by position: keyed items whose fields are registers under review.

use super::{CollapsedRegister, Origin, Write};
use crate::clock::{LogPosition, Stamp};
use crate::value::Value;
use std::collections::BTreeMap;

/// One item: its fields, and where any of it last changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollapsedItem {
    /// Fields by number, rising; none is empty.
    pub(super) fields: Vec<(u16, CollapsedRegister)>,
    pub(super) changed: LogPosition,
}

impl CollapsedItem {
    /// The fields by number, rising.
    pub fn fields(&self) -> &[(u16, CollapsedRegister)] {
        &self.fields
    }

    /// One field.
    pub fn field(&self, number: u16) -> Option<&CollapsedRegister> {
        self.fields
            .iter()
            .find(|(held, _)| *held == number)
            .map(|(_, register)| register)
    }

    fn field_mut(&mut self, number: u16) -> &mut CollapsedRegister {
        let place = self.fields.partition_point(|(held, _)| *held < number);
        if self
            .fields
            .get(place)
            .is_none_or(|(held, _)| *held != number)
        {
            self.fields
                .insert(place, (number, CollapsedRegister::default()));
        }
        &mut self.fields[place].1
    }
}

/// Items by key. An item is present while one of its writes is seen by no removal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollapsedMap {
    pub(super) items: BTreeMap<Value, CollapsedItem>,
    /// Where items were last removed, until every device has seen it.
    pub(super) markers: BTreeMap<Value, LogPosition>,
    /// The highest marker that was dropped: a device behind it gets the map whole.
    pub(super) purged: LogPosition,
}

impl CollapsedMap {
    /// The items, keys rising.
    pub fn items(&self) -> impl Iterator<Item = (&Value, &CollapsedItem)> {
        self.items.iter()
    }

    /// One item.
    pub fn get(&self, key: &Value) -> Option<&CollapsedItem> {
        self.items.get(key)
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Where this map last changed visibly.
    pub fn changed(&self) -> LogPosition {
        let items = self.items.values().map(|item| item.changed);
        items
            .chain(self.markers.values().copied())
            .max()
            .unwrap_or_default()
            .max(self.purged)
    }

    /// Folds a write of one item field. Answers whether it wins there.
    pub(super) fn put(&mut self, origin: &Origin, key: &Value, field: u16, write: Write) -> bool {
        self.markers.remove(key);
        let item = match self.items.get_mut(key) {
            Some(item) => item,
            None => self.items.entry(key.clone()).or_default(),
        };
        item.changed = origin.position;
        item.field_mut(field).apply(origin, write, true)
    }

    /// Whether a write of one item field would win there.
    pub(super) fn would_win(
        &self,
        origin: &Origin,
        key: &Value,
        field: u16,
        stamp: Stamp,
        rank: u8,
    ) -> bool {
        let register = self.get(key).and_then(|item| item.field(field));
        register.is_none_or(|register| register.would_win(origin, stamp, rank))
    }

    /// Whether the item would be absent after [`CollapsedMap::drop_item`].
    pub(super) fn would_go(&self, origin: &Origin, key: &Value) -> bool {
        let mut registers = self.get(key).into_iter().flat_map(CollapsedItem::fields);
        registers.all(|(_, register)| register.would_be_forgotten(origin))
    }

    /// Folds a removal: the writes under `key` that its writer had seen. Answers whether the item is gone by it.
    pub(super) fn drop_item(&mut self, origin: &Origin, key: &Value) -> bool {
        let Some(item) = self.items.get_mut(key) else {
            return false;
        };
        let mut changed = false;
        for (_, register) in &mut item.fields {
            changed |= register.forget_seen(origin);
        }
        item.fields.retain(|(_, register)| !register.is_empty());
        if changed {
            item.changed = origin.position;
        }
        if !item.fields.is_empty() {
            return false;
        }
        self.items.remove(key);
        self.markers.insert(key.clone(), origin.position);
        true
    }

    /// Drops the markers at or below `horizon`; see [`super::CollapsedSet`].
    pub(super) fn purge(&mut self, horizon: LogPosition, stable: LogPosition) {
        let purged = &mut self.purged;
        self.markers.retain(|_, position| {
            if *position <= horizon {
                *purged = (*position).min(stable).max(*purged);
            }
            *position > horizon
        });
    }
}
