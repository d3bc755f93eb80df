//! Every vehicle as [`fleet::vehicle`] folds it, findable by id, status and text.

mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use fleet::registry;
use fleet::vehicle::{self, AGGREGATE_TYPE, VehicleState};
use hashbrown::HashMap;
use storage::EventRef;
use uuid::Uuid;

pub use query::{VehicleFilter, VehiclePage, Vehicles};

use super::payload::{NameList, payload, view};
use super::read_model::{FoldError, ReadModel};
use super::rows::{RowNumber, Rows};
use super::workbench::{Workbench, pack, unpack};

/// A vehicle as it is kept and saved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Row {
    asset_id: Arc<str>,
    /// What lists need to know without unpacking; `None` when there is no such vehicle, or none any more.
    listed: Option<Listed>,
    /// The packed [`VehicleState`].
    state: Box<[u8]>,
}

/// What a vehicle is found by.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Listed {
    /// Its UUID.
    row_id: u128,
    status: Arc<str>,
    /// Asset id, model and manufacturer in lower case, a line each.
    text: Box<str>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct VehiclesModel {
    rows: Rows<Row>,
    by_asset_id: HashMap<Arc<str>, RowNumber>,
    by_row_id: HashMap<u128, RowNumber>,
    statuses: NameList,
    /// Those that are listed, in the order of lists.
    listed: BTreeMap<Arc<str>, RowNumber>,
    listed_by_status: HashMap<Arc<str>, BTreeMap<Arc<str>, RowNumber>>,
}

impl Default for VehiclesModel {
    fn default() -> Self {
        Self::from_rows(Rows::new(Self::ROWS_PER_PAGE))
    }
}

impl ReadModel for VehiclesModel {
    const NAME: &'static str = "vehicles";
    const ALIASES: &'static [&'static str] = &["VehicleProjection", "vehicle_projection"];
    const FORMAT: u16 = 1;
    const ROWS_PER_PAGE: usize = 32;

    type Row = Row;
    type Draft = Workbench<VehicleState>;
    type Patch = Vec<Row>;

    fn handled_event_types() -> Vec<String> {
        let table = registry().aggregate(AGGREGATE_TYPE);
        table.map_or_else(Vec::new, |table| {
            table
                .events
                .iter()
                .map(|event| event.event_type.to_owned())
                .collect()
        })
    }

    fn fold(
        &self,
        draft: &mut Workbench<VehicleState>,
        event: &EventRef<'_>,
    ) -> Result<bool, FoldError> {
        if &*event.stream().aggregate_type != AGGREGATE_TYPE {
            return Ok(false);
        }
        let data = payload(event)?;
        let load = || match self.row_of(&event.stream().aggregate_id) {
            Some(row) => unpack(&row.state).ok_or(FoldError::Unreadable),
            None => Ok(VehicleState::default()),
        };
        draft.fold(event, load, |state| {
            vehicle::fold(state, &view(event, &data))
        })?;
        Ok(true)
    }

    fn changed(draft: &Workbench<VehicleState>) -> usize {
        draft.changed()
    }

    fn seal(draft: &mut Workbench<VehicleState>) -> Vec<Row> {
        draft.drain_changed(|item| {
            let asset_id = &item.stream.aggregate_id;
            Row {
                asset_id: (**asset_id).into(),
                listed: listed(asset_id, &item.state),
                state: pack(&item.state),
            }
        })
    }

    fn publish(&mut self, patch: Vec<Row>) {
        for row in patch {
            let number = match self.by_asset_id.get(&row.asset_id).copied() {
                Some(number) => {
                    self.unlist(number);
                    self.replace(number, row);
                    number
                }
                None => self.rows.push(row),
            };
            self.index(number);
        }
    }

    fn rows(&self) -> &Rows<Row> {
        &self.rows
    }

    fn rows_mut(&mut self) -> &mut Rows<Row> {
        &mut self.rows
    }

    fn from_rows(rows: Rows<Row>) -> Self {
        let mut model = VehiclesModel {
            rows,
            by_asset_id: HashMap::new(),
            by_row_id: HashMap::new(),
            statuses: NameList::default(),
            listed: BTreeMap::new(),
            listed_by_status: HashMap::new(),
        };
        for number in model.rows.numbers() {
            model.index(number);
        }
        model
    }

    fn is_sound(row: &Row) -> bool {
        unpack::<VehicleState>(&row.state).is_some()
    }
}

impl VehiclesModel {
    fn row_of(&self, asset_id: &str) -> Option<&Row> {
        self.rows.get(*self.by_asset_id.get(asset_id)?)
    }

    /// Puts `row` where the older one of its vehicle is. Its name is kept: indexes share it.
    fn replace(&mut self, number: RowNumber, row: Row) {
        if let Some(older) = self.rows.get_mut(number) {
            older.listed = row.listed;
            older.state = row.state;
        }
    }

    /// Takes a row out of lists before it changes.
    fn unlist(&mut self, number: RowNumber) {
        let Some(Row {
            asset_id,
            listed: Some(listed),
            ..
        }) = self.rows.get(number)
        else {
            return;
        };
        self.listed.remove(asset_id);
        if self.by_row_id.get(&listed.row_id) == Some(&number) {
            self.by_row_id.remove(&listed.row_id);
        }
        if let Some(of_status) = self.listed_by_status.get_mut(&listed.status) {
            of_status.remove(asset_id);
        }
    }

    /// Makes a row findable that is not yet, or not any more.
    fn index(&mut self, number: RowNumber) {
        let Some(row) = self.rows.get_unmarked_mut(number) else {
            return;
        };
        self.by_asset_id
            .entry(Arc::clone(&row.asset_id))
            .or_insert(number);
        let Some(listed) = &mut row.listed else {
            return;
        };
        listed.status = self.statuses.shared(&listed.status);
        self.by_row_id.insert(listed.row_id, number);
        self.listed.insert(Arc::clone(&row.asset_id), number);
        let of_status = self
            .listed_by_status
            .entry(Arc::clone(&listed.status))
            .or_default();
        of_status.insert(Arc::clone(&row.asset_id), number);
    }
}

/// What the vehicle is found by; `None` when lists leave it out.
fn listed(asset_id: &str, state: &VehicleState) -> Option<Listed> {
    let seen = vehicle::view(asset_id, state)?;
    let lines = [
        asset_id,
        seen.model.as_deref().unwrap_or_default(),
        seen.manufacturer.as_deref().unwrap_or_default(),
    ];
    Some(Listed {
        row_id: seen.id.as_u128(),
        status: seen.status.as_str().into(),
        text: lines.join("\n").to_lowercase().into(),
    })
}

/// The row id as a UUID.
fn uuid_of(text: &str) -> Option<u128> {
    Uuid::parse_str(text).ok().map(|id| id.as_u128())
}
