//! An aggregate's state: values with the stamps of the events that set them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::highest::Highest;
use crate::event::{EventView, Stamp};
use crate::schema::check::integer;

/// What the events of one stream fold to. Empty before the first.
///
/// **Life.** A deletion hides nothing by itself: the last known values stay readable, marked by
/// [`State::is_deleted`]. When the aggregate is created again, only what was set after the deletion is seen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct State {
    cells: BTreeMap<Box<str>, Cell>,
    /// Old names under which values came, and the keys they stand for now: whoever wrote `location` finds it again.
    spelled: BTreeMap<Box<str>, Box<str>>,
    first_created: Option<Stamp>,
    last_created: Option<Stamp>,
    last_deleted: Option<Stamp>,
    version: u32,
    position: u64,
    changed_at: i64,
}

impl Default for State {
    fn default() -> Self {
        State {
            cells: BTreeMap::new(),
            spelled: BTreeMap::new(),
            first_created: None,
            last_created: None,
            last_deleted: None,
            version: 0,
            position: 0,
            changed_at: i64::MIN,
        }
    }
}

/// One key's value, and what decides whether the next event changes it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Cell {
    /// The value of the event with the greatest stamp.
    Latest { value: Value, stamp: Stamp },
    /// The highest reading. Boxed: most cells are the other kind.
    Highest(Box<Highest>),
}

impl State {
    /// The value of `key`, also under an old name. `None`: never set in this life.
    pub fn get(&self, key: &str) -> Option<Value> {
        let key = self.spelled.get(key).map_or(key, |meant| meant);
        self.cells
            .get(key)?
            .seen_since(self.seen_from())
            .map(Cow::into_owned)
    }

    /// The text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.cells.get(key)? {
            Cell::Latest {
                value: Value::String(text),
                stamp,
            } if *stamp > self.seen_from() => Some(text),
            Cell::Latest { .. } | Cell::Highest(_) => None,
        }
    }

    /// The whole number under `key`.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.cells.get(key)? {
            Cell::Latest { value, stamp } if *stamp > self.seen_from() => integer(value),
            Cell::Latest { .. } => None,
            Cell::Highest(highest) => highest.value_since(self.seen_from()),
        }
    }

    /// All that is seen, as an object; old names stand beside the present ones with the same values.
    pub fn to_object(&self) -> Map<String, Value> {
        let since = self.seen_from();
        let mut object: Map<String, Value> = self
            .cells
            .iter()
            .filter_map(|(key, cell)| Some((key.to_string(), cell.seen_since(since)?.into_owned())))
            .collect();
        for (given, meant) in &self.spelled {
            if !self.cells.contains_key(given)
                && let Some(value) = object.get(&**meant).cloned()
            {
                object.insert(given.to_string(), value);
            }
        }
        object
    }

    /// Whether a creation was folded that no deletion follows.
    pub fn exists(&self) -> bool {
        self.last_created.is_some() && !self.is_deleted()
    }

    /// Whether a deletion was folded that no creation follows.
    pub fn is_deleted(&self) -> bool {
        self.last_deleted
            .is_some_and(|deleted| self.last_created.is_none_or(|created| created < deleted))
    }

    /// When the present life began: microseconds since 1970 UTC. `None` without a creation.
    pub fn created_at(&self) -> Option<i64> {
        let created = if self.last_deleted.is_some() && !self.is_deleted() {
            self.last_created
        } else {
            self.first_created
        };
        created.map(|stamp| stamp.occurred_at)
    }

    /// When the latest of the folded events occurred: microseconds since 1970 UTC. `None` before the first.
    pub fn changed_at(&self) -> Option<i64> {
        (self.version > 0 || self.position > 0).then_some(self.changed_at)
    }

    /// The highest version folded; 0 before the first event.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The highest position folded; 0 before the first event.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What was set at or before this stamp belongs to an earlier life.
    fn seen_from(&self) -> Stamp {
        match self.last_deleted {
            Some(deleted) if !self.is_deleted() => deleted,
            _ => Stamp::NEVER,
        }
    }

    pub(super) fn note(&mut self, event: &EventView<'_>) {
        self.version = self.version.max(event.version);
        self.position = self.position.max(event.position);
        self.changed_at = self.changed_at.max(event.occurred_at);
    }

    pub(super) fn begin_life(&mut self, stamp: Stamp) {
        self.first_created = Some(self.first_created.map_or(stamp, |first| first.min(stamp)));
        self.last_created = self.last_created.max(Some(stamp));
    }

    pub(super) fn end_life(&mut self, stamp: Stamp) {
        self.last_deleted = self.last_deleted.max(Some(stamp));
    }

    pub(super) fn spell(&mut self, given: &str, meant: &str) {
        // One old name stands for one key; were there two, the choice must not depend on which came first.
        let known = self.spelled.get(given).is_some_and(|held| &**held <= meant);
        if !known && given != meant {
            self.spelled.insert(given.into(), meant.into());
        }
    }

    /// Sets `key` unless a later event has.
    pub(super) fn set(&mut self, key: &str, value: &Value, stamp: Stamp) {
        match self.cells.get_mut(key) {
            Some(Cell::Latest {
                value: held,
                stamp: since,
            }) => {
                if *since <= stamp {
                    held.clone_from(value);
                    *since = stamp;
                }
            }
            Some(Cell::Highest(_)) => self.raise(key, value, stamp),
            None => {
                self.cells.insert(
                    key.into(),
                    Cell::Latest {
                        value: value.clone(),
                        stamp,
                    },
                );
            }
        }
    }

    /// Takes in a reading of `key`; anything but a whole number is none.
    pub(super) fn raise(&mut self, key: &str, value: &Value, stamp: Stamp) {
        if let Some(number) = integer(value) {
            self.cell(key).highest().read(number, stamp);
        }
    }

    /// Takes in a correction of `key`; anything but a whole number is none.
    pub(super) fn correct(&mut self, key: &str, value: &Value, stamp: Stamp) {
        if let Some(number) = integer(value) {
            self.cell(key).highest().correct(number, stamp);
        }
    }

    fn cell(&mut self, key: &str) -> &mut Cell {
        self.cells
            .entry(key.into())
            .or_insert_with(|| Cell::Highest(Box::default()))
    }
}

impl Cell {
    /// The highest reading that this cell holds; a cell of the other kind starts as one, its value is lost.
    fn highest(&mut self) -> &mut Highest {
        if let Cell::Latest { .. } = self {
            *self = Cell::Highest(Box::default());
        }
        match self {
            Cell::Highest(highest) => highest,
            Cell::Latest { .. } => unreachable!("made a highest reading above"),
        }
    }

    fn seen_since(&self, since: Stamp) -> Option<Cow<'_, Value>> {
        match self {
            Cell::Latest { value, stamp } => (*stamp > since).then_some(Cow::Borrowed(value)),
            Cell::Highest(highest) => highest
                .value_since(since)
                .map(|number| Cow::Owned(Value::from(number))),
        }
    }
}
