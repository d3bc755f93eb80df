//! An aggregate's state: values with the stamps of the events that set them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::highest::Highest;
use super::items::Items;
use super::sum::{Sum, Sums, Unit};
use crate::event::{EventView, Stamp};
use crate::money::Money;
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

/// Names up to which they are looked through one by one. Most differ in their lengths, which lie together; halving the list
/// reads names, each of which lies elsewhere in memory.
const SCANNED_NAMES_MAX: usize = 16;

/// Values under names, sorted by name. A server holds a state for each of many streams with few keys each, where a
/// sorted list takes a third of a tree's memory and is found in as fast.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Named<T>(Vec<(Box<str>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<T> Named<T> {
    fn place(&self, name: &str) -> Option<usize> {
        if self.0.len() <= SCANNED_NAMES_MAX {
            return self.0.iter().position(|(held, _)| **held == *name);
        }
        let found = self.0.binary_search_by(|(held, _)| (**held).cmp(name));
        found.ok()
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.place(name).map(|place| &self.0[place].1)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.place(name).map(|place| &mut self.0[place].1)
    }

    /// The value under `name`, made by `make` if there is none.
    pub(super) fn get_or_insert(&mut self, name: &str, make: impl FnOnce() -> T) -> &mut T {
        let place = self.place(name).unwrap_or_else(|| {
            let place = self.0.partition_point(|(held, _)| **held < *name);
            self.0.insert(place, (name.into(), make()));
            place
        });
        &mut self.0[place].1
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
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
    /// A list of items with names.
    Items(Box<Items>),
    /// An opening value and the deltas added to it.
    Sum(Box<Sum>),
    /// Deltas added up by name.
    Sums(Box<Sums>),
}

impl State {
    /// The value of `key`, also under an old name. `None`: never set in this life.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.seen(key).map(Cow::into_owned)
    }

    /// As [`State::get`], borrowed where it is held as it is seen.
    pub fn seen(&self, key: &str) -> Option<Cow<'_, Value>> {
        let cell = self
            .cells
            .get(key)
            .or_else(|| self.cells.get(self.spelled.get(key)?))?;
        cell.seen_since(self.seen_from())
    }

    /// The text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.cells.get(key)? {
            Cell::Latest {
                value: Value::String(text),
                stamp,
            } if *stamp > self.seen_from() => Some(text),
            Cell::Latest { .. }
            | Cell::Highest(_)
            | Cell::Items(_)
            | Cell::Sum(_)
            | Cell::Sums(_) => None,
        }
    }

    /// The whole number under `key`.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.cells.get(key)? {
            Cell::Latest { value, stamp } if *stamp > self.seen_from() => integer(value),
            Cell::Latest { .. } | Cell::Items(_) | Cell::Sums(_) => None,
            Cell::Highest(highest) => highest.value_since(self.seen_from()),
            Cell::Sum(sum) => Some(sum.total_since(self.seen_from())),
        }
    }

    /// The amount of money under `key`.
    pub fn money(&self, key: &str) -> Option<Money> {
        Money::of_json(&self.get(key)?)
    }

    /// What was added up under `key` for `name`; 0 where nothing was.
    pub fn sum_of(&self, key: &str, name: &str) -> i64 {
        match self.cells.get(key) {
            Some(Cell::Sums(sums)) => sums.get(name),
            _ => 0,
        }
    }

    /// What was added up under `key`, by name, without what came to nothing.
    pub fn sums(&self, key: &str) -> impl Iterator<Item = (&str, i64)> {
        let sums = match self.cells.get(key) {
            Some(Cell::Sums(sums)) => Some(sums.iter()),
            _ => None,
        };
        sums.into_iter().flatten()
    }

    /// The truth under `key`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// The items of the list under `key`, those that were put first first; each holds the field that names it.
    pub fn items(&self, key: &str) -> Vec<Map<String, Value>> {
        let since = self.seen_from();
        self.list(key)
            .map_or_else(Vec::new, |items| items.seen_since(since))
    }

    /// The item `name` of the list under `key`.
    pub fn item(&self, key: &str, name: &str) -> Option<Map<String, Value>> {
        self.list(key)?.get_since(name, self.seen_from())
    }

    /// How many items the list under `key` has.
    pub fn item_count(&self, key: &str) -> usize {
        self.list(key)
            .map_or(0, |items| items.count_since(self.seen_from()))
    }

    /// All that is seen, as an object; old names stand beside the present ones with the same values.
    pub fn to_object(&self) -> Map<String, Value> {
        let all = self.seen_all();
        all.map(|(key, value)| (key.to_owned(), value.into_owned()))
            .collect()
    }

    /// As [`State::to_object`], one by one and borrowed where it is held as it is seen.
    pub fn seen_all(&self) -> impl Iterator<Item = (&str, Cow<'_, Value>)> {
        let since = self.seen_from();
        let cells = self.cells.iter();
        let present = cells.filter_map(move |(key, cell)| Some((key, cell.seen_since(since)?)));
        let old = self.spelled.iter().filter_map(move |(given, meant)| {
            let is_free = self.cells.get(given).is_none();
            let cell = self.cells.get(meant).filter(|_| is_free)?;
            Some((given, cell.seen_since(since)?))
        });
        present.chain(old)
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
    pub fn set(&mut self, key: &str, value: &Value, stamp: Stamp) {
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
            Cell::Sum(sum) => sum.open(value, stamp),
            // What has names is not set as a whole.
            Cell::Items(_) | Cell::Sums(_) => {}
        }
    }

    /// Sets `key` as [`State::set`] does, and says whether exactly this value stands there now.
    pub(super) fn replace(&mut self, key: &str, value: Value, stamp: Stamp) -> bool {
        let cell = self.cells.get_or_insert(key, || Cell::Latest {
            value: Value::Null,
            stamp: Stamp::NEVER,
        });
        if let Cell::Latest {
            value: held,
            stamp: since,
        } = cell
        {
            let is_later = *since <= stamp;
            if is_later {
                *held = value;
                *since = stamp;
            }
            return is_later;
        }
        self.set(key, &value, stamp);
        false
    }

    /// Sets `key` to the value that it has, unless a later event has set it.
    pub(super) fn touch(&mut self, key: &str, stamp: Stamp) {
        if let Some(Cell::Latest { stamp: since, .. }) = self.cells.get_mut(key) {
            *since = stamp.max(*since);
        }
    }

    /// Whether `key` holds readings, of which each counts.
    pub(super) fn is_reading(&self, key: &str) -> bool {
        matches!(self.cells.get(key), Some(Cell::Highest(_)))
    }

    /// Adds `delta` to the total under `key`; what was set there so far is its opening value.
    pub(super) fn add(&mut self, key: &str, unit: Unit, delta: &Value) {
        let cell = self.cells.get_or_insert(key, || Cell::Latest {
            value: Value::Null,
            stamp: Stamp::NEVER,
        });
        if let Cell::Latest { value, stamp } = cell {
            *cell = Cell::Sum(Box::new(Sum::opened(unit, value.take(), *stamp)));
        }
        if let Cell::Sum(sum) = cell {
            sum.add(unit.amount(delta));
        }
    }

    /// Adds `delta` to what is counted under `key` for `name`.
    pub(super) fn add_to(&mut self, key: &str, name: &str, delta: &Value) {
        let cell = self.cells.get_or_insert(key, || Cell::Sums(Box::default()));
        // A plain value that an event of no table put here says nothing about what was counted.
        if let Cell::Latest { .. } = cell {
            *cell = Cell::Sums(Box::default());
        }
        if let Cell::Sums(sums) = cell {
            sums.add(name, Unit::Pieces.amount(delta));
        }
    }

    /// Puts an item into the list under `key`, or changes these fields of it.
    pub(super) fn put_item<'a>(
        &mut self,
        key: &str,
        name: &str,
        fields: impl Iterator<Item = (&'a str, &'a Value)>,
        stamp: Stamp,
    ) {
        self.list_of(key).put(name, fields, stamp);
    }

    /// Takes an item out of the list under `key`.
    pub(super) fn remove_item(&mut self, key: &str, name: &str, stamp: Stamp) {
        self.list_of(key).remove(name, stamp);
    }

    fn list(&self, key: &str) -> Option<&Items> {
        match self.cells.get(key)? {
            Cell::Items(items) => Some(items),
            Cell::Latest { .. } | Cell::Highest(_) | Cell::Sum(_) | Cell::Sums(_) => None,
        }
    }

    /// The list under `key`; a cell of another kind becomes one, its value is lost.
    fn list_of(&mut self, key: &str) -> &mut Items {
        let cell = self
            .cells
            .get_or_insert(key, || Cell::Items(Box::default()));
        if !matches!(cell, Cell::Items(_)) {
            *cell = Cell::Items(Box::default());
        }
        match cell {
            Cell::Items(items) => items,
            Cell::Latest { .. } | Cell::Highest(_) | Cell::Sum(_) | Cell::Sums(_) => {
                unreachable!("made a list above")
            }
        }
    }

    /// Takes in a reading of `key`; anything but a whole number is none.
    pub(super) fn raise(&mut self, key: &str, value: &Value, stamp: Stamp) {
        if let Some(number) = integer(value)
            && let Some(highest) = self.cell(key).highest()
        {
            highest.read(number, stamp);
        }
    }

    /// Takes in a correction of `key`; anything but a whole number is none.
    pub(super) fn correct(&mut self, key: &str, value: &Value, stamp: Stamp) {
        if let Some(number) = integer(value)
            && let Some(highest) = self.cell(key).highest()
        {
            highest.correct(number, stamp);
        }
    }

    fn cell(&mut self, key: &str) -> &mut Cell {
        self.cells
            .get_or_insert(key, || Cell::Highest(Box::default()))
    }
}

impl Cell {
    /// The highest reading that this cell holds; a latest value starts as one and is lost. Lists and sums
    /// stay what they are.
    fn highest(&mut self) -> Option<&mut Highest> {
        if let Cell::Latest { .. } = self {
            *self = Cell::Highest(Box::default());
        }
        match self {
            Cell::Highest(highest) => Some(highest),
            Cell::Latest { .. } | Cell::Items(_) | Cell::Sum(_) | Cell::Sums(_) => None,
        }
    }

    fn seen_since(&self, since: Stamp) -> Option<Cow<'_, Value>> {
        match self {
            Cell::Latest { value, stamp } => (*stamp > since).then_some(Cow::Borrowed(value)),
            Cell::Highest(highest) => highest
                .value_since(since)
                .map(|number| Cow::Owned(Value::from(number))),
            Cell::Items(items) => (items.count_since(since) > 0)
                .then(|| Cow::Owned(Value::from_iter(items.seen_since(since)))),
            Cell::Sum(sum) => Some(Cow::Owned(sum.value_since(since))),
            Cell::Sums(sums) => Some(Cow::Owned(sums.value())),
        }
    }
}
