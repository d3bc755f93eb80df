//! The events of a cost center: names. The fields are in [`super::schema`].

/// Costs may be booked on it from here on.
pub const COST_CENTER_CREATED: &str = "CostCenterCreated";
/// Some of what describes it changed.
pub const COST_CENTER_UPDATED: &str = "CostCenterUpdated";
/// It is given up.
pub const COST_CENTER_DELETED: &str = "CostCenterDeleted";
