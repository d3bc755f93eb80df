//! What events set, as the texts in which they say it: for who only wants to know whether a stream says what is expected.
//!
//! Most streams are one event or a few, which give keys their values. To find out that they say what they should, their
//! state need not be made: the texts can be held against each other as they lie in the payloads, nothing decoded and
//! nothing copied.
//!
//! What is said here is what the state would say that [`fold`](super::fold) gives. Where that takes more than the latest value
//! of a key (a sum, a reading, an old name, a deletion) nothing is said, and whoever asks has to fold.

use super::is_stray;
use crate::event::Stamp;
use crate::registry::KnownEvent;
use crate::schema::canon::meant_field;
use crate::schema::{Constant, EventSchema, Field, ItemRule, Sets};

/// Most keys and fields of items: each is looked for among them one by one.
pub const CELLS_MAX: usize = 512;

/// Keys and fields of items, each with the text of its latest value.
#[derive(Debug, Default)]
pub struct Plain<'a> {
    cells: Vec<Cell<'a>>,
    /// Lists of which there are items.
    lists: Vec<&'static str>,
    items: Vec<Item<'a>>,
    exists: bool,
}

/// A key, or a field of an item.
#[derive(Debug)]
struct Cell<'a> {
    of: Option<Item<'a>>,
    key: &'a str,
    said: Said<'a>,
    stamp: Stamp,
}

/// An item of a list in the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item<'a> {
    /// The list's key.
    pub list: &'static str,
    /// What the item is called.
    pub name: &'a str,
}

/// What is said of a key.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Said<'a> {
    /// No event set it.
    Nothing,
    /// The JSON text of its value.
    Json(&'a str),
    /// Its value, which stands in no payload.
    Constant(Constant),
    /// More than can be said here.
    More,
}

/// An event whose line in its aggregate's table is at hand.
#[derive(Clone, Copy, Debug)]
pub struct PlainEvent<'a, 'f> {
    /// Its line.
    pub known: KnownEvent,
    /// The number of the schema that the payload follows.
    pub schema: u16,
    /// When it counts.
    pub stamp: Stamp,
    /// The payload's fields: unique keys, and the JSON text of each value.
    pub fields: &'f [(&'a str, &'a str)],
}

impl<'a> Plain<'a> {
    /// Takes in an event. False where it is none for this: then nothing that is said here may be believed.
    #[must_use]
    pub fn fold(&mut self, event: &PlainEvent<'a, '_>) -> bool {
        let KnownEvent {
            aggregate,
            event: table,
        } = event.known;
        let first_step = usize::from(event.schema.max(1) - 1);
        let must_upcast = first_step < table.upcasters.len();
        if must_upcast || aggregate.fold.is_some() {
            return false;
        }
        match table.event_type.strip_prefix(aggregate.aggregate_type) {
            Some("Deleted") => return false,
            Some("Created") => self.exists = true,
            _ => self.exists |= table.begins,
        }
        self.take(event).is_some()
    }

    fn take(&mut self, event: &PlainEvent<'a, '_>) -> Option<()> {
        let KnownEvent {
            aggregate,
            event: table,
        } = event.known;
        let item = match table.item {
            Some(rule) => self.item_of(rule, event.fields)?,
            None => None,
        };
        for (key, constant) in table.implies {
            let sets_it = |name: &str| match table.sets(name) {
                Sets::Itself => !table.report && table.item.is_none() && name == *key,
                Sets::Key(set) => set == *key,
                Sets::Corrects(_) | Sets::Adds(_) | Sets::AddsEach(_) | Sets::Nothing => false,
            };
            if !event.fields.iter().any(|(name, _)| sets_it(name)) {
                self.set(None, key, Said::Constant(*constant), event)?;
            }
        }
        let mut near = 0;
        for &(name, json) in event.fields {
            let sets = match field_near(table, name, &mut near) {
                Some(field) => field.sets,
                None if meant_field(aggregate, table, name).is_some() => return None,
                None if table.item.is_none() && is_stray(event.known, name) => Sets::Nothing,
                None => Sets::Itself,
            };
            match sets {
                Sets::Itself if table.item.is_some() => {
                    if item.is_some() {
                        self.set(item, name, Said::Json(json), event)?;
                    }
                }
                Sets::Itself if table.report => {}
                Sets::Itself => self.set(None, name, Said::Json(json), event)?,
                Sets::Key(key) => self.set(None, key, Said::Json(json), event)?,
                Sets::Corrects(key) => self.hide(key)?,
                Sets::Adds(total) => {
                    self.hide(total.key)?;
                    if let Some((shares, _)) = total.shares {
                        self.hide(shares)?;
                    }
                }
                Sets::AddsEach(totals) => self.hide(totals.key)?,
                Sets::Nothing => {}
            }
        }
        Some(())
    }

    /// The item that an event puts; none where it names none.
    fn item_of(
        &mut self,
        rule: ItemRule,
        fields: &[(&'a str, &'a str)],
    ) -> Option<Option<Item<'a>>> {
        if rule.removes {
            return None;
        }
        let Some((_, named)) = fields.iter().find(|(field, _)| *field == rule.key) else {
            return Some(None);
        };
        let name = plain_text(named)?;
        if !self.lists.contains(&rule.list) {
            if self
                .cells
                .iter()
                .any(|cell| cell.of.is_none() && cell.key == rule.list)
            {
                return None;
            }
            self.lists.push(rule.list);
        }
        let list = rule.list;
        let item = Item { list, name };
        if !self.items.contains(&item) {
            self.items.push(item);
        }
        Some(Some(item))
    }

    fn set(
        &mut self,
        of: Option<Item<'a>>,
        key: &'a str,
        said: Said<'a>,
        event: &PlainEvent<'a, '_>,
    ) -> Option<()> {
        let stamp = event.stamp;
        if of.is_none() {
            if self.is_list(key) {
                return None;
            }
            if event.known.aggregate.highest.contains(&key) {
                return self.hide(key);
            }
        }
        let is_it = |cell: &&mut Cell<'_>| cell.key == key && cell.of == of;
        let is_full = self.cells.len() == CELLS_MAX;
        match self.cells.iter_mut().find(is_it) {
            None if is_full => return None,
            None => self.cells.push(Cell {
                of,
                key,
                said,
                stamp,
            }),
            Some(cell) if cell.said != Said::More && cell.stamp <= stamp => {
                cell.said = said;
                cell.stamp = stamp;
            }
            Some(_) => {}
        }
        Some(())
    }

    /// Says nothing of a key from now on.
    fn hide(&mut self, key: &'a str) -> Option<()> {
        if self.is_list(key) {
            return None;
        }
        let cell = self
            .cells
            .iter_mut()
            .find(|cell| cell.key == key && cell.of.is_none());
        match cell {
            Some(cell) => cell.said = Said::More,
            None => self.cells.push(Cell {
                of: None,
                key,
                said: Said::More,
                stamp: Stamp::LAST,
            }),
        }
        Some(())
    }

    fn is_list(&self, key: &str) -> bool {
        self.lists.contains(&key)
    }

    /// Whether a creation was taken in.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// Whether the item was put.
    pub fn has_item(&self, item: Item<'_>) -> bool {
        self.items.contains(&item)
    }

    /// How many items of a list were put; `None` where the key is no list.
    pub fn item_count(&self, list: &str) -> Option<usize> {
        let is_no_list = |cell: &Cell<'_>| cell.of.is_none() && cell.key == list;
        if self.cells.iter().any(is_no_list) {
            return None;
        }
        Some(self.items.iter().filter(|item| item.list == list).count())
    }

    /// What is said of a key, or of a field of an item. It is looked for from `near` on, which is left behind it: who asks
    /// in the order in which the events told asks fast.
    pub fn said(&self, of: Option<Item<'_>>, key: &str, near: &mut usize) -> Said<'a> {
        let is_it = |cell: &Cell<'_>| cell.key == key && cell.of == of;
        let start = (*near).min(self.cells.len());
        let (before, behind) = self.cells.split_at(start);
        let found = match behind.iter().position(is_it) {
            Some(place) => Some(start + place),
            None => before.iter().position(is_it),
        };
        match found {
            Some(place) => {
                *near = place + 1;
                self.cells[place].said
            }
            None if of.is_none() && self.is_list(key) => Said::More,
            None => Said::Nothing,
        }
    }
}

/// The field of this name, looked for from `near` on, which is left behind it: payloads mostly have the table's order.
fn field_near(table: &EventSchema, name: &str, near: &mut usize) -> Option<&'static Field> {
    let start = (*near).min(table.fields.len());
    let (before, behind) = table.fields.split_at(start);
    let is_it = |field: &Field| field.name == name;
    let place = match behind.iter().position(is_it) {
        Some(place) => start + place,
        None => before.iter().position(is_it)?,
    };
    *near = place + 1;
    table.fields.get(place)
}

/// What a JSON string says that has nothing escaped in it.
fn plain_text(json: &str) -> Option<&str> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
}

#[cfg(test)]
mod tests;
