//! What a month's budgets were, and what was spent of them.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::money::Money;
use fleet::schema::draft::members;
use serde_json::{Value, json};

use super::docs;
use crate::app::AppState;
use crate::http::budgets::overview::{
    OVER_PERCENT, OfMonth, Total, exceeds, of_month, put_sums, required_period, totals, variance,
    warnings,
};
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::CATALOG;

/// Below how many percent of its plan a budget is under it.
const UNDER_PERCENT: i64 = 90;

/// How what was spent stands to what was planned.
fn standing(planned: Money, actual: Money) -> &'static str {
    if planned <= Money::ZERO {
        "N/A"
    } else if exceeds(actual, planned, OVER_PERCENT) {
        "OVER"
    } else if exceeds(actual, planned, UNDER_PERCENT) || is_at(actual, planned, UNDER_PERCENT) {
        "ON_TRACK"
    } else {
        "UNDER"
    }
}

/// Whether `actual` is just so many percent of `planned`.
fn is_at(actual: Money, planned: Money, percent: i64) -> bool {
    i128::from(actual.hundredths()) * 100 == i128::from(planned.hundredths()) * i128::from(percent)
}

fn metric(budget: &OfMonth) -> Value {
    let (planned, actual) = (budget.amounts.planned, budget.amounts.actual);
    json!({
        "cost_center": budget.cost_center,
        "category": budget.category,
        "currency": budget.currency,
        "planned_budget": planned,
        "actual_cost": actual,
        "variance": budget.variance(),
        "variance_pct": budget.variance().percent_of(planned),
        "status": standing(planned, actual),
    })
}

/// Budgets against what was spent.
///
/// `status` is UNDER below 90 % of the plan, ON_TRACK up to 110 %, OVER above, and N/A, with `variance_pct` null, where
/// nothing was planned. Amounts of several currencies are not added up: `totals` has a sum for each, and `total_planned`,
/// `total_actual` and `total_variance` are null where there is more than one.
#[utoipa::path(
    get,
    path = "/api/v1/reports/costs",
    tag = "reports",
    operation_id = "cost_report",
    params(
        ("period" = String, Query, description = "The month, YYYY-MM"),
        ("cost_center" = Option<String>, Query, description = "Only of this cost center"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The report", body = docs::CostReport)),
)]
pub(crate) async fn cost_report(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let period = required_period(&mut query);
    let cost_center = query.text("cost_center");
    ReadAt::await_projection(query, &state, CATALOG).await?;
    let catalog = state.projections.catalog();
    let position = catalog.position();
    let budgets = of_month(catalog, &period, cost_center.as_deref())?;
    let totals = totals(&budgets);
    let metrics: Vec<Value> = budgets.iter().map(metric).collect();
    let mut body = members(json!({
        "period": period,
        "metrics": metrics,
        "warnings": warnings(&budgets),
        "summary": summary(&period, &totals),
        "position": position.get(),
    }));
    put_sums(&mut body, &totals);
    Ok(json_response(Value::Object(body).to_string()))
}

fn summary(period: &str, totals: &[Total]) -> String {
    if totals.is_empty() {
        return format!("There are no budgets for {period}");
    }
    let each = totals.iter().map(|total| {
        let (planned, actual) = (total.planned, total.actual);
        let difference = variance(planned, actual);
        format!(
            "{actual} of {planned} {}, a difference of {difference}",
            total.currency
        )
    });
    let each: Vec<String> = each.collect();
    format!("Spent in {period}: {}", each.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_of_a_budget_belong_to_the_track() {
        let money = |text: &str| Money::parse(text).unwrap();
        for (planned, actual, expected) in [
            ("100.00", "89.99", "UNDER"),
            ("100.00", "90.00", "ON_TRACK"),
            ("100.00", "110.00", "ON_TRACK"),
            ("100.00", "110.01", "OVER"),
            ("0.00", "5.00", "N/A"),
            ("0.00", "0.00", "N/A"),
        ] {
            assert_eq!(
                standing(money(planned), money(actual)),
                expected,
                "{actual} of {planned}"
            );
        }
    }
}
