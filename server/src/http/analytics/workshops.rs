//! Workshops compared like with like.

use std::collections::BTreeMap;

use analytics::facts::OrderFacts;
use analytics::rate::{Performance, standing};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::{Value, json};
use storage::Timestamp;

use super::reply::{Question, Reply, answered};
use super::{Asked, docs};
use crate::app::AppState;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Workshops compared like with like.
#[utoipa::path(get, path = "/api/v1/analytics/benchmark/workshops", tag = "analytics", operation_id = "workshop_benchmark",
    params(
        ("from" = Option<String>, Query, description = "Orders that ended from this time; a year before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
    ),
    responses((status = 200, description = "Each workshop's hours against what its orders take elsewhere", body = docs::Benchmark)))]
pub(crate) async fn workshops(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query);
    query.finish()?;
    answered(&state, question, asked.as_of, move |state, known| {
        let (from, to) = asked.span(state.clock.now(), 365);
        let rows: Vec<Value> = performances(&known.facts().orders, from, to)
            .into_iter()
            .filter_map(|(workshop, performance)| {
                let found = standing(performance)?;
                Some(json!({
                    "workshop_id": workshop,
                    "code": known.workshop_code(workshop),
                    "name": known.workshop_code(workshop),
                    "orders": performance.orders,
                    "actual_hours": performance.actual_hours,
                    "expected_hours": performance.expected_hours,
                    "ratio": found.ratio,
                    "low": found.low,
                    "high": found.high,
                    "funnel_low": found.funnel.0,
                    "funnel_high": found.funnel.1,
                    "ranked": found.ranked,
                }))
            })
            .collect();
        let body = json!({"workshops": rows, "position": known.position().get()});
        Ok(Reply::json(body.to_string()))
    })
    .await
}

/// Hours of closed orders by workshop, against the mean of all orders of their kind.
fn performances(
    orders: &[OrderFacts],
    from: Timestamp,
    to: Timestamp,
) -> BTreeMap<&str, Performance> {
    let closed = || {
        orders.iter().filter_map(|order| {
            let (started, ended) = (order.started?, order.ended?);
            let inside = !order.is_void && from.micros() <= ended && ended < to.micros();
            inside.then(|| (order, (ended - started).max(0) as f64 / 3.6e9))
        })
    };
    // By kind of work: orders, sum and sum of squares of their hours.
    let mut kinds: [(f64, f64, f64); 2] = [(0.0, 0.0, 0.0); 2];
    for (order, hours) in closed() {
        let kind = &mut kinds[order.work as usize];
        *kind = (kind.0 + 1.0, kind.1 + hours, kind.2 + hours * hours);
    }
    let mut found: BTreeMap<&str, Performance> = BTreeMap::new();
    for (order, hours) in closed() {
        let Some(workshop) = &order.workshop else {
            continue;
        };
        let (count, sum, squares) = kinds[order.work as usize];
        let mean = sum / count;
        let one = found.entry(workshop).or_insert(Performance {
            orders: 0,
            actual_hours: 0.0,
            expected_hours: 0.0,
            variance: 0.0,
        });
        one.orders += 1;
        one.actual_hours += hours;
        one.expected_hours += mean;
        one.variance += (squares / count - mean * mean).max(0.0);
    }
    found
}
