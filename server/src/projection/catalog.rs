//! The present state of every stream, each event folded once; rows of the fleet's aggregates are found by what their
//! [`Listing`](fleet::listing::Listing) declares.
//!
//! Nothing here knows a vehicle from a purchase order: the fold, the row and the indexes of an aggregate type come from
//! its table in [`fleet::registry`]. Streams of unknown types are folded by the general rules, and found by their ids.

mod found_by;
mod names;
mod page;
mod query;
mod sorted;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod unsettled;
mod whole;

use std::hash::BuildHasher;
use std::sync::Arc;

use bincode::{Decode, Encode};
use fleet::registry::KnownEvent;
use fleet::{Folded, registry};
use hashbrown::{DefaultHashBuilder, HashTable};
use serde_json::Map;
use storage::{EventRef, Log, Position, StreamName};

use found_by::FoundBy;
use table::Table;
use unsettled::Unsettled;

pub use page::{Ask, BadCursor, Page};
pub use query::{Catalog, Entry, StateFilter, StatePage, StreamState, TypeSummary};

use super::payload::{NameList, field_texts, payload, view};
use super::read_model::{FoldError, ReadModel};
use super::rows::{RowNumber, Rows};
use super::whole::{Halt, Watch, Whole};
use super::workbench::{LastEvent, Workbench, pack, unpack};

/// A stream's state as it is kept and saved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Row {
    aggregate_type: Arc<str>,
    aggregate_id: Arc<str>,
    last: LastEvent,
    deleted: bool,
    /// The packed [`Folded`].
    state: Box<[u8]>,
}

/// Totals, rows and indexes of one aggregate type.
#[derive(Debug, Default)]
struct OfType {
    /// By ordinal within the type.
    rows: Vec<RowNumber>,
    deleted: usize,
    events: u64,
    /// `None` where the type is in no table.
    table: Option<Table>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct CatalogModel {
    rows: Rows<Row>,
    /// By row number: the ordinal within its type.
    ordinals: Vec<u32>,
    hashes: DefaultHashBuilder,
    by_stream: HashTable<RowNumber>,
    type_names: NameList,
    /// By the number of the type's name.
    types: Vec<OfType>,
}

/// The states of the streams that events are folded into.
pub(super) type Draft = Workbench<Unsettled>;

/// One changed stream, packed.
pub(super) struct Change {
    stream: StreamName,
    last: LastEvent,
    deleted: bool,
    found_by: Option<FoundBy>,
    state: Box<[u8]>,
}

impl Default for CatalogModel {
    fn default() -> Self {
        Self::from_rows(Rows::new(Self::ROWS_PER_PAGE))
    }
}

impl ReadModel for CatalogModel {
    const NAME: &'static str = super::CATALOG;
    const ALIASES: &'static [&'static str] = &[
        "CurrentStateProjection",
        "current_state_projection",
        "vehicles",
        "VehicleProjection",
        "vehicle_projection",
        "MaintenanceProjection",
        "InventoryProjection",
        "ProcurementProjection",
        "FinanceProjection",
    ];
    const FORMAT: u16 = 5;
    const ROWS_PER_PAGE: usize = 32;

    type Row = Row;
    type Draft = Draft;
    type Patch = Vec<Change>;

    fn handled_event_types() -> Vec<String> {
        vec!["*".to_owned()]
    }

    fn fold(&self, draft: &mut Draft, event: &EventRef<'_>) -> Result<bool, FoldError> {
        let stream = event.stream();
        let known = registry().event(stream.aggregate_type, event.event_type());
        fold_into(&mut Drafted { model: self, draft }, known, event)?;
        Ok(true)
    }

    fn changed(draft: &Draft) -> usize {
        draft.changed()
    }

    fn seal(draft: &mut Draft) -> Vec<Change> {
        draft.drain_changed(|item| {
            let folded = item.state.settled();
            let StreamName {
                aggregate_type,
                aggregate_id,
            } = &item.stream;
            Change {
                found_by: found_by(aggregate_type, aggregate_id, folded),
                last: item.last,
                deleted: folded.record.is_deleted(),
                state: pack(folded),
                stream: item.stream.clone(),
            }
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
        let mut model = CatalogModel {
            rows,
            ordinals: Vec::new(),
            hashes: DefaultHashBuilder::default(),
            by_stream: HashTable::new(),
            type_names: NameList::default(),
            types: Vec::new(),
        };
        for number in model.rows.numbers() {
            let found_by = model.rows.get(number).and_then(|row| {
                found_by(&row.aggregate_type, &row.aggregate_id, &unpack(&row.state)?)
            });
            model.index(number, |table, _, id| table.add(id, found_by));
        }
        model.put_in_order();
        model
    }

    fn fold_whole(log: &Log, to: Position, watch: Watch<'_>) -> Option<Result<Whole<Self>, Halt>> {
        Some(whole::fold_whole(log, to, watch))
    }

    fn is_sound(row: &Row) -> bool {
        unpack::<Folded>(&row.state).is_some()
    }
}

impl CatalogModel {
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

    fn of_type(&self, aggregate_type: &str) -> Option<&OfType> {
        self.types.get(self.type_names.find(aggregate_type)?)
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
            if let Some(table) = &mut of_type.table {
                let ordinal = self.ordinals[number as usize];
                table.set(ordinal, &row.aggregate_id, change.found_by);
            }
        }
        row.last = change.last;
        row.deleted = change.deleted;
        row.state = change.state;
    }

    fn add(&mut self, change: Change) {
        let number = self.rows.push(Row {
            aggregate_type: self.type_names.shared(&change.stream.aggregate_type),
            aggregate_id: change.stream.aggregate_id.into(),
            last: change.last,
            deleted: change.deleted,
            state: change.state,
        });
        self.index(number, |table, ordinal, id| {
            table.set(ordinal, id, change.found_by);
        });
    }

    /// Puts the lists of all rows in order that were only added to their tables.
    fn put_in_order(&mut self) {
        for table in self.types.iter_mut().filter_map(|of| of.table.as_mut()) {
            table.put_in_order();
        }
    }

    /// Makes a row findable that is not yet. `take_in` has its table know it.
    fn index(&mut self, number: RowNumber, take_in: impl FnOnce(&mut Table, u32, &Arc<str>)) {
        let Some(row) = self.rows.get_unmarked_mut(number) else {
            return;
        };
        row.aggregate_type = self.type_names.shared(&row.aggregate_type);
        let name = self.type_names.number(&row.aggregate_type);
        while self.types.len() <= name {
            let aggregate = registry().aggregate(&row.aggregate_type);
            self.types.push(OfType {
                table: aggregate.map(|aggregate| Table::new(&aggregate.listing)),
                ..OfType::default()
            });
        }
        let of_type = &mut self.types[name];
        let ordinal = u32::try_from(of_type.rows.len()).unwrap_or(u32::MAX);
        of_type.rows.push(number);
        of_type.events += u64::from(row.last.version);
        of_type.deleted += usize::from(row.deleted);
        if let Some(table) = &mut of_type.table {
            take_in(table, ordinal, &row.aggregate_id);
        }
        self.ordinals.push(ordinal);
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

fn found_by(aggregate_type: &str, aggregate_id: &str, folded: &Folded) -> Option<FoundBy> {
    let aggregate = registry().aggregate(aggregate_type)?;
    FoundBy::of(aggregate, aggregate_id, folded)
}

/// States that events are folded into.
trait States {
    /// The state of the event's stream, whose last event it is now.
    ///
    /// # Errors
    /// [`FoldError::Unreadable`]; then nothing changed.
    fn take(&mut self, event: &EventRef<'_>) -> Result<&mut Unsettled, FoldError>;
}

/// The states of a batch, before the model has them.
struct Drafted<'a> {
    model: &'a CatalogModel,
    draft: &'a mut Draft,
}

impl States for Drafted<'_> {
    fn take(&mut self, event: &EventRef<'_>) -> Result<&mut Unsettled, FoldError> {
        let (model, stream) = (self.model, event.stream());
        self.draft.take(event, || {
            match model.row_of(stream.aggregate_type, stream.aggregate_id) {
                Some(row) => unpack(&row.state)
                    .map(Unsettled::of)
                    .ok_or(FoldError::Unreadable),
                None => Ok(Unsettled::default()),
            }
        })
    }
}

/// Folds an event, which stands in a table as `known`, into the state of its stream.
///
/// # Errors
/// [`FoldError`].
fn fold_into(
    states: &mut impl States,
    known: Option<KnownEvent>,
    event: &EventRef<'_>,
) -> Result<(), FoldError> {
    if known.is_none()
        && let Some(fields) = field_texts(event)
    {
        let unsettled = states.take(event)?;
        if unsettled.fold_texts(&view(event, &Map::new()), &fields) {
            return Ok(());
        }
    }
    let data = payload(event)?;
    states.take(event)?.fold(known, &view(event, &data));
    Ok(())
}
