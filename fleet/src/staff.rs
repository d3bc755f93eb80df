//! The Staff aggregate: a person who works in the depot. Much of it is personal data.

mod command;
mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{CHANGE, CREATE, StaffCommand};
pub use decide::{check_at_work, decide};
pub use view::row;

/// The aggregate type of staff.
pub const AGGREGATE_TYPE: &str = "Staff";

/// What somebody is employed as, as in JSON.
pub const ROLES: &[&str] = &[
    "driver",
    "mechanic",
    "technician",
    "dispatcher",
    "supervisor",
    "manager",
];

/// Whether somebody is at work, as in JSON.
pub const STATUSES: &[&str] = &["active", "on_leave", "sick_leave", "training", "inactive"];
