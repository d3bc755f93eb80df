//! How this depot stands with the others, and being told their events anew.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Kind, Problem};
use crate::app::AppState;

/// The routes of federation.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(federation_status))
        .routes(routes!(federation_resync))
}

/// How this depot stands in the federation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FederationStatus {
    /// Whether this depot takes part.
    enabled: bool,
    /// What people call it.
    #[schema(required)]
    name: Option<String>,
    /// The id of its log.
    log_id: uuid::Uuid,
    /// Whether the broker takes its events.
    publishes: bool,
    /// Whether the broker sends it those of others.
    receives: bool,
    /// Its events up to this position are published.
    published_position: u64,
    /// Why nothing is published at the moment.
    #[schema(required)]
    publish_error: Option<String>,
    /// Why nothing is received at the moment.
    #[schema(required)]
    receive_error: Option<String>,
    /// The others that it has heard of.
    depots: Vec<FederatedDepot>,
}

/// Another depot.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FederatedDepot {
    /// What people call it.
    name: String,
    /// The id of its log.
    log_id: uuid::Uuid,
    /// Its events up to this position, counted there, are here.
    received_position: u64,
    /// The position there of the last event that it published, as far as it said so.
    published_position: u64,
    /// When it was last heard of; null when that was before this server started.
    #[schema(required)]
    last_contact: Option<String>,
    /// Its events appended here since this server started.
    appended: u64,
    /// Its events that came again since.
    repeated: u64,
}

/// How this depot stands with the others.
#[utoipa::path(
    get,
    path = "/api/v1/federation",
    tag = "operations",
    operation_id = "federation_status",
    responses((status = 200, description = "How it stands", body = FederationStatus)),
)]
pub(crate) async fn federation_status(State(state): State<AppState>) -> Json<FederationStatus> {
    let log_id = state.log.log_id();
    let Some(member) = &state.federation else {
        return Json(FederationStatus {
            enabled: false,
            name: None,
            log_id,
            publishes: false,
            receives: false,
            published_position: 0,
            publish_error: None,
            receive_error: None,
            depots: Vec::new(),
        });
    };
    let standing = member.standing();
    let depots = standing.depots.into_iter().map(|depot| FederatedDepot {
        name: depot.depot,
        log_id: depot.log,
        received_position: depot.received,
        published_position: depot.published,
        last_contact: depot.last_contact.map(crate::rfc3339::to_string),
        appended: depot.appended,
        repeated: depot.repeated,
    });
    Json(FederationStatus {
        enabled: true,
        name: Some(state.config.federation.name.clone()),
        log_id,
        publishes: standing.publishes,
        receives: standing.receives,
        published_position: standing.published.get(),
        publish_error: standing.publish_error,
        receive_error: standing.receive_error,
        depots: depots.collect(),
    })
}

/// Have all depots publish their events anew.
///
/// For a depot that lost some. Nothing that is here already is appended again. It takes as long as the others' logs are long, and
/// goes on behind the answer.
#[utoipa::path(
    post,
    path = "/api/v1/federation/resync",
    tag = "operations",
    operation_id = "federation_resync",
    responses((status = 202, description = "They were asked")),
)]
pub(crate) async fn federation_resync(
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    let Some(member) = &state.federation else {
        let detail = "this depot takes part in no federation: set federation.servers";
        return Err(Problem::new(Kind::Conflict, detail));
    };
    let asked = member.resync().await;
    asked.map_err(|error| Problem::new(Kind::Unavailable, error.to_string()))?;
    Ok(StatusCode::ACCEPTED)
}
