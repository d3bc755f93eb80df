//! Purchase orders: drafted, approved, sent, received.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::purchase_order::{
    AGGREGATE_TYPE, PurchaseOrderCommand, change, covered, creation, decide, notes, order,
};
use fleet::{part, stock_location, supplier};
use serde_json::{Map, Value};
use storage::StreamName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::listing::{List, one, written};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write, referred_to_as, resolve, wrote};

mod docs;
mod receive;

const MISSING: &str = "Purchase order not found";
const PART: Reference = Reference::id("part_no", part::AGGREGATE_TYPE, "Part not found");
const REFERENCES: &[Reference] = &[
    Reference::uuid(
        "supplier_id",
        supplier::AGGREGATE_TYPE,
        "Supplier not found",
    ),
    Reference::uuid("work_order_id", "WorkOrder", "Work order not found"),
    Reference::uuid(
        "delivery_location_id",
        stock_location::AGGREGATE_TYPE,
        "Stock location not found",
    ),
];

/// The routes of purchase orders.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_purchase_order, list_purchase_orders))
        .routes(routes!(get_purchase_order, update_purchase_order))
        .routes(routes!(approve_purchase_order))
        .routes(routes!(order_purchase_order))
        .routes(routes!(receive::receive_purchase_order))
        .routes(routes!(close_purchase_order))
}

/// Draft a purchase order.
#[utoipa::path(
    post,
    path = "/api/v1/purchase_orders",
    tag = "procurement",
    operation_id = "create_purchase_order",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::PurchaseOrderCreate,
    responses(
        (status = 201, description = "Drafted", body = docs::PurchaseOrder),
        (status = 400, description = "There is one with this po_number"),
        (status = 404, description = "No such supplier, location, work order or part"),
    ),
)]
pub(crate) async fn create_purchase_order(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = creation(&body)?;
    let by = write.caller().id_text().to_owned();
    let done = write
        .run(move |tx| {
            let id = tx.new_id();
            let held = tx.load(AGGREGATE_TYPE, &id)?;
            let command = PurchaseOrderCommand::Create(resolved(tx, &fields)?);
            let drafts = decide(&held, &id, &command, asked(tx, &by))?;
            tx.append(AGGREGATE_TYPE, &id, drafts)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// The fields with what they refer to by its ids, also in the lines.
fn resolved(
    tx: &mut Decision<'_>,
    fields: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let mut fields = fields.clone();
    resolve(tx, &mut fields, REFERENCES)?;
    if let Some(Value::Array(lines)) = fields.get_mut("lines") {
        for line in lines.iter_mut().filter_map(Value::as_object_mut) {
            resolve(tx, line, &[PART])?;
        }
    }
    Ok(fields)
}

fn asked<'a>(tx: &Decision<'_>, by: &'a str) -> Asked<'a> {
    Asked {
        now: tx.now().micros(),
        by,
    }
}

/// List purchase orders, the one created last first.
#[utoipa::path(
    get,
    path = "/api/v1/purchase_orders",
    tag = "procurement",
    operation_id = "list_purchase_orders",
    params(
        ("status" = Option<String>, Query, description = "Only of this status"),
        ("supplier_id" = Option<String>, Query, description = "Only with this supplier, by UUID or code"),
        ("work_order_id" = Option<String>, Query, description = "Only for this work order, by UUID or order number"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of orders", body = docs::PurchaseOrderList)),
)]
pub(crate) async fn list_purchase_orders(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let status = query.text("status");
    let supplier = query.text("supplier_id");
    let order = query.text("work_order_id");
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &[]);
    list.narrow("status", status);
    let supplier = supplier.map(|named| referred_to_as(&state, supplier::AGGREGATE_TYPE, &named));
    list.narrow("supplier_id", supplier);
    let order = order.map(|named| referred_to_as(&state, "WorkOrder", &named));
    list.narrow("work_order_id", order);
    query.finish()?;
    list.answer(&state, "purchase_orders").await
}

/// One purchase order.
#[utoipa::path(
    get,
    path = "/api/v1/purchase_orders/{order_id}",
    tag = "procurement",
    operation_id = "get_purchase_order",
    params(
        ("order_id" = String, Path, description = "Its UUID or its number"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The order", body = docs::PurchaseOrder), (status = 404, description = "No such order")),
)]
pub(crate) async fn get_purchase_order(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, MISSING).await
}

/// Change a draft: only the fields that are sent. Lines that are sent take the place of all there were.
#[utoipa::path(
    patch,
    path = "/api/v1/purchase_orders/{order_id}",
    tag = "procurement",
    operation_id = "update_purchase_order",
    params(
        ("order_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::PurchaseOrderUpdate,
    responses(
        (status = 200, description = "The order now", body = docs::PurchaseOrder),
        (status = 400, description = "It is no draft any more"),
        (status = 404, description = "No such order, or something that it refers to"),
    ),
)]
pub(crate) async fn update_purchase_order(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = change(&body)?;
    run(write, id, move |tx, _| {
        Ok(PurchaseOrderCommand::Change(resolved(tx, &fields)?))
    })
    .await
}

/// Approve a draft. Needs the role WORKSHOP_MANAGER.
///
/// Who drafted it, or changed its supplier, lines or amounts since, may not.
#[utoipa::path(
    post,
    path = "/api/v1/purchase_orders/{order_id}/approve",
    tag = "procurement",
    operation_id = "approve_purchase_order",
    params(
        ("order_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::Notes,
    responses(
        (status = 200, description = "The order now", body = docs::PurchaseOrder),
        (status = 400, description = "It is no draft"),
        (status = 403, description = "The role does not reach, or the caller wrote some of it"),
        (status = 404, description = "No such order"),
    ),
)]
pub(crate) async fn approve_purchase_order(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_optional_body(&state, caller, request).await?;
    let (caller, notes) = (write.caller().clone(), notes(&body)?);
    run(write, id, move |_, stream| {
        Ok(PurchaseOrderCommand::Approve {
            role: caller.role(),
            wrote_it: wrote(&state, &caller, stream, covered)?,
            notes: notes.clone(),
        })
    })
    .await
}

/// Send an approved order to its supplier.
#[utoipa::path(
    post,
    path = "/api/v1/purchase_orders/{order_id}/order",
    tag = "procurement",
    operation_id = "order_purchase_order",
    params(
        ("order_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::Sending,
    responses(
        (status = 200, description = "The order now", body = docs::PurchaseOrder),
        (status = 400, description = "It is not approved"),
        (status = 404, description = "No such order"),
    ),
)]
pub(crate) async fn order_purchase_order(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_optional_body(&state, caller, request).await?;
    let command = order(&body)?;
    run(write, id, move |_, _| Ok(command.clone())).await
}

/// Close an order: nothing more is waited for.
#[utoipa::path(
    post,
    path = "/api/v1/purchase_orders/{order_id}/close",
    tag = "procurement",
    operation_id = "close_purchase_order",
    params(
        ("order_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::Notes,
    responses(
        (status = 200, description = "The order now", body = docs::PurchaseOrder),
        (status = 400, description = "It was not sent yet"),
        (status = 404, description = "No such order"),
    ),
)]
pub(crate) async fn close_purchase_order(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_optional_body(&state, caller, request).await?;
    let command = PurchaseOrderCommand::Close {
        notes: notes(&body)?,
    };
    run(write, id, move |_, _| Ok(command.clone())).await
}

/// Runs a command on the order `id`, of which its stream is told, and answers with the order.
async fn run<C>(write: Write, id: String, command: C) -> Result<Response<Body>, Problem>
where
    C: Fn(&mut Decision<'_>, &StreamName) -> Result<PurchaseOrderCommand, Problem>
        + Send
        + Sync
        + 'static,
{
    let by = write.caller().id_text().to_owned();
    let done = write
        .run(move |tx| {
            let held = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let stream = StreamName::new(AGGREGATE_TYPE, &*held.aggregate_id);
            let command = command(tx, &stream)?;
            let drafts = decide(&held.folded, &held.aggregate_id, &command, asked(tx, &by))?;
            tx.append(AGGREGATE_TYPE, &held.aggregate_id, drafts)
        })
        .await?;
    written(StatusCode::OK, &done)
}
