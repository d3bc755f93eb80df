//! Key figures: the catalogue, series, the events behind a number, forecasts and comparisons.
//!
//! Every answer says the position of the log that it reflects, and takes `as_of_position` to be asked as of an earlier
//! one. Figures are of the depot's local days (`analytics.time_zone`).

mod docs;

use analytics::facts::OrderFacts;
use analytics::forecast::{self, Method};
use analytics::kpi::{KPIS, Kpi, Selection, Side};
use analytics::rate::{Performance, standing};
use analytics::trend::{Label, trend};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, Response, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use storage::{Log, Position, ReadRequest, Timestamp};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::json_response;
use super::problem::{Kind, Problem};
use super::query::Query;
use super::visible::Sight;
use crate::app::AppState;
use crate::auth::Caller;
use crate::figures::{Interval, Known, edges, local_month, months_before};
use crate::{reads, rfc3339};

/// Buckets of one series at most: ten years of days.
const BUCKETS_MAX: usize = 3_660;
/// Months that a trend is told from, and a figure's sparkline is the end of.
const TREND_MONTHS: u32 = 24;
/// Months of a sparkline and a heat map.
const YEAR: u32 = 12;
/// Days over which a figure is taken where no time is given.
const WINDOW_DAYS: i64 = 90;
/// Months of costs that a forecast looks back on at most.
const HISTORY_MONTHS: u32 = 120;
/// Vehicles of a heat map: those with the most of it.
const HEAT_ROWS_MAX: usize = 40;
/// Events behind a number, a side each, on one page.
const EVENTS_MAX: u64 = 1_000;

const DAY: i64 = 86_400_000_000;
const INTERVALS: &[&str] = &["day", "week", "month"];

/// The routes of key figures.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(catalogue))
        .routes(routes!(health))
        .routes(routes!(timeseries))
        .routes(routes!(heatmap))
        .routes(routes!(drilldown))
        .routes(routes!(cost_forecast))
        .routes(routes!(workshops))
}

/// What is asked of the figures.
struct Asked {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    vehicle: Option<String>,
    as_of: Option<Position>,
}

impl Asked {
    fn read(query: &mut Query<'_>) -> Self {
        let asked = Asked {
            from: query.time("from"),
            to: query.time("to"),
            vehicle: query.text("vehicle_id"),
            as_of: query.position("as_of_position"),
        };
        if let (Some(from), Some(to)) = (asked.from, asked.to)
            && to <= from
        {
            query.fault("to", "value_error", "must be later than `from`");
        }
        asked
    }

    fn span(&self, now: Timestamp, days: i64) -> (Timestamp, Timestamp) {
        let to = self.to.unwrap_or(now);
        let from = self
            .from
            .unwrap_or(Timestamp::from_micros(to.micros() - days * DAY));
        (from, to)
    }
}

/// The figure of this name.
fn named(metric: &str) -> Result<&'static Kpi, Problem> {
    Kpi::named(metric).ok_or_else(|| {
        let known: Vec<&str> = KPIS.iter().map(|kpi| kpi.key).collect();
        let detail = format!("Unknown metric: {metric}. Known are {}", known.join(", "));
        Problem::new(Kind::BadRequest, detail).with("known_metrics", known)
    })
}

/// Asks the facts on a blocking thread.
async fn ask<T: Send + 'static>(
    state: &AppState,
    as_of: Option<Position>,
    answer: impl FnOnce(&AppState, &Known) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    reads::run(state, move |state| {
        state
            .figures
            .ask(&state.log, as_of, |known| answer(state, known))?
    })
    .await
}

/// The ends of the months up to now, the running one included.
fn month_edges(state: &AppState, now: Timestamp, count: u32) -> Vec<i64> {
    let zone = state.config.analytics.time_zone;
    let from = months_before(zone, now, count);
    edges(zone, Interval::Month, from, now, BUCKETS_MAX).unwrap_or_default()
}

/// Key figures of the fleet or of one vehicle, with their trends.
#[utoipa::path(get, path = "/api/v1/analytics/catalogue", tag = "analytics", operation_id = "kpi_catalogue",
    params(
        ("from" = Option<String>, Query, description = "From this time; 90 days before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle, by asset id"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
    ),
    responses((status = 200, description = "The figures", body = docs::Catalogue)))]
pub(crate) async fn catalogue(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query);
    query.finish()?;
    let body = ask(&state, asked.as_of, move |state, known| {
        let now = state.clock.now();
        let (from, to) = asked.span(now, WINDOW_DAYS);
        let months = month_edges(state, to, TREND_MONTHS);
        let window = [from.micros(), to.micros()];
        let select = |edges| Selection {
            edges,
            now: now.micros(),
            vehicle: asked.vehicle.as_deref(),
        };
        let figures: Vec<Value> = KPIS
            .iter()
            .map(|kpi| describe(kpi, known, &select(&window), &select(&months)))
            .collect();
        Ok(json!({
            "position": known.position().get(),
            "from": rfc3339::to_string(from),
            "to": rfc3339::to_string(to),
            "kpis": figures,
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

fn describe(kpi: &Kpi, known: &Known, window: &Selection<'_>, months: &Selection<'_>) -> Value {
    let figure = kpi.figures(known.facts(), window)[0];
    let value = kpi.value(figure);
    let interval = kpi.interval(figure);
    let by_month: Vec<Option<f64>> = kpi
        .figures(known.facts(), months)
        .into_iter()
        .map(|figure| kpi.value(figure))
        .collect();
    // The running month is not over, and months without a value say nothing of a trend.
    let closed: Vec<f64> = by_month[..by_month.len().saturating_sub(1)]
        .iter()
        .copied()
        .skip_while(Option::is_none)
        .flatten()
        .collect();
    let found = trend(&closed, kpi.polarity, kpi.floor);
    let last_year = by_month.len().saturating_sub(YEAR as usize);
    json!({
        "key": kpi.key,
        "value": value,
        "unit": kpi.unit,
        "reason": value.is_none().then_some(kpi.empty),
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "low": interval.map(|(low, _)| low),
        "high": interval.and_then(|(_, high)| high),
        "trend": match found.label {
            Label::Improving => "improving",
            Label::Declining => "declining",
            Label::Stable => "stable",
            Label::TooLittleData => "too_little_data",
        },
        "slope_a_month": found.slope,
        "p": found.p,
        "months": by_month[last_year..],
        "definition": kpi.definition,
        "text": kpi.text,
    })
}

/// Whether figures can be taken.
#[utoipa::path(get, path = "/api/v1/analytics/health", tag = "analytics", operation_id = "analytics_health",
    responses((status = 200, description = "They can", body = Object)))]
pub(crate) async fn health(State(state): State<AppState>) -> Response<Body> {
    let body = json!({
        "status": "healthy",
        "service": "analytics",
        "version": env!("CARGO_PKG_VERSION"),
        "position": state.log.durable_position().get(),
    });
    json_response(body.to_string())
}

/// One key figure over time.
#[utoipa::path(get, path = "/api/v1/analytics/timeseries/{metric}", tag = "analytics", operation_id = "kpi_timeseries",
    params(
        ("metric" = String, Path, description = "The figure's name, as in the catalogue"),
        ("from" = Option<String>, Query, description = "From this time; two years before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("interval" = Option<String>, Query, description = "`day`, `week` or `month` (default), of local time"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle, by asset id"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("format" = Option<String>, Query, description = "`json` (default) or `csv`"),
    ),
    responses((status = 200, description = "Columns: when each bucket begins, and the values", body = docs::Series)))]
pub(crate) async fn timeseries(
    State(state): State<AppState>,
    PathParts([metric]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let kpi = named(&metric)?;
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query);
    let interval = match query.one_of("interval", INTERVALS) {
        Some(0) => Interval::Day,
        Some(1) => Interval::Week,
        _ => Interval::Month,
    };
    let csv = query.one_of("format", &["json", "csv"]) == Some(1);
    query.finish()?;
    let (x, values, position) = ask(&state, asked.as_of, move |state, known| {
        let now = state.clock.now();
        let (from, to) = asked.span(now, 730);
        let zone = state.config.analytics.time_zone;
        let edges = edges(zone, interval, from, to, BUCKETS_MAX).ok_or_else(|| {
            let detail =
                format!("more than {BUCKETS_MAX} buckets; ask for a shorter time or longer ones");
            Problem::new(Kind::BadRequest, detail)
        })?;
        let selection = Selection {
            edges: &edges,
            now: now.micros(),
            vehicle: asked.vehicle.as_deref(),
        };
        let figures = kpi.figures(known.facts(), &selection);
        let values: Vec<Option<f64>> = figures.into_iter().map(|one| kpi.value(one)).collect();
        let x: Vec<i64> = edges[..edges.len() - 1]
            .iter()
            .map(|edge| edge / 1_000_000)
            .collect();
        Ok((x, values, known.position()))
    })
    .await?;
    if csv {
        let mut text = format!("begin,{}\r\n", kpi.key);
        for (second, value) in x.iter().zip(&values) {
            let begin = rfc3339::to_string(Timestamp::from_micros(second * 1_000_000));
            let value = value.map(|value| value.to_string()).unwrap_or_default();
            text.push_str(&format!("{begin},{value}\r\n"));
        }
        return Ok(csv_response(text));
    }
    let body = json!({
        "x": x,
        "series": [{"key": kpi.key, "unit": kpi.unit, "values": values}],
        "position": position.get(),
        "definition": kpi.definition,
    });
    Ok(json_response(body.to_string()))
}

fn csv_response(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Failures by vehicle and month, the worst vehicles first.
#[utoipa::path(get, path = "/api/v1/analytics/fleet/heatmap", tag = "analytics", operation_id = "failure_heatmap",
    params(("as_of_position" = Option<u64>, Query, description = "As the log was known at this position")),
    responses((status = 200, description = "Rows, columns, and a value each", body = docs::Heat)))]
pub(crate) async fn heatmap(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let as_of = query.position("as_of_position");
    query.finish()?;
    let body = ask(&state, as_of, |state, known| {
        let now = state.clock.now();
        let months = month_edges(state, now, YEAR - 1);
        let selection = Selection {
            edges: &months,
            now: now.micros(),
            vehicle: None,
        };
        let kpi = named("failures")?;
        let mut rows: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        kpi.each(known.facts(), &selection, &mut |part| {
            let (Side::Numerator, Some(vehicle)) = (part.side, part.vehicle) else {
                return;
            };
            let row = rows
                .entry(vehicle)
                .or_insert_with(|| vec![0; selection.buckets()]);
            row[part.bucket] += part.amount;
        });
        let mut worst: Vec<(usize, Vec<i64>)> = rows.into_iter().collect();
        worst.sort_by_key(|(vehicle, row)| (-row.iter().sum::<i64>(), *vehicle));
        worst.truncate(HEAT_ROWS_MAX);
        let zone = state.config.analytics.time_zone;
        let names: Vec<&str> = worst
            .iter()
            .map(|(vehicle, _)| &*known.facts().vehicles[*vehicle].0)
            .collect();
        let columns: Vec<String> = months[..months.len().saturating_sub(1)]
            .iter()
            .map(|edge| local_month(zone, *edge))
            .collect();
        let values: Vec<&Vec<i64>> = worst.iter().map(|(_, row)| row).collect();
        Ok(json!({
            "rows": names,
            "cols": columns,
            "values": values,
            "unit": "failures",
            "position": known.position().get(),
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// The events that make a figure: those that are counted, and those that it is divided by.
#[utoipa::path(get, path = "/api/v1/analytics/drilldown/{metric}", tag = "analytics", operation_id = "kpi_drilldown",
    params(
        ("metric" = String, Path, description = "The figure's name, as in the catalogue"),
        ("from" = Option<String>, Query, description = "From this time; 90 days before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle, by asset id"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("limit" = Option<u64>, Query, description = "Events of each side on a page, 1 to 1,000, default 100"),
        ("after" = Option<u64>, Query, description = "`next` of the page before: the position to go on behind"),
    ),
    responses((status = 200, description = "A page of events in the order of the log", body = docs::Drilled)))]
pub(crate) async fn drilldown(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([metric]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let kpi = named(&metric)?;
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query);
    let limit = query.number("limit", 1..=EVENTS_MAX).unwrap_or(100);
    let after = query.position("after").map_or(0, Position::get);
    query.finish()?;
    let sight = Sight::of(&caller);
    let body = ask(&state, asked.as_of, move |state, known| {
        let now = state.clock.now();
        let (from, to) = asked.span(now, WINDOW_DAYS);
        let window = [from.micros(), to.micros()];
        let selection = Selection {
            edges: &window,
            now: now.micros(),
            vehicle: asked.vehicle.as_deref(),
        };
        let (mut counted, mut divided) = (BTreeMap::new(), BTreeMap::new());
        kpi.each(known.facts(), &selection, &mut |part| {
            let side = match part.side {
                Side::Numerator => &mut counted,
                Side::Denominator => &mut divided,
            };
            *side.entry(part.position).or_insert(0_i64) += part.amount;
        });
        let mut body = String::from("{");
        let mut next = None;
        for (name, side) in [("numerator", &counted), ("denominator", &divided)] {
            let of_side = side.range(after.max(1) + u64::from(after > 0)..);
            let page: Vec<(u64, i64)> = of_side
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .map(|(position, amount)| (*position, *amount))
                .collect();
            if page.len() as u64 == limit {
                next = next.max(page.last().map(|(position, _)| *position));
            }
            let events = events_at(&state.log, sight, &page)?;
            body.push_str(&format!(
                "\"{name}\":[{events}],\"{name}_events\":{},",
                side.len()
            ));
        }
        let next = next.map_or("null".to_owned(), |position| position.to_string());
        body.push_str(&format!(
            "\"next\":{next},\"position\":{}}}",
            known.position().get()
        ));
        Ok(body)
    })
    .await?;
    Ok(json_response(body))
}

/// The events at these positions as JSON, each with what it adds as `amount`.
fn events_at(log: &Log, sight: Sight, page: &[(u64, i64)]) -> Result<String, Problem> {
    let mut out = Vec::new();
    for (position, amount) in page {
        let position = Position::new(*position);
        let request = ReadRequest {
            from: position,
            to: position,
            limit: Some(1),
            ..ReadRequest::default()
        };
        let mut reader = log.read(&request)?;
        let Some(Ok(event)) = reader.next() else {
            continue;
        };
        if !out.is_empty() {
            out.push(b',');
        }
        let begin = out.len();
        sight.write(&event, &mut out);
        let head = format!("{{\"amount\":{amount},");
        out.splice(begin..=begin, head.into_bytes());
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// What maintenance will cost, month by month.
#[utoipa::path(get, path = "/api/v1/analytics/forecast/costs", tag = "analytics", operation_id = "cost_forecast",
    params(
        ("months" = Option<u64>, Query, description = "How far ahead: 1 to 24 months, default 12"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
    ),
    responses((status = 200, description = "History, forecast and its bands, in the currency", body = docs::Fan)))]
pub(crate) async fn cost_forecast(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let ahead = query
        .number("months", 1..=forecast::HORIZON_MAX as u64)
        .unwrap_or(12);
    let as_of = query.position("as_of_position");
    query.finish()?;
    let ahead = usize::try_from(ahead).unwrap_or(forecast::HORIZON_MAX);
    let body = ask(&state, as_of, move |state, known| {
        let now = state.clock.now();
        let months = month_edges(state, now, HISTORY_MONTHS);
        let closed = &months[..months.len().saturating_sub(1)];
        let selection = Selection {
            edges: closed,
            now: now.micros(),
            vehicle: None,
        };
        let kpi = named("maintenance_cost")?;
        let mut costs: Vec<f64> = kpi
            .figures(known.facts(), &selection)
            .into_iter()
            .map(|figure| figure.numerator as f64 * kpi.scale)
            .collect();
        // Months before the first cost say nothing.
        let first = costs.iter().position(|cost| *cost != 0.0);
        let Some(first) = first else {
            return Err(Problem::not_found(
                "no cost was recorded yet: there is nothing to forecast from",
            ));
        };
        costs.drain(..first);
        let begins = &closed[first..closed.len() - 1];
        let found = forecast::forecast(&costs, ahead)
            .map_err(|error| Problem::new(Kind::BadRequest, error.to_string()))?;
        let zone = state.config.analytics.time_zone;
        let running = Timestamp::from_micros(closed[closed.len() - 1]);
        let until = Timestamp::from_micros(running.micros() + ahead as i64 * 31 * DAY);
        let to_come = edges(zone, Interval::Month, running, until, BUCKETS_MAX).unwrap_or_default();
        let to_come = &to_come[..=ahead.min(to_come.len().saturating_sub(1))];
        Ok(json!({
            "history": {"x": seconds(begins), "values": costs},
            "x": seconds(&to_come[..to_come.len() - 1]),
            "point": found.point,
            "lo80": found.band80.iter().map(|band| band.low).collect::<Vec<_>>(),
            "hi80": found.band80.iter().map(|band| band.high).collect::<Vec<_>>(),
            "lo95": found.band95.iter().map(|band| band.low).collect::<Vec<_>>(),
            "hi95": found.band95.iter().map(|band| band.high).collect::<Vec<_>>(),
            "planned_layer": planned(&known.facts().orders, to_come),
            "skill": found.skill,
            "method": match found.method {
                Method::LastValue => "last_value_too_short",
                Method::Damped => "damped",
                Method::ThetaDamped => "theta_damped",
                Method::MeanOfThree => "theta_damped_stl",
            },
            "unit": "EUR",
            "position": known.position().get(),
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

fn seconds(edges: &[i64]) -> Vec<i64> {
    edges.iter().map(|edge| edge / 1_000_000).collect()
}

/// What is planned already, by month: open orders at the mean cost of a closed one.
fn planned(orders: &[OrderFacts], edges: &[i64]) -> Vec<f64> {
    let costs: Vec<i64> = orders
        .iter()
        .filter(|order| order.ended.is_some())
        .filter_map(|order| order.cost_cents)
        .collect();
    let mean = costs.iter().sum::<i64>() as f64 / 100.0 / costs.len().max(1) as f64;
    let mut months = vec![0.0; edges.len().saturating_sub(1)];
    for order in orders
        .iter()
        .filter(|order| order.ended.is_none() && !order.is_void)
    {
        let Some(begin) = order.scheduled_start else {
            continue;
        };
        let month = edges.partition_point(|edge| *edge <= begin);
        if month > 0
            && let Some(sum) = months.get_mut(month - 1)
        {
            *sum += mean;
        }
    }
    months
}

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
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query);
    query.finish()?;
    let body = ask(&state, asked.as_of, move |state, known| {
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
        Ok(json!({"workshops": rows, "position": known.position().get()}))
    })
    .await?;
    Ok(json_response(body.to_string()))
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
