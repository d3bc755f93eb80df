//! The row of a model in the read model.

use serde_json::{Map, Value};

use crate::folded::Folded;
use crate::listing::row_of;

const FIELDS: &[&str] = &[
    "model_name",
    "model_type",
    "model_version",
    "status",
    "file_path",
    "feature_names",
    "hyperparameters",
    "metrics",
    "error",
    "trained_at",
    "deployed_at",
];

/// The row; `None` when there is none.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let mut row = row_of(id, FIELDS, state)?;
    row.insert("model_id".to_owned(), id.into());
    Some(row)
}
