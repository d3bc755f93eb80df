//! What an administrator decides about another depot: which message is passed by, which key is its, and that it is gone.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use federation::{FederationError, Member, sheet};
use fleet::schema::check::check_fields;
use fleet::schema::{Field, Kind as FieldKind};
use serde_json::{Map, Value};
use storage::Transaction;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{FederationStatus, federation_status, member};
use crate::app::AppState;
use crate::append::append;
use crate::auth::Caller;
use crate::command::Write;
use crate::federation::decided;
use crate::field_error::FieldError;
use crate::http::extract::PathParts;
use crate::http::problem::{Kind, Problem};

const REASON: Field = Field::required("reason", FieldKind::name(1_000));
const PASS_BY: &[Field] = &[Field::required("position", FieldKind::count()), REASON];
const GONE: &[Field] = &[REASON];
const TRUST: &[Field] = &[Field::required("public_key", FieldKind::name(64)), REASON];

/// A message to pass by.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct MessageToPassBy {
    /// Its event's place in its own log: `refused.position` in `GET /federation`.
    position: u64,
    /// Why, for the trail.
    reason: String,
}

/// A key to trust.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct KeyToTrust {
    /// In hexadecimal: `public_key` in that depot's own `GET /federation`. Take it from there, over a way that you trust, and
    /// not from what was refused.
    public_key: String,
    /// Why, for the trail.
    reason: String,
}

/// Why a depot is gone, or is not.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct DepotGoneReason {
    /// Why, for the trail.
    reason: String,
}

/// Pass a message of another depot by that this log can never take.
///
/// What follows it is taken then. The event stays in its own log, and is missing here for good. Who passed it by, and why,
/// stands in the trail.
#[utoipa::path(
    post,
    path = "/api/v1/federation/depots/{log_id}/quarantine",
    tag = "operations",
    operation_id = "federation_quarantine",
    params(("log_id" = String, Path, description = "The id of that depot's log")),
    request_body = MessageToPassBy,
    responses(
        (status = 200, description = "How it stands", body = FederationStatus),
        (status = 409, description = "That message holds nothing up, or may still be taken"),
    ),
)]
pub(crate) async fn federation_quarantine(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([log_id]): PathParts<1>,
    request: Request,
) -> Result<(StatusCode, Json<FederationStatus>), Problem> {
    let member = member(&state)?.clone();
    let Decision { log, body, by } =
        Decision::read(&state, caller, &log_id, request, PASS_BY).await?;
    let position = body
        .get("position")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let refused = member.refused_at(log, position).map_err(told)?;
    let decided = decided::quarantine(log, &refused, reason(&body), &by);
    keep(&state, decided).await?;
    answer(state, member.pass_by(log, position).await).await
}

/// Verify another depot's messages by another key than before.
///
/// The first key that is seen of a depot is its key. Where it was given a new one (its folder `keys` was lost), its messages
/// are refused until an administrator says here that the new key is its.
#[utoipa::path(
    post,
    path = "/api/v1/federation/depots/{log_id}/trust",
    tag = "operations",
    operation_id = "federation_trust",
    params(("log_id" = String, Path, description = "The id of that depot's log")),
    request_body = KeyToTrust,
    responses(
        (status = 200, description = "How it stands", body = FederationStatus),
        (status = 422, description = "It is no key"),
    ),
)]
pub(crate) async fn federation_trust(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([log_id]): PathParts<1>,
    request: Request,
) -> Result<(StatusCode, Json<FederationStatus>), Problem> {
    let member = member(&state)?.clone();
    let Decision { log, body, by } =
        Decision::read(&state, caller, &log_id, request, TRUST).await?;
    let key = body.get("public_key").and_then(Value::as_str);
    let key = key.and_then(sheet::key_of_text).ok_or_else(|| {
        let place = ["body".into(), "public_key".into()];
        let message = "is no key: 64 hexadecimal digits";
        Problem::invalid(vec![FieldError::new(place, "value_error", message)])
    })?;
    let former = key_of(&member, log);
    let decided = decided::trust(log, key, former, reason(&body), &by);
    keep(&state, decided).await?;
    answer(state, member.trust(log, key).await).await
}

/// Say that another depot is gone for good.
///
/// Its vehicles may be taken over here from then on (`POST /vehicles/{vehicle_id}/take-over`). Nothing else changes: its events
/// stay, and if it comes back it is heard. Who said it, and why, stands in the trail.
#[utoipa::path(
    post,
    path = "/api/v1/federation/depots/{log_id}/gone",
    tag = "operations",
    operation_id = "federation_gone",
    params(("log_id" = String, Path, description = "The id of that depot's log")),
    request_body = DepotGoneReason,
    responses(
        (status = 200, description = "How it stands", body = FederationStatus),
        (status = 409, description = "This depot was not heard of, or is this one"),
    ),
)]
pub(crate) async fn federation_gone(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([log_id]): PathParts<1>,
    request: Request,
) -> Result<(StatusCode, Json<FederationStatus>), Problem> {
    say_gone(state, caller, &log_id, request, true).await
}

/// Say that another depot is not gone, or has come back.
///
/// What was taken over meanwhile stays where it is until it is handed over; `contested_vehicles` in `GET /federation` names it.
#[utoipa::path(
    post,
    path = "/api/v1/federation/depots/{log_id}/back",
    tag = "operations",
    operation_id = "federation_back",
    params(("log_id" = String, Path, description = "The id of that depot's log")),
    request_body = DepotGoneReason,
    responses(
        (status = 200, description = "How it stands", body = FederationStatus),
        (status = 409, description = "This depot was not heard of, or is this one"),
    ),
)]
pub(crate) async fn federation_back(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([log_id]): PathParts<1>,
    request: Request,
) -> Result<(StatusCode, Json<FederationStatus>), Problem> {
    say_gone(state, caller, &log_id, request, false).await
}

async fn say_gone(
    state: AppState,
    caller: Caller,
    log_id: &str,
    request: Request,
    is_gone: bool,
) -> Result<(StatusCode, Json<FederationStatus>), Problem> {
    let member = member(&state)?.clone();
    let Decision { log, body, by } = Decision::read(&state, caller, log_id, request, GONE).await?;
    if log == state.log.log_id() || member.name_of(log).is_none() {
        let detail = format!("no other depot with the log {log} was heard of here");
        return Err(Problem::new(Kind::Conflict, detail));
    }
    keep(&state, decided::gone(log, is_gone, reason(&body), &by)).await?;
    answer(state, Ok(())).await
}

/// What an administrator says of another depot.
struct Decision {
    /// The depot's log.
    log: Uuid,
    body: Map<String, Value>,
    /// The administrator's id.
    by: String,
}

impl Decision {
    /// Reads what was sent, which has these fields.
    async fn read(
        state: &AppState,
        caller: Caller,
        log_id: &str,
        request: Request,
        fields: &'static [Field],
    ) -> Result<Decision, Problem> {
        let (write, body) = Write::with_body(state, caller, request).await?;
        check_fields(fields, &body, &str::to_owned)?;
        Ok(Decision {
            log: log_of(log_id)?,
            body,
            by: write.caller().id_text().to_owned(),
        })
    }
}

fn key_of(member: &Member, log: Uuid) -> Option<sheet::PublicKey> {
    let depots = member.standing().depots;
    depots.into_iter().find(|depot| depot.log == log)?.key
}

fn reason(body: &Map<String, Value>) -> &str {
    body.get("reason")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

async fn keep(state: &AppState, transaction: Transaction) -> Result<(), Problem> {
    append(&state.log, transaction).await?;
    Ok(())
}

/// How it stands now. A broker that cannot be reached passes the request for the rest on later.
async fn answer(
    state: AppState,
    done: Result<(), FederationError>,
) -> Result<(StatusCode, Json<FederationStatus>), Problem> {
    match done {
        Ok(()) | Err(FederationError::Broker { .. }) => {}
        Err(error) => return Err(told(error)),
    }
    Ok((StatusCode::OK, federation_status(State(state)).await?))
}

fn told(error: FederationError) -> Problem {
    match error {
        FederationError::NotRefused => Problem::new(Kind::Conflict, error.to_string()),
        error => Problem::internal(&error),
    }
}

fn log_of(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| {
        let place = ["path".into(), "log_id".into()];
        let message = "is no id of a log: GET /federation names those of the others";
        Problem::invalid(vec![FieldError::new(place, "value_error", message)])
    })
}
