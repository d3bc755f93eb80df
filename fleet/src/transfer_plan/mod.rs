//! The TransferPlan aggregate: a planned run of vehicles from one place to another.

pub mod schema;

/// The aggregate type of transfer plans.
pub const AGGREGATE_TYPE: &str = "TransferPlan";

/// A plan's status, as in JSON.
pub const STATUSES: &[&str] = &[
    "draft",
    "scheduled",
    "in_progress",
    "completed",
    "cancelled",
];

/// How urgent it is, as in JSON.
pub const PRIORITIES: &[&str] = &["low", "normal", "high", "urgent"];
