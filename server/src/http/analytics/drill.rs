//! The events that make a figure.

use analytics::kpi::{Kpi, Page, Selection, Side};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use storage::{Log, Position, ReadError, ReadRequest};

use super::table::{Cell, Format, ROWS_MAX, Table};
use super::{Asked, WINDOW_DAYS, ask, docs, named};
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::http::visible::Sight;

/// Events behind a number, a side each, on one page.
const EVENTS_MAX: u64 = 1_000;

/// The events that make a figure: those that are counted, and those that it is divided by.
#[utoipa::path(get, path = "/api/v1/analytics/drilldown/{metric}", tag = "analytics", operation_id = "kpi_drilldown",
    params(
        ("metric" = String, Path, description = "The figure's name, as in the catalogue"),
        ("from" = Option<String>, Query, description = "From this time; 90 days before `to`, if absent"),
        ("to" = Option<String>, Query, description = "To this time; now, if absent"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle, by asset id"),
        ("as_of_position" = Option<u64>, Query, description = "As the log was known at this position"),
        ("format" = Option<String>, Query, description = "`json` (default), or all events of the number, 100,000 at most, as `csv`, `csv-de` (semicolons, commas in numbers), `jsonl` or `xlsx`"),
        ("limit" = Option<u64>, Query, description = "Events of each side on a page, 1 to 1,000, default 100"),
        ("after" = Option<u64>, Query, description = "`next` of the page before: the position behind which what is counted goes on"),
        ("after_denominator" = Option<u64>, Query, description = "`next_denominator` of the page before, for what it is divided by; as `after`, if absent"),
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
    let asked = Asked::read(&mut query, state.clock.now());
    let limit = query.number("limit", 1..=EVENTS_MAX).unwrap_or(100);
    let after = query.position("after").map_or(0, Position::get);
    let format = Format::read(&mut query);
    let after_denominator = query.position("after_denominator");
    let after_denominator = after_denominator.map_or(after, Position::get);
    query.finish()?;
    let limit = usize::try_from(limit).unwrap_or(100);
    if let Some(format) = format {
        return exported(&state, kpi, asked, format).await;
    }
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
        let only = known.only(asked.vehicle.as_deref());
        let facts = only.as_ref().unwrap_or(known.facts());
        let mut counted = Page::new(after, limit);
        let mut divided = Page::new(after_denominator, limit);
        kpi.page(facts, &selection, &mut counted, &mut divided);
        let mut body = String::from("{");
        for (name, next_name, side) in [
            ("numerator", "next", counted),
            ("denominator", "next_denominator", divided),
        ] {
            let count = side.events();
            let (page, next) = side.finish();
            let events = events_at(&state.log, sight, &page)?;
            let next = next.map_or("null".to_owned(), |position| position.to_string());
            body.push_str(&format!(
                "\"{name}\":[{events}],\"{name}_events\":{count},\"{next_name}\":{next},"
            ));
        }
        body.push_str(&format!("\"position\":{}}}", known.position().get()));
        Ok(body)
    })
    .await?;
    Ok(json_response(body))
}

/// All events of a number as a table: to which sum each adds, how much, and what it is; without what it says.
async fn exported(
    state: &AppState,
    kpi: &'static Kpi,
    asked: Asked,
    format: Format,
) -> Result<Response<Body>, Problem> {
    let as_of = asked.as_of;
    let reply = ask(state, as_of, move |state, known| {
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
        let mut parts: Vec<(u64, &'static str, i64)> = Vec::new();
        let mut is_too_long = false;
        kpi.each(facts, &selection, &mut |part| {
            let side = match part.side {
                Side::Numerator => "numerator",
                Side::Denominator => "denominator",
            };
            is_too_long |= parts.len() >= ROWS_MAX;
            if part.position > 0 && !is_too_long {
                parts.push((part.position, side, part.amount));
            }
        });
        if is_too_long {
            let detail =
                format!("more than {ROWS_MAX} events; ask for a shorter time or one vehicle");
            return Err(Problem::new(Kind::BadRequest, detail));
        }
        parts.sort_unstable();
        let of_log = state.clone();
        let rows = parts.into_iter().map(move |part| row_of(&of_log.log, part));
        let columns = [
            "position",
            "side",
            "amount",
            "event_type",
            "aggregate_type",
            "aggregate_id",
            "occurred_at",
            "recorded_at",
        ];
        let table = Table::new(kpi.key, columns, rows);
        asked
            .noted(table, state, known, (from, to))
            .note("unit", kpi.unit)
            .note("definition", kpi.definition)
            .note("text", kpi.text)
            .note(
                "formula",
                "sum of the numerators over the sum of the denominators, in the unit",
            )
            .reply(format)
    })
    .await?;
    Ok(reply.into_response())
}

fn row_of(log: &Log, (position, side, amount): (u64, &str, i64)) -> Result<Vec<Cell>, Problem> {
    let at = Position::new(position);
    let request = ReadRequest::at(at);
    let number = Cell::Whole(i64::try_from(position).unwrap_or(i64::MAX));
    let mut row = vec![number, Cell::Text(side.to_owned()), Cell::Whole(amount)];
    let mut reader = log.read(&request)?;
    match reader.next() {
        Some(Ok(event)) => {
            let stream = event.stream();
            row.extend([
                Cell::Text(event.event_type().to_owned()),
                Cell::Text(stream.aggregate_type.to_string()),
                Cell::Text(stream.aggregate_id.to_string()),
                Cell::Time(event.occurred_at()),
                Cell::Time(event.recorded_at()),
            ]);
        }
        Some(Err(error @ ReadError::Archived { .. })) => return Err(error.into()),
        // What cannot be read any more keeps its place, so that the sums still add up.
        _ => row.resize(8, Cell::Empty),
    }
    Ok(row)
}

/// The events at these positions as JSON, each with what it adds as `amount`.
fn events_at(log: &Log, sight: Sight, page: &[(u64, i64)]) -> Result<String, Problem> {
    let mut out = Vec::new();
    for (position, amount) in page {
        let position = Position::new(*position);
        let request = ReadRequest::at(position);
        let mut reader = log.read(&request)?;
        let event = match reader.next() {
            Some(Ok(event)) => event,
            Some(Err(error @ ReadError::Archived { .. })) => return Err(error.into()),
            _ => continue,
        };
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(format!("{{\"amount\":{amount}").as_bytes());
        let begin = out.len();
        sight.write(&event, &mut out);
        // The amount stands in front of the event's own members.
        out[begin] = b',';
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
