//! A stock move's row in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use crate::calendar;
use crate::folded::Folded;
use crate::listing::row_of;

const FIELDS: &[&str] = &[
    "part_no",
    "move_type",
    "quantity",
    "from_location_id",
    "to_location_id",
    "work_order_id",
    "purchase_order_id",
    "reference_doc",
    "unit_price",
    "notes",
    "performed_by",
];

/// The row of the move with this id; `None` when there is none.
pub fn row(move_id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let mut row = row_of(move_id, FIELDS, state)?;
    row.remove("created_at");
    row.remove("updated_at");
    row.insert("performed_at".to_owned(), performed_at(state).into());
    Some(row)
}

/// When it was done, RFC 3339: as told, else when the event occurred.
pub fn performed_at(state: &Folded) -> Option<String> {
    let told = state.text("performed_at").map(str::to_owned);
    told.or_else(|| state.record.created_at().map(calendar::format_time))
}
