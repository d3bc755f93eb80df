//! Values that nobody has read yet: of many events that set the same keys, only the last value of each is worth decoding.
//!
//! A vehicle that reports what it measures sends the same dozen keys again and again, and no table knows the event. To
//! decode each report into a tree, only for the next to replace it, is most of what following the log costs. So the
//! texts of such events are kept here, the latest under each key, and are decoded when the state is looked at.
//!
//! The state that comes out is the one that [`fold`](super::fold) gives, event by event. Three things see to that: only
//! values that replace each other wait; what adds up or rises is taken in at once; and an event that a table
//! knows is folded only after everything that waits was.

use serde_json::Value;

use super::state::State;
use super::{merge, note_life};
use crate::event::{EventView, Stamp};
use crate::registry::registry;

/// Most fields of an event whose values may wait: the next one is looked for among them one by one.
pub const UNREAD_FIELDS_MAX: usize = 64;

/// The latest text under each key, of events of one stream that a state has taken in but for these values.
#[derive(Debug, Default)]
pub struct Unread {
    /// In the order in which they came first. Those that do not wait any more stay: the next event likely has them again.
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    key: Box<str>,
    json: String,
    stamp: Stamp,
    /// Whether the state lacks it.
    waits: bool,
    /// Whether the state holds what `json` says, so that the same text need not be decoded again.
    is_held: bool,
}

/// The object's fields, each a key and the text of its value, if `Unread` can take them: keys are unique, there are at most
/// [`UNREAD_FIELDS_MAX`], and none stands for another.
fn are_plain(fields: &[(&str, &str)]) -> bool {
    let is_half_of_a_pair = |key: &str| key.starts_with("old_") || key.starts_with("new_");
    fields.len() <= UNREAD_FIELDS_MAX && !fields.iter().any(|(key, _)| is_half_of_a_pair(key))
}

impl Unread {
    /// Takes in an event that no table knows, its values but for those that have to be read at once. False, and nothing
    /// happened, where the event is not one for this: it has to be folded as others are, after [`settle`](Unread::settle).
    ///
    /// `fields` are the payload's: unique keys, and the JSON text of each value, which has been checked. The view's own
    /// data is not looked at.
    pub fn fold(
        &mut self,
        state: &mut State,
        event: &EventView<'_>,
        fields: &[(&str, &str)],
    ) -> bool {
        if !are_plain(fields) {
            return false;
        }
        if self.fields.len() > UNREAD_FIELDS_MAX {
            // Events of ever other keys: finding one among them must not cost more than decoding it.
            self.settle_and_forget(state);
        }
        let aggregate = registry().aggregate(event.aggregate_type);
        let highest = aggregate.map_or(&[][..], |aggregate| aggregate.highest);
        let event_type = event.canonical_type();
        let is_reserved =
            |key: &str| aggregate.is_some_and(|aggregate| aggregate.is_reserved(event_type, key));
        let stamp = event.stamp();
        state.note(event);
        for (place, &(key, json)) in fields.iter().enumerate() {
            if is_reserved(key) {
                continue;
            }
            if let Some(field) = self.field(place, key) {
                field.put(json, stamp);
            } else if highest.contains(&key) || state.is_reading(key) {
                // Each reading counts, not the last alone.
                if let Ok(value) = serde_json::from_str::<Value>(json) {
                    merge(state, highest, key, &value, stamp);
                }
            } else {
                self.fields.push(Field {
                    key: key.into(),
                    json: json.to_owned(),
                    stamp,
                    waits: true,
                    is_held: false,
                });
            }
        }
        note_life(state, event, false);
        true
    }

    /// Gives the state what waits. Has to be done before the state is looked at.
    pub fn settle(&mut self, state: &mut State) {
        for field in self.fields.iter_mut().filter(|field| field.waits) {
            field.waits = false;
            if field.is_held {
                state.touch(&field.key, field.stamp);
            } else if let Ok(value) = serde_json::from_str(&field.json) {
                field.is_held = state.replace(&field.key, value, field.stamp);
            }
        }
    }

    /// The same, before the state is changed by others: what it holds then is no longer known here.
    pub fn settle_and_forget(&mut self, state: &mut State) {
        self.settle(state);
        self.fields.clear();
    }

    /// The field of this key: most events have their fields where the one before had them.
    fn field(&mut self, place: usize, key: &str) -> Option<&mut Field> {
        let has_key = |field: &Field| *field.key == *key;
        let place = match self.fields.get(place) {
            Some(field) if has_key(field) => place,
            _ => self.fields.iter().position(has_key)?,
        };
        self.fields.get_mut(place)
    }
}

impl Field {
    /// Takes the text unless a later event's is here.
    fn put(&mut self, json: &str, stamp: Stamp) {
        if stamp < self.stamp {
            return;
        }
        self.stamp = stamp;
        self.waits = true;
        if self.json != json {
            self.json.clear();
            self.json.push_str(json);
            self.is_held = false;
        }
    }
}

#[cfg(test)]
mod tests;
