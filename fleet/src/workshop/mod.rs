//! The Workshop aggregate: a place with tracks where vehicles are maintained.

pub mod schema;

/// The aggregate type of workshops.
pub const AGGREGATE_TYPE: &str = "Workshop";
