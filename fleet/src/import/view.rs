//! The row of an import in the read model.

use serde_json::{Map, Value};

use crate::folded::Folded;
use crate::listing::row_of;

const FIELDS: &[&str] = &[
    "source",
    "shape",
    "assumed_timezone",
    "options",
    "snapshot_at",
    "status",
    "tables",
    "position",
    "report",
    "mismatches",
    "reconciled_position",
    "reconciled_rows",
    "reconciliation",
];

/// The row; `None` when there is none.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    row_of(id, FIELDS, state)
}
