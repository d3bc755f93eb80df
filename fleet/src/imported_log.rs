//! The ImportedLog aggregate: rows of the old database's own logs, kept as they were. Only the server writes it.
//!
//! The aggregate id is the old table's name: `event_log`, `audit_log`, `solver_solutions`. Nothing is folded from them.

mod decide;
pub mod event;
pub mod schema;

#[cfg(test)]
mod tests;

pub use decide::keep;

/// The aggregate type of imported logs.
pub const AGGREGATE_TYPE: &str = "ImportedLog";
