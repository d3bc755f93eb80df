//! How sync stands: the whole, each device, what devices pushed and were refused, compaction, and nudges.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, Response, header};
use crdt::LogPosition;
use fleet::sync_session;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Asker, docs, require_enabled, unknown_device};
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::events::live::Channel;
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::projection::CATALOG;
use crate::sync::devices::DeviceCaller;
use crate::sync::{leases, pull, upkeep};
use crate::{reads, rfc3339};

/// Sessions or operations of an answer that asks for no number.
const LIMIT_DEFAULT: u64 = 10;
/// A nudge is at most this often, so that a busy log does not keep radios awake.
const NUDGE_GAP: Duration = Duration::from_millis(250);

/// The routes of status.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sync_status))
        .routes(routes!(list_sessions))
        .routes(routes!(list_refused))
        .routes(routes!(compact))
        .routes(routes!(follow_head))
}

/// How sync stands.
#[utoipa::path(
    get,
    path = "/api/v1/sync/crdt/status",
    tag = "sync",
    operation_id = "sync_status",
    responses((status = 200, description = "Heads, entities, and every device's lag", body = docs::SyncStatus)),
)]
pub(crate) async fn sync_status(State(state): State<AppState>) -> Result<Response<Body>, Problem> {
    let body = reads::run(&state, |state| {
        let fold = state.sync.engine.current()?;
        let mut devices: Vec<_> = state.sync.devices.all();
        devices.sort_by(|left, right| left.id.cmp(&right.id));
        let shown: Vec<Value> = devices
            .iter()
            .map(|device| {
                let mut row = Map::new();
                row.insert("device_id".to_owned(), (*device.id).into());
                row.insert("device_number".to_owned(), device.number.into());
                row.insert("is_active".to_owned(), device.is_active.into());
                upkeep::standing(state, &fold, device).put_into(&mut row);
                Value::Object(row)
            })
            .collect();
        let active = devices.iter().filter(|device| device.is_active).count();
        Ok(json!({
            "enabled": state.config.sync.enabled,
            "head": fold.depot.head().get(),
            "stable": fold.depot.stable().get(),
            "floor": fold.depot.floor().get(),
            "entities": fold.depot.store().handles(),
            "device_count": devices.len(),
            "active_device_count": active,
            "devices": shown,
        }))
    });
    Ok(json_response(body.await?.to_string()))
}

/// What a device pushed, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/sync/sessions/{device_id}",
    tag = "sync",
    operation_id = "list_sync_sessions",
    params(
        ("device_id" = String, Path, description = "The device"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 10"),
    ),
    responses((status = 200, description = "Its sessions, newest first", body = docs::SessionList)),
)]
pub(crate) async fn list_sessions(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let types = &[sync_session::SYNC_PUSHED];
    let sessions = told(&state, id.clone(), query.as_deref(), types, |data| {
        let member = |name: &str| data.get(name).cloned().unwrap_or_default();
        json!({
            "session_id": member("session_id"),
            "sync_type": member("sync_type"),
            "entities_synced": member("entities_synced"),
            "conflicts_resolved": member("conflicts"),
            "operations": member("operations"),
            "applied": member("applied"),
            "merged": member("merged"),
            "rejected": member("rejected"),
            "status": member("status"),
            "started_at": member("started_at"),
            "completed_at": member("completed_at"),
        })
    })
    .await?;
    let count = sessions.len();
    let body = json!({ "device_id": id, "sessions": sessions, "count": count });
    Ok(json_response(body.to_string()))
}

/// What a device was refused, or what waits for a person, newest first. The content of every operation is kept.
#[utoipa::path(
    get,
    path = "/api/v1/sync/devices/{device_id}/refused",
    tag = "sync",
    operation_id = "list_refused_operations",
    params(
        ("device_id" = String, Path, description = "The device"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 10"),
    ),
    responses((status = 200, description = "The operations, newest first")),
)]
pub(crate) async fn list_refused(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let types = &[
        sync_session::SYNC_OPERATION_REFUSED,
        sync_session::SYNC_OPERATION_HELD,
        sync_session::SYNC_REFUSED,
    ];
    let operations = told(&state, id.clone(), query.as_deref(), types, |data| {
        Value::Object(data.clone())
    });
    let operations = operations.await?;
    let count = operations.len();
    let body = json!({ "device_id": id, "operations": operations, "count": count });
    Ok(json_response(body.to_string()))
}

async fn told(
    state: &AppState,
    id: String,
    query: Option<&str>,
    types: &'static [&'static str],
    show: fn(&Map<String, Value>) -> Value,
) -> Result<Vec<Value>, Problem> {
    let mut query = Query::parse(query);
    let limit = query.number("limit", 1..=1_000).unwrap_or(LIMIT_DEFAULT);
    query.finish()?;
    if state.sync.devices.get(&id).is_none() {
        return Err(unknown_device(&id));
    }
    let limit = usize::try_from(limit).unwrap_or(1_000);
    reads::run(state, move |state| {
        upkeep::events_of(state, &id, types, limit, |event| {
            let mut data: Map<String, Value> =
                serde_json::from_slice(event.data()).unwrap_or_default();
            let word = |value: &str| Value::from(value);
            data.insert("event_type".to_owned(), word(event.event_type()));
            let position = event.position().get();
            data.insert("position".to_owned(), position.into());
            let at = rfc3339::to_string(event.recorded_at());
            data.insert("recorded_at".to_owned(), word(&at));
            show(&data)
        })
    })
    .await
}

/// Drop what every device knows.
///
/// Only markers of removals wait for devices; superseded values went at once. Devices whose token has ended, or that were
/// not heard of for `sync.offline_days_max`, do not count: when they come back they push first and then get the list of
/// what lives.
#[utoipa::path(
    post,
    path = "/api/v1/sync/crdt/compact",
    tag = "sync",
    operation_id = "compact_sync",
    responses((status = 200, description = "What was dropped, and who holds up the rest", body = docs::Compaction)),
)]
pub(crate) async fn compact(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let by = caller.id_text().to_owned();
    let work = move |state: &AppState| {
        let done = upkeep::compact(state, &by)?;
        Ok((done, leases::return_overdue(state, &by)?))
    };
    let (done, returned) = reads::run(&state, work).await?;
    if !returned.is_empty() {
        // Whoever looks next sees the parts where they are now.
        let (position, wait) = (state.log.durable_position(), state.config.http.wait_default);
        state.projections.reach(CATALOG, position, wait).await;
    }
    let returned: Vec<Value> = returned
        .iter()
        .map(|lease| {
            json!({
                "device_id": lease.device_id,
                "part_no": lease.part_no,
                "quantity": lease.quantity,
                "location_id": lease.location_id,
            })
        })
        .collect();
    let body = json!({
        "compacted": done.compacted,
        "floor": done.floor,
        "head": done.head,
        "expired": done.expired,
        "waiting_for": done.waiting_for,
        "leases_returned": returned,
    });
    Ok(json_response(body.to_string()))
}

/// Be nudged when there is something to pull.
///
/// Server-sent events: `event: head` with `{"head": N}`. A nudge that is lost costs nothing: the next pull brings what is
/// there.
#[utoipa::path(
    get,
    path = "/api/v1/sync/stream",
    tag = "sync",
    operation_id = "follow_sync",
    params(
        ("device_id" = Option<String>, Query, description = "The device, where a person asks"),
        ("cursor" = Option<String>, Query, description = "What the device has; a nudge comes at once if there is more"),
    ),
    responses((status = 200, description = "The stream", content((String = "text/event-stream")))),
)]
pub(crate) async fn follow_head(
    State(state): State<AppState>,
    asker: Asker,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let mut query = Query::parse(query.as_deref());
    let named = query.text("device_id");
    let cursor = query.text("cursor");
    query.finish()?;
    let device = asker.device(&state, named.as_deref())?;
    let from = match cursor {
        Some(text) => pull::read_cursor(&state, &device, Some(&text))?.complete,
        None => LogPosition::new(state.log.durable_position().get()),
    };
    let permit = state.subscribers.clone().try_acquire_owned();
    let permit = permit
        .map_err(|_| Problem::new(Kind::Busy, "too many event streams are open").retry_after(5))?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        state.metrics.subscribers.inc();
        if let Err(problem) = nudge(&state, device, from, &sender).await {
            tracing::error!(detail = problem.detail(), "a stream of nudges ended");
        }
        state.metrics.subscribers.dec();
        drop(permit);
    });
    let mut response = Response::new(Body::new(Channel(receiver)));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    Ok(response)
}

/// Whether the device that asked is registered still, and the account open for which it acts.
fn may_still(state: &AppState, asked: &DeviceCaller) -> bool {
    let device = state.sync.devices.get(&asked.device.id);
    let is_same =
        device.is_some_and(|device| device.is_active && device.number == asked.device.number);
    is_same && state.accounts.still(&asked.caller).is_ok()
}

async fn nudge(
    state: &AppState,
    device: DeviceCaller,
    mut seen: LogPosition,
    sender: &mpsc::Sender<Bytes>,
) -> Result<(), Problem> {
    let mut durable = state.durable.clone();
    let mut stopping = state.stopping.subscribe();
    let greeting = Bytes::from_static(b": connected\nretry: 2000\n\n");
    if sender.send(greeting).await.is_err() {
        return Ok(());
    }
    while !*stopping.borrow() && may_still(state, &device) {
        durable.borrow_and_update();
        let (device, from) = (device.clone(), seen);
        let found = reads::run(state, move |state| pull::has_news(state, &device, from));
        let (head, news) = found.await?;
        seen = head;
        if news {
            let text = format!("event: head\nid: {head}\ndata: {{\"head\":{head}}}\n\n");
            if sender.send(text.into()).await.is_err() {
                return Ok(());
            }
            tokio::time::sleep(NUDGE_GAP).await;
        }
        let heartbeat = tokio::time::sleep(state.config.http.heartbeat);
        tokio::select! {
            changed = durable.changed() => if changed.is_err() { return Ok(()) },
            changed = stopping.changed() => if changed.is_err() { return Ok(()) },
            () = sender.closed() => return Ok(()),
            () = heartbeat => {
                if sender.send(Bytes::from_static(b": heartbeat\n\n")).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
