//! The Document aggregate: a link to a file that proves something, its versions, when it expires, and who looked at it.
//!
//! Who looked at it is told by events on its stream ([`schema::ACCESSED`]): the stream itself is the access log.

mod command;
mod decide;
mod expiry;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{CHANGE, CREATE, DocumentCommand, VERSION};
pub use decide::{VERSIONS_MAX, decide, role_to_read};
pub use expiry::{Expiry, expiry};
pub use view::{add_expiry, conceal, expiring_row, row, version_row};

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
