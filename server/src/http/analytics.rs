//! Key figures: the catalogue, series, the events behind a number, forecasts and comparisons.
//!
//! Every answer says the position of the log that it reflects, and takes `as_of_position` to be asked as of an earlier
//! one. Figures are of the depot's local days (`analytics.time_zone`).

mod costs;
mod docs;
mod drill;
mod former;
mod reply;
mod spread;
mod table;
mod workshops;

use analytics::former::Definition;
use analytics::kpi::{KPIS, Kpi, Selection, Side};
use analytics::rollup::Taken;
use analytics::trend::{Label, trend};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use fleet::calendar::DAY;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use storage::{Position, Timestamp};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::json_response;
use super::problem::{Kind, Problem};
use super::query::Query;
use crate::app::AppState;
use crate::figures::{Interval, Known, edges, local_month, months_before};
use crate::{reads, rfc3339};
pub use reply::Replies;
use reply::{Question, Reply, answered};
use table::{Cell, Format, Table};

/// Buckets of one series at most: ten years of days.
const BUCKETS_MAX: usize = 3_660;
/// Months that a trend is told from, and a figure's sparkline is the end of.
const TREND_MONTHS: u32 = 24;
/// Months of a sparkline and a heat map.
const YEAR: u32 = 12;
/// Days over which a figure is taken where no time is given.
const WINDOW_DAYS: i64 = 90;
/// Vehicles of a heat map: those with the most of it.
const HEAT_ROWS_MAX: usize = 40;

const INTERVALS: &[&str] = &["day", "week", "month"];
/// Columns of the catalogue as a table.
const FIGURE_COLUMNS: &[&str] = &[
    "key",
    "value",
    "unit",
    "reason",
    "numerator",
    "denominator",
    "low",
    "high",
    "target",
    "meets_target",
    "trend",
    "slope_a_month",
    "p",
    "definition",
    "text",
];

/// The routes of key figures.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(catalogue))
        .routes(routes!(health))
        .routes(routes!(timeseries))
        .routes(routes!(heatmap))
        .routes(routes!(drill::drilldown))
        .routes(routes!(spread::distribution))
        .routes(routes!(costs::cost_forecast))
        .routes(routes!(workshops::workshops))
        .merge(former::routes())
}

/// What is asked of the figures.
struct Asked {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    vehicle: Option<String>,
    as_of: Option<Position>,
}

impl Asked {
    /// Reads it; `now` is what stands for `to` where it is absent.
    fn read(query: &mut Query<'_>, now: Timestamp) -> Self {
        let asked = Asked {
            from: query.time("from"),
            to: query.time("to"),
            vehicle: query.text("vehicle_id"),
            as_of: query.position("as_of_position"),
        };
        match (asked.from, asked.to) {
            (Some(from), Some(to)) if to <= from => {
                query.fault("to", "value_error", "must be later than `from`");
            }
            (Some(from), None) if now <= from => {
                query.fault(
                    "from",
                    "value_error",
                    "must be earlier than `to`, which is now",
                );
            }
            _ => {}
        }
        asked
    }

    fn is_given(&self) -> bool {
        self.from.is_some() || self.to.is_some() || self.vehicle.is_some() || self.as_of.is_some()
    }

    /// What is to be known about a table: over what it is, of what, and as of when.
    fn noted(
        &self,
        table: Table,
        state: &AppState,
        known: &Known,
        (from, to): (Timestamp, Timestamp),
    ) -> Table {
        let vehicle = self.vehicle.as_deref().unwrap_or("all vehicles");
        described(table, state, known)
            .note("from", rfc3339::to_string(from))
            .note("to", rfc3339::to_string(to))
            .note("vehicle", vehicle)
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
    let unknown = || unknown(metric, KPIS.iter().map(|kpi| kpi.key).collect());
    Kpi::named(metric).ok_or_else(unknown)
}

fn unknown(metric: &str, known: Vec<&str>) -> Problem {
    let detail = format!("Unknown metric: {metric}. Known are {}", known.join(", "));
    Problem::new(Kind::BadRequest, detail).with("known_metrics", known)
}

/// More buckets were asked for than one answer has.
fn too_many() -> Problem {
    let detail = format!("more than {BUCKETS_MAX} buckets; ask for a shorter time or longer ones");
    Problem::new(Kind::BadRequest, detail)
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

/// Notes on a table that every one has.
fn described(table: Table, state: &AppState, known: &Known) -> Table {
    table
        .note("log position", known.position().get())
        .note("time zone of days", state.config.analytics.time_zone)
        .note("times", "UTC")
        .note("made", rfc3339::to_string(state.clock.now()))
}

/// The ends of the months up to now, the running one included.
fn month_edges(state: &AppState, now: Timestamp, count: u32) -> Vec<i64> {
    let zone = state.config.analytics.time_zone;
    let from = months_before(zone, now, count);
    edges(zone, Interval::Month, from, now, BUCKETS_MAX).unwrap_or_default()
}

/// Where buckets begin and, last, where the last one ends, as times of the depot with their offset: a client can ask for
/// exactly one bucket with them, and name its day without knowing the time zone.
fn local_times(zone: Tz, edges: &[i64]) -> Vec<String> {
    let text = |edge: &i64| {
        let moment = DateTime::from_timestamp_micros(*edge).unwrap_or_default();
        moment
            .with_timezone(&zone)
            .to_rfc3339_opts(SecondsFormat::Secs, false)
    };
    edges.iter().map(text).collect()
}

/// Key figures of the fleet or of one vehicle, with their trends.
#[utoipa::path(get, path = "/api/v1/analytics/catalogue", tag = "analytics", operation_id = "kpi_catalogue",
    params(
        ("from" = Option<String>, Query, description = "From this time; 90 days before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle, by asset id"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("format" = Option<String>, Query, description = "`json` (default), or the table as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
    ),
    responses((status = 200, description = "The figures", body = docs::Catalogue)))]
pub(crate) async fn catalogue(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query, state.clock.now());
    let format = Format::read(&mut query);
    query.finish()?;
    answered(&state, question, asked.as_of, move |state, known| {
        let now = state.clock.now();
        let (from, to) = asked.span(now, WINDOW_DAYS);
        let months = month_edges(state, to, TREND_MONTHS);
        let window = [from.micros(), to.micros()];
        let select = |edges| Selection {
            edges,
            now: now.micros(),
            vehicle: asked.vehicle.as_deref(),
        };
        let in_window = known.take(&select(&window));
        let by_month = known.take(&select(&months));
        let figures: Vec<Value> = KPIS
            .iter()
            .map(|kpi| {
                let reason = kpi.reason(&select(&window));
                describe(kpi, reason, &in_window, &by_month)
            })
            .collect();
        let body = json!({
            "position": known.position().get(),
            "from": rfc3339::to_string(from),
            "to": rfc3339::to_string(to),
            "kpis": figures,
        });
        if let Some(format) = format {
            let table = Table::of_objects("figures", FIGURE_COLUMNS, &body["kpis"]);
            return asked
                .noted(table, state, known, (from, to))
                .note(
                    "formula",
                    "value = numerator / denominator, in the unit; see text",
                )
                .reply(format);
        }
        Ok(Reply::json(body.to_string()))
    })
    .await
}

/// A figure as the catalogue has it; `reason` is why it has no value where it has none.
fn describe(kpi: &Kpi, reason: &str, in_window: &Taken<'_>, by_month: &Taken<'_>) -> Value {
    let figure = in_window.figures(kpi)[0];
    let value = kpi.value(figure);
    let interval = kpi.interval(figure);
    let by_month: Vec<Option<f64>> = by_month
        .figures(kpi)
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
        "reason": value.is_none().then_some(reason),
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "low": interval.map(|(low, _)| low),
        "high": interval.and_then(|(_, high)| high),
        "target": kpi.target,
        "meets_target": value.and_then(|value| kpi.meets_target(value)),
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
///
/// The figures of the old interface (`/analytics/kpis`) are answered in its shape: `metric_name`, `interval`, `period`,
/// `data`. `mtbf` and `mttr` have both definitions: with `start_time` or `end_time` the old one answers, with any of the
/// other parameters that of the catalogue, and else both stand in one answer.
#[utoipa::path(get, path = "/api/v1/analytics/timeseries/{metric}", tag = "analytics", operation_id = "kpi_timeseries",
    params(
        ("metric" = String, Path, description = "The figure's name, as in the catalogue, or one of the old interface"),
        ("from" = Option<String>, Query, description = "From this time; two years before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("interval" = Option<String>, Query, description = "`day`, `week` or `month` (default), of local time; the old figures also take `hour`, and `day` is their default"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle, by asset id"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("format" = Option<String>, Query, description = "`json` (default), or the table as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
        ("start_time" = Option<String>, Query, description = "Of an old figure: from this time; 30 days before `end_time`, if absent"),
        ("end_time" = Option<String>, Query, description = "Of an old figure: to this time; now, if absent"),
    ),
    responses((status = 200, description = "Columns: when each bucket begins, and the values", body = docs::Series)))]
pub(crate) async fn timeseries(
    State(state): State<AppState>,
    question: Question,
    PathParts([metric]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let (kpi, old) = (Kpi::named(&metric), Definition::named(&metric));
    if kpi.is_none() && old.is_none() {
        let known = KPIS.iter().map(|kpi| kpi.key);
        let known = known.chain(analytics::former::METRICS.iter().map(|old| old.name));
        return Err(unknown(&metric, known.collect()));
    }
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query, state.clock.now());
    let has_format = query.text("format").is_some();
    let format = Format::read(&mut query);
    let span = former::Span::read(&mut query, state.clock.now());
    let is_new = asked.is_given() || has_format;
    let old = old.filter(|_| kpi.is_none() || !is_new);
    let kpi = kpi.filter(|_| old.is_none() || !span.is_given());
    let interval_given = query.text("interval").is_some();
    let old_interval = match kpi.is_some() && interval_given {
        // What both know.
        true => query
            .one_of("interval", INTERVALS)
            .map_or(1, |interval| interval + 1),
        false => former::read_interval(&mut query),
    };
    query.finish()?;
    let interval = match old_interval {
        _ if !interval_given => Interval::Month,
        1 => Interval::Day,
        2 => Interval::Week,
        _ => Interval::Month,
    };
    answered(&state, question, asked.as_of, move |state, known| {
        let former = match old {
            Some(old) => {
                let window = span.window(state.clock.now(), 30);
                Some(former::series(known, old, old_interval, &window)?)
            }
            None => None,
        };
        let Some(kpi) = kpi else {
            let former = former.unwrap_or_default();
            if let (Some(format), Some(old)) = (format, old) {
                let table = Table::of_objects(old.name, &["timestamp", "value"], &former["data"]);
                return described(table, state, known).reply(format);
            }
            return Ok(Reply::json(former.to_string()));
        };
        let now = state.clock.now();
        let (from, to) = asked.span(now, 730);
        let zone = state.config.analytics.time_zone;
        let edges = edges(zone, interval, from, to, BUCKETS_MAX).ok_or_else(too_many)?;
        let selection = Selection {
            edges: &edges,
            now: now.micros(),
            vehicle: asked.vehicle.as_deref(),
        };
        let figures = known.take(&selection).figures(kpi);
        let values: Vec<Option<f64>> = figures.into_iter().map(|one| kpi.value(one)).collect();
        let x: Vec<i64> = edges[..edges.len() - 1]
            .iter()
            .map(|edge| edge / 1_000_000)
            .collect();
        if let Some(format) = format {
            let table = series_table(kpi, &x, values);
            return asked
                .noted(table, state, known, (from, to))
                .note("unit", kpi.unit)
                .note("definition", kpi.definition)
                .note("text", kpi.text)
                .reply(format);
        }
        let mut body = json!({
            "x": x,
            "edges": local_times(zone, &edges),
            "series": [{"key": kpi.key, "unit": kpi.unit, "values": values}],
            "position": known.position().get(),
            "definition": kpi.definition,
        });
        if let (Some(Value::Object(former)), Value::Object(body)) = (former, &mut body) {
            body.extend(former);
        }
        Ok(Reply::json(body.to_string()))
    })
    .await
}

fn series_table(kpi: &Kpi, x: &[i64], values: Vec<Option<f64>>) -> Table {
    let begins: Vec<i64> = x.to_vec();
    let rows = begins.into_iter().zip(values).map(|(second, value)| {
        let begin = Cell::Time(Timestamp::from_micros(second * 1_000_000));
        Ok(vec![begin, value.map_or(Cell::Empty, Cell::Number)])
    });
    Table::new(kpi.key, ["begin", kpi.key], rows)
}

/// Failures by vehicle and month, the worst vehicles first.
#[utoipa::path(get, path = "/api/v1/analytics/fleet/heatmap", tag = "analytics", operation_id = "failure_heatmap",
    params(
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("format" = Option<String>, Query, description = "`json` (default), or the table as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
    ),
    responses((status = 200, description = "Rows, columns, and a value each", body = docs::Heat)))]
pub(crate) async fn heatmap(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let as_of = query.position("as_of_position");
    let format = Format::read(&mut query);
    query.finish()?;
    answered(&state, question, as_of, move |state, known| {
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
        let edges = local_times(zone, &months);
        let columns: Vec<String> = months[..months.len().saturating_sub(1)]
            .iter()
            .map(|edge| local_month(zone, *edge))
            .collect();
        if let Some(format) = format {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let heads = std::iter::once("vehicle".to_owned()).chain(columns);
            let rows = names.into_iter().zip(worst).map(|(name, (_, row))| {
                let counts = row.into_iter().map(Cell::Whole);
                Ok(std::iter::once(Cell::Text(name)).chain(counts).collect())
            });
            let table = Table::new("failures", heads, rows);
            return described(table, state, known)
                .note("unit", "failures by local month, the worst vehicles first")
                .reply(format);
        }
        let values: Vec<&Vec<i64>> = worst.iter().map(|(_, row)| row).collect();
        let body = json!({
            "rows": names,
            "cols": columns,
            "edges": edges,
            "values": values,
            "unit": "failures",
            "position": known.position().get(),
        });
        Ok(Reply::json(body.to_string()))
    })
    .await
}
