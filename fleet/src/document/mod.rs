//! The Document aggregate: a link to a file that proves something, its versions, when it expires, and who looked at it.

pub mod schema;

/// The aggregate type of documents.
pub const AGGREGATE_TYPE: &str = "Document";

/// Kinds of document, as in JSON.
pub const TYPES: &[&str] = &[
    "certificate",
    "license",
    "inspection_report",
    "maintenance_log",
    "technical_drawing",
    "compliance_doc",
    "invoice",
    "contract",
    "other",
];

/// A document's status, as in JSON.
pub const STATUSES: &[&str] = &["active", "expired", "expiring_soon", "archived", "revoked"];

/// Who may read it, as in JSON.
pub const ACCESS_LEVELS: &[&str] = &["public", "internal", "restricted", "confidential"];

/// Ways to touch a document, as in JSON.
pub const ACCESS_TYPES: &[&str] = &["view", "download", "edit", "delete", "share"];
