//! How this depot stands with the others, and being told their events anew.

mod depots;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use federation::{Member, sheet};
use serde::Serialize;
use storage::Timestamp;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Kind, Problem};
use crate::app::AppState;
use crate::{reads, rfc3339};

/// Vehicles named in the standing, of each kind.
const VEHICLES_SHOWN: usize = 100;

/// The routes of federation.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(federation_status))
        .routes(routes!(federation_resync))
        .routes(routes!(depots::federation_quarantine))
        .routes(routes!(depots::federation_trust))
        .routes(routes!(depots::federation_gone))
        .routes(routes!(depots::federation_back))
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
    /// The key by which others verify what it publishes, in hexadecimal.
    #[schema(required)]
    public_key: Option<String>,
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
    /// How often since this server started somebody said that another depot is there, and it was not signed by that depot.
    presences_refused: u64,
    /// The others that it has heard of.
    depots: Vec<FederatedDepot>,
    /// How many vehicles more than one depot claims, or belonged to a depot that was said to be gone and is back.
    contested_total: usize,
    /// Their asset ids, the first 100. Each vehicle's `home` says who decides, and whose claim was passed over.
    contested_vehicles: Vec<String>,
    /// How many vehicles were handed over to this depot, which has not taken them over.
    awaited_total: usize,
    /// Their asset ids, the first 100.
    awaited_vehicles: Vec<String>,
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
    /// All of them up to this position bore the signature of `public_key`; the same as `received_position`.
    verified_position: u64,
    /// The key by which they are verified, in hexadecimal: the first that was seen, unless an administrator said that there is another.
    #[schema(required)]
    public_key: Option<String>,
    /// The message that is refused, and holds up what follows from this depot.
    #[schema(required)]
    refused: Option<RefusedMessage>,
    /// The positions there of messages that were passed by.
    quarantined: Vec<u64>,
    /// The position there of the last event that it published, as far as it said so.
    published_position: u64,
    /// When it was last heard of; null when that was before this server started.
    #[schema(required)]
    last_contact: Option<String>,
    /// Its events appended here since this server started.
    appended: u64,
    /// Its events that came again since.
    repeated: u64,
    /// Its events that came since and are here, under the same ids, as another log's: each depot keeps its own.
    #[schema(required)]
    twice_recorded: Option<TwiceRecorded>,
    /// That an administrator here has said that it is gone for good.
    #[schema(required)]
    gone: Option<DepotGone>,
}

/// Events that two depots recorded first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TwiceRecorded {
    /// How many came since this server started.
    events: u64,
    /// The place of the first of them in that depot's log.
    position: u64,
    /// Its id.
    event_id: uuid::Uuid,
}

/// What was said of a depot that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DepotGone {
    /// When.
    since: String,
    /// Why.
    reason: String,
    /// Whether it said since then that it is there. Its vehicles are taken over no longer then.
    is_back: bool,
}

/// A message that is not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedMessage {
    /// Its place in the broker's stream.
    sequence: u64,
    /// Its event's place in its own log, where it could be read.
    #[schema(required)]
    position: Option<u64>,
    /// Its event, where it could be read.
    #[schema(required)]
    event_id: Option<uuid::Uuid>,
    /// Why it is refused.
    reason: String,
    /// By what it is signed, where that is not the depot's key.
    #[schema(required)]
    other_key: Option<String>,
}

/// How this depot stands with the others.
#[utoipa::path(
    get,
    path = "/api/v1/federation",
    tag = "operations",
    operation_id = "federation_status",
    responses((status = 200, description = "How it stands", body = FederationStatus)),
)]
pub(crate) async fn federation_status(
    State(state): State<AppState>,
) -> Result<Json<FederationStatus>, Problem> {
    let log_id = state.log.log_id();
    let Some(member) = &state.federation else {
        return Ok(Json(FederationStatus {
            enabled: false,
            name: None,
            log_id,
            public_key: None,
            publishes: false,
            receives: false,
            published_position: 0,
            publish_error: None,
            receive_error: None,
            presences_refused: 0,
            depots: Vec::new(),
            contested_total: 0,
            contested_vehicles: Vec::new(),
            awaited_total: 0,
            awaited_vehicles: Vec::new(),
        }));
    };
    let asked = member.clone();
    let (unsettled, mut gone) = reads::run(&state, move |state| {
        let present = |log| asked.last_presence(log);
        let unsettled = state.homes.unsettled(&state.log, present)?;
        Ok((unsettled, state.homes.gone(&state.log)?))
    })
    .await?;
    let standing = member.standing();
    let depots = standing.depots.into_iter().map(|depot| FederatedDepot {
        gone: gone.remove(&depot.log).map(|gone| DepotGone {
            since: rfc3339::to_string(Timestamp::from_micros(gone.since)),
            reason: gone.reason,
            is_back: depot
                .last_presence
                .is_some_and(|last| last.micros() > gone.since),
        }),
        name: depot.depot,
        log_id: depot.log,
        received_position: depot.received,
        verified_position: depot.received,
        public_key: depot.key.map(sheet::key_text),
        refused: depot.refused.map(|refused| RefusedMessage {
            sequence: refused.sequence,
            position: refused.position,
            event_id: refused.event_id,
            reason: refused.reason,
            other_key: refused.other_key.map(sheet::key_text),
        }),
        quarantined: depot.quarantined,
        published_position: depot.published,
        last_contact: depot.last_contact.map(rfc3339::to_string),
        appended: depot.appended,
        repeated: depot.repeated,
        twice_recorded: depot.twice_recorded.map(|twice| TwiceRecorded {
            events: twice.events,
            position: twice.position,
            event_id: twice.event_id,
        }),
    });
    Ok(Json(FederationStatus {
        enabled: true,
        name: Some(state.config.federation.name.clone()),
        log_id,
        public_key: Some(sheet::key_text(member.public_key())),
        publishes: standing.publishes,
        receives: standing.receives,
        published_position: standing.published.get(),
        publish_error: standing.publish_error,
        receive_error: standing.receive_error,
        presences_refused: standing.presences_refused,
        depots: depots.collect(),
        contested_total: unsettled.contested.len(),
        contested_vehicles: first(unsettled.contested),
        awaited_total: unsettled.awaited.len(),
        awaited_vehicles: first(unsettled.awaited),
    }))
}

fn first(mut vehicles: Vec<String>) -> Vec<String> {
    vehicles.truncate(VEHICLES_SHOWN);
    vehicles
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
    let asked = member(&state)?.resync().await;
    asked.map_err(|error| Problem::new(Kind::Unavailable, error.to_string()))?;
    Ok(StatusCode::ACCEPTED)
}

/// This depot as one that takes part.
///
/// # Errors
/// `conflict` where it does not.
pub(super) fn member(state: &AppState) -> Result<&Member, Problem> {
    state.federation.as_ref().ok_or_else(|| {
        let detail = "this depot takes part in no federation: set federation.servers";
        Problem::new(Kind::Conflict, detail)
    })
}
