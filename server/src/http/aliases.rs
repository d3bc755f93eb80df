//! Every older spelling of a path, in one place. Each is a thin step to the one implementation, marked deprecated in the
//! description.

mod audit;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use serde_json::json;
use storage::StreamName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::damage;
use super::extract::{PathParts, ReadAt};
use super::health;
use super::invoices::approve::export_invoice;
use super::invoices::create_invoice;
use super::invoices::docs::{Invoice, InvoiceCreate, Notes};
use super::json_response;
use super::problem::Problem;
use super::query::Query;
use super::sync;
use super::time_travel::{
    Snapshot, Span, Target, Walk, events_in_span, read_span, replay, snapshot_at, walk,
};
use super::visible::Sight;
use crate::app::AppState;
use crate::auth::Caller;
use crate::past::Moment;
use crate::{reads, rfc3339};

/// The routes of older spellings.
#[expect(deprecated, reason = "this is where they are registered")]
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(api_health))
        .routes(routes!(api_ready))
        .routes(routes!(api_metrics))
        .routes(routes!(train_models))
        .routes(routes!(state_at_timestamp))
        .routes(routes!(state_at_version))
        .routes(routes!(state_history))
        .routes(routes!(stream_events_between))
        .routes(routes!(replay_aggregate))
        .routes(routes!(audit::timeline))
        .routes(routes!(audit::stream_anomalies))
        .routes(routes!(audit::user_activity))
        .routes(routes!(audit::gdpr_report))
        .routes(routes!(audit::sox_report))
        .routes(routes!(create_invoice_directly))
        .routes(routes!(post_invoice))
        .routes(routes!(crdt_register))
        .routes(routes!(crdt_device))
        .routes(routes!(crdt_device_status))
        .routes(routes!(crdt_push))
        .routes(routes!(crdt_pull))
        .routes(routes!(crdt_both))
        .routes(routes!(crdt_sessions))
}

/// `POST /sync/crdt/sync`.
#[utoipa::path(post, path = "/api/v1/crdt/sync/bidirectional", tag = "sync", operation_id = "crdt_sync_both",
    request_body = serde_json::Value, responses((status = 200, description = "What became of the states, and a page")))]
#[deprecated]
pub(crate) async fn crdt_both(
    State(state): State<AppState>,
    asker: sync::Asker,
    request: Request,
) -> Result<Response<Body>, Problem> {
    sync::bidirectional(state, asker, request).await
}

/// `GET /sync/sessions/{device_id}`.
#[utoipa::path(get, path = "/api/v1/crdt/sessions/{device_id}", tag = "sync", operation_id = "crdt_list_sessions",
    params(("device_id" = String, Path, description = "The device"), ("limit" = Option<u64>, Query, description = "1 to 1,000, default 10")),
    responses((status = 200, description = "Its sessions, newest first")))]
#[deprecated]
pub(crate) async fn crdt_sessions(
    state: State<AppState>,
    id: PathParts<1>,
    query: RawQuery,
) -> Result<Response<Body>, Problem> {
    sync::list_sessions(state, id, query).await
}

/// `POST /sync/crdt/push`.
#[utoipa::path(post, path = "/api/v1/crdt/sync/push", tag = "sync", operation_id = "crdt_push_states",
    request_body = serde_json::Value, responses((status = 200, description = "What became of the states")))]
#[deprecated]
pub(crate) async fn crdt_push(
    state: State<AppState>,
    asker: sync::Asker,
    request: Request,
) -> Result<Response<Body>, Problem> {
    sync::push(state, asker, request).await
}

/// `GET /sync/crdt/pull`, asked for in a body. `since` is a cursor of ours; a time is taken for none, since what changed since
/// a time of the device's clock is not what the device lacks.
#[utoipa::path(post, path = "/api/v1/crdt/sync/pull", tag = "sync", operation_id = "crdt_pull_states",
    request_body = serde_json::Value, responses((status = 200, description = "A page of states")))]
#[deprecated]
pub(crate) async fn crdt_pull(
    State(state): State<AppState>,
    asker: sync::Asker,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let asked: serde_json::Map<String, serde_json::Value> =
        super::auth::small_json(&state, request).await?;
    let text = |name: &str| asked.get(name).and_then(serde_json::Value::as_str);
    let cursor = text("cursor").or_else(|| text("since").filter(|since| !since.contains(':')));
    let limit = state.config.sync.batch_size;
    let page = sync::json_page(&state, &asker, text("device_id"), cursor, limit).await?;
    Ok(json_response(page.to_string()))
}

/// `POST /sync/devices/register`, answered with 200.
#[utoipa::path(post, path = "/api/v1/crdt/devices/register", tag = "sync", operation_id = "crdt_register_device",
    request_body = serde_json::Value, responses((status = 200, description = "Registered, with the device's token")))]
#[deprecated]
pub(crate) async fn crdt_register(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    sync::register(state, caller, request, StatusCode::OK).await
}

/// `GET /sync/devices/{device_id}`, with the members it had.
#[utoipa::path(get, path = "/api/v1/crdt/devices/{device_id}", tag = "sync", operation_id = "crdt_get_device",
    params(("device_id" = String, Path, description = "The device")),
    responses((status = 200, description = "The device")))]
#[deprecated]
pub(crate) async fn crdt_device(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    sync::device_as_the_old(&state, &id).await
}

/// `PUT /sync/devices/{device_id}/status`.
#[utoipa::path(put, path = "/api/v1/crdt/devices/{device_id}/status", tag = "sync", operation_id = "crdt_set_device_status",
    params(("device_id" = String, Path, description = "The device"), ("is_offline" = bool, Query, description = "Whether it is offline")),
    responses((status = 200, description = "Noted")))]
#[deprecated]
pub(crate) async fn crdt_device_status(
    State(state): State<AppState>,
    asker: sync::Asker,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response<Body>, Problem> {
    sync::offline(state, asker, id, query.as_deref(), request).await
}

/// `POST /invoices/inbox`.
#[utoipa::path(post, path = "/api/v1/invoices", tag = "finance", operation_id = "create_invoice_directly",
    request_body = InvoiceCreate, responses((status = 201, description = "Taken in", body = Invoice)))]
#[deprecated]
pub(crate) async fn create_invoice_directly(
    state: State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    create_invoice(state, caller, request).await
}

/// `POST /invoices/{invoice_id}/export`.
#[utoipa::path(post, path = "/api/v1/invoices/{invoice_id}/post", tag = "finance", operation_id = "post_invoice",
    params(("invoice_id" = String, Path, description = "Its UUID or its number")),
    request_body = Notes, responses((status = 200, description = "The invoice now", body = Invoice)))]
#[deprecated]
pub(crate) async fn post_invoice(
    state: State<AppState>,
    caller: Caller,
    id: PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    export_invoice(state, caller, id, request).await
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
    responses((status = 200, description = "As `/metrics`", body = String, content_type = "application/openmetrics-text")))]
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
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The state", body = Snapshot)))]
#[deprecated]
pub(crate) async fn state_at_timestamp(
    State(state): State<AppState>,
    caller: Caller,
    PathParts(path): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let moment = Moment {
        at: query.time("timestamp"),
        ..Moment::default()
    };
    require(&mut query, "timestamp");
    old_snapshot(&state, &caller, path, query, moment).await
}

/// `GET /time-travel/state-at?version=`.
#[utoipa::path(get, path = "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/at-version", tag = "time-travel",
    operation_id = "state_at_version",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("version" = u32, Query, description = "After so many events; beyond the last one: the last one"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The state", body = Snapshot)))]
#[deprecated]
pub(crate) async fn state_at_version(
    State(state): State<AppState>,
    caller: Caller,
    PathParts(path): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let moment = Moment {
        version: query.version("version"),
        ..Moment::default()
    };
    require(&mut query, "version");
    old_snapshot(&state, &caller, path, query, moment).await
}

/// A parameter that has to be there, whatever it says.
fn require(query: &mut Query<'_>, name: &'static str) {
    if query.all(name).is_empty() {
        query.fault(name, "missing", "is required");
    }
}

/// Reads `start_time` and `end_time`, which have to be there.
fn required_span(query: &mut Query<'_>) -> Span {
    let span = read_span(query, ("start_time", "end_time"));
    require(query, "start_time");
    require(query, "end_time");
    span
}

async fn old_snapshot(
    state: &AppState,
    caller: &Caller,
    [aggregate_type, aggregate_id]: [String; 2],
    query: Query<'_>,
    moment: Moment,
) -> Result<Response<Body>, Problem> {
    ReadAt::await_log(query, state).await?;
    let name = StreamName::new(aggregate_type, aggregate_id);
    snapshot_at(state, Sight::of(caller), name, moment).await
}

/// `POST /ml/train`.
#[utoipa::path(post, path = "/api/v1/ml/models/train", tag = "ml", operation_id = "train_models",
    responses((status = 202, description = "As `/ml/train`, for the failure predictor", body = Object)))]
#[deprecated]
pub(crate) async fn train_models(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Response<Body>, Problem> {
    super::ml::start_training(&state, &caller, None).await
}

/// `GET /time-travel/history`.
#[utoipa::path(get, path = "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/history", tag = "time-travel",
    operation_id = "stream_state_history",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("start_time" = Option<String>, Query, description = "Only events that happened at or after this time"),
        ("end_time" = Option<String>, Query, description = "Only events that happened at or before this time"),
        ("limit" = Option<u64>, Query, description = "At most this many, default 100"),
    ),
    responses((status = 200, description = "`{aggregate_type, aggregate_id, snapshots, count}`; an empty list where there is nothing", body = Object)))]
#[deprecated]
pub(crate) async fn state_history(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let walk_of = Walk::read(&mut query);
    query.finish()?;
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let name = StreamName::new(aggregate_type, aggregate_id);
        let snapshots = match Target::find(state, sight, name.clone()) {
            Ok(target) => walk(state, sight, &target, walk_of, damaged)?.0,
            Err(_) => Vec::new(),
        };
        Ok(json!({
            "aggregate_type": &*name.aggregate_type,
            "aggregate_id": &*name.aggregate_id,
            "count": snapshots.len(),
            "snapshots": snapshots,
        }))
    })
    .await
}

/// `GET /time-travel/changes?aggregate_type=&aggregate_id=`.
#[utoipa::path(get, path = "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/events-between", tag = "time-travel",
    operation_id = "stream_events_between",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("start_time" = String, Query, description = "From this time, itself included"),
        ("end_time" = String, Query, description = "To this time, itself included"),
    ),
    responses((status = 200, description = "`{aggregate_type, aggregate_id, start_time, end_time, events, count}`", body = Object)))]
#[deprecated]
pub(crate) async fn stream_events_between(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let (from, to) = required_span(&mut query);
    query.finish()?;
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let name = StreamName::new(aggregate_type.as_str(), aggregate_id.as_str());
        let (events, truncated) = match Target::find(state, sight, name) {
            Ok(target) => events_in_span(state, sight, &target, (from, to), damaged)?,
            Err(_) => (Vec::new(), false),
        };
        Ok(json!({
            "aggregate_type": aggregate_type,
            "aggregate_id": aggregate_id,
            "start_time": from.map(rfc3339::to_string),
            "end_time": to.map(rfc3339::to_string),
            "count": events.len(),
            "events": events,
            "truncated": truncated,
        }))
    })
    .await
}

/// `GET /time-travel/replay`.
#[utoipa::path(get, path = "/api/v1/audit/{aggregate_type}/{aggregate_id}/replay", tag = "audit",
    operation_id = "replay_aggregate_states",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("capture_intermediate" = Option<bool>, Query, description = "Count the intermediate states"),
    ),
    responses((status = 200, description = "`{events_replayed, final_state, intermediate_states_count, errors}`", body = Object)))]
#[deprecated]
pub(crate) async fn replay_aggregate(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let capture = query.flag("capture_intermediate").unwrap_or(false);
    query.finish()?;
    let sight = Sight::of(&caller);
    let body = reads::run(&state, move |state| {
        let name = StreamName::new(aggregate_type, aggregate_id);
        let Ok(target) = Target::find(state, sight, name.clone()) else {
            let error = format!("No events found for {}:{}", name.aggregate_type, name.aggregate_id);
            return Ok(json!({"events_replayed": 0, "final_state": {}, "intermediate_states_count": 0, "errors": [error]}));
        };
        let replayed = replay(state, sight, &target, u32::MAX, capture)?;
        Ok(json!({
            "events_replayed": replayed.events,
            "final_state": replayed.state,
            "intermediate_states_count": replayed.intermediate_count,
            "errors": replayed.errors,
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}
