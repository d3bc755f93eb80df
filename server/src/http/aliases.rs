//! Every older spelling of a path, in one place. Each is a thin step to the one implementation, marked deprecated in the
//! description.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use storage::StreamName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{PathParts, ReadAt};
use super::health;
use super::problem::Problem;
use super::query::Query;
use super::time_travel::{Moment, Snapshot, snapshot_at};
use super::visible::Sight;
use crate::app::AppState;
use crate::auth::Caller;

/// The routes of older spellings.
#[expect(deprecated, reason = "this is where they are registered")]
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(api_health))
        .routes(routes!(api_ready))
        .routes(routes!(api_metrics))
        .routes(routes!(state_at_timestamp))
        .routes(routes!(state_at_version))
}

/// `GET /health`.
#[utoipa::path(get, path = "/api/v1/health", tag = "operations", operation_id = "api_health",
    responses((status = 200, description = "As `/health`", body = Object)))]
#[deprecated]
pub(crate) async fn api_health(state: State<AppState>) -> Response<Body> {
    health::health(state).await
}

/// `GET /ready`.
#[utoipa::path(get, path = "/api/v1/ready", tag = "operations", operation_id = "api_ready",
    responses((status = 200, description = "As `/ready`", body = Object)))]
#[deprecated]
pub(crate) async fn api_ready(state: State<AppState>) -> Response<Body> {
    health::ready(state).await
}

/// `GET /metrics`.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "operations", operation_id = "api_metrics",
    responses((status = 200, description = "As `/metrics`", body = String)))]
#[deprecated]
pub(crate) async fn api_metrics(state: State<AppState>) -> Result<Response<Body>, Problem> {
    health::figures(state).await
}

/// `GET /time-travel/state-at?timestamp=`.
#[utoipa::path(get, path = "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/at-timestamp", tag = "time-travel",
    operation_id = "state_at_timestamp",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("timestamp" = String, Query, description = "What was true then"),
    ),
    responses((status = 200, description = "The state", body = Snapshot)))]
#[deprecated]
pub(crate) async fn state_at_timestamp(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let at = query.time("timestamp");
    if query.all("timestamp").is_empty() {
        query.fault("timestamp", "missing", "is required");
    }
    let read_at = ReadAt::read(&mut query, &state);
    query.finish()?;
    read_at.reach_log(&state).await?;
    let moment = Moment {
        at,
        ..Moment::default()
    };
    snapshot_at(
        &state,
        Sight::of(&caller),
        StreamName::new(aggregate_type, aggregate_id),
        moment,
    )
    .await
}

/// `GET /time-travel/state-at?version=`.
#[utoipa::path(get, path = "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/at-version", tag = "time-travel",
    operation_id = "state_at_version",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("version" = u32, Query, description = "After so many events; beyond the last one: the last one"),
    ),
    responses((status = 200, description = "The state", body = Snapshot)))]
#[deprecated]
pub(crate) async fn state_at_version(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let version = query.version("version");
    if query.all("version").is_empty() {
        query.fault("version", "missing", "is required");
    }
    let read_at = ReadAt::read(&mut query, &state);
    query.finish()?;
    read_at.reach_log(&state).await?;
    let moment = Moment {
        version,
        ..Moment::default()
    };
    snapshot_at(
        &state,
        Sight::of(&caller),
        StreamName::new(aggregate_type, aggregate_id),
        moment,
    )
    .await
}
