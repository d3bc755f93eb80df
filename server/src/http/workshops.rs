//! Workshops: where vehicles are maintained, and how many of their tracks are free.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::schema::body;
use fleet::workshop::{self, AGGREGATE_TYPE, WorkshopCommand};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::listing::{List, one, written};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::Write;

const MISSING: &str = "Workshop not found";

/// The routes of workshops.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_workshop, list_workshops))
        .routes(routes!(get_workshop, update_workshop))
}

/// Create a workshop. All its tracks are free.
#[utoipa::path(
    post,
    path = "/api/v1/workshops",
    tag = "workshops",
    operation_id = "create_workshop",
    request_body = serde_json::Value,
    responses((status = 201, description = "Created"), (status = 400, description = "There is one with this code")),
)]
pub(crate) async fn create_workshop(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let command = WorkshopCommand::Create(body::parse(workshop::CREATE, &body)?);
    let done = write
        .run(move |tx| {
            let id = tx.new_id();
            let drafts = workshop::decide(&tx.load(AGGREGATE_TYPE, &id)?, &command)?;
            tx.append(AGGREGATE_TYPE, &id, drafts)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// List workshops by their codes.
#[utoipa::path(
    get,
    path = "/api/v1/workshops",
    tag = "workshops",
    operation_id = "list_workshops",
    params(
        ("active_only" = Option<bool>, Query, description = "Only those in use; the default"),
        ("search" = Option<String>, Query, description = "Only with this text in code, name or location"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`X-Next-Cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "An array of workshops")),
)]
pub(crate) async fn list_workshops(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let with_all = query.one_of("active_only", &["true", "false"]) == Some(1);
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &["search"]);
    list.narrow("is_active", (!with_all).then_some("true"));
    query.finish()?;
    list.answer_bare(&state).await
}

/// One workshop.
#[utoipa::path(
    get,
    path = "/api/v1/workshops/{workshop_id}",
    tag = "workshops",
    operation_id = "get_workshop",
    params(
        ("workshop_id" = String, Path, description = "Its UUID or its code"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The workshop"), (status = 404, description = "No such workshop")),
)]
pub(crate) async fn get_workshop(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, MISSING).await
}

/// Change a workshop: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/workshops/{workshop_id}",
    tag = "workshops",
    operation_id = "update_workshop",
    params(("workshop_id" = String, Path, description = "Its UUID or its code")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The workshop now"), (status = 400, description = "More free tracks than tracks"), (status = 404, description = "No such workshop")),
)]
pub(crate) async fn update_workshop(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let command = WorkshopCommand::Change(body::parse(workshop::CHANGE, &body)?);
    let done = write
        .run(move |tx| {
            let workshop = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let drafts = workshop::decide(&workshop.folded, &command)?;
            tx.append(AGGREGATE_TYPE, &workshop.aggregate_id, drafts)
        })
        .await?;
    written(StatusCode::OK, &done)
}
