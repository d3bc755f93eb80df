//! Budgets' bodies, as the description shows them. What checks them is `fleet::budget`.
#![expect(dead_code, reason = "only their schemas are used")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// A budget to plan.
#[derive(ToSchema)]
pub(crate) struct BudgetCreate {
    /// The month.
    #[schema(example = "2026-10")]
    period: String,
    /// 1 to 50 characters.
    #[schema(example = "WS-MAINT")]
    cost_center: String,
    /// What the money is for.
    #[schema(example = "PARTS")]
    category: Option<String>,
    /// Text or number, at most two places; default 0.
    #[schema(example = "10000.00")]
    planned_amount: Option<String>,
    /// Default 0.
    forecast_amount: Option<String>,
    /// Default `EUR`.
    currency: Option<String>,
    notes: Option<String>,
}

/// What to change; what is absent stays. What was spent is booked by invoices.
#[derive(ToSchema)]
pub(crate) struct BudgetUpdate {
    planned_amount: Option<String>,
    forecast_amount: Option<String>,
    /// As long as nothing is booked.
    currency: Option<String>,
    notes: Option<String>,
}

/// What a cost center may spend in a month, and what it has spent.
#[derive(ToSchema)]
pub(crate) struct Budget {
    id: String,
    period: String,
    cost_center: String,
    /// `AUTO` where nobody planned, or `AUTO EUR` where another currency has that.
    category: Option<String>,
    planned_amount: String,
    forecast_amount: String,
    /// The sum of what approved invoices booked.
    actual_amount: String,
    currency: Option<String>,
    notes: Option<String>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of budgets.
#[derive(ToSchema)]
pub(crate) struct BudgetList {
    /// How many there are in all pages.
    total: u64,
    budgets: Vec<Budget>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}

/// A budget of the month.
#[derive(ToSchema)]
pub(crate) struct BudgetItem {
    cost_center: String,
    category: Option<String>,
    currency: String,
    planned: String,
    forecast: String,
    actual: String,
    /// Actual less planned.
    variance: String,
    /// Actual in percent of planned; 0 where nothing was planned.
    utilization_pct: f64,
}

/// What the budgets of a currency come to together.
#[derive(ToSchema)]
pub(crate) struct BudgetTotal {
    currency: String,
    planned: String,
    actual: String,
    /// Actual less planned.
    variance: String,
}

/// The budgets of a month.
#[derive(ToSchema)]
pub(crate) struct BudgetOverview {
    period: String,
    items: Vec<BudgetItem>,
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
    /// The position of the log that this reflects.
    position: u64,
}
