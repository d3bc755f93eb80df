//! The events of a budget: names. The fields are in [`super::schema`].

/// There is a plan from here on, or a place for costs that nobody planned.
pub const BUDGET_CREATED: &str = "BudgetCreated";
/// The plan changed.
pub const BUDGET_UPDATED: &str = "BudgetUpdated";
/// The plan is dropped.
pub const BUDGET_DELETED: &str = "BudgetDeleted";
/// Costs were booked on it.
pub const BUDGET_BOOKED: &str = "BudgetBooked";
