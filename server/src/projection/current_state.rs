//! The present state of every stream, by the fold that works for all of them ([`fleet::fold`]).
//!
//! A row keeps the packed fold, not only what is seen of it: the stamps beside each value decide whether the next event
//! changes it.

mod query;
#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::sync::Arc;

use bincode::{Decode, Encode};
use fleet::fold::State;
use hashbrown::{DefaultHashBuilder, HashTable};
use storage::{EventRef, StreamName};

pub use query::{CurrentState, StateFilter, StatePage, StreamState, TypeSummary};

use super::payload::{NameList, payload, view};
use super::read_model::{FoldError, ReadModel};
use super::rows::{RowNumber, Rows};
use super::workbench::{LastEvent, Workbench, pack, unpack};

/// A stream's state as it is kept and saved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Row {
    aggregate_type: Arc<str>,
    aggregate_id: Box<str>,
    last: LastEvent,
    deleted: bool,
    /// The packed [`State`].
    state: Box<[u8]>,
}

/// Totals and rows of one aggregate type.
#[derive(Debug, Default)]
struct OfType {
    rows: Vec<RowNumber>,
    deleted: usize,
    events: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct CurrentStateModel {
    rows: Rows<Row>,
    hashes: DefaultHashBuilder,
    by_stream: HashTable<RowNumber>,
    type_names: NameList,
    /// By the number of the type's name.
    types: Vec<OfType>,
}

/// One changed stream, packed.
pub(super) struct Change {
    stream: StreamName,
    last: LastEvent,
    deleted: bool,
    state: Box<[u8]>,
}

impl Default for CurrentStateModel {
    fn default() -> Self {
        Self::from_rows(Rows::new(Self::ROWS_PER_PAGE))
    }
}

impl ReadModel for CurrentStateModel {
    const NAME: &'static str = "current_state";
    const ALIASES: &'static [&'static str] =
        &["CurrentStateProjection", "current_state_projection"];
    const FORMAT: u16 = 1;
    const ROWS_PER_PAGE: usize = 32;

    type Row = Row;
    type Draft = Workbench<State>;
    type Patch = Vec<Change>;

    fn handled_event_types() -> Vec<String> {
        vec!["*".to_owned()]
    }

    fn fold(&self, draft: &mut Workbench<State>, event: &EventRef<'_>) -> Result<bool, FoldError> {
        let data = payload(event)?;
        let load =
            || match self.row_of(&event.stream().aggregate_type, &event.stream().aggregate_id) {
                Some(row) => unpack(&row.state).ok_or(FoldError::Unreadable),
                None => Ok(State::default()),
            };
        draft.fold(event, load, |state| {
            fleet::fold::fold(state, &view(event, &data))
        })?;
        Ok(true)
    }

    fn changed(draft: &Workbench<State>) -> usize {
        draft.changed()
    }

    fn seal(draft: &mut Workbench<State>) -> Vec<Change> {
        draft.drain_changed(|item| Change {
            stream: item.stream.clone(),
            last: item.last,
            deleted: item.state.is_deleted(),
            state: pack(&item.state),
        })
    }

    fn publish(&mut self, patch: Vec<Change>) {
        for change in patch {
            match self.find(&change.stream.aggregate_type, &change.stream.aggregate_id) {
                Some(number) => self.replace(number, change),
                None => self.add(change),
            }
        }
    }

    fn rows(&self) -> &Rows<Row> {
        &self.rows
    }

    fn rows_mut(&mut self) -> &mut Rows<Row> {
        &mut self.rows
    }

    fn from_rows(rows: Rows<Row>) -> Self {
        let mut model = CurrentStateModel {
            rows,
            hashes: DefaultHashBuilder::default(),
            by_stream: HashTable::new(),
            type_names: NameList::default(),
            types: Vec::new(),
        };
        for number in model.rows.numbers() {
            model.index(number);
        }
        model
    }

    fn is_sound(row: &Row) -> bool {
        unpack::<State>(&row.state).is_some()
    }
}

impl CurrentStateModel {
    fn find(&self, aggregate_type: &str, aggregate_id: &str) -> Option<RowNumber> {
        let hash = self.hashes.hash_one((aggregate_type, aggregate_id));
        let same = |number: &RowNumber| {
            self.rows.get(*number).is_some_and(|row| {
                *row.aggregate_id == *aggregate_id && *row.aggregate_type == *aggregate_type
            })
        };
        self.by_stream.find(hash, same).copied()
    }

    fn row_of(&self, aggregate_type: &str, aggregate_id: &str) -> Option<&Row> {
        self.rows.get(self.find(aggregate_type, aggregate_id)?)
    }

    fn replace(&mut self, number: RowNumber, change: Change) {
        let Some(row) = self.rows.get_mut(number) else {
            return;
        };
        let of_type = self
            .type_names
            .find(&row.aggregate_type)
            .and_then(|name| self.types.get_mut(name));
        if let Some(of_type) = of_type {
            of_type.events += u64::from(change.last.version.saturating_sub(row.last.version));
            of_type.deleted -= usize::from(row.deleted);
            of_type.deleted += usize::from(change.deleted);
        }
        row.last = change.last;
        row.deleted = change.deleted;
        row.state = change.state;
    }

    fn add(&mut self, change: Change) {
        let number = self.rows.push(Row {
            aggregate_type: self.type_names.shared(&change.stream.aggregate_type),
            aggregate_id: change.stream.aggregate_id,
            last: change.last,
            deleted: change.deleted,
            state: change.state,
        });
        self.index(number);
    }

    /// Makes a row findable that is not yet.
    fn index(&mut self, number: RowNumber) {
        let Some(row) = self.rows.get_unmarked_mut(number) else {
            return;
        };
        row.aggregate_type = self.type_names.shared(&row.aggregate_type);
        let name = self.type_names.number(&row.aggregate_type);
        if self.types.len() <= name {
            self.types.resize_with(name + 1, OfType::default);
        }
        let of_type = &mut self.types[name];
        of_type.rows.push(number);
        of_type.events += u64::from(row.last.version);
        of_type.deleted += usize::from(row.deleted);
        let hash = self
            .hashes
            .hash_one((&*row.aggregate_type, &*row.aggregate_id));
        let (rows, hashes) = (&self.rows, &self.hashes);
        self.by_stream.insert_unique(hash, number, |other| {
            rows.get(*other).map_or(0, |row| {
                hashes.hash_one((&*row.aggregate_type, &*row.aggregate_id))
            })
        });
    }
}
