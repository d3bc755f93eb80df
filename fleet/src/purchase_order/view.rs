//! A purchase order's row in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use super::{lines, status};
use crate::folded::Folded;
use crate::listing::row_of;

const FIELDS: &[&str] = &[
    "po_number",
    "supplier_id",
    "work_order_id",
    "order_date",
    "expected_delivery_date",
    "received_date",
    "delivery_location_id",
    "total_amount",
    "currency",
    "notes",
    "created_by",
    "approved_by",
    "approved_at",
];

/// The row of the order with this id; `None` when there is none, or none any more.
pub fn row(order_id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let mut row = row_of(order_id, FIELDS, state)?;
    row.insert("status".to_owned(), status(state).into());
    let lines = lines(order_id, state);
    let lines = lines.iter().map(|line| Value::Object(line.row(order_id)));
    row.insert("lines".to_owned(), lines.collect());
    Some(row)
}

/// What lists are narrowed by.
pub(super) fn listed_status(state: &Folded) -> Option<String> {
    Some(status(state).to_owned())
}
