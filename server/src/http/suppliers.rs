//! Suppliers: who delivers and sends invoices.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use fleet::supplier::{AGGREGATE_TYPE, DESCRIBED};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::described::{Resource, change, create, retire, unguarded};
use super::extract::PathParts;
use super::listing::{List, one};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;

mod docs;

/// The routes of suppliers.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_supplier, list_suppliers))
        .routes(routes!(get_supplier, update_supplier, delete_supplier))
}

const SUPPLIER: Resource = Resource {
    described: &DESCRIBED,
    creation: |body| DESCRIBED.parse_creation(body),
    references: &[],
    guard: unguarded,
    decide: |state, _, command| DESCRIBED.decide(state, command),
    missing: "Supplier not found",
};

/// Create a supplier.
#[utoipa::path(
    post,
    path = "/api/v1/suppliers",
    tag = "procurement",
    operation_id = "create_supplier",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::SupplierCreate,
    responses((status = 201, description = "Created", body = docs::Supplier), (status = 400, description = "There is one already")),
)]
pub(crate) async fn create_supplier(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    create(&state, caller, request, &SUPPLIER).await
}

/// List suppliers by their codes.
#[utoipa::path(
    get,
    path = "/api/v1/suppliers",
    tag = "procurement",
    operation_id = "list_suppliers",
    params(
        ("is_active" = Option<bool>, Query, description = "Those in use (default) or out of use"),
        ("search" = Option<String>, Query, description = "Only with this text in code or name"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of suppliers", body = docs::SupplierList)),
)]
pub(crate) async fn list_suppliers(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let is_active = query.flag("is_active").unwrap_or(true);
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &["search"]);
    list.narrow("is_active", Some(is_active.to_string()));
    query.finish()?;
    list.answer(&state, "suppliers").await
}

/// One supplier.
#[utoipa::path(
    get,
    path = "/api/v1/suppliers/{supplier_id}",
    tag = "procurement",
    operation_id = "get_supplier",
    params(
        ("supplier_id" = String, Path, description = "Its UUID or its supplier code"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The supplier", body = docs::Supplier), (status = 404, description = "No such supplier")),
)]
pub(crate) async fn get_supplier(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, SUPPLIER.missing).await
}

/// Change a supplier: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/suppliers/{supplier_id}",
    tag = "procurement",
    operation_id = "update_supplier",
    params(
        ("supplier_id" = String, Path, description = "Its UUID or its supplier code"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::SupplierUpdate,
    responses((status = 200, description = "The supplier now", body = docs::Supplier), (status = 404, description = "No such supplier")),
)]
pub(crate) async fn update_supplier(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    change(&state, caller, request, &SUPPLIER, id).await
}

/// Take a supplier out of use. It stays readable, and what refers to it goes on referring to it.
#[utoipa::path(
    delete,
    path = "/api/v1/suppliers/{supplier_id}",
    tag = "procurement",
    operation_id = "delete_supplier",
    params(
        ("supplier_id" = String, Path, description = "Its UUID or its supplier code"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Out of use"), (status = 404, description = "No such supplier")),
)]
pub(crate) async fn delete_supplier(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    retire(&state, caller, request, &SUPPLIER, id).await
}
