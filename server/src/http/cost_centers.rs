//! Cost centers: what costs are planned for and booked on.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use fleet::cost_center::{AGGREGATE_TYPE, DESCRIBED};
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

/// The routes of cost centers.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_cost_center, list_cost_centers))
        .routes(routes!(
            get_cost_center,
            update_cost_center,
            delete_cost_center
        ))
}

const COST_CENTER: Resource = Resource {
    described: &DESCRIBED,
    creation: |body| DESCRIBED.parse_creation(body),
    references: &[Reference::id(
        "parent_code",
        "CostCenter",
        "Cost center not found",
    )],
    guard: unguarded,
    decide: fleet::cost_center::decide,
    missing: "Cost center not found",
};

/// Create a cost center.
#[utoipa::path(
    post,
    path = "/api/v1/cost_centers",
    tag = "finance",
    operation_id = "create_cost_center",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::CostCenterCreate,
    responses((status = 201, description = "Created", body = docs::CostCenter), (status = 400, description = "There is one with this code, or one had it before")),
)]
pub(crate) async fn create_cost_center(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    create(&state, caller, request, &COST_CENTER).await
}

/// List cost centers by their codes.
#[utoipa::path(
    get,
    path = "/api/v1/cost_centers",
    tag = "finance",
    operation_id = "list_cost_centers",
    params(
        ("is_active" = Option<bool>, Query, description = "Those in use (default) or out of use"),
        ("search" = Option<String>, Query, description = "Only with this text in code or name"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of cost centers", body = docs::CostCenterList)),
)]
pub(crate) async fn list_cost_centers(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let is_active = query.flag("is_active").unwrap_or(true);
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &["search"]);
    list.narrow("is_active", Some(is_active.to_string()));
    query.finish()?;
    list.answer(&state, "cost_centers").await
}

/// One cost center.
#[utoipa::path(
    get,
    path = "/api/v1/cost_centers/{cost_center_id}",
    tag = "finance",
    operation_id = "get_cost_center",
    params(
        ("cost_center_id" = String, Path, description = "Its UUID or its code"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The cost center", body = docs::CostCenter), (status = 404, description = "No such cost center")),
)]
pub(crate) async fn get_cost_center(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, COST_CENTER.missing).await
}

/// Change a cost center: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/cost_centers/{cost_center_id}",
    tag = "finance",
    operation_id = "update_cost_center",
    params(
        ("cost_center_id" = String, Path, description = "Its UUID or its code"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::CostCenterUpdate,
    responses((status = 200, description = "The cost center now", body = docs::CostCenter), (status = 404, description = "No such cost center")),
)]
pub(crate) async fn update_cost_center(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    change(&state, caller, request, &COST_CENTER, id).await
}

/// Take a cost center out of use. It stays readable, and what refers to it goes on referring to it.
#[utoipa::path(
    delete,
    path = "/api/v1/cost_centers/{cost_center_id}",
    tag = "finance",
    operation_id = "delete_cost_center",
    params(
        ("cost_center_id" = String, Path, description = "Its UUID or its code"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Out of use"), (status = 404, description = "No such cost center")),
)]
pub(crate) async fn delete_cost_center(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    retire(&state, caller, request, &COST_CENTER, id).await
}
