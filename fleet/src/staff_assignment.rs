//! The StaffAssignment aggregate: a person's time planned for one work order or one transfer plan.

mod check;
mod command;
mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use check::{Around, check, check_target, needs_check};
pub use command::{CHANGE, CREATE, StaffAssignmentCommand};
pub use decide::{STEPS, decide, is_active, span_of};
pub use view::row;

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
