//! The row of a stock location in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use crate::described;
use crate::folded::Folded;

const FIELDS: &[&str] = &[
    "location_code",
    "name",
    "location_type",
    "workshop_id",
    "address",
];

/// The row; `None` when there is none, or none any more.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    described::row(id, FIELDS, state)
}
