//! An invoice's row in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use super::{lines, status};
use crate::folded::Folded;
use crate::listing::row_of;

const FIELDS: &[&str] = &[
    "invoice_number",
    "supplier_id",
    "purchase_order_id",
    "work_order_id",
    "invoice_date",
    "due_date",
    "payment_date",
    "total_amount",
    "tax_amount",
    "currency",
    "notes",
    "attachment_url",
    "created_by",
    "reviewed_by",
    "reviewed_at",
    "approved_by",
    "approved_at",
];

/// The row of the invoice with this id; `None` when there is none, or none any more.
pub fn row(invoice_id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let mut row = row_of(invoice_id, FIELDS, state)?;
    row.insert("status".to_owned(), status(state).into());
    let lines = lines(state);
    let lines = lines.iter().map(|line| Value::Object(line.row(invoice_id)));
    row.insert("lines".to_owned(), lines.collect());
    Some(row)
}

/// What lists are narrowed by.
pub(super) fn listed_status(state: &Folded) -> Option<String> {
    Some(status(state).to_owned())
}
