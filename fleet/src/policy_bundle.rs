//! The Policy aggregate: a policy document, who signed it, and whether it is in force. Only the server writes it.
//!
//! The aggregate id is the policy's name. The document is kept as text, byte for byte as it is signed. What is in force
//! is kept beside it, so that another upload changes nothing until somebody puts that into force as well.

mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use decide::{PolicyCommand, check_name, decide, in_force, is_active};
pub use view::{InForce, row};

/// The aggregate type of policies.
pub const AGGREGATE_TYPE: &str = "Policy";
/// Most bytes of a document.
pub const TEXT_BYTES_MAX: usize = 256 << 10;
