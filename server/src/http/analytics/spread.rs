//! How the amounts lie of which a figure is the mean: a mean hides a long tail.

use analytics::kpi::{KPIS, Kpi, Selection, Side};
use analytics::sketch::{RELATIVE_ERROR, Sketch};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::json;

use super::reply::{Question, Reply, answered};
use super::table::{Cell, Format, Table};
use super::{Asked, WINDOW_DAYS, docs, unknown};
use crate::app::AppState;
use crate::http::extract::PathParts;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::rfc3339;

/// Figures whose numerator has one amount for each thing: how long one repair took, what one order cost.
const SPREAD: &[&str] = &[
    "mttr",
    "mttrs",
    "cycle_time",
    "order_age",
    "maintenance_cost",
];
/// Bins of a histogram where none are asked for, and at most.
const BINS: u64 = 24;
const BINS_MAX: u64 = 200;
/// The share of the amounts up to which the bins reach; what is greater is counted as `overflow`.
const REACH: f64 = 0.99;

/// How the amounts of a figure lie: a histogram and quantiles.
#[utoipa::path(get, path = "/api/v1/analytics/distribution/{metric}", tag = "analytics", operation_id = "kpi_distribution",
    params(
        ("metric" = String, Path, description = "`mttr`, `mttrs`, `cycle_time`, `order_age` or `maintenance_cost`"),
        ("from" = Option<String>, Query, description = "From this time; 90 days before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle, by asset id"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("bins" = Option<u64>, Query, description = "How many bins, 1 to 200, default 24"),
        ("format" = Option<String>, Query, description = "`json` (default), or the table as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
    ),
    responses((status = 200, description = "Bins of equal width from 0 on, and quantiles", body = docs::Distribution)))]
pub(crate) async fn distribution(
    State(state): State<AppState>,
    question: Question,
    PathParts([metric]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let known = KPIS.iter().filter(|kpi| SPREAD.contains(&kpi.key));
    let Some(kpi) = known.clone().find(|kpi| kpi.key == metric) else {
        return Err(unknown(&metric, known.map(|kpi| kpi.key).collect()));
    };
    let mut query = Query::parse(query.as_deref());
    let asked = Asked::read(&mut query, state.clock.now());
    let bins = query.number("bins", 1..=BINS_MAX).unwrap_or(BINS);
    let format = Format::read(&mut query);
    query.finish()?;
    answered(&state, question, asked.as_of, move |state, known| {
        let now = state.clock.now();
        let (from, to) = asked.span(now, WINDOW_DAYS);
        let window = [from.micros(), to.micros()];
        let selection = Selection {
            edges: &window,
            now: now.micros(),
            vehicle: asked.vehicle.as_deref(),
        };
        let only = known.only(asked.vehicle.as_deref());
        let facts = only.as_ref().unwrap_or(known.facts());
        let (mut sketch, mut amounts) = (Sketch::default(), Vec::new());
        kpi.each(facts, &selection, &mut |part| {
            if part.side == Side::Numerator {
                sketch.add(part.amount);
                amounts.push(part.amount);
            }
        });
        let bars = Bars::of(kpi, &sketch, &amounts, bins);
        if let Some(format) = format {
            let rows = bars.edges.windows(2).zip(&bars.counts);
            let rows: Vec<Vec<Cell>> = rows
                .map(|(ends, count)| {
                    vec![
                        Cell::Number(ends[0]),
                        Cell::Number(ends[1]),
                        Cell::Whole(*count),
                    ]
                })
                .collect();
            let table = Table::new(kpi.key, ["from", "to", "count"], rows.into_iter().map(Ok));
            return asked
                .noted(table, state, known, (from, to))
                .note("unit", kpi.unit)
                .note("greater than the last", bars.overflow)
                .note("text", kpi.text)
                .reply(format);
        }
        let quantile = |share| sketch.quantile(share).map(|value| value * kpi.scale);
        let body = json!({
            "key": kpi.key,
            "unit": kpi.unit,
            "from": rfc3339::to_string(from),
            "to": rfc3339::to_string(to),
            "count": sketch.count(),
            "edges": bars.edges,
            "counts": bars.counts,
            "underflow": 0,
            "overflow": bars.overflow,
            "p50": quantile(0.5),
            "p90": quantile(0.9),
            "p99": quantile(0.99),
            "relative_error": RELATIVE_ERROR,
            "definition": kpi.definition,
            "position": known.position().get(),
        });
        Ok(Reply::json(body.to_string()))
    })
    .await
}

/// A histogram's bars.
struct Bars {
    edges: Vec<f64>,
    counts: Vec<i64>,
    overflow: i64,
}

impl Bars {
    /// Of equal width from 0 to where nearly all amounts lie; none of no amounts.
    fn of(kpi: &Kpi, sketch: &Sketch, amounts: &[i64], bins: u64) -> Self {
        let reach = sketch.quantile(REACH).unwrap_or(0.0) * (1.0 + RELATIVE_ERROR);
        let count = usize::try_from(bins).unwrap_or(1);
        if reach <= 0.0 {
            let overflow = i64::try_from(amounts.len()).unwrap_or(i64::MAX);
            return Bars {
                edges: Vec::new(),
                counts: Vec::new(),
                overflow,
            };
        }
        let width = reach / bins as f64;
        let edges = (0..=count)
            .map(|edge| edge as f64 * width * kpi.scale)
            .collect();
        let (mut counts, mut overflow) = (vec![0_i64; count], 0);
        for amount in amounts {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates, and what lies behind the last bin is counted apart"
            )]
            let bin = (amount.max(&0).to_owned() as f64 / width) as usize;
            match counts.get_mut(bin) {
                Some(count) => *count += 1,
                None => overflow += 1,
            }
        }
        Bars {
            edges,
            counts,
            overflow,
        }
    }
}
