//! The Part aggregate: what lies in the stores, how much of it, and where.
//!
//! The aggregate id is the `part_no`. The level is a sum of differences: each stock move adds one, on the whole and at its
//! location, whatever order the events arrive in. What a part was created with is the opening value, at no location.

pub mod event;
pub mod schema;

/// The aggregate type of parts.
pub const AGGREGATE_TYPE: &str = "Part";
