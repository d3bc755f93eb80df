//! The reports' bodies, as the description shows them.
#![expect(dead_code, reason = "only their schemas are used")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

use crate::http::budgets::docs::BudgetTotal;

/// Vehicles of a type.
#[derive(ToSchema)]
pub(crate) struct AvailabilityMetric {
    /// `electric`, `diesel`, `hybrid`; null where none is known.
    vehicle_type: Option<String>,
    total_vehicles: u64,
    available_vehicles: u64,
    in_service_vehicles: u64,
    /// In the workshop, or planned for it.
    in_workshop_vehicles: u64,
    /// Out of service, due for maintenance, or retired.
    out_of_service_vehicles: u64,
    /// Available or in service, of all.
    availability_pct: Option<f64>,
}

/// Vehicles that can run.
#[derive(ToSchema)]
pub(crate) struct AvailabilityReport {
    period: String,
    metrics: Vec<AvailabilityMetric>,
    overall_availability_pct: Option<f64>,
    /// Time ready or running over time required in the month.
    time_availability_pct: Option<f64>,
    summary: String,
    /// Why a figure is null, by its name.
    reasons: BTreeMap<String, String>,
    /// The position of the log that this reflects.
    position: u64,
}

/// Orders of a kind.
#[derive(ToSchema)]
pub(crate) struct OnTimeMetric {
    /// Null where none is known.
    maintenance_type: Option<String>,
    total_work_orders: u64,
    on_time: u64,
    late: u64,
    /// Nobody said when they should end.
    without_planned_end: u64,
    /// Of those with a planned end.
    on_time_ratio_pct: Option<f64>,
    /// The mean of the late ones; null where none was late.
    avg_delay_hours: Option<f64>,
}

/// Orders completed by their planned end.
#[derive(ToSchema)]
pub(crate) struct OnTimeReport {
    period: String,
    metrics: Vec<OnTimeMetric>,
    overall_on_time_ratio_pct: Option<f64>,
    total_work_orders: u64,
    summary: String,
    /// Why a figure is null, by its name.
    reasons: BTreeMap<String, String>,
    /// The position of the log that this reflects.
    position: u64,
}

/// What was used of a part.
#[derive(ToSchema)]
pub(crate) struct PartsUsageMetric {
    part_no: String,
    part_name: Option<String>,
    total_quantity_used: i64,
    /// Work orders that took some.
    total_work_orders: u64,
    avg_quantity_per_wo: Option<f64>,
    usage_per_1000km: Option<f64>,
    #[schema(example = "125.00")]
    total_cost: Option<String>,
    moves: u64,
    /// Moves that told no price, and so cost nothing here.
    moves_without_price: u64,
}

/// Parts that went into vehicles.
#[derive(ToSchema)]
pub(crate) struct PartsUsageReport {
    period: String,
    metrics: Vec<PartsUsageMetric>,
    #[schema(example = "125.00")]
    total_parts_cost: Option<String>,
    total_quantity: i64,
    /// What the fleet drove in the month.
    kilometres: i64,
    summary: String,
    /// Why a figure is null, by its name.
    reasons: BTreeMap<String, String>,
    /// The position of the log that this reflects.
    position: u64,
}

/// A budget against what was spent.
#[derive(ToSchema)]
pub(crate) struct CostMetric {
    cost_center: String,
    category: Option<String>,
    currency: String,
    planned_budget: String,
    actual_cost: String,
    /// Actual less planned.
    variance: String,
    /// Null where nothing was planned.
    variance_pct: Option<f64>,
    /// `UNDER`, `ON_TRACK`, `OVER` or `N/A`.
    status: String,
}

/// Budgets against what was spent.
#[derive(ToSchema)]
pub(crate) struct CostReport {
    period: String,
    metrics: Vec<CostMetric>,
    /// One a currency.
    totals: Vec<BudgetTotal>,
    /// Null where the budgets are in several currencies.
    total_planned: Option<String>,
    total_actual: Option<String>,
    total_variance: Option<String>,
    /// Why a sum is null, by its name.
    reasons: BTreeMap<String, String>,
    /// Budgets of which more than 110 % was spent.
    warnings: Vec<String>,
    summary: String,
    /// The position of the log that this reflects.
    position: u64,
}

/// A month at a glance.
#[derive(ToSchema)]
pub(crate) struct DashboardReport {
    period: String,
    availability_pct: Option<f64>,
    time_availability_pct: Option<f64>,
    on_time_ratio_pct: Option<f64>,
    /// Null where nothing was planned, or in several currencies.
    budget_utilization_pct: Option<f64>,
    /// Completed in the month.
    total_work_orders: u64,
    #[schema(example = "125.00")]
    total_parts_cost: Option<String>,
    alerts: Vec<String>,
    /// Why a figure is null, by its name.
    reasons: BTreeMap<String, String>,
    /// The position of the log that this reflects.
    position: u64,
}
