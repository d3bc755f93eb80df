//! The SyncConflict aggregate: an offline edit that could not be taken in as it was. Only the server writes it.
//!
//! The aggregate id is a UUID; `conflict_id` is the key that clients show.

mod decide;
pub mod event;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use decide::{Resolution, SyncConflictCommand, decide, is_resolved, resolved_value};
pub use view::row;

/// The aggregate type of sync conflicts.
pub const AGGREGATE_TYPE: &str = "SyncConflict";
