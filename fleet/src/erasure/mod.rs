//! The Erasure aggregate: that somebody asked to be erased, and was. Only the server writes it.
//!
//! The aggregate id is the subject, `Staff:0f8f…`: which aggregate stood for the person, not who they were.

pub mod event;
pub mod schema;

/// The aggregate type of erasures.
pub const AGGREGATE_TYPE: &str = "Erasure";
