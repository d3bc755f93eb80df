//! The MaintenanceTask aggregate: something that falls due on a vehicle, by date or by kilometres.

mod command;
mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{CHANGE, CREATE, MaintenanceTaskCommand};
pub use decide::{caused, decide};
pub use view::{is_overdue, row};

/// The aggregate type of maintenance tasks.
pub const AGGREGATE_TYPE: &str = "MaintenanceTask";

/// Kinds of maintenance, as in JSON.
pub const TYPES: &[&str] = &["HU", "INSPECTION", "ECM", "REPAIR", "PREVENTIVE"];
