//! The budgets of a month: what was planned, what was spent, and where that is too much.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::budget::{AGGREGATE_TYPE, Amounts, amounts};
use fleet::calendar;
use fleet::money::Money;
use serde_json::{Value, json};

use super::docs;
use crate::app::AppState;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::{Ask, CATALOG, Catalog};

/// Most budgets of a month in an answer.
const BUDGETS_MAX: usize = 10_000;
/// Above how many percent of its plan a budget is overdrawn.
pub(in crate::http) const OVER_PERCENT: i64 = 110;

/// A budget of a month.
#[derive(Clone, Debug)]
pub(in crate::http) struct OfMonth {
    pub cost_center: String,
    pub category: Option<String>,
    pub amounts: Amounts,
}

impl OfMonth {
    /// What was spent more than planned; below zero when less.
    pub(in crate::http) fn variance(&self) -> Money {
        variance(self.amounts.planned, self.amounts.actual)
    }

    /// What it is called in a sentence.
    pub(in crate::http) fn name(&self) -> String {
        match &self.category {
            Some(category) => format!("{} / {category}", self.cost_center),
            None => self.cost_center.clone(),
        }
    }
}

/// What was spent more than planned; below zero when less.
pub(in crate::http) fn variance(planned: Money, actual: Money) -> Money {
    actual.minus(planned).unwrap_or_default()
}

/// Whether `actual` is more than so many percent of `planned`.
pub(in crate::http) fn exceeds(actual: Money, planned: Money, percent: i64) -> bool {
    i128::from(actual.hundredths()) * 100 > i128::from(planned.hundredths()) * i128::from(percent)
}

/// The budgets of a month, by cost center and category, found by the month.
pub(in crate::http) fn of_month(
    catalog: &Catalog,
    period: &str,
    cost_center: Option<&str>,
) -> Result<Vec<OfMonth>, Problem> {
    let mut filters = vec![("period", period.to_owned())];
    filters.extend(cost_center.map(|cost_center| ("cost_center", cost_center.to_owned())));
    let ask = Ask {
        aggregate_type: AGGREGATE_TYPE,
        filters,
        limit: BUDGETS_MAX,
        ..Ask::default()
    };
    let page = catalog.page(&ask)?.value;
    let of_month = page.entries.iter().map(|entry| OfMonth {
        cost_center: entry
            .folded
            .text("cost_center")
            .unwrap_or_default()
            .to_owned(),
        category: entry.folded.text("category").map(str::to_owned),
        amounts: amounts(&entry.folded),
    });
    let mut budgets: Vec<OfMonth> = of_month.collect();
    budgets.sort_by(|left, right| {
        (&left.cost_center, &left.category).cmp(&(&right.cost_center, &right.category))
    });
    Ok(budgets)
}

/// What budgets come to together: planned and spent.
pub(in crate::http) fn totals(budgets: &[OfMonth]) -> (Money, Money) {
    let sum = |amount: fn(&Amounts) -> Money| {
        Money::sum(budgets.iter().map(|budget| amount(&budget.amounts))).unwrap_or_default()
    };
    (
        sum(|amounts| amounts.planned),
        sum(|amounts| amounts.actual),
    )
}

/// Where more than a tenth above the plan was spent.
pub(in crate::http) fn warnings(budgets: &[OfMonth]) -> Vec<String> {
    let over = budgets.iter().filter_map(|budget| {
        let Amounts {
            planned, actual, ..
        } = budget.amounts;
        let percent = actual.percent_of(planned)?;
        let is_over = planned > Money::ZERO && exceeds(actual, planned, OVER_PERCENT);
        is_over.then(|| {
            format!(
                "{} is at {percent:.1} % of its plan: {actual} of {planned}",
                budget.name()
            )
        })
    });
    over.collect()
}

/// The month that a report is asked for.
pub(in crate::http) fn required_period(query: &mut Query<'_>) -> String {
    let period = query.required("period");
    check_period(
        query,
        Some(&period)
            .filter(|period| !period.is_empty())
            .map(String::as_str),
    );
    period
}

/// Notes a fault where the month that is given is none.
pub(in crate::http) fn check_period(query: &mut Query<'_>, period: Option<&str>) {
    if period.is_some_and(|period| calendar::parse_month(period).is_none()) {
        query.fault(
            "period",
            "string_pattern_mismatch",
            "must be a month like 2026-10",
        );
    }
}

/// The budgets of a month.
#[utoipa::path(
    get,
    path = "/api/v1/budget/overview",
    tag = "finance",
    operation_id = "budget_overview",
    params(
        ("period" = String, Query, description = "The month, YYYY-MM"),
        ("cost_center" = Option<String>, Query, description = "Only of this cost center"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "Planned and spent", body = docs::BudgetOverview)),
)]
pub(crate) async fn budget_overview(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let period = required_period(&mut query);
    let cost_center = query.text("cost_center");
    let at = ReadAt::read(&mut query, &state);
    query.finish()?;
    at.reach_projection(&state, CATALOG).await?;
    let catalog = state.projections.catalog();
    let position = catalog.position();
    let budgets = of_month(catalog, &period, cost_center.as_deref())?;
    let items = budgets.iter().map(|budget| {
        json!({
            "cost_center": budget.cost_center,
            "category": budget.category,
            "planned": budget.amounts.planned,
            "forecast": budget.amounts.forecast,
            "actual": budget.amounts.actual,
            "variance": budget.variance(),
            "utilization_pct": budget.amounts.actual.percent_of(budget.amounts.planned).unwrap_or(0.0),
        })
    });
    let items: Vec<Value> = items.collect();
    let (planned, actual) = totals(&budgets);
    let body = json!({
        "period": period,
        "items": items,
        "total_planned": planned,
        "total_actual": actual,
        "total_variance": variance(planned, actual),
        "warnings": warnings(&budgets),
        "position": position.get(),
    });
    Ok(json_response(body.to_string()))
}
