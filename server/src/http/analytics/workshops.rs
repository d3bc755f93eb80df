//! Workshops compared like with like.

use std::collections::{BTreeMap, HashMap};

use analytics::facts::OrderFacts;
use analytics::rate::{Performance, standing};
use analytics::rollup::Store;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::{Value, json};
use storage::Timestamp;

use super::reply::{Question, Reply, answered};
use super::table::{Format, Table};
use super::{Asked, docs};
use crate::app::AppState;
use crate::http::problem::Problem;
use crate::http::query::Query;

const COLUMNS: &[&str] = &[
    "workshop_id",
    "code",
    "orders",
    "actual_hours",
    "expected_hours",
    "ratio",
    "low",
    "high",
    "funnel_low",
    "funnel_high",
    "ranked",
];

/// Workshops compared like with like.
#[utoipa::path(get, path = "/api/v1/analytics/benchmark/workshops", tag = "analytics", operation_id = "workshop_benchmark",
    params(
        ("from" = Option<String>, Query, description = "Orders that ended from this time; a year before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("format" = Option<String>, Query, description = "`json` (default), or the table as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
    ),
    responses((status = 200, description = "Each workshop's hours against what its orders take elsewhere", body = docs::Benchmark)))]
pub(crate) async fn workshops(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query, state.clock.now());
    let format = Format::read(&mut query);
    query.finish()?;
    answered(&state, question, asked.as_of, move |state, known| {
        let (from, to) = asked.span(state.clock.now(), 365);
        let rows: Vec<Value> = performances(known.store(), from, to)
            .into_iter()
            .filter_map(|(workshop, performance)| {
                let found = standing(performance)?;
                Some(json!({
                    "workshop_id": workshop,
                    "code": known.workshop_code(&workshop),
                    "name": known.workshop_code(&workshop),
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
        if let Some(format) = format {
            let table = Table::of_objects("workshops", COLUMNS, &body["workshops"]);
            return asked
                .noted(table, state, known, (from, to))
                .note(
                    "ratio",
                    "hours of the orders over the mean hours of their kind everywhere",
                )
                .reply(format);
        }
        Ok(Reply::json(body.to_string()))
    })
    .await
}

/// Hours of closed orders by workshop, against the mean of all orders of their kind.
fn performances(store: &Store, from: Timestamp, to: Timestamp) -> BTreeMap<Box<str>, Performance> {
    // By kind of work: orders, sum and sum of squares of their hours.
    let mut kinds: [(f64, f64, f64); 2] = [(0.0, 0.0, 0.0); 2];
    // By workshop and kind of work: orders, and their hours.
    let mut found: HashMap<&str, [(u64, f64); 2]> = HashMap::new();
    let ended = |order: &OrderFacts| order.ended.filter(|_| !order.is_void);
    store.orders_by(ended, from.micros(), to.micros(), |order, ended| {
        let Some(started) = order.started else { return };
        let hours = (ended - started).max(0) as f64 / 3.6e9;
        let kind = &mut kinds[order.work as usize];
        *kind = (kind.0 + 1.0, kind.1 + hours, kind.2 + hours * hours);
        if let Some(workshop) = &order.workshop {
            let of = &mut found.entry(workshop).or_default()[order.work as usize];
            *of = (of.0 + 1, of.1 + hours);
        }
    });
    let performance = |of: &[(u64, f64); 2]| {
        let mut sum = Performance {
            orders: 0,
            actual_hours: 0.0,
            expected_hours: 0.0,
            variance: 0.0,
        };
        for ((orders, hours), (count, all_hours, squares)) in of.iter().zip(kinds) {
            if *orders > 0 {
                let (mean, orders_f) = (all_hours / count, *orders as f64);
                sum.orders += orders;
                sum.actual_hours += hours;
                sum.expected_hours += mean * orders_f;
                sum.variance += (squares / count - mean * mean).max(0.0) * orders_f;
            }
        }
        sum
    };
    let named = found.iter();
    named
        .map(|(workshop, of)| ((*workshop).into(), performance(of)))
        .collect()
}
