//! Whether the server lives, whether it is ready, and its figures.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use storage::{Health, LogState};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::json_response;
use super::problem::Problem;
use crate::app::AppState;
use crate::metrics;
use crate::privacy::lost;
use crate::projection::ProjectionState;

/// The routes of operation.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(figures))
}

/// Whether the server lives, and how its log fares.
///
/// 200 as long as it can answer at all; `status` says `ok`, or `degraded` when the log is damaged, takes no writes or is no
/// longer maintained, or when keys of people are lost.
#[utoipa::path(
    get,
    path = "/health",
    tag = "operations",
    operation_id = "health",
    responses((status = 200, description = "It lives", body = Object)),
)]
pub(crate) async fn health(State(state): State<AppState>) -> Response<Body> {
    let health = state.log.health();
    let store = state.privacy.store();
    let lost = store.lost_count();
    let degraded = health.state != LogState::Writable
        || !health.damage.is_empty()
        || !health.maintained
        || lost > 0;
    let body = json!({
        "status": if degraded { "degraded" } else { "ok" },
        "version": env!("CARGO_PKG_VERSION"),
        "log": log_json(&health, state.log.durable_position().get()),
        "keys": keys_json(lost, store.needs_search()),
    });
    json_response(body.to_string())
}

/// Whether the server is ready for everything.
///
/// 200 once the log is recovered and takes writes and the read models run; 503 otherwise, with the reason for each. Read
/// models that still catch up do not count against it: they say how far they are, and `min_position` waits for them.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "operations",
    operation_id = "ready",
    responses(
        (status = 200, description = "It is ready", body = Object),
        (status = 503, description = "It is not; `checks` says why", body = Object),
    ),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> Response<Body> {
    let health = state.log.health();
    let writable = health.state == LogState::Writable;
    let failed: Vec<&str> = state
        .projections
        .status()
        .iter()
        .filter(|status| matches!(status.state, ProjectionState::Failed { .. }))
        .map(|status| status.name)
        .collect();
    let stopping = *state.stopping.borrow();
    let ready = writable && failed.is_empty() && !stopping;
    let body = json!({
        "status": if ready { "ready" } else { "not_ready" },
        "checks": {
            "log": log_json(&health, state.log.durable_position().get()),
            "projections": { "failed": failed },
            "stopping": stopping,
        },
    });
    let mut response = json_response(body.to_string());
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Figures for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    operation_id = "metrics",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text")),
)]
pub(crate) async fn figures(State(state): State<AppState>) -> Result<Response<Body>, Problem> {
    // Adding up the bytes on disk lists a folder.
    let text = tokio::task::spawn_blocking(move || state.metrics.render()).await;
    let text = text
        .map_err(|error| Problem::internal(&error))?
        .map_err(|error| Problem::internal(&error))?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(metrics::MEDIA_TYPE),
    );
    Ok(response)
}

/// How many people's keys are lost is for everybody to see; whose, for those who may ask `/compliance/keys`.
fn keys_json(lost: usize, may_be_more: bool) -> Value {
    let mut keys = json!({ "state": if lost > 0 { "lost" } else { "whole" } });
    if lost > 0 {
        let detail = format!(
            "the fields of {lost} people cannot be read; GET /api/v1/compliance/keys names them: {}",
            lost::WHAT_TO_DO
        );
        keys["people"] = json!(lost);
        keys["detail"] = json!(detail);
    } else if may_be_more {
        keys["state"] = json!("searched");
    }
    keys
}

/// Where damage lies is for everybody to see; why the disk failed is for the server's log.
fn log_json(health: &Health, position: u64) -> Value {
    let state = match &health.state {
        LogState::Writable => "writable",
        LogState::DiskFull => "disk_full",
        LogState::Stopped { .. } => "stopped",
    };
    let damage: Vec<Value> = health
        .damage
        .iter()
        .map(|range| {
            let positions = range
                .positions
                .map(|(first, last)| [first.get(), last.get()]);
            json!({ "segment": range.segment.get(), "positions": positions })
        })
        .collect();
    json!({ "state": state, "position": position, "damage": damage, "maintained": health.maintained })
}
