//! The WorkOrder aggregate: work planned on a vehicle, done by a workshop, and released.

pub mod schema;

/// The aggregate type of work orders.
pub const AGGREGATE_TYPE: &str = "WorkOrder";

/// A work order's status, as in JSON.
pub const STATUSES: &[&str] = &[
    "draft",
    "scheduled",
    "in_progress",
    "completed",
    "cancelled",
];

/// How urgent it is, as in JSON.
pub const PRIORITIES: &[&str] = &["low", "medium", "high", "urgent"];
