//! The Track aggregate: a track of a workshop, and when it can be used.

pub mod schema;

/// The aggregate type of tracks.
pub const AGGREGATE_TYPE: &str = "Track";
