//! A month at a glance: one figure of each report, and what somebody should look at.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::{Value, json};

use super::availability::{Counts, time_availability};
use super::month::Month;
use super::on_time::{NOTHING_PLANNED, Punctuality};
use super::parts_usage::Usage;
use super::{Reasons, docs};
use crate::app::AppState;
use crate::http::budgets::overview::{MIXED_CURRENCIES, in_all, of_month, required_period, totals};
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::CATALOG;
use crate::reads;

/// Below how many percent too few vehicles can run.
const AVAILABILITY_MIN: f64 = 80.0;
/// Below how many percent too few orders are on time.
const ON_TIME_MIN: f64 = 85.0;
/// Above how many percent too much of the budgets is spent.
const BUDGET_MAX: f64 = 110.0;

/// A month at a glance.
///
/// Availability is as of now, as in the report on it; what has nothing to be divided by is null and raises no alert.
#[utoipa::path(
    get,
    path = "/api/v1/reports/dashboard",
    tag = "reports",
    operation_id = "dashboard_report",
    params(
        ("period" = String, Query, description = "The month, YYYY-MM"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The report", body = docs::DashboardReport)),
)]
pub(crate) async fn dashboard_report(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let period = required_period(&mut query);
    ReadAt::await_projection(query, &state, CATALOG).await?;
    let month = Month::of(&period, state.config.analytics.time_zone)?;
    let body = reads::run(&state, move |state| report(state, &month)).await?;
    Ok(json_response(body.to_string()))
}

fn report(state: &AppState, month: &Month) -> Result<Value, Problem> {
    let now = state.clock.now().micros();
    let (orders, in_time) = state.figures.ask(&state.log, None, |known| {
        (
            Punctuality::of(known.facts(), month),
            time_availability(known, month, now),
        )
    })?;
    let catalog = state.projections.catalog();
    let position = catalog.position();
    let availability = Counts::of(catalog, None)?.availability_pct();
    let in_all = in_all(&totals(&of_month(catalog, &month.period, None)?));
    let utilization = in_all.and_then(|(planned, actual)| actual.percent_of(planned));
    let parts_cost = Usage::of(catalog, month, None)?.cost();

    let mut alerts = Vec::new();
    if let Some(share) = availability.filter(|share| *share < AVAILABILITY_MIN) {
        alerts.push(format!("Only {share:.1} % of the vehicles can run"));
    }
    if let Some(share) = orders.ratio_pct().filter(|share| *share < ON_TIME_MIN) {
        alerts.push(format!("Only {share:.1} % of the orders were on time"));
    }
    if let Some(share) = utilization.filter(|share| *share > BUDGET_MAX) {
        alerts.push(format!("{share:.1} % of the budgets is spent"));
    }

    let mut reasons = Reasons::default();
    let availability = reasons.or_why("availability_pct", availability, "there are no vehicles");
    let in_time = reasons.or_why(
        "time_availability_pct",
        in_time.ok(),
        in_time.err().unwrap_or_default(),
    );
    let on_time = reasons.or_why("on_time_ratio_pct", orders.ratio_pct(), NOTHING_PLANNED);
    let why = match in_all {
        Some(_) => "nothing was planned for this month",
        None => MIXED_CURRENCIES,
    };
    let utilization = reasons.or_why("budget_utilization_pct", utilization, why);
    Ok(json!({
        "period": month.period,
        "availability_pct": availability,
        "time_availability_pct": in_time,
        "on_time_ratio_pct": on_time,
        "budget_utilization_pct": utilization,
        "total_work_orders": orders.total(),
        "total_parts_cost": parts_cost,
        "alerts": alerts,
        "reasons": reasons.0,
        "position": position.get(),
    }))
}
