//! The row of a cost center in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use crate::described;
use crate::folded::Folded;
use crate::listing::row_uuid;

const FIELDS: &[&str] = &["name", "parent_code", "notes"];

/// The row; `None` when there is none, or none any more.
pub fn row(code: &str, state: &Folded) -> Option<Map<String, Value>> {
    let id = row_uuid(AGGREGATE_TYPE, code, state).to_string();
    let mut row = described::row(id, FIELDS, state)?;
    row.insert("code".to_owned(), code.into());
    Some(row)
}
