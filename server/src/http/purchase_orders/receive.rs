//! A delivery: the order's lines, the stock moves and the parts' levels change together, or not at all.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use fleet::purchase_order::{
    AGGREGATE_TYPE, Delivery, PurchaseOrderCommand, decide, delivery, moves_of, status,
};
use fleet::stock_move::{self, Levels, Standing};
use fleet::{EventDraft, Folded, part};
use serde_json::json;

use super::{MISSING, asked, docs};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Write};
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::stock_moves::location;

/// Take in a delivery.
///
/// Each line becomes an INCOMING stock move to the location, and the part's level rises with it. An order of which
/// something is still to come stays ORDERED. A line never gets more than was ordered.
#[utoipa::path(
    post,
    path = "/api/v1/purchase_orders/{order_id}/receive",
    tag = "procurement",
    operation_id = "receive_purchase_order",
    params(
        ("order_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::DeliveryBody,
    responses(
        (status = 200, description = "Taken in", body = docs::Received),
        (status = 400, description = "The order was not sent, or has all it waited for"),
        (status = 404, description = "No such order, line or location"),
        (status = 409, description = "More than was ordered"),
    ),
)]
pub(crate) async fn receive_purchase_order(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let delivery = delivery(&body)?;
    let by = write.caller().id_text().to_owned();
    let moves = delivery.lines.len();
    let done = write
        .run(move |tx| receive(tx, &id, &delivery, &by))
        .await?;
    let order = done.entry()?;
    let status = status(&order.folded);
    let message = match status {
        "RECEIVED" => "All lines of the purchase order are received",
        _ => "Received; more is still to come",
    };
    let body = json!({
        "purchase_order_id": order.aggregate_id,
        "status": status,
        "stock_moves_created": moves,
        "message": message,
        "position": done.position.get(),
    });
    Ok(json_response(body.to_string()))
}

fn receive(tx: &mut Decision<'_>, id: &str, delivery: &Delivery, by: &str) -> Result<(), Problem> {
    let held = tx.load_existing(AGGREGATE_TYPE, id, MISSING)?;
    let mut delivery = delivery.clone();
    delivery.delivery_location_id = location(
        tx,
        &delivery.delivery_location_id,
        "delivery_location_id",
        true,
    )?;
    let command = PurchaseOrderCommand::Receive(delivery.clone());
    let drafts = decide(&held.folded, &held.aggregate_id, &command, asked(tx, by))?;
    tx.append(AGGREGATE_TYPE, &held.aggregate_id, drafts)?;
    book(tx, &held.folded, &held.aggregate_id, &delivery, by)
}

/// Moves what came. Two lines may be for one part: the second finds the levels that the first has left.
fn book(
    tx: &mut Decision<'_>,
    order: &Folded,
    order_id: &str,
    delivery: &Delivery,
    by: &str,
) -> Result<(), Problem> {
    let mut of_parts: BTreeMap<String, (Levels, Vec<EventDraft>)> = BTreeMap::new();
    for mut wanted in moves_of(order, order_id, delivery) {
        let missing = "Part of the purchase order not found";
        let part = tx.load_existing(part::AGGREGATE_TYPE, &wanted.part_no, missing)?;
        wanted.part_no = part.key().to_owned();
        let levels = match of_parts.get(&*part.aggregate_id) {
            Some((levels, _)) => levels.clone(),
            None => Levels::of(&part.folded),
        };
        let move_id = tx.new_id();
        let standing = Standing::Requested;
        let moved = stock_move::decide(levels, &move_id, &wanted, standing, asked(tx, by))?;
        tx.append(stock_move::AGGREGATE_TYPE, &move_id, moved.of_move)?;
        let (levels, drafts) = of_parts
            .entry(part.aggregate_id.to_string())
            .or_insert_with(|| (moved.levels.clone(), Vec::new()));
        *levels = moved.levels;
        drafts.extend(moved.of_part);
    }
    for (part_id, (_, drafts)) in of_parts {
        tx.append(part::AGGREGATE_TYPE, &part_id, drafts)?;
    }
    Ok(())
}
