//! Stock locations: where parts lie.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use fleet::stock_location::{AGGREGATE_TYPE, DESCRIBED};
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

/// The routes of stock locations.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_stock_location, list_stock_locations))
        .routes(routes!(
            get_stock_location,
            update_stock_location,
            delete_stock_location
        ))
}

const LOCATION: Resource = Resource {
    described: &DESCRIBED,
    creation: |body| DESCRIBED.parse_creation(body),
    references: &[Reference::WORKSHOP],
    guard: unguarded,
    decide: |state, _, command| DESCRIBED.decide(state, command),
    missing: "Stock location not found",
};

/// Create a stock location.
#[utoipa::path(
    post,
    path = "/api/v1/stock/locations",
    tag = "inventory",
    operation_id = "create_stock_location",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::StockLocationCreate,
    responses((status = 201, description = "Created", body = docs::StockLocation), (status = 400, description = "There is one already")),
)]
pub(crate) async fn create_stock_location(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    create(&state, caller, request, &LOCATION).await
}

/// List stock locations by their codes.
#[utoipa::path(
    get,
    path = "/api/v1/stock/locations",
    tag = "inventory",
    operation_id = "list_stock_locations",
    params(
        ("location_type" = Option<String>, Query, description = "Only of this type"),
        ("is_active" = Option<bool>, Query, description = "Those in use (default) or out of use"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of stock locations", body = docs::StockLocationList)),
)]
pub(crate) async fn list_stock_locations(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let location_type = query.text("location_type");
    let is_active = query.flag("is_active").unwrap_or(true);
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &[]);
    list.narrow("location_type", location_type);
    list.narrow("is_active", Some(is_active.to_string()));
    query.finish()?;
    list.answer(&state, "locations").await
}

/// One stock location.
#[utoipa::path(
    get,
    path = "/api/v1/stock/locations/{location_id}",
    tag = "inventory",
    operation_id = "get_stock_location",
    params(
        ("location_id" = String, Path, description = "Its UUID or its location code"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The stock location", body = docs::StockLocation), (status = 404, description = "No such stock location")),
)]
pub(crate) async fn get_stock_location(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, LOCATION.missing).await
}

/// Change a stock location: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/stock/locations/{location_id}",
    tag = "inventory",
    operation_id = "update_stock_location",
    params(
        ("location_id" = String, Path, description = "Its UUID or its location code"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::StockLocationUpdate,
    responses((status = 200, description = "The stock location now", body = docs::StockLocation), (status = 404, description = "No such stock location")),
)]
pub(crate) async fn update_stock_location(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    change(&state, caller, request, &LOCATION, id).await
}

/// Take a stock location out of use. It stays readable, and what refers to it goes on referring to it.
#[utoipa::path(
    delete,
    path = "/api/v1/stock/locations/{location_id}",
    tag = "inventory",
    operation_id = "delete_stock_location",
    params(
        ("location_id" = String, Path, description = "Its UUID or its location code"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Out of use"), (status = 404, description = "No such stock location")),
)]
pub(crate) async fn delete_stock_location(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    retire(&state, caller, request, &LOCATION, id).await
}
