//! Lists of the old analytics: vehicles by how often they failed, how orders went, what lies in the stores.

use std::cmp::Reverse;

use analytics::columns::Filter;
use analytics::facts::OrderStatus;
use analytics::former::{BREAKDOWN, Definition, UNIT_COST, Window, overdue, rounded};
use analytics::kpi::{Kpi, Selection};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::{Map, Value, json};

use super::now::{items, orders};
use super::{Span, period, shown};
use crate::app::AppState;
use crate::figures::Known;
use crate::http::analytics::reply::{Question, Reply, answered};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::rfc3339;

/// Parts listed by value.
const TOP_PARTS: usize = 10;

/// How often each vehicle broke down in a window, by its number among the facts; most often first, then by asset id.
pub(super) fn by_breakdowns(known: &Known, window: &Window) -> Vec<(usize, u64)> {
    let columns = known.columns();
    let filter = Filter {
        from: window.from,
        to: window.to.saturating_add(1),
        kind: columns.kind(BREAKDOWN),
        who: None,
    };
    let cells = match filter.kind {
        Some(_) => columns.by_who(&filter),
        None => Vec::new(),
    };
    let vehicles = &known.facts().vehicles;
    let mut found: Vec<(usize, u64)> = vehicles
        .iter()
        .enumerate()
        .map(|(index, (asset_id, _))| {
            let who = columns.who().find(asset_id);
            let cell = who.and_then(|who| cells.get(who as usize));
            (index, cell.map_or(0, |cell| cell.count))
        })
        .collect();
    found.sort_by(|left, right| {
        let key = |one: &(usize, u64)| (Reverse(one.1), &vehicles[one.0].0);
        key(left).cmp(&key(right))
    });
    found
}

/// Vehicles with their time between failures and their availability, those that failed most first.
#[utoipa::path(get, path = "/api/v1/analytics/fleet/availability-by-vehicle", tag = "analytics", operation_id = "availability_by_vehicle",
    params(
        ("start_time" = Option<String>, Query, description = "From this time; 90 days before `end_time`, if absent"),
        ("end_time" = Option<String>, Query, description = "To this time; now, if absent"),
        ("limit" = Option<u64>, Query, description = "1 to 100 vehicles, default 10"),
    ),
    responses((status = 200, description = "The vehicles", body = Object)))]
pub(crate) async fn availability_by_vehicle(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let span = Span::read(&mut query);
    let limit = query.number("limit", 1..=100).unwrap_or(10);
    query.finish()?;
    let limit = usize::try_from(limit).unwrap_or(10);
    answered(&state, question, None, move |state, known| {
        let now = state.clock.now();
        let window = span.window(now, 90);
        let (Some(mtbf), Some(availability)) =
            (Definition::named("mtbf"), Kpi::named("availability"))
        else {
            return Err(Problem::internal(&"a figure is missing"));
        };
        let edges = [window.from, window.to];
        let exists: Vec<bool> = known.vehicles_now().map(|one| one.exists).collect();
        let vehicles: Vec<Value> = by_breakdowns(known, &window)
            .into_iter()
            .filter(|(index, _)| exists[*index])
            .take(limit)
            .map(|(index, _)| {
                let asset_id = &*known.facts().vehicles[index].0;
                let metric = mtbf.metric(&super::source(known, Some(asset_id)), &window);
                let selection = Selection {
                    edges: &edges,
                    now: now.micros(),
                    vehicle: Some(asset_id),
                };
                let figure = known.take(&selection).figures(availability)[0];
                json!({
                    "vehicle_id": asset_id,
                    "vehicle_number": asset_id,
                    "mtbf": shown(&metric, window.to),
                    "availability": availability.value(figure),
                })
            })
            .collect();
        let body = json!({"period": period(&window), "vehicles": vehicles});
        Ok(Reply::json(body.to_string()))
    })
    .await
}

const STATUSES: [&str; 5] = [
    "draft",
    "scheduled",
    "in_progress",
    "completed",
    "cancelled",
];
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "urgent"];

/// Orders created in the window by status, and by priority.
pub(super) fn distributions(known: &Known, window: &Window) -> ([u64; 5], [u64; 4]) {
    let (mut statuses, mut priorities) = ([0; 5], [0; 4]);
    let inside = |at: i64| window.from <= at && at <= window.to;
    for order in orders(known).filter(|order| inside(order.created)) {
        statuses[order.status as usize] += 1;
        priorities[order.priority as usize] += 1;
    }
    (statuses, priorities)
}

/// How work orders went.
#[utoipa::path(get, path = "/api/v1/analytics/workorders/performance", tag = "analytics", operation_id = "workorder_performance",
    params(
        ("start_time" = Option<String>, Query, description = "From this time; 30 days before `end_time`, if absent"),
        ("end_time" = Option<String>, Query, description = "To this time; now, if absent"),
    ),
    responses((status = 200, description = "By status and priority, with how long they took", body = Object)))]
pub(crate) async fn workorder_performance(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let span = Span::read(&mut query);
    query.finish()?;
    answered(&state, question, None, move |state, known| {
        let window = span.window(state.clock.now(), 30);
        let (statuses, priorities) = distributions(known, &window);
        let named = |names: &[&str], counts: &[u64]| -> Map<String, Value> {
            let pairs = names.iter().zip(counts).filter(|(_, count)| **count > 0);
            pairs
                .map(|(name, count)| ((*name).to_owned(), (*count).into()))
                .collect()
        };
        let done = orders(known).filter(|order| {
            order.status == OrderStatus::Completed
                && order.created >= window.from
                && order.updated <= window.to
        });
        let (mut count, mut time) = (0_i64, 0_i64);
        for order in done {
            count += 1;
            time += order.updated - order.created;
        }
        let hours = time as f64 / 3.6e9 / count.max(1) as f64;
        let body = json!({
            "period": period(&window),
            "status_distribution": named(&STATUSES, &statuses),
            "priority_distribution": named(&PRIORITIES, &priorities),
            "average_completion_hours": rounded(hours, 1),
            "completed": count,
            "overdue_count": overdue(known.store(), window.to),
        });
        Ok(Reply::json(body.to_string()))
    })
    .await
}

/// What lies in the stores, at the old interface's 50 a piece.
#[utoipa::path(get, path = "/api/v1/analytics/inventory/analysis", tag = "analytics", operation_id = "inventory_analysis",
    responses((status = 200, description = "Sums, and the parts that are worth most", body = Object)))]
pub(crate) async fn inventory_analysis(
    State(state): State<AppState>,
    question: Question,
) -> Result<Response<Body>, Problem> {
    answered(&state, question, None, |state, known| {
        let mut items = items(known);
        let low = items.iter().filter(|item| item.is_low()).count();
        let over = items.iter().filter(|item| item.is_overstocked()).count();
        let levels = items.iter().map(|item| item.level);
        let worth = levels
            .fold(0_i64, i64::saturating_add)
            .saturating_mul(UNIT_COST);
        items.sort_by_key(|item| (Reverse(item.level), item.number));
        let top: Vec<Value> = items
            .iter()
            .take(TOP_PARTS)
            .map(|item| json!({"part_number": item.number, "estimated_value": item.value()}))
            .collect();
        let body = json!({
            "timestamp": rfc3339::to_string(state.clock.now()),
            "summary": {
                "total_items": items.len(),
                "total_estimated_value": worth,
                "low_stock_count": low,
                "overstock_count": over,
            },
            "abc_analysis": {"top_10_by_value": top},
        });
        Ok(Reply::json(body.to_string()))
    })
    .await
}
