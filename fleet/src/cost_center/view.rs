//! The row of a cost center in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use super::schema::SCHEMA;
use crate::described;
use crate::folded::Folded;
use crate::listing::row_uuid;

const FIELDS: &[&str] = &["name", "parent_code", "notes"];

/// The row of the cost center with this aggregate id; `None` when there is none, or none any more. Its code is the one that
/// its events told last.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let uuid = row_uuid(AGGREGATE_TYPE, id, state).to_string();
    let mut row = described::row(uuid, FIELDS, state)?;
    row.insert("code".to_owned(), SCHEMA.name_of(id, state).into());
    Some(row)
}
