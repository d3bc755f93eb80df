//! The TransferPlan aggregate: a planned run of vehicles from one place to another.

mod command;
mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{CHANGE, CREATE, TransferPlanCommand};
pub use decide::{STEPS, decide, has_arrived, is_moved, is_open, span_of};
pub use view::row;

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
