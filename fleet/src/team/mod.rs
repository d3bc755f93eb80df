//! The Team aggregate: people of a workshop who work together, and when they are there.

pub mod schema;

/// The aggregate type of teams.
pub const AGGREGATE_TYPE: &str = "Team";
