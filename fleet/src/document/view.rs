//! A document's rows, with the keys that clients know.

use serde_json::{Map, Value, json};

use super::AGGREGATE_TYPE;
use super::decide::status;
use super::expiry::{Expiry, expiry};
use super::schema::VERSIONS;
use crate::folded::Folded;
use crate::listing::{RowShape, row_uuid};
use crate::schema::Constant;
use crate::schema::check::integer;

pub(super) const SHAPE: RowShape = RowShape {
    aggregate_type: AGGREGATE_TYPE,
    fields: &[
        "document_id",
        "title",
        "document_type",
        "description",
        "file_url",
        "file_hash",
        "file_size_bytes",
        "mime_type",
        "issue_date",
        "expiration_date",
        "reminder_days_before",
        "status",
        "vehicle_id",
        "staff_id",
        "workshop_id",
        "work_order_id",
        "tags_json",
        "metadata_json",
        "is_public",
        "access_level",
        "created_by",
        "last_accessed_at",
        "last_accessed_by",
    ],
    defaults: &[
        ("status", Constant::Text("active")),
        ("reminder_days_before", Constant::Count(30)),
        ("is_public", Constant::Flag(false)),
        ("access_level", Constant::Text("internal")),
    ],
};

/// What lists do not show to those who may not read the document.
const CONTENT: &[&str] = &[
    "description",
    "file_url",
    "file_hash",
    "file_size_bytes",
    "metadata_json",
];

/// The row of the document with this id; `None` when there is none, or none any more. What depends on the day is added
/// by [`add_expiry`].
pub fn row(aggregate_id: &str, document: &Folded) -> Option<Map<String, Value>> {
    let mut row = SHAPE.row(aggregate_id, document)?;
    let versions = document.record.items(VERSIONS);
    let numbers = versions
        .iter()
        .filter_map(|version| integer(version.get("version_number")?));
    row.insert("latest_version_number".to_owned(), numbers.max().into());
    Some(row)
}

/// Adds how near the document is to its end.
pub fn add_expiry(row: &mut Map<String, Value>, document: &Folded, now: i64) {
    let expiry = expiry(document, now);
    let class = expiry.map(|(class, _)| class.name());
    row.insert("expiration_status".to_owned(), class.into());
    let days = expiry.map(|(_, days)| days);
    row.insert("days_until_expiration".to_owned(), days.into());
}

/// Takes away what only those see who may read the document.
pub fn conceal(row: &mut Map<String, Value>) {
    for name in CONTENT {
        row.insert((*name).to_owned(), Value::Null);
    }
}

/// The row of a document among those that expire.
pub fn expiring_row(
    aggregate_id: &str,
    document: &Folded,
    (class, days): (Expiry, i64),
) -> Map<String, Value> {
    let mut row = Map::new();
    let id = row_uuid(AGGREGATE_TYPE, aggregate_id, document).to_string();
    row.insert("id".to_owned(), id.into());
    for name in [
        "document_id",
        "title",
        "document_type",
        "expiration_date",
        "vehicle_id",
        "staff_id",
        "workshop_id",
        "work_order_id",
    ] {
        row.insert(name.to_owned(), document.get(name).unwrap_or_default());
    }
    row.insert("status".to_owned(), status(document).into());
    row.insert("days_until_expiration".to_owned(), days.into());
    row.insert("expiration_status".to_owned(), class.name().into());
    row
}

/// The row of a version.
pub fn version_row(document_uuid: &str, version: &Map<String, Value>) -> Value {
    let get = |name: &str| version.get(name).cloned().unwrap_or_default();
    json!({
        "id": get("version_id"),
        "document_link_id": document_uuid,
        "version_number": get("version_number"),
        "version_label": get("version_label"),
        "change_description": get("change_description"),
        "file_url": get("file_url"),
        "file_hash": get("file_hash"),
        "file_size_bytes": get("file_size_bytes"),
        "created_at": get("created_at"),
        "created_by": get("created_by"),
    })
}

/// The status that lists are narrowed by: that of the row.
pub(super) fn listed_status(document: &Folded) -> Option<String> {
    Some(status(document).to_owned())
}

/// Whether it has an end that is watched.
pub(super) fn expires(document: &Folded) -> Option<String> {
    expiry(document, 0).map(|_| "true".to_owned())
}
