//! Invoices: taken in, held against their orders, approved, and then booked on budgets.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::invoice::{AGGREGATE_TYPE, InvoiceCommand, change, creation, decide};
use fleet::{part, purchase_order, supplier};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::listing::{List, one, written};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write, referred_to_as, resolve};

pub(super) mod approve;
pub(super) mod docs;
mod matching;

const MISSING: &str = "Invoice not found";
const PURCHASE_ORDER: Reference = Reference::uuid(
    "purchase_order_id",
    purchase_order::AGGREGATE_TYPE,
    "Purchase order not found",
);
const PART: Reference = Reference::id("part_no", part::AGGREGATE_TYPE, "Part not found");
const REFERENCES: &[Reference] = &[
    Reference::uuid(
        "supplier_id",
        supplier::AGGREGATE_TYPE,
        "Supplier not found",
    ),
    PURCHASE_ORDER,
    Reference::uuid("work_order_id", "WorkOrder", "Work order not found"),
];

/// The routes of invoices.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_invoice))
        .routes(routes!(list_invoices))
        .routes(routes!(get_invoice, update_invoice))
        .routes(routes!(matching::match_invoice))
        .routes(routes!(approve::approve_invoice))
        .routes(routes!(approve::export_invoice))
}

/// Take an invoice in, as a draft.
#[utoipa::path(
    post,
    path = "/api/v1/invoices/inbox",
    tag = "finance",
    operation_id = "create_invoice",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::InvoiceCreate,
    responses(
        (status = 201, description = "Taken in", body = docs::Invoice),
        (status = 400, description = "There is one with this invoice_number"),
        (status = 404, description = "No such supplier, order, work order or part"),
    ),
)]
pub(crate) async fn create_invoice(
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
            let command = InvoiceCommand::Create(resolved(tx, &fields)?);
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

/// List invoices, the latest invoice date first.
#[utoipa::path(
    get,
    path = "/api/v1/invoices",
    tag = "finance",
    operation_id = "list_invoices",
    params(
        ("status" = Option<String>, Query, description = "Only of this status"),
        ("supplier_id" = Option<String>, Query, description = "Only of this supplier, by UUID or code"),
        ("purchase_order_id" = Option<String>, Query, description = "Only for this order, by UUID or number"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of invoices", body = docs::InvoiceList)),
)]
pub(crate) async fn list_invoices(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let status = query.text("status");
    let supplier = query.text("supplier_id");
    let order = query.text("purchase_order_id");
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &[]);
    list.narrow("status", status);
    let supplier = supplier.map(|named| referred_to_as(&state, supplier::AGGREGATE_TYPE, &named));
    list.narrow("supplier_id", supplier);
    let order = order.map(|named| referred_to_as(&state, purchase_order::AGGREGATE_TYPE, &named));
    list.narrow("purchase_order_id", order);
    query.finish()?;
    list.answer(&state, "invoices").await
}

/// One invoice.
#[utoipa::path(
    get,
    path = "/api/v1/invoices/{invoice_id}",
    tag = "finance",
    operation_id = "get_invoice",
    params(
        ("invoice_id" = String, Path, description = "Its UUID or its number"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The invoice", body = docs::Invoice), (status = 404, description = "No such invoice")),
)]
pub(crate) async fn get_invoice(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, MISSING).await
}

/// Change an invoice: only the fields that are sent.
///
/// A draft may change in all; later only `due_date`, `attachment_url`, `notes` and, once it is approved, `payment_date`.
#[utoipa::path(
    patch,
    path = "/api/v1/invoices/{invoice_id}",
    tag = "finance",
    operation_id = "update_invoice",
    params(
        ("invoice_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::InvoiceUpdate,
    responses(
        (status = 200, description = "The invoice now", body = docs::Invoice),
        (status = 400, description = "Its status does not allow it"),
        (status = 404, description = "No such invoice, or something that it refers to"),
    ),
)]
pub(crate) async fn update_invoice(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = change(&body)?;
    let by = write.caller().id_text().to_owned();
    let done = write
        .run(move |tx| {
            let held = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let command = InvoiceCommand::Change(resolved(tx, &fields)?);
            let drafts = decide(&held.folded, &held.aggregate_id, &command, asked(tx, &by))?;
            tx.append(AGGREGATE_TYPE, &held.aggregate_id, drafts)
        })
        .await?;
    written(StatusCode::OK, &done)
}
