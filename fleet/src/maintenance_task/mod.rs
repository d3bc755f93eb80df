//! The MaintenanceTask aggregate: something that falls due on a vehicle, by date or by kilometres.

pub mod schema;

/// The aggregate type of maintenance tasks.
pub const AGGREGATE_TYPE: &str = "MaintenanceTask";

/// Kinds of maintenance, as in JSON.
pub const TYPES: &[&str] = &["HU", "INSPECTION", "ECM", "REPAIR", "PREVENTIVE"];
