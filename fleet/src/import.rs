//! The Import aggregate: one taking over of an old database, and what came of it. Only the server writes it.
//!
//! The aggregate id is a UUID. An import that was interrupted and went on is one import.

mod decide;
pub mod event;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use decide::{ImportCommand, decide, status};
pub use view::row;

/// The aggregate type of imports.
pub const AGGREGATE_TYPE: &str = "Import";
