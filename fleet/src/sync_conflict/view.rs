//! The row of a sync conflict in the read model.

use serde_json::{Map, Value};

use crate::folded::Folded;
use crate::listing::row_of;

const FIELDS: &[&str] = &[
    "conflict_id",
    "entity_type",
    "entity_id",
    "field_name",
    "server_value",
    "client_value",
    "conflict_type",
    "is_resolved",
    "resolution",
    "resolved_value",
    "resolved_at",
    "resolved_by",
    "source_device",
    "source_role",
    "source_event_id",
    "notes",
];

/// The row; `None` when there is none.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    row_of(id, FIELDS, state)
}
