//! What maintenance will cost: months that were, months to come, and what is planned already.

use analytics::forecast::{self, Band, Method};
use analytics::kpi::Selection;
use analytics::rollup::Store;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::calendar::DAY;
use serde_json::{Value, json};
use storage::Timestamp;

use super::reply::{Question, Reply, answered};
use super::table::{Cell, Format, Table};
use super::{BUCKETS_MAX, described, docs, local_times, month_edges, named};
use crate::app::AppState;
use crate::figures::{Interval, edges};
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;

/// Months of costs that a forecast looks back on at most.
const HISTORY_MONTHS: u32 = 120;

/// What maintenance will cost, month by month.
#[utoipa::path(get, path = "/api/v1/analytics/forecast/costs", tag = "analytics", operation_id = "cost_forecast",
    params(
        ("months" = Option<u64>, Query, description = "How far ahead: 1 to 24 months, default 12"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("format" = Option<String>, Query, description = "`json` (default), or the table as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
    ),
    responses((status = 200, description = "History, forecast and its bands, in the currency", body = docs::Fan)))]
pub(crate) async fn cost_forecast(
    State(state): State<AppState>,
    question: Question,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let ahead = query
        .number("months", 1..=forecast::HORIZON_MAX as u64)
        .unwrap_or(12);
    let as_of = query.position("as_of_position");
    let format = Format::read(&mut query);
    query.finish()?;
    let ahead = usize::try_from(ahead).unwrap_or(forecast::HORIZON_MAX);
    answered(&state, question, as_of, move |state, known| {
        let now = state.clock.now();
        let months = month_edges(state, now, HISTORY_MONTHS);
        let closed = &months[..months.len().saturating_sub(1)];
        let selection = Selection {
            edges: closed,
            now: now.micros(),
            vehicle: None,
        };
        let kpi = named("maintenance_cost")?;
        let mut costs: Vec<f64> = known
            .take(&selection)
            .figures(kpi)
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
        let found = state
            .figures
            .forecast(&costs, ahead)
            .map_err(|error| Problem::new(Kind::BadRequest, error.to_string()))?;
        let zone = state.config.analytics.time_zone;
        let running = Timestamp::from_micros(closed[closed.len() - 1]);
        let until = Timestamp::from_micros(running.micros() + ahead as i64 * 31 * DAY);
        let to_come = edges(zone, Interval::Month, running, until, BUCKETS_MAX).unwrap_or_default();
        let to_come = &to_come[..=ahead.min(to_come.len().saturating_sub(1))];
        let body = json!({
            "history": {"x": seconds(begins), "edges": local_times(zone, &closed[first..]), "values": costs},
            "x": seconds(&to_come[..to_come.len() - 1]),
            "edges": local_times(zone, to_come),
            "point": found.point,
            "lo80": ends(found.band80.as_deref(), ahead, |band| band.low),
            "hi80": ends(found.band80.as_deref(), ahead, |band| band.high),
            "lo95": ends(found.band95.as_deref(), ahead, |band| band.low),
            "hi95": ends(found.band95.as_deref(), ahead, |band| band.high),
            "planned_layer": planned(known.store(), to_come),
            "skill": found.skill,
            "method": match found.method {
                Method::LastValue => "last_value_too_short",
                Method::Damped => "damped",
                Method::ThetaDamped => "theta_damped",
                Method::MeanOfThree => "theta_damped_stl",
            },
            "unit": "EUR",
            "position": known.position().get(),
        });
        match format {
            Some(format) => described(table(&body), state, known)
                .note("unit", "EUR")
                .note("method", &body["method"])
                .note("planned", "open orders at the mean cost of a closed one")
                .reply(format),
            None => Ok(Reply::json(body.to_string())),
        }
    })
    .await
}

/// Months that were, then months to come with what is expected of them.
fn table(fan: &Value) -> Table {
    const EXPECTED: [&str; 6] = ["point", "lo80", "hi80", "lo95", "hi95", "planned_layer"];
    let moment = |x: &Value| {
        let second = x.as_i64().unwrap_or_default();
        Cell::Time(Timestamp::from_micros(second * 1_000_000))
    };
    let list = |values: &Value| values.as_array().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    let history = &fan["history"];
    for (x, value) in list(&history["x"]).iter().zip(list(&history["values"])) {
        let mut row = vec![moment(x), Cell::from(&value)];
        row.resize(2 + EXPECTED.len(), Cell::Empty);
        rows.push(Ok(row));
    }
    for (month, x) in list(&fan["x"]).iter().enumerate() {
        let mut row = vec![moment(x), Cell::Empty];
        row.extend(EXPECTED.iter().map(|key| Cell::from(&fan[*key][month])));
        rows.push(Ok(row));
    }
    let columns = ["month", "booked"].into_iter().chain(EXPECTED);
    Table::new("costs", columns, rows.into_iter())
}

/// One end of the bands, a month each; null where too little is known for bands.
fn ends(bands: Option<&[Band]>, months: usize, end: fn(&Band) -> f64) -> Vec<Option<f64>> {
    match bands {
        Some(bands) => bands.iter().map(|band| Some(end(band))).collect(),
        None => vec![None; months],
    }
}

fn seconds(edges: &[i64]) -> Vec<i64> {
    edges.iter().map(|edge| edge / 1_000_000).collect()
}

/// What is planned already, by month: open orders at the mean cost of a closed one.
fn planned(store: &Store, edges: &[i64]) -> Vec<f64> {
    let all = store.in_all();
    let mean = all.cost as f64 / 100.0 / all.costed.max(1) as f64;
    let mut months = vec![0.0; edges.len().saturating_sub(1)];
    for begin in store
        .open_orders()
        .filter_map(|order| order.scheduled_start)
    {
        let month = edges.partition_point(|edge| *edge <= begin);
        if month > 0
            && let Some(sum) = months.get_mut(month - 1)
        {
            *sum += mean;
        }
    }
    months
}
