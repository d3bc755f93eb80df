//! Parts: what the stores keep.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use fleet::part::{AGGREGATE_TYPE, DESCRIBED};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::described::{Resource, change, create, retire, unguarded};
use super::extract::PathParts;
use super::listing::{List, one};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::Reference;

mod docs;

/// The routes of parts.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_part, list_parts))
        .routes(routes!(get_part, update_part, delete_part))
}

const PART: Resource = Resource {
    described: &DESCRIBED,
    creation: |body| DESCRIBED.parse_creation(body),
    references: &[Reference::uuid(
        "preferred_supplier_id",
        "Supplier",
        "Supplier not found",
    )],
    guard: unguarded,
    decide: fleet::part::decide,
    missing: "Part not found",
};

/// Create a part.
#[utoipa::path(
    post,
    path = "/api/v1/parts",
    tag = "inventory",
    operation_id = "create_part",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::PartCreate,
    responses((status = 201, description = "Created", body = docs::Part), (status = 400, description = "There is one with this part_no, or one had it before")),
)]
pub(crate) async fn create_part(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    create(&state, caller, request, &PART).await
}

/// List parts by their numbers.
#[utoipa::path(
    get,
    path = "/api/v1/parts",
    tag = "inventory",
    operation_id = "list_parts",
    params(
        ("railway_class" = Option<String>, Query, description = "Only of this class"),
        ("low_stock" = Option<bool>, Query, description = "Only those at their least level or below"),
        ("is_active" = Option<bool>, Query, description = "Those in use (default) or out of use"),
        ("search" = Option<String>, Query, description = "Only with this text in part number or name"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of parts", body = docs::PartList)),
)]
pub(crate) async fn list_parts(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let railway_class = query.text("railway_class");
    let is_low = query.flag("low_stock").unwrap_or(false);
    let is_active = query.flag("is_active").unwrap_or(true);
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &["search"]);
    list.narrow("railway_class", railway_class);
    list.narrow("low_stock", is_low.then_some("true"));
    list.narrow("is_active", Some(is_active.to_string()));
    query.finish()?;
    list.answer(&state, "parts").await
}

/// One part.
#[utoipa::path(
    get,
    path = "/api/v1/parts/{part_id}",
    tag = "inventory",
    operation_id = "get_part",
    params(
        ("part_id" = String, Path, description = "Its UUID or its part number"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The part", body = docs::Part), (status = 404, description = "No such part")),
)]
pub(crate) async fn get_part(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, PART.missing).await
}

/// Change a part: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/parts/{part_id}",
    tag = "inventory",
    operation_id = "update_part",
    params(
        ("part_id" = String, Path, description = "Its UUID or its part number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::PartUpdate,
    responses((status = 200, description = "The part now", body = docs::Part), (status = 404, description = "No such part")),
)]
pub(crate) async fn update_part(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    change(&state, caller, request, &PART, id).await
}

/// Take a part out of use. It stays readable, and what refers to it goes on referring to it.
#[utoipa::path(
    delete,
    path = "/api/v1/parts/{part_id}",
    tag = "inventory",
    operation_id = "delete_part",
    params(
        ("part_id" = String, Path, description = "Its UUID or its part number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Out of use"), (status = 404, description = "No such part")),
)]
pub(crate) async fn delete_part(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    retire(&state, caller, request, &PART, id).await
}
