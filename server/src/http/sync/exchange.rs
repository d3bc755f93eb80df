//! Push, pull, and both in one round trip; in JSON, and in the bytes of the protocol.

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use crdt::sync::Cursor;
use crdt::wire::{Writer, to_bytes};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bodies::{self, Shape};
use super::docs;
use super::phase2;
use super::{Asker, require_enabled};
use crate::app::AppState;
use crate::http::body::{self as http_body, BodyLimits};
use crate::http::edge::RequestId;
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::reads;
use crate::sync::devices::DeviceCaller;
use crate::sync::pull::{self, Ask, Pulled, read_cursor};
use crate::sync::push::{self, ItemResult, Pushed, Source};

/// The media type of frames and pages.
pub(super) const BINARY: &str = "application/octet-stream";
/// Where the cursor behind a page of bytes stands.
const CURSOR: HeaderName = HeaderName::from_static("x-sync-cursor");
/// The header by which clients of Phase 2 name their device.
const DEVICE: &str = "x-device-id";
/// Most entities of a page.
const PAGE_MAX: u64 = 10_000;

/// The routes of exchange.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(push_operations))
        .routes(routes!(pull_changes))
        .routes(routes!(sync_both))
        .routes(routes!(push_any_shape))
        .routes(routes!(pull_by_device))
        .routes(routes!(pull_events))
}

/// A request that was read.
struct Told {
    parts: Parts,
    bytes: Bytes,
    correlation: String,
}

async fn read(state: &AppState, request: Request) -> Result<Told, Problem> {
    let (parts, body) = request.into_parts();
    let limits = BodyLimits {
        bytes_max: state.config.http.body_bytes_max,
        timeout: state.config.http.body_read_timeout,
    };
    let bytes = http_body::read(&parts.headers, body, limits).await?;
    let id = parts.extensions.get::<RequestId>();
    let correlation = id.and_then(|id| id.0.to_str().ok()).unwrap_or_default();
    let correlation = correlation.to_owned();
    Ok(Told {
        parts,
        bytes,
        correlation,
    })
}

fn is_binary(headers: &HeaderMap, name: HeaderName) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.split(';').next().unwrap_or_default().trim() == BINARY)
}

/// What a push in JSON asked for and came to.
pub(super) struct Answered {
    pub(super) device: DeviceCaller,
    pub(super) body: bodies::Body,
    pub(super) pushed: Pushed,
    pub(super) cursor: Cursor,
}

async fn push_json(state: &AppState, asker: &Asker, told: &Told) -> Result<Answered, Problem> {
    http_body::require_json(&told.parts.headers)?;
    let object = http_body::parse(&told.bytes)?;
    let mut body = bodies::read(&object)?;
    let header = told.parts.headers.get(DEVICE);
    if let Some(device) = header.and_then(|value| value.to_str().ok())
        && !device.is_empty()
    {
        body.device_id = Some(device.to_owned());
    }
    if body.shape == Shape::Events {
        return phase2::push_events(state, asker, body, &told.correlation).await;
    }
    let device = asker.device(state, body.device_id.as_deref())?;
    let cursor = read_cursor(state, &device, body.cursor.as_deref())?;
    let items = std::sync::Arc::new(std::mem::take(&mut body.items));
    let source = Source::Items(items);
    let pushed = push::push(state, &device, source, cursor.complete, &told.correlation).await?;
    Ok(Answered {
        device,
        body,
        pushed,
        cursor,
    })
}

async fn push_binary(
    state: &AppState,
    device: &DeviceCaller,
    cursor: Cursor,
    told: &Told,
) -> Result<Pushed, Problem> {
    let source = Source::Frame(told.bytes.clone());
    push::push(state, device, source, cursor.complete, &told.correlation).await
}

fn result_json(result: &ItemResult) -> Value {
    json!({
        "id": result.id,
        "status": result.status,
        "reason": result.reason,
        "detail": result.detail,
        "position": result.position,
        "state": result.state,
    })
}

/// The answer to a push, in the shape of what was pushed.
fn answer_json(answered: &Answered) -> Value {
    let results = &answered.pushed.results;
    let count = |status: &str| {
        let of = results.iter().filter(|result| result.status == status);
        of.count()
    };
    let mut answer = json!({
        "device_id": &*answered.device.device.id,
        "results": results.iter().map(result_json).collect::<Vec<_>>(),
        "applied_count": count("applied"),
        "merged_count": count("merged"),
        "duplicate_count": count("duplicate"),
        "rejected_count": count("rejected"),
        "conflict_count": answered.pushed.conflicts,
    });
    let more = match answered.body.shape {
        Shape::Operations => json!({}),
        Shape::States => json!({ "session_id": session_id(), "result": sync_result(answered) }),
        Shape::Changes => json!({
            "accepted": results.len() - count("rejected"),
            "conflicts": answered.pushed.conflicts,
            "message": format!("{} changes taken in", results.len() - count("rejected")),
        }),
        Shape::Events => events_answer(answered),
    };
    if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), more) {
        answer.extend(more);
    }
    answer
}

fn session_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `SyncResult` of the old system.
fn sync_result(answered: &Answered) -> Value {
    let rejected = answered.pushed.results.iter();
    let errors: Vec<String> = rejected
        .filter(|result| came_to(result).0 == "rejected")
        .map(|result| {
            let reason = came_to(result).1.unwrap_or("refused");
            format!(
                "{}: {reason} {}",
                result.id,
                result.detail.as_deref().unwrap_or_default()
            )
        })
        .collect();
    let states: std::collections::BTreeSet<usize> = answered
        .body
        .sources
        .iter()
        .map(|(index, _)| *index)
        .collect();
    json!({
        "entities_synced": states.len(),
        "conflicts_resolved": answered.pushed.conflicts,
        "operations_applied": answered.pushed.operations,
        "tombstones_processed": answered.body.tombstones,
        "errors": errors,
        "conflicts": [],
    })
}

/// Status and reason of an item, of a repeated one those of the first time.
fn came_to(result: &ItemResult) -> (&str, Option<&str>) {
    let reason = result.reason.as_deref();
    if result.status != "duplicate" {
        return (result.status, reason);
    }
    match reason.map(|verdict| verdict.split_once(':').unwrap_or((verdict, ""))) {
        Some(("rejected", code)) => ("rejected", Some(code)),
        Some(("adjusted", "authority")) => ("merged", Some("adjusted_authority")),
        Some(("held" | "superseded", _)) => ("merged", None),
        _ => ("applied", None),
    }
}

/// The answer of Phase 2: each event's id in one of three lists. An event of which a field was overruled or refused by the
/// policy is a conflict, also where its other fields were applied.
fn events_answer(answered: &Answered) -> Value {
    let mut worst: Vec<(usize, String, u8)> = Vec::new();
    for ((index, id), result) in answered.body.sources.iter().zip(&answered.pushed.results) {
        // What comes again is told what it came to, or a client whose answer was lost would take it for applied.
        let (status, reason) = came_to(result);
        let badness = match (status, reason) {
            // It won over another value by its authority, as Phase 2 has it.
            ("merged", Some("adjusted_authority")) => 0,
            ("rejected", Some("not_authorised")) | ("merged", _) => 1,
            ("rejected", _) => 2,
            _ => 0,
        };
        match worst.last_mut().filter(|(last, _, _)| last == index) {
            Some(last) => last.2 = last.2.max(badness),
            None => worst.push((*index, id.clone(), badness)),
        }
    }
    let of = |badness: u8| -> Vec<&str> {
        let found = worst.iter().filter(|(_, _, worst)| *worst == badness);
        found.map(|(_, id, _)| id.as_str()).collect()
    };
    let applied = of(0);
    let cursor = answered.body.cursor.clone().map(Value::from);
    json!({
        "next_cursor": cursor.unwrap_or_else(|| phase2::old_cursor(applied.len())),
        "applied": applied,
        "conflicts": of(1),
        "rejected": of(2),
    })
}

fn page_ask(state: &AppState, query: &mut Query<'_>) -> (usize, bool, Option<u16>) {
    let limit = query.number("limit", 1..=PAGE_MAX);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let digest = query.text("digest").is_some_and(|text| text == "true");
    let schema = query.number("schema", 1..=u64::from(u16::MAX));
    let schema = schema.and_then(|schema| u16::try_from(schema).ok());
    let limit = limit.unwrap_or(state.config.sync.batch_size);
    (limit, digest, schema)
}

async fn pulled(state: &AppState, device: DeviceCaller, ask: Ask) -> Result<Pulled, Problem> {
    reads::run(state, move |state| pull::pull(state, &device, &ask)).await
}

fn binary_response(bytes: Vec<u8>, cursor: Option<&str>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BINARY));
    if let Some(cursor) = cursor.and_then(|cursor| HeaderValue::from_str(cursor).ok()) {
        headers.insert(CURSOR, cursor);
    }
    response
}

/// Push operations.
///
/// As JSON: `operations` with ids of the client's own, or whole `states`; what comes twice is a duplicate. As
/// `application/octet-stream`: a frame of the protocol, answered in its bytes. Each operation is judged by itself.
#[utoipa::path(
    post,
    path = "/api/v1/sync/crdt/push",
    tag = "sync",
    operation_id = "push_operations",
    params(("cursor" = Option<String>, Query, description = "For frames: the device's cursor, which says what it has seen")),
    request_body = docs::Push,
    responses((status = 200, description = "What became of each", body = docs::PushAnswer), (status = 409, description = "The frame does not follow what the server has")),
)]
pub(crate) async fn push_operations(
    State(state): State<AppState>,
    asker: Asker,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let mut query = Query::parse(query.as_deref());
    let cursor = query.text("cursor");
    query.finish()?;
    let told = read(&state, request).await?;
    if is_binary(&told.parts.headers, header::CONTENT_TYPE) {
        let device = asker.device(&state, None)?;
        let cursor = read_cursor(&state, &device, cursor.as_deref())?;
        let pushed = push_binary(&state, &device, cursor, &told).await?;
        return Ok(binary_response(to_bytes(&pushed.answer), None));
    }
    let answered = push_json(&state, &asker, &told).await?;
    Ok(json_response(answer_json(&answered).to_string()))
}

/// Push in any documented shape: `operations`, `states`, the `changes` of the documents, the `events` of Phase 2.
#[utoipa::path(
    post,
    path = "/api/v1/sync/push",
    tag = "sync",
    operation_id = "push_any_shape",
    params(("X-Device-Id" = Option<String>, Header, description = "The device, for clients of Phase 2")),
    request_body = docs::Push,
    responses((status = 200, description = "What became of each, in the shape that was pushed")),
)]
pub(crate) async fn push_any_shape(
    State(state): State<AppState>,
    asker: Asker,
    request: Request,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let told = read(&state, request).await?;
    let answered = push_json(&state, &asker, &told).await?;
    Ok(json_response(answer_json(&answered).to_string()))
}

/// Pull what changed since a cursor.
///
/// Folded per entity, within the device's scope, at most `limit` entities; `has_more` says whether to go on at once. The
/// cursor is the client's to keep; asking with it says that everything before it was received.
#[utoipa::path(
    get,
    path = "/api/v1/sync/crdt/pull",
    tag = "sync",
    operation_id = "pull_changes",
    params(
        ("device_id" = Option<String>, Query, description = "The device, where a person asks"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before; none: from the start"),
        ("limit" = Option<u64>, Query, description = "Entities at most, 1 to 10,000, default `sync.batch_size`"),
        ("digest" = Option<bool>, Query, description = "Whether the last page of bytes carries the digest of the whole view"),
        ("schema" = Option<u16>, Query, description = "The schema whose tables the client knows; none: 1 for bytes, the latest for JSON"),
    ),
    responses((status = 200, description = "A page", body = docs::PullPage), (status = 409, description = "The cursor is not of this device, or of another history")),
)]
pub(crate) async fn pull_changes(
    State(state): State<AppState>,
    asker: Asker,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let mut query = Query::parse(query.as_deref());
    let named = query.text("device_id");
    let cursor = query.text("cursor");
    let (limit, digest, schema) = page_ask(&state, &mut query);
    query.finish()?;
    let device = asker.device(&state, named.as_deref())?;
    let ask = Ask {
        cursor: read_cursor(&state, &device, cursor.as_deref())?,
        limit,
        digest,
        binary: is_binary(&headers, header::ACCEPT),
        schema,
    };
    Ok(match pulled(&state, device, ask).await? {
        Pulled::Binary(bytes, cursor) => binary_response(bytes, Some(&cursor)),
        Pulled::Json(body) => json_response(body.to_string()),
    })
}

/// Push and pull in one round trip.
///
/// As JSON: a push with the client's `cursor`; the answer has the page as well. As bytes: a frame, or nothing, with the
/// cursor in the query; the answer is the length of the push's answer, that answer, and the page.
#[utoipa::path(
    post,
    path = "/api/v1/sync/crdt/sync",
    tag = "sync",
    operation_id = "sync_both",
    params(
        ("cursor" = Option<String>, Query, description = "For frames: the device's cursor"),
        ("limit" = Option<u64>, Query, description = "Entities at most, 1 to 10,000, default `sync.batch_size`"),
        ("digest" = Option<bool>, Query, description = "Whether the last page of bytes carries the digest of the whole view"),
        ("schema" = Option<u16>, Query, description = "The schema whose tables the client knows; none: 1 for bytes, the latest for JSON"),
    ),
    request_body = docs::Push,
    responses((status = 200, description = "What became of each operation, and a page", body = docs::SyncAnswer)),
)]
pub(crate) async fn sync_both(
    State(state): State<AppState>,
    asker: Asker,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let mut query = Query::parse(query.as_deref());
    let cursor = query.text("cursor");
    let (limit, digest, schema) = page_ask(&state, &mut query);
    query.finish()?;
    let told = read(&state, request).await?;
    if is_binary(&told.parts.headers, header::CONTENT_TYPE) {
        let device = asker.device(&state, None)?;
        let cursor = read_cursor(&state, &device, cursor.as_deref())?;
        let mut writer = Writer::new();
        let answer = if told.bytes.is_empty() {
            Pushed::default().answer
        } else {
            push_binary(&state, &device, cursor, &told).await?.answer
        };
        writer.bytes(&to_bytes(&answer));
        let ask = Ask {
            cursor,
            limit,
            digest,
            binary: true,
            schema,
        };
        let Pulled::Binary(page, next) = pulled(&state, device, ask).await? else {
            return Err(Problem::internal(&"a page of bytes was asked for"));
        };
        writer.raw(&page);
        return Ok(binary_response(writer.into_bytes(), Some(&next)));
    }
    let answered = push_json(&state, &asker, &told).await?;
    let ask = Ask {
        cursor: answered.cursor,
        limit,
        digest: false,
        binary: false,
        schema,
    };
    let device = answered.device.clone();
    let Pulled::Json(page) = pulled(&state, device, ask).await? else {
        return Err(Problem::internal(&"a page of JSON was asked for"));
    };
    let mut answer = answer_json(&answered);
    if let (Some(answer), Value::Object(page)) = (answer.as_object_mut(), page) {
        answer.extend(page);
    }
    Ok(json_response(answer.to_string()))
}

/// Both in the old system's shape.
pub(in crate::http) async fn bidirectional(
    state: AppState,
    asker: Asker,
    request: Request,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let told = read(&state, request).await?;
    let answered = push_json(&state, &asker, &told).await?;
    let ask = Ask {
        cursor: answered.cursor,
        limit: state.config.sync.batch_size,
        digest: false,
        binary: false,
        schema: None,
    };
    let device = answered.device.clone();
    let Pulled::Json(page) = pulled(&state, device, ask).await? else {
        return Err(Problem::internal(&"a page of JSON was asked for"));
    };
    let body = json!({
        "push_result": sync_result(&answered),
        "results": answered.pushed.results.iter().map(result_json).collect::<Vec<_>>(),
        "pull_states": page["states"],
        "pull_count": page["total_count"],
        "has_more": page["has_more"],
        "next_cursor": page["next_cursor"],
        "session_id": session_id(),
    });
    Ok(json_response(body.to_string()))
}

/// Pull as the documents have it: `{changes, has_more}` for a device in the path.
#[utoipa::path(
    get,
    path = "/api/v1/sync/pull/{device_id}",
    tag = "sync",
    operation_id = "pull_by_device",
    params(
        ("device_id" = String, Path, description = "The device"),
        ("since_version" = Option<String>, Query, description = "`next_cursor` of the page before; none or 0: from the start"),
        ("limit" = Option<u64>, Query, description = "Entities at most, 1 to 10,000, default `sync.batch_size`"),
    ),
    responses((status = 200, description = "A page")),
)]
pub(crate) async fn pull_by_device(
    State(state): State<AppState>,
    asker: Asker,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let since = query.text("since_version");
    let since = since.filter(|since| since != "0");
    let (limit, ..) = page_ask(&state, &mut query);
    query.finish()?;
    let mut page = json_page(&state, &asker, Some(&id), since.as_deref(), limit).await?;
    if let Some(page) = page.as_object_mut() {
        let states = page.remove("states").unwrap_or_default();
        page.insert("changes".to_owned(), states);
    }
    Ok(json_response(page.to_string()))
}

/// Pull as Phase 2 did: `{events, next_cursor}` for the device in `X-Device-Id`.
#[utoipa::path(
    get,
    path = "/api/v1/sync/pull",
    tag = "sync",
    operation_id = "pull_events",
    params(
        ("X-Device-Id" = Option<String>, Header, description = "The device, where a person asks"),
        ("device_id" = Option<String>, Query, description = "The same, for clients that cannot send the header"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before; none: from the start"),
        ("limit" = Option<u64>, Query, description = "Entities at most, 1 to 10,000, default `sync.batch_size`"),
    ),
    responses((status = 200, description = "A page")),
)]
pub(crate) async fn pull_events(
    State(state): State<AppState>,
    asker: Asker,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let header = headers.get(DEVICE).and_then(|value| value.to_str().ok());
    let named = header.map(str::to_owned).or(query.text("device_id"));
    let cursor = query.text("cursor");
    let (limit, ..) = page_ask(&state, &mut query);
    query.finish()?;
    require_enabled(&state)?;
    let device = phase2::device(&state, &asker, named.as_deref()).await?;
    let named = Some(&*device.device.id);
    let cursor = phase2::cursor(cursor.as_deref());
    let page = json_page(&state, &asker, named, cursor, limit).await?;
    let body = json!({
        "events": page["states"],
        "next_cursor": page["next_cursor"],
        "has_more": page["has_more"],
    });
    Ok(json_response(body.to_string()))
}

/// One page in JSON.
pub(in crate::http) async fn json_page(
    state: &AppState,
    asker: &Asker,
    named: Option<&str>,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Value, Problem> {
    require_enabled(state)?;
    let device = asker.device(state, named)?;
    let ask = Ask {
        cursor: read_cursor(state, &device, cursor)?,
        limit,
        digest: false,
        binary: false,
        schema: None,
    };
    match pulled(state, device, ask).await? {
        Pulled::Json(page) => Ok(page),
        Pulled::Binary(..) => Err(Problem::new(Kind::Internal, "Internal server error")),
    }
}
