//! The TransferAssignment aggregate: a vehicle's place in a transfer plan, and who drives it.

pub mod schema;

/// The aggregate type of transfer assignments.
pub const AGGREGATE_TYPE: &str = "TransferAssignment";

/// What `is_confirmed` says; despite its name it is a word.
pub const CONFIRMATIONS: &[&str] = &["pending", "confirmed", "cancelled"];
