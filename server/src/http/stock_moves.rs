//! Stock moves: parts that come, go, and are carried from place to place; and what lies where.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::part;
use fleet::stock_move::{AGGREGATE_TYPE, Levels, Standing, StockMove, decide, movement};
use fleet::{Refusal, described, stock_location};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::listing::{List, one, written};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write, referred_to_as};
use crate::projection::Catalog;

mod docs;
mod overview;

const MISSING: &str = "Part not found";
const PART: Reference = Reference::id("part_no", part::AGGREGATE_TYPE, MISSING);
const WORK_ORDER: Reference = Reference::uuid("work_order_id", "WorkOrder", "Work order not found");

/// The routes of stock moves.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_stock_move, list_stock_moves))
        .routes(routes!(get_stock_move))
        .routes(routes!(overview::stock_overview))
}

/// Move stock.
///
/// The part's level changes with it, on the whole and at the locations. INCOMING needs `to_location_id`, USAGE and
/// WRITEOFF `from_location_id`, TRANSFER both, ADJUSTMENT one of them: `to` where a count found more, `from` where it
/// found less. What lies at no location yet (a part's opening stock) is taken by naming none. Nothing is taken that is
/// not there.
#[utoipa::path(
    post,
    path = "/api/v1/stock/moves",
    tag = "inventory",
    operation_id = "create_stock_move",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::StockMoveCreate,
    responses(
        (status = 201, description = "Moved", body = docs::StockMove),
        (status = 400, description = "The locations do not fit the kind of move"),
        (status = 404, description = "No such part, location or work order"),
        (status = 409, description = "There is less than would be taken"),
    ),
)]
pub(crate) async fn create_stock_move(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let wanted = movement(&body)?;
    let by = write.caller().id_text().to_owned();
    let done = write
        .run(move |tx| {
            let id = tx.new_id();
            tx.load(AGGREGATE_TYPE, &id)?;
            let wanted = resolved(tx, &wanted)?;
            let part = tx.load_existing(part::AGGREGATE_TYPE, &wanted.part_no, MISSING)?;
            let levels = Levels::of(&part.folded);
            let asked = Asked {
                now: tx.now().micros(),
                by: &by,
            };
            let moved = decide(levels, &id, &wanted, Standing::Requested, asked)?;
            tx.append(AGGREGATE_TYPE, &id, moved.of_move)?;
            tx.append(part::AGGREGATE_TYPE, &part.aggregate_id, moved.of_part)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// The move with its part by its number, its locations and its work order by their ids.
fn resolved(tx: &mut Decision<'_>, wanted: &StockMove) -> Result<StockMove, Problem> {
    let mut wanted = wanted.clone();
    wanted.part_no = PART.find(tx, &wanted.part_no)?;
    if let Some(from) = &mut wanted.from_location_id {
        *from = location(tx, from, "from_location_id", false)?;
    }
    if let Some(to) = &mut wanted.to_location_id {
        *to = location(tx, to, "to_location_id", true)?;
    }
    if let Some(Value::String(order)) = wanted.details.get_mut("work_order_id") {
        *order = WORK_ORDER.find(tx, order)?;
    }
    Ok(wanted)
}

/// The id of a location. One out of use can be emptied, but nothing more is put there.
pub(super) fn location(
    tx: &mut Decision<'_>,
    named: &str,
    field: &'static str,
    is_target: bool,
) -> Result<String, Problem> {
    let Some(entry) = tx.find(stock_location::AGGREGATE_TYPE, named) else {
        return Err(Problem::not_found("Stock location not found"));
    };
    if is_target && !described::is_active(&entry.folded) {
        let message = format!("Stock location '{named}' is out of use");
        return Err(Refusal::rule(field, "location_inactive", message).into());
    }
    Ok(entry.uuid().to_string())
}

/// List stock moves, the latest first.
#[utoipa::path(
    get,
    path = "/api/v1/stock/moves",
    tag = "inventory",
    operation_id = "list_stock_moves",
    params(
        ("part_no" = Option<String>, Query, description = "Only of this part"),
        ("move_type" = Option<String>, Query, description = "Only of this kind"),
        ("work_order_id" = Option<String>, Query, description = "Only for this work order, by UUID or order number"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of moves", body = docs::StockMoveList)),
)]
pub(crate) async fn list_stock_moves(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let part_no = query.text("part_no");
    let names = part_no.map(|named| part_names(state.projections.catalog(), named));
    let move_type = query.text("move_type");
    let order = query.text("work_order_id");
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &[]);
    if let Some(names) = names {
        list.ask.narrow_to_any("part_no", names);
    }
    list.narrow("move_type", move_type);
    let order = order.map(|order| referred_to_as(&state, "WorkOrder", &order));
    list.narrow("work_order_id", order);
    query.finish()?;
    list.answer(&state, "moves").await
}

/// The numbers under which moves of the part that is called `named` may stand: a move keeps the one that the part had then.
pub(super) fn part_names(catalog: &Catalog, named: String) -> Vec<String> {
    match catalog.find(part::AGGREGATE_TYPE, &named).value {
        Some(part) => catalog.names_of(&part),
        None => vec![named],
    }
}

/// One stock move.
#[utoipa::path(
    get,
    path = "/api/v1/stock/moves/{move_id}",
    tag = "inventory",
    operation_id = "get_stock_move",
    params(
        ("move_id" = String, Path, description = "Its UUID"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The move", body = docs::StockMove), (status = 404, description = "No such move")),
)]
pub(crate) async fn get_stock_move(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, "Stock move not found").await
}
