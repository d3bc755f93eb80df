//! The row of a device in the read model.

use serde_json::{Map, Value};

use crate::folded::Folded;
use crate::listing::row_of;

const FIELDS: &[&str] = &[
    "device_name",
    "device_type",
    "platform",
    "app_version",
    "capabilities",
    "user_id",
    "last_ip_address",
    "is_active",
    "is_offline",
    "last_sync_at",
    "last_push_at",
    "last_pull_at",
    "role",
    "scope",
    "token_expires_at",
];

/// The row; `None` when there is none.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let mut row = row_of(id, FIELDS, state)?;
    row.insert("device_id".to_owned(), id.into());
    if let Some(created) = row.get("created_at").cloned() {
        row.insert("registered_at".to_owned(), created);
    }
    Some(row)
}
