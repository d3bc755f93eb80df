//! The SyncConflict aggregate: an offline edit that could not be taken in as it was. Only the server writes it.
//!
//! The aggregate id is a UUID; `conflict_id` is the key that clients show.

pub mod event;
pub mod schema;

/// The aggregate type of sync conflicts.
pub const AGGREGATE_TYPE: &str = "SyncConflict";
