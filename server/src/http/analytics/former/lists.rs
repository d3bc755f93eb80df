//! Lists of the old analytics: vehicles by how often they failed, how orders went, what lies in the stores.

use std::cmp::Reverse;
use std::collections::HashMap;

use analytics::columns::Filter;
use analytics::facts::{OrderFacts, OrderStatus};
use analytics::former::{BREAKDOWN, Definition, UNIT_COST, Window, overdue, rounded};
use analytics::kpi::{Kpi, Selection};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::work_order::{PRIORITIES, STATUSES};
use serde_json::{Map, Value, json};

use super::now::items;
use super::{Span, period, shown};
use crate::app::AppState;
use crate::figures::Known;
use crate::http::analytics::described;
use crate::http::analytics::reply::{Question, Reply, answered};
use crate::http::analytics::table::{Cell, Format, Table};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::rfc3339;

const HOUR: f64 = 3_600_000_000.0;
/// Begins of the bins of how long orders took, hours; what is longer than the last is counted by itself.
const COMPLETION_HOURS: [i64; 5] = [0, 4, 8, 24, 48];
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
        None => HashMap::new(),
    };
    let vehicles = &known.facts().vehicles;
    let mut found: Vec<(usize, u64)> = vehicles
        .iter()
        .enumerate()
        .map(|(index, (asset_id, _))| {
            let who = columns.who().find(asset_id);
            let cell = who.and_then(|who| cells.get(&who));
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
        ("format" = Option<String>, Query, description = "`json` (default), or the table as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
    ),
    responses((status = 200, description = "The vehicles", body = Object)))]
pub(crate) async fn availability_by_vehicle(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let span = Span::read(&mut query, state.clock.now());
    let limit = query.number("limit", 1..=100).unwrap_or(10);
    let format = Format::read(&mut query);
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
        if let Some(format) = format {
            let rows = body["vehicles"].as_array().cloned().unwrap_or_default();
            let rows = rows.into_iter().map(|vehicle| {
                let values = [
                    &vehicle["vehicle_id"],
                    &vehicle["mtbf"]["value"],
                    &vehicle["availability"],
                ];
                Ok(values.into_iter().map(Cell::from).collect())
            });
            let columns = ["vehicle_id", "mtbf_hours", "availability_pct"];
            return described(Table::new("vehicles", columns, rows), state, known)
                .note(
                    "mtbf_hours",
                    "hours of the window over breakdowns of the vehicle",
                )
                .reply(format);
        }
        Ok(Reply::json(body.to_string()))
    })
    .await
}

/// Orders created in the window by status, and by priority.
pub(super) fn distributions(known: &Known, window: &Window) -> ([i64; 5], [i64; 4]) {
    let ends = [window.from, window.to.saturating_add(1)];
    let created = known.store().orders_happened(&ends)[0];
    (created.by_status(), created.by_priority())
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
    let span = Span::read(&mut query, state.clock.now());
    query.finish()?;
    answered(&state, question, None, move |state, known| {
        let window = span.window(state.clock.now(), 30);
        let (statuses, priorities) = distributions(known, &window);
        let named = |names: &[&str], counts: &[i64]| -> Map<String, Value> {
            let pairs = names.iter().zip(counts).filter(|(_, count)| **count > 0);
            pairs
                .map(|(name, count)| ((*name).to_owned(), (*count).into()))
                .collect()
        };
        let mut times = Vec::new();
        let completed = |order: &OrderFacts| {
            let is_done = order.status == OrderStatus::Completed && !order.is_deleted;
            Some(order.updated).filter(|_| is_done && order.created >= window.from)
        };
        let until = window.to.saturating_add(1);
        known
            .store()
            .orders_by(completed, window.from, until, |order, updated| {
                times.push(updated - order.created);
            });
        let (count, time) = (times.len(), times.iter().sum::<i64>());
        let hours = time as f64 / HOUR / count.max(1) as f64;
        let body = json!({
            "period": period(&window),
            "status_distribution": named(STATUSES, &statuses),
            "priority_distribution": named(PRIORITIES, &priorities),
            "average_completion_hours": rounded(hours, 1),
            "completed": count,
            "completion_hours": spread(times),
            "overdue_count": overdue(known.store(), window.to),
        });
        Ok(Reply::json(body.to_string()))
    })
    .await
}

/// How long they took: how many by length, and what half and nine of ten stay within; null where there are none.
fn spread(mut times: Vec<i64>) -> Value {
    times.sort_unstable();
    let mut counts = vec![0_u64; COMPLETION_HOURS.len()];
    for time in &times {
        let bin = COMPLETION_HOURS.partition_point(|begin| (*begin as f64) * HOUR <= *time as f64);
        counts[bin.saturating_sub(1)] += 1;
    }
    // The nearest rank.
    let within = |tenths: usize| {
        let rank = (times.len() * tenths).div_ceil(10).max(1);
        let time = times.get(rank - 1);
        time.map(|time| rounded(*time as f64 / HOUR, 1))
    };
    let overflow = counts.pop();
    json!({
        "edges": COMPLETION_HOURS,
        "counts": counts,
        "underflow": 0,
        "overflow": overflow,
        "p50": within(5),
        "p90": within(9),
    })
}

/// What lies in the stores, at the old interface's 50 a piece.
#[utoipa::path(get, path = "/api/v1/analytics/inventory/analysis", tag = "analytics", operation_id = "inventory_analysis",
    params(("format" = Option<String>, Query, description = "`json` (default), or all parts as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`")),
    responses((status = 200, description = "Sums, and the parts that are worth most", body = Object)))]
pub(crate) async fn inventory_analysis(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let format = Format::read(&mut query);
    query.finish()?;
    answered(&state, question, None, move |state, known| {
        let mut items = items(known);
        let low = items.iter().filter(|item| item.is_low()).count();
        let over = items.iter().filter(|item| item.is_overstocked()).count();
        let levels = items.iter().map(|item| item.level);
        let worth = levels
            .fold(0_i64, i64::saturating_add)
            .saturating_mul(UNIT_COST);
        items.sort_by_key(|item| (Reverse(item.level), item.number));
        if let Some(format) = format {
            let rows: Vec<_> = items
                .iter()
                .map(|item| {
                    let numbers = [item.level, item.reorder_point, item.value()];
                    let numbers = numbers.into_iter().map(Cell::Whole);
                    let number = Cell::Text(item.number.to_owned());
                    Ok(std::iter::once(number).chain(numbers).collect())
                })
                .collect();
            let columns = [
                "part_number",
                "quantity",
                "reorder_point",
                "estimated_value",
            ];
            return described(Table::new("parts", columns, rows.into_iter()), state, known)
                .note("estimated_value", format!("quantity times {UNIT_COST}"))
                .reply(format);
        }
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
