//! The four dashboards of the old analytics.

use std::cmp::Reverse;

use analytics::columns::Filter;
use analytics::facts::{OrderFacts, OrderStatus};
use analytics::former::{Definition, Direction, USED, Window};
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use fleet::calendar::{DAY, HOUR};
use serde_json::{Value, json};
use storage::Timestamp;

use super::charts::{
    BLUE, CYAN, GREEN, ORANGE, PURPLE, RED, YELLOW, chart, coloured, dataset, insight,
};
use super::lists::{by_breakdowns, distributions};
use super::now::{Item, Orders, items, summary, upcoming, vehicle_status};
use super::{current, current_json, period, source};
use crate::app::AppState;
use crate::figures::{Interval, Known, edges, local_date};
use crate::http::analytics::BUCKETS_MAX;
use crate::http::analytics::reply::{Question, Reply, answered};
use crate::http::problem::Problem;
use crate::rfc3339;

/// Below this availability, in percent, somebody should look.
const AVAILABILITY_MIN: f64 = 85.0;
/// Above so many orders nobody began.
const PENDING_MAX: i64 = 20;
/// By how many percent repairs may get longer.
const REPAIRS_LONGER_MAX: f64 = 10.0;
/// Vehicles and parts of a chart.
const TOP: usize = 10;
/// Parts in the chart of levels, and in that of values.
const TOP_LEVELS: usize = 15;
const TOP_VALUES: usize = 20;
/// Utilisation a work order, in percent.
const SHARE_AN_ORDER: u64 = 10;
/// Begins of the bins of repair times, hours.
const REPAIR_HOURS: [i64; 5] = [0, 4, 8, 24, 48];

fn window(now: Timestamp, days: i64) -> Window {
    Window {
        from: now.micros() - days * DAY,
        to: now.micros(),
    }
}

/// The local days of a window: what they are called, and their ends, cut where the window ends.
fn days(state: &AppState, window: &Window) -> (Vec<String>, Vec<i64>) {
    let zone = state.config.analytics.time_zone;
    let (from, to) = (window.from, window.to.saturating_add(1));
    let time = Timestamp::from_micros;
    let begins = edges(zone, Interval::Day, time(from), time(to), BUCKETS_MAX).unwrap_or_default();
    let names = begins.iter().take(begins.len().saturating_sub(1));
    let names = names.map(|begin| local_date(zone, *begin)).collect();
    let ends = begins.iter().map(|edge| (*edge).clamp(from, to)).collect();
    (names, ends)
}

/// Sums of amounts of a kind, a day each.
fn daily(known: &Known, kind: &str, ends: &[i64]) -> Vec<(u64, i64)> {
    let columns = known.columns();
    match columns.kind(kind) {
        Some(kind) => {
            let cells = columns.by_edges(kind, ends);
            cells.iter().map(|cell| (cell.count, cell.sum)).collect()
        }
        None => vec![(0, 0); ends.len().saturating_sub(1)],
    }
}

/// Names and values of the greatest, by whom.
fn greatest(
    known: &Known,
    kind: &str,
    window: &Window,
    value: impl Fn(u64, i64) -> i64,
) -> (Vec<String>, Vec<i64>) {
    let columns = known.columns();
    let Some(kind) = columns.kind(kind) else {
        return (Vec::new(), Vec::new());
    };
    let filter = Filter {
        from: window.from,
        to: window.to.saturating_add(1),
        kind: Some(kind),
        who: None,
    };
    let cells = columns.by_who(&filter);
    let mut found: Vec<(&str, i64)> = cells
        .iter()
        .map(|(who, cell)| (columns.who().name(*who), value(cell.count, cell.sum)))
        .collect();
    found.sort_by_key(|(name, value)| (Reverse(*value), *name));
    found.truncate(TOP);
    found
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .unzip()
}

fn dashboard(title: &str, now: Timestamp, charts: Vec<Value>, insights: Vec<Value>) -> Value {
    json!({
        "title": title,
        "timestamp": rfc3339::to_string(now),
        "charts": charts,
        "insights": insights,
    })
}

/// Adds keys to a dashboard.
fn with(mut board: Value, more: Value) -> Reply {
    if let (Value::Object(board), Value::Object(more)) = (&mut board, more) {
        board.extend(more);
    }
    Reply::json(board.to_string())
}

/// Whether the fleet is fine, and what it costs.
#[utoipa::path(get, path = "/api/v1/analytics/dashboard/executive", tag = "analytics", operation_id = "executive_dashboard",
    responses((status = 200, description = "The last 30 days", body = Object)))]
pub(crate) async fn executive(
    State(state): State<AppState>,
    question: Question,
) -> Result<Response<Body>, Problem> {
    answered(&state, question, None, |state, known| {
        let now = state.clock.now();
        let window = window(now, 30);
        let (names, ends) = days(state, &window);
        let mut labels = Vec::new();
        let mut values = Vec::new();
        if let Some(availability) = Definition::named("fleet_availability") {
            let source = source(known, None);
            let zone = state.config.analytics.time_zone;
            for day in 0..=30 {
                let at = window.from + day * DAY;
                labels.push(local_date(zone, at));
                let of_day = Window {
                    from: at - DAY,
                    to: at,
                };
                values.push(availability.value(&source, &of_day));
            }
        }
        let (by_status, _) = distributions(known, &window);
        let [draft, scheduled, in_progress, completed, cancelled] = by_status;
        let created = daily(known, "WorkOrderCreated", &ends);
        let done = daily(known, "MaintenanceCompleted", &ends);
        let costs: Vec<f64> = created
            .iter()
            .zip(&done)
            .map(|(created, done)| (created.1 + done.1) as f64 / 100.0)
            .collect();
        let statuses = ["Pending", "In Progress", "Completed", "Cancelled"];
        let charts = vec![
            chart(
                "line",
                "Fleet Availability Trend (30 Days)",
                labels,
                vec![dataset("Availability %", GREEN, values)],
            ),
            chart(
                "pie",
                "Work Order Status Distribution",
                statuses.map(str::to_owned).to_vec(),
                vec![coloured(
                    "Work orders",
                    &[YELLOW, BLUE, GREEN, RED],
                    vec![draft + scheduled, in_progress, completed, cancelled],
                )],
            ),
            chart(
                "bar",
                "Daily Maintenance Costs",
                names,
                vec![dataset("Cost", ORANGE, costs)],
            ),
        ];
        let mut insights = Vec::new();
        let metric = current(known, "fleet_availability", now);
        let has_vehicles = known.vehicles_now().any(|vehicle| vehicle.exists);
        if let Some(metric) = metric.filter(|one| has_vehicles && one.value < AVAILABILITY_MIN) {
            insights.push(insight(
                "Low Fleet Availability",
                format!(
                    "Fleet availability is {} %, below {AVAILABILITY_MIN} %",
                    metric.value
                ),
                "warning",
                json!({"current_availability": metric.value}),
                "review_maintenance_schedule",
            ));
        }
        let pending = Orders::of(known, now).pending;
        if pending > PENDING_MAX {
            insights.push(insight(
                "High Work Order Backlog",
                format!("{pending} work orders wait to be begun"),
                "warning",
                json!({"pending_count": pending}),
                "review_staffing",
            ));
        }
        let board = dashboard("Executive Dashboard", now, charts, insights);
        let more = json!({"summary": summary(state, known)?, "period": period(&window)});
        Ok(with(board, more))
    })
    .await
}

/// What goes on.
#[utoipa::path(get, path = "/api/v1/analytics/dashboard/operations", tag = "analytics", operation_id = "operations_dashboard",
    responses((status = 200, description = "The last 7 days", body = Object)))]
pub(crate) async fn operations(
    State(state): State<AppState>,
    question: Question,
) -> Result<Response<Body>, Problem> {
    answered(&state, question, None, |state, known| {
        let now = state.clock.now();
        let week = window(now, 7);
        let (names, ends) = days(state, &week);
        let by_day = known.store().orders_happened(&ends);
        let created = by_day.iter().map(|day| day.by_status().iter().sum());
        let created: Vec<i64> = created.collect();
        let completed: Vec<i64> = by_day.iter().map(|day| day.completed).collect();
        let month = window(now, 30);
        let (vehicles, used) = greatest(known, "WorkOrderCreated", &month, |count, _| {
            i64::try_from((count * SHARE_AN_ORDER).min(100)).unwrap_or(100)
        });
        let (parts, pieces) = greatest(known, USED, &month, |_, sum| sum);
        let charts = vec![
            chart(
                "line",
                "Work Order Timeline (7 Days)",
                names,
                vec![
                    dataset("Created", BLUE, created),
                    dataset("Completed", GREEN, completed),
                ],
            ),
            chart(
                "bar",
                "Vehicle Utilization (Top 10)",
                vehicles,
                vec![dataset("Utilization %", CYAN, used)],
            ),
            chart(
                "bar",
                "Top 10 Parts Usage",
                parts,
                vec![dataset("Quantity", PURPLE, pieces)],
            ),
        ];
        let counts = Orders::of(known, now);
        let mut insights = Vec::new();
        if counts.overdue > 0 {
            insights.push(insight(
                "Overdue Work Orders",
                format!(
                    "{} work orders are open for more than a week",
                    counts.overdue
                ),
                "error",
                json!({"overdue_count": counts.overdue}),
                "review_overdue_workorders",
            ));
        }
        let board = dashboard("Operations Dashboard", now, charts, insights);
        let more = json!({"operations": {
            "active_workorders": {
                "total": counts.open(),
                "high_priority": counts.high_priority(),
                "overdue": counts.overdue,
            },
            "vehicle_status": vehicle_status(known),
            "upcoming_maintenance": upcoming(known, now),
        }});
        Ok(with(board, more))
    })
    .await
}

/// What fails, and how long repairs take.
#[utoipa::path(get, path = "/api/v1/analytics/dashboard/maintenance", tag = "analytics", operation_id = "maintenance_dashboard",
    responses((status = 200, description = "The last 90 days", body = Object)))]
pub(crate) async fn maintenance(
    State(state): State<AppState>,
    question: Question,
) -> Result<Response<Body>, Problem> {
    answered(&state, question, None, |state, known| {
        let now = state.clock.now();
        let quarter = window(now, 90);
        let worst = by_breakdowns(known, &quarter).into_iter();
        let worst = worst.filter(|(_, count)| *count > 0).take(TOP);
        let (vehicles, failures): (Vec<String>, Vec<u64>) = worst
            .map(|(index, count)| (known.facts().vehicles[index].0.to_string(), count))
            .unzip();
        let mut repairs = [0_u64; REPAIR_HOURS.len()];
        let done = |order: &OrderFacts| {
            let is_done = order.status == OrderStatus::Completed && !order.is_deleted;
            Some(order.updated).filter(|_| is_done)
        };
        let until = quarter.to.saturating_add(1);
        known
            .store()
            .orders_by(done, quarter.from, until, |order, updated| {
                let hours = (updated - order.created).max(0) / HOUR;
                let bin = REPAIR_HOURS.partition_point(|begin| *begin <= hours);
                repairs[bin.saturating_sub(1)] += 1;
            });
        let counts = Orders::of(known, now);
        let bins = ["0-4h", "4-8h", "8-24h", "24-48h", "48+h"];
        let priorities = ["Low", "Medium", "High", "Critical"];
        let charts = vec![
            chart(
                "bar",
                "Failure Analysis - Top 10 Vehicles (90 Days)",
                vehicles,
                vec![dataset("Failures", RED, failures)],
            ),
            chart(
                "bar",
                "Maintenance Backlog by Priority",
                priorities.map(str::to_owned).to_vec(),
                vec![coloured(
                    "Work orders",
                    &[GREEN, YELLOW, ORANGE, RED],
                    counts.backlog.to_vec(),
                )],
            ),
            chart(
                "bar",
                "Repair Time Distribution",
                bins.map(str::to_owned).to_vec(),
                vec![dataset("Repairs", PURPLE, repairs.to_vec())],
            ),
        ];
        let mttr = current(known, "mttr", now);
        let mut insights = Vec::new();
        let longer = |change: f64| change > REPAIRS_LONGER_MAX;
        if let Some(metric) =
            mttr.filter(|one| one.direction == Direction::Up && longer(one.change))
        {
            insights.push(insight(
                "Increasing Repair Times",
                format!(
                    "Repairs take {} % longer than in the 90 days before",
                    metric.change
                ),
                "warning",
                json!({"mttr": metric.value, "change": metric.change}),
                "analyze_repair_process",
            ));
        }
        let board = dashboard("Maintenance Dashboard", now, charts, insights);
        let metrics = json!({
            "mtbf": current_json(known, "mtbf", now),
            "mttr": current_json(known, "mttr", now),
        });
        let more = json!({"metrics": metrics, "upcoming_maintenance": upcoming(known, now)});
        Ok(with(board, more))
    })
    .await
}

/// What lies in the stores, and what goes out.
#[utoipa::path(get, path = "/api/v1/analytics/dashboard/inventory", tag = "analytics", operation_id = "inventory_dashboard",
    responses((status = 200, description = "The last 30 days", body = Object)))]
pub(crate) async fn inventory(
    State(state): State<AppState>,
    question: Question,
) -> Result<Response<Body>, Problem> {
    answered(&state, question, None, |state, known| {
        let now = state.clock.now();
        let month = window(now, 30);
        let mut items = items(known);
        items.sort_by_key(|item| (Reverse(item.level), item.number));
        let names = |count: usize| -> Vec<String> {
            let shown = items.iter().take(count);
            shown.map(|item| item.number.to_owned()).collect()
        };
        let values = |count: usize, value: fn(&Item<'_>) -> i64| -> Vec<i64> {
            items.iter().take(count).map(value).collect()
        };
        let (day_names, ends) = days(state, &month);
        let used: Vec<i64> = daily(known, USED, &ends)
            .into_iter()
            .map(|(_, sum)| sum)
            .collect();
        let mut points = dataset(
            "Reorder Point",
            RED,
            values(TOP_LEVELS, |item| item.reorder_point),
        );
        points["type"] = "line".into();
        let charts = vec![
            chart(
                "bar",
                "Current Stock Levels (Top 15 Items)",
                names(TOP_LEVELS),
                vec![
                    dataset("Current Stock", BLUE, values(TOP_LEVELS, |item| item.level)),
                    points,
                ],
            ),
            chart(
                "area",
                "Daily Parts Usage Trend",
                day_names,
                vec![dataset("Quantity", CYAN, used)],
            ),
            chart(
                "bar",
                "ABC Analysis - Inventory Value (Top 20)",
                names(TOP_VALUES),
                vec![dataset(
                    "Value",
                    GREEN,
                    values(TOP_VALUES, |item| item.value()),
                )],
            ),
        ];
        let mut low: Vec<&Item<'_>> = items.iter().filter(|item| item.is_low()).collect();
        low.sort_by_key(|item| (item.level - item.reorder_point, item.number));
        let mut over: Vec<&Item<'_>> = items.iter().filter(|item| item.is_overstocked()).collect();
        over.sort_by_key(|item| (Reverse(item.level - 2 * item.reorder_point), item.number));
        let mut insights = Vec::new();
        if !low.is_empty() {
            insights.push(insight(
                "Low Stock Alert",
                format!("{} parts are below their reorder point", low.len()),
                "warning",
                json!({"low_stock_count": low.len()}),
                "create_procurement_order",
            ));
        }
        let listed = |items: &[&Item<'_>], key: &str, amount: fn(&Item<'_>) -> i64| -> Vec<Value> {
            let shown = items.iter().take(TOP);
            shown
                .map(|item| {
                    json!({
                        "part_number": item.number,
                        "quantity": item.level,
                        "reorder_point": item.reorder_point,
                        key: amount(item),
                    })
                })
                .collect()
        };
        let board = dashboard("Inventory Dashboard", now, charts, insights);
        let more = json!({
            "metrics": {
                "turnover": current_json(known, "inventory_turnover", now),
                "stockout_rate": current_json(known, "stockout_rate", now),
            },
            "alerts": {
                "low_stock": listed(&low, "deficit", |item| item.reorder_point - item.level),
                "overstock": listed(&over, "excess", |item| item.level - 2 * item.reorder_point),
            },
        });
        Ok(with(board, more))
    })
    .await
}
