//! The row of a supplier in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use crate::described;
use crate::folded::Folded;

const FIELDS: &[&str] = &[
    "supplier_code",
    "name",
    "contact_person",
    "email",
    "phone",
    "address",
    "vat_id",
    "payment_terms",
    "currency",
    "notes",
];

/// The row; `None` when there is none, or none any more.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    described::row(id, FIELDS, state)
}
