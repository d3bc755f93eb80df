//! What becomes of a row of an old log: one event, whatever it holds.

use serde_json::{Map, Value};

use super::event;
use super::schema::SCHEMA;
use crate::event::EventDraft;

/// Keeps a row, under its key in the old table.
pub fn keep(key: &str, row: Map<String, Value>) -> EventDraft {
    let mut data = Map::new();
    data.insert("key".to_owned(), key.into());
    data.insert("row".to_owned(), Value::Object(row));
    SCHEMA.draft(event::LOG_ROW_IMPORTED, data)
}
