//! A part's row in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use super::schema::{SCHEMA, STOCK_BY_LOCATION_KEY, STOCK_KEY};
use super::{AGGREGATE_TYPE, is_low, least_level, level, unit};
use crate::described;
use crate::folded::Folded;
use crate::listing::row_uuid;

/// The row of the part with this aggregate id; `None` when it was never created, or deleted. Its number is the one that its
/// events told last. Beside the old columns stand the levels by location.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let uuid = row_uuid(AGGREGATE_TYPE, id, state).to_string();
    let fields = [
        "name",
        "railway_class",
        "unit_price",
        "preferred_supplier_id",
    ];
    let mut row = described::row(uuid, &fields, state)?;
    row.insert("part_no".to_owned(), SCHEMA.name_of(id, state).into());
    row.insert("unit".to_owned(), unit(state).into());
    row.insert("min_stock".to_owned(), least_level(state).into());
    row.insert(STOCK_KEY.to_owned(), level(state).into());
    let by_location = state.record.sums(STOCK_BY_LOCATION_KEY);
    let by_location: Map<String, Value> = by_location
        .map(|(location, level)| (location.to_owned(), level.into()))
        .collect();
    row.insert(STOCK_BY_LOCATION_KEY.to_owned(), by_location.into());
    Some(row)
}

/// What lists are narrowed by: `true` for a part of which too little is there.
pub(super) fn listed_low_stock(state: &Folded) -> Option<String> {
    Some(is_low(state).to_string())
}
