//! The Import aggregate: one taking over of an old database, and what came of it. Only the server writes it.
//!
//! The aggregate id is a UUID. An import that was interrupted and went on is one import.

pub mod event;
pub mod schema;

/// The aggregate type of imports.
pub const AGGREGATE_TYPE: &str = "Import";
