//! The StaffAssignment aggregate: a person's time planned for one work order or one transfer plan.

pub mod schema;

/// The aggregate type of staff assignments.
pub const AGGREGATE_TYPE: &str = "StaffAssignment";

/// An assignment's status, as in JSON.
pub const STATUSES: &[&str] = &[
    "scheduled",
    "confirmed",
    "in_progress",
    "completed",
    "cancelled",
];
