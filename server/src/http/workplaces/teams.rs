//! Teams: who works on orders, on how many at once, and when.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use fleet::team::WORKPLACE;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{available, changed, created, deleted, docs, listed, no_longer_available, shown};
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::extract::PathParts;
use crate::http::problem::Problem;

/// The routes of teams.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_team, list_teams))
        .routes(routes!(get_team, update_team, delete_team))
        .routes(routes!(set_team_availability))
        .routes(routes!(remove_team_availability))
}

/// Create a team.
#[utoipa::path(
    post,
    path = "/api/v1/teams",
    tag = "workshops",
    operation_id = "create_team",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::TeamCreate,
    responses((status = 201, description = "Created", body = docs::Team), (status = 400, description = "There is one with this team_id"), (status = 404, description = "No such workshop")),
)]
pub(crate) async fn create_team(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    created(&WORKPLACE, &state, caller, request).await
}

/// List teams by their ids.
#[utoipa::path(
    get,
    path = "/api/v1/teams",
    tag = "workshops",
    operation_id = "list_teams",
    params(
        ("workshop_id" = Option<String>, Query, description = "Only of this workshop, by UUID or code"),
        ("is_active" = Option<bool>, Query, description = "Those in use (default) or out of use"),
        ("search" = Option<String>, Query, description = "Only with this text in id or name"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of teams", body = docs::TeamList)),
)]
pub(crate) async fn list_teams(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    listed(&WORKPLACE, &state, query.as_deref(), "teams").await
}

/// One team.
#[utoipa::path(
    get,
    path = "/api/v1/teams/{team_id}",
    tag = "workshops",
    operation_id = "get_team",
    params(
        ("team_id" = String, Path, description = "Its UUID or its `team_id`"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The team", body = docs::Team), (status = 404, description = "No such team")),
)]
pub(crate) async fn get_team(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    shown(&WORKPLACE, &state, query.as_deref(), &id).await
}

/// Change a team: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/teams/{team_id}",
    tag = "workshops",
    operation_id = "update_team",
    params(
        ("team_id" = String, Path, description = "Its UUID or its `team_id`"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::TeamUpdate,
    responses((status = 200, description = "The team now", body = docs::Team), (status = 404, description = "No such team or workshop")),
)]
pub(crate) async fn update_team(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    changed(&WORKPLACE, &state, caller, id, request).await
}

/// Delete a team. Orders that name it go on naming it.
#[utoipa::path(
    delete,
    path = "/api/v1/teams/{team_id}",
    tag = "workshops",
    operation_id = "delete_team",
    params(
        ("team_id" = String, Path, description = "Its UUID or its `team_id`"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such team")),
)]
pub(crate) async fn delete_team(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    deleted(&WORKPLACE, &state, caller, id, request).await
}

/// Say that a team is there for a span of time, or is not. No order is planned onto one that is not.
#[utoipa::path(
    post,
    path = "/api/v1/teams/{team_id}/availability",
    tag = "workshops",
    operation_id = "set_team_availability",
    params(
        ("team_id" = String, Path, description = "Its UUID or its `team_id`"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::TeamAvailability,
    responses((status = 201, description = "The team now", body = docs::Team), (status = 400, description = "It would end before it starts"), (status = 404, description = "No such team")),
)]
pub(crate) async fn set_team_availability(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    available(&WORKPLACE, &state, caller, id, request).await
}

/// Take such a span back.
#[utoipa::path(
    delete,
    path = "/api/v1/teams/{team_id}/availability/{availability_id}",
    tag = "workshops",
    operation_id = "remove_team_availability",
    params(
        ("team_id" = String, Path, description = "Its UUID or its `team_id`"),
        ("availability_id" = String, Path, description = "The span's `availability_id`"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 200, description = "The team now", body = docs::Team), (status = 404, description = "No such team or span")),
)]
pub(crate) async fn remove_team_availability(
    State(state): State<AppState>,
    caller: Caller,
    PathParts(parts): PathParts<2>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    no_longer_available(&WORKPLACE, &state, caller, parts, request).await
}
