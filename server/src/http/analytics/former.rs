//! What clients of the old analytics know: its six figures, its series and lists, under its names and in its shapes.
//!
//! The formulas are in [`analytics::former`]. Times are RFC 3339 with `Z`, buckets are of the depot's local time.

pub(crate) mod charts;
pub(crate) mod dashboards;
pub(crate) mod lists;
pub(crate) mod now;

use analytics::former::{Definition, METRICS, Metric, Source, Window};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::calendar::{DAY, HOUR};
use serde_json::{Map, Value, json};
use storage::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::reply::{Question, Reply, answered};
use super::table::{Format, Table};
use super::{BUCKETS_MAX, described, too_many, unknown};
use crate::app::AppState;
use crate::figures::{Interval, Known, edges};
use crate::http::extract::PathParts;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::rfc3339;

const INTERVALS: &[&str] = &["hour", "day", "week", "month"];

/// The routes of the old analytics.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(kpis))
        .routes(routes!(metric))
        .routes(routes!(summary))
        .routes(routes!(event_timeseries))
        .routes(routes!(lists::availability_by_vehicle))
        .routes(routes!(lists::workorder_performance))
        .routes(routes!(lists::inventory_analysis))
        .routes(routes!(dashboards::executive))
        .routes(routes!(dashboards::operations))
        .routes(routes!(dashboards::maintenance))
        .routes(routes!(dashboards::inventory))
}

/// Of which time something is asked, as the old interface names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Span {
    /// Reads it; `now` is what stands for `end_time` where it is absent.
    pub(crate) fn read(query: &mut Query<'_>, now: Timestamp) -> Self {
        let span = Span {
            start: query.time("start_time"),
            end: query.time("end_time"),
        };
        match (span.start, span.end) {
            (Some(start), Some(end)) if end <= start => {
                query.fault("end_time", "value_error", "must be later than `start_time`");
            }
            (Some(start), None) if now <= start => {
                let msg = "must be earlier than `end_time`, which is now";
                query.fault("start_time", "value_error", msg);
            }
            _ => {}
        }
        span
    }

    /// Whether any of it is given.
    pub(crate) fn is_given(self) -> bool {
        self.start.is_some() || self.end.is_some()
    }

    /// The window; so many days up to its end where no start is given.
    pub(crate) fn window(self, now: Timestamp, days: i64) -> Window {
        let to = self.end.unwrap_or(now).micros();
        Window {
            from: self.start.map_or(to - days * DAY, Timestamp::micros),
            to,
        }
    }
}

/// The window as JSON.
pub(crate) fn period(window: &Window) -> Value {
    json!({"start": moment(window.from), "end": moment(window.to)})
}

fn moment(at: i64) -> String {
    rfc3339::to_string(Timestamp::from_micros(at))
}

/// A figure as the old interface shows it.
pub(crate) fn shown(metric: &Metric, end: i64) -> Value {
    json!({
        "name": metric.name,
        "value": metric.value,
        "unit": metric.unit,
        "timestamp": moment(end),
        "change_percentage": metric.change,
        "trend": metric.direction.word(),
    })
}

/// What the figures are taken from.
pub(crate) fn source<'a>(known: &'a Known, vehicle: Option<&'a str>) -> Source<'a> {
    Source {
        store: known.store(),
        columns: known.columns(),
        vehicles: known.vehicles_now().filter(|one| one.exists).count() as u64,
        vehicle,
    }
}

/// A figure over its own window up to now.
pub(crate) fn current(known: &Known, name: &str, now: Timestamp) -> Option<Metric> {
    let definition = Definition::named(name)?;
    let window = Window {
        from: now.micros() - definition.days * DAY,
        to: now.micros(),
    };
    Some(definition.metric(&source(known, None), &window))
}

/// The same as JSON.
pub(crate) fn current_json(known: &Known, name: &str, now: Timestamp) -> Value {
    current(known, name, now).map_or(Value::Null, |metric| shown(&metric, now.micros()))
}

/// The six figures of the old interface.
#[utoipa::path(get, path = "/api/v1/analytics/kpis", tag = "analytics", operation_id = "kpis",
    responses((status = 200, description = "Each with its change against the window before; `/analytics/catalogue` has all figures", body = Object)))]
pub(crate) async fn kpis(
    State(state): State<AppState>,
    question: Question,
) -> Result<Response<Body>, Problem> {
    answered(&state, question, None, |state, known| {
        let now = state.clock.now();
        let kpis: Map<String, Value> = METRICS
            .iter()
            .map(|metric| {
                (
                    metric.name.to_owned(),
                    current_json(known, metric.name, now),
                )
            })
            .collect();
        let body = json!({"timestamp": rfc3339::to_string(now), "kpis": kpis});
        Ok(Reply::json(body.to_string()))
    })
    .await
}

/// The old figure of this name.
fn named(name: &str) -> Result<&'static Definition, Problem> {
    let unknown = || unknown(name, METRICS.iter().map(|metric| metric.name).collect());
    Definition::named(name).ok_or_else(unknown)
}

/// One figure of the old interface over any time.
#[utoipa::path(get, path = "/api/v1/analytics/metrics/{metric_name}", tag = "analytics", operation_id = "metric",
    params(
        ("metric_name" = String, Path, description = "`fleet_availability`, `mtbf`, `mttr`, `workorder_completion_rate`, `inventory_turnover` or `stockout_rate`"),
        ("vehicle_id" = Option<String>, Query, description = "For `mtbf`: failures of this vehicle only"),
        ("start_time" = Option<String>, Query, description = "From this time; 30 or 90 days before `end_time`, if absent"),
        ("end_time" = Option<String>, Query, description = "To this time; now, if absent"),
    ),
    responses((status = 200, description = "The figure", body = Object)))]
pub(crate) async fn metric(
    State(state): State<AppState>,
    question: Question,
    PathParts([name]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let definition = named(&name)?;
    let mut query = Query::parse(query.as_deref());
    let span = Span::read(&mut query, state.clock.now());
    let vehicle = query.text("vehicle_id");
    query.finish()?;
    answered(&state, question, None, move |state, known| {
        let window = span.window(state.clock.now(), definition.days);
        let vehicle = vehicle.as_deref().map(|named| known.asset_id(named));
        let metric = definition.metric(&source(known, vehicle), &window);
        Ok(Reply::json(shown(&metric, window.to).to_string()))
    })
    .await
}

/// Figures and counts at a glance.
#[utoipa::path(get, path = "/api/v1/analytics/metrics/summary", tag = "analytics", operation_id = "metrics_summary",
    responses((status = 200, description = "Fleet, work orders, stock and staff", body = Object)))]
pub(crate) async fn summary(
    State(state): State<AppState>,
    question: Question,
) -> Result<Response<Body>, Problem> {
    answered(&state, question, None, |state, known| {
        Ok(Reply::json(now::summary(state, known)?.to_string()))
    })
    .await
}

/// The former part of a series: points with the value over the steps before each. `None` for other names.
pub(crate) fn series(
    known: &Known,
    definition: &Definition,
    interval: usize,
    window: &Window,
) -> Result<Value, Problem> {
    let step = [HOUR, DAY, 7 * DAY, 30 * DAY][interval.min(3)];
    if (window.to - window.from) / step > BUCKETS_MAX as i64 {
        return Err(too_many());
    }
    let source = source(known, None);
    let mut data = Vec::new();
    let mut at = window.from;
    while let Some(steps) = definition.series_steps.filter(|_| at <= window.to) {
        let back = Window {
            from: at - steps * step,
            to: at,
        };
        data.push(json!({"timestamp": moment(at), "value": definition.value(&source, &back)}));
        at += step;
    }
    Ok(json!({
        "metric_name": definition.name,
        "interval": INTERVALS[interval.min(3)],
        "period": period(window),
        "data": data,
    }))
}

/// Reads the interval, a day where none is given.
pub(crate) fn read_interval(query: &mut Query<'_>) -> usize {
    query.one_of("interval", INTERVALS).unwrap_or(1)
}

/// How often something happened, by hour, day, week or month.
#[utoipa::path(get, path = "/api/v1/analytics/events/timeseries/{event_type}", tag = "analytics", operation_id = "event_timeseries",
    params(
        ("event_type" = String, Path, description = "The events' type"),
        ("start_time" = Option<String>, Query, description = "From this time; 30 days before `end_time`, if absent"),
        ("end_time" = Option<String>, Query, description = "To this time; now, if absent"),
        ("interval" = Option<String>, Query, description = "`hour`, `day` (default), `week` from Monday or `month`, of local time"),
        ("format" = Option<String>, Query, description = "`json` (default), or the table as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
    ),
    responses((status = 200, description = "Counts; buckets without an event are left out", body = Object)))]
pub(crate) async fn event_timeseries(
    State(state): State<AppState>,
    question: Question,
    PathParts([event_type]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let span = Span::read(&mut query, state.clock.now());
    let interval = read_interval(&mut query);
    let format = Format::read(&mut query);
    query.finish()?;
    answered(&state, question, None, move |state, known| {
        let window = span.window(state.clock.now(), 30);
        let zone = state.config.analytics.time_zone;
        let lengths = [
            Interval::Hour,
            Interval::Day,
            Interval::Week,
            Interval::Month,
        ];
        let (from, to) = (window.from, window.to.saturating_add(1));
        let begins = edges(
            zone,
            lengths[interval],
            Timestamp::from_micros(from),
            Timestamp::from_micros(to),
            BUCKETS_MAX,
        )
        .ok_or_else(too_many)?;
        // Only what lies in the time is counted, also in the first and the last bucket.
        let clipped: Vec<i64> = begins.iter().map(|edge| (*edge).clamp(from, to)).collect();
        let columns = known.columns();
        let cells = columns
            .kind(fleet::alias::canonical(&event_type))
            .map_or_else(Vec::new, |kind| columns.by_edges(kind, &clipped));
        let counted = cells.iter().zip(&begins).filter(|(cell, _)| cell.count > 0);
        let data: Vec<Value> = counted
            .map(|(cell, begin)| json!({"timestamp": moment(*begin), "value": cell.count}))
            .collect();
        let body = json!({
            "event_type": event_type,
            "interval": INTERVALS[interval],
            "period": period(&window),
            "data": data,
            "total_count": cells.iter().map(|cell| cell.count).sum::<u64>(),
        });
        if let Some(format) = format {
            let table = Table::of_objects("events", &["timestamp", "value"], &body["data"]);
            return described(table, state, known)
                .note("event type", &event_type)
                .note("from", moment(window.from))
                .note("to", moment(window.to))
                .reply(format);
        }
        Ok(Reply::json(body.to_string()))
    })
    .await
}
