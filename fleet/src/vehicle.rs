//! The Vehicle aggregate: what a vehicle is, where it stands, how far it ran, and what befell it.
//!
//! The aggregate id is the `asset_id` that it began with; where that changed since, as it may in a database that an importer
//! follows, the state tells the present one, and so does the row.
//!
//! A row UUID beside it, for clients that ask by UUID, is derived from it
//! ([`crate::listing::row_id`]) unless the creation names one, as an imported row does.
//!
//! What a vehicle *is* lies in the table-driven [`State`](crate::fold::State), merged by the time of each event, so that
//! late reports count where they belong; its mileage only rises, save by a correction that says so. What *befell* it is
//! counted in [`Occurrences`]; counting does not mind the order.

mod command;
mod decide;
pub mod event;
mod fold;
pub mod home;
pub mod schema;
mod services;
mod upcast;
mod view;

#[cfg(test)]
mod tests;

pub use command::{VehicleChanges, VehicleCommand, VehicleFields};
pub use decide::decide;
pub use event::{Breakdown, Incident, MaintenanceDone, MaintenancePlan, MaintenanceReopened};
pub use fold::{
    GROUPS_MAX, Maintenance, OTHER_GROUPS, Occurrences, VehicleState, mileage_km, occurrences,
    status,
};
pub use view::{IncidentCounts, VehicleView, view};

/// The aggregate type of vehicles.
pub const AGGREGATE_TYPE: &str = "Vehicle";

/// A vehicle's status, as in JSON.
pub const STATUSES: &[&str] = &[
    "available",
    "in_service",
    "workshop_planned",
    "in_workshop",
    "out_of_service",
    "maintenance_due",
    "retired",
];

/// A vehicle's type of traction, as in JSON.
pub const TYPES: &[&str] = &["electric", "diesel", "hybrid"];
