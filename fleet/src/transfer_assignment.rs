//! The TransferAssignment aggregate: a vehicle's place in a transfer plan, and who drives it.

mod command;
mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{CHANGE, CREATE, TransferAssignmentCommand};
pub use decide::{Around, check, check_times, decide, is_active};
pub use view::row;

/// The aggregate type of transfer assignments.
pub const AGGREGATE_TYPE: &str = "TransferAssignment";

/// What `is_confirmed` says; despite its name it is a word.
pub const CONFIRMATIONS: &[&str] = &["pending", "confirmed", "cancelled"];
