//! Which events were brought in from elsewhere, and not told when they happened.

use serde_json::Value;
use storage::EventRef;

use super::tags::user_id;
use crate::ingest::FROM_FILE_TAG;
use crate::sync::DEVICE_PREFIX;

/// Whether the importer or `railfleet ingest` wrote the event. A `source` alone does not say so, for clients may send one.
pub fn is_brought_in(event: &EventRef<'_>) -> bool {
    #[derive(serde::Deserialize)]
    struct Metadata {
        source: Value,
    }
    if event.tags().any(|tag| tag.starts_with(DEVICE_PREFIX)) {
        return false;
    }
    let metadata = serde_json::from_slice::<Metadata>(event.metadata());
    match metadata.map(|metadata| metadata.source) {
        // The importer names the row.
        Ok(Value::Object(row)) => row.get("system").and_then(Value::as_str) == Some("postgres"),
        // What comes over HTTP always names a user. What is read from a file may, and has the tag then.
        Ok(Value::String(source)) => {
            source != "sync"
                && (user_id(event.tags()).is_none() || event.tags().any(|tag| tag == FROM_FILE_TAG))
        }
        _ => false,
    }
}
