//! Answers about vehicles.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, RwLock};

use fleet::vehicle::{self, VehicleState, VehicleView};

use super::{Row, VehiclesModel, uuid_of};
use crate::projection::projector::read;
use crate::projection::read_model::{Answer, Published};
use crate::projection::rows::RowNumber;
use crate::projection::workbench::unpack;

/// Every vehicle. Cheap to clone; every answer says which position it reflects.
#[derive(Clone, Debug, Default)]
pub struct Vehicles {
    pub(in crate::projection) shared: Arc<RwLock<Published<VehiclesModel>>>,
}

/// Which vehicles are meant, and which part of their list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VehicleFilter {
    /// Of this status only.
    pub status: Option<String>,
    /// With this text in their asset id, model or manufacturer, in any case.
    pub search: Option<String>,
    /// How many to pass over, counted behind `cursor`.
    pub skip: usize,
    /// How many to give at most.
    pub limit: usize,
    /// The `next` of the part before.
    pub cursor: Option<String>,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VehiclePage {
    /// How many vehicles are meant, in all parts.
    pub total: usize,
    /// Those of this part, in the order of their asset ids.
    pub vehicles: Vec<VehicleView>,
    /// The cursor of the part behind; `None` at the end.
    pub next: Option<String>,
}

impl Vehicles {
    /// The vehicle of this asset id, or of this UUID. `None` when there is none, or none any more.
    pub fn get(&self, id: &str) -> Answer<Option<VehicleView>> {
        let (position, row) = {
            let shared = read(&self.shared);
            let model = &shared.model;
            let by_row_id = || model.rows.get(*model.by_row_id.get(&uuid_of(id)?)?);
            let row = model
                .row_of(id)
                .filter(|row| row.listed.is_some())
                .or_else(by_row_id);
            (shared.position, row.cloned())
        };
        Answer {
            position,
            value: row.and_then(|row| answer(&row)),
        }
    }

    /// A part of the list of the vehicles that are meant.
    pub fn list(&self, filter: &VehicleFilter) -> Answer<VehiclePage> {
        let shared = read(&self.shared);
        let (position, model) = (shared.position, &shared.model);
        let nothing = BTreeMap::new();
        let meant = match &filter.status {
            Some(status) => model
                .listed_by_status
                .get(status.as_str())
                .unwrap_or(&nothing),
            None => &model.listed,
        };
        let search = filter
            .search
            .as_ref()
            .map(|text| text.to_lowercase())
            .filter(|text| !text.is_empty());
        let matches = |number: &RowNumber| match &search {
            None => true,
            Some(text) => model
                .rows
                .get(*number)
                .and_then(|row| row.listed.as_ref())
                .is_some_and(|row| row.text.lines().any(|line| line.contains(text))),
        };
        let total = match search {
            None => meant.len(),
            Some(_) => meant.values().filter(|number| matches(number)).count(),
        };
        let start = filter
            .cursor
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = meant
            .range::<str, _>((start, Bound::Unbounded))
            .filter(|(_, number)| matches(number))
            .skip(filter.skip);
        let found: Vec<Row> = behind
            .by_ref()
            .take(filter.limit)
            .filter_map(|(_, number)| model.rows.get(*number).cloned())
            .collect();
        let has_more = behind.next().is_some();
        drop(behind);
        drop(shared);
        let next = found
            .last()
            .filter(|_| has_more)
            .map(|row| row.asset_id.to_string());
        let vehicles = found.iter().filter_map(answer).collect();
        Answer {
            position,
            value: VehiclePage {
                total,
                vehicles,
                next,
            },
        }
    }
}

/// The row as it is answered.
fn answer(row: &Row) -> Option<VehicleView> {
    vehicle::view(&row.asset_id, &unpack::<VehicleState>(&row.state)?)
}
