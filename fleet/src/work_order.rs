//! The WorkOrder aggregate: work planned on a vehicle, done by a workshop, and released.
//!
//! The aggregate id is a UUID, the order number its business key. What an order *is* lies in the table-driven state. What
//! it causes elsewhere (the vehicle goes into the workshop, a track is taken) is decided here as well
//! ([`consequences`]), so that it can be appended in one transaction.

mod command;
mod consequences;
mod decide;
mod plan;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{
    CHANGE, CHECKLIST_ITEM, CREATE, FINDING, NOTE, PART_USE, RELEASE, RESOLUTION, WorkOrderCommand,
};
pub use consequences::{Consequences, changes_hold, consequences, holds_vehicle, maintenance_type};
pub use decide::{ITEMS_MAX, STEPS, decide, refuse_unbegun, waives_release};
pub use plan::{Around, check_plan, is_active, needs_plan_check, span_of};
pub use view::row;

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

/// How bad a finding is, as in JSON. An order with an open one of the last two is not released, and one that is completed
/// with it needs a release.
pub const SEVERITIES: &[&str] = &["low", "medium", "high", "critical"];
