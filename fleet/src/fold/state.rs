//! An aggregate's state: values with the stamps of the events that set them.

use std::borrow::Cow;

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
    cells: Named<Cell>,
    /// Old names under which values came, and the keys they stand for now: whoever wrote `location` finds it again.
    spelled: Named<Box<str>>,
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
            cells: Named::default(),
            spelled: Named::default(),
            first_created: None,
            last_created: None,
            last_deleted: None,
            version: 0,
            position: 0,
            changed_at: i64::MIN,
        }
    }
}

/// Values under names, sorted by name. A server holds a state for each of many streams with few keys each, where a
/// sorted list takes a third of a tree's memory and is found in as fast.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Named<T>(Vec<(Box<str>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<T> Named<T> {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| (**held).cmp(name))
    }

    fn get(&self, name: &str) -> Option<&T> {
        self.place(name).ok().map(|place| &self.0[place].1)
    }

    /// The value under `name`, made by `make` if there is none.
    fn get_or_insert(&mut self, name: &str, make: impl FnOnce() -> T) -> &mut T {
        let place = self.place(name).unwrap_or_else(|place| {
            self.0.insert(place, (name.into(), make()));
            place
        });
        &mut self.0[place].1
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (&**name, value))
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
        let cell = self
            .cells
            .get(key)
            .or_else(|| self.cells.get(self.spelled.get(key)?))?;
        cell.seen_since(self.seen_from()).map(Cow::into_owned)
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
        for (given, meant) in self.spelled.iter() {
            if self.cells.get(given).is_none()
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
        if given == meant {
            return;
        }
        // One old name stands for one key; were there two, the choice must not depend on which came first.
        let held = self.spelled.get_or_insert(given, || meant.into());
        if &**held > meant {
            *held = meant.into();
        }
    }

    /// Sets `key` unless a later event has.
    pub(super) fn set(&mut self, key: &str, value: &Value, stamp: Stamp) {
        let cell = self.cells.get_or_insert(key, || Cell::Latest {
            value: Value::Null,
            stamp: Stamp::NEVER,
        });
        match cell {
            Cell::Latest {
                value: held,
                stamp: since,
            } => {
                if *since <= stamp {
                    held.clone_from(value);
                    *since = stamp;
                }
            }
            Cell::Highest(_) => self.raise(key, value, stamp),
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
            .get_or_insert(key, || Cell::Highest(Box::default()))
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
