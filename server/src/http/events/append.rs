//! Writing events: `POST /events` and `POST /events/batch`.
//!
//! The first is the hot path of the whole server: the body is read once, no tree is built from it, and the answer is the
//! stored text with what the log assigned in front.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use fleet::policy::Role;
use storage::{
    AppendError, EventReceipt, ExpectedVersion, NewEvent, Receipt, Transaction, Version,
};
use uuid::Uuid;

use super::docs;
use crate::app::AppState;
use crate::append::append;
use crate::auth::Caller;
use crate::envelope::{
    self, EventHead, attribute, parse_batch, parse_event, write_head, write_tail,
};
use crate::http::body::{self, BodyLimits};
use crate::http::problem::{Kind, Problem};
use crate::json::put_number;
use crate::rfc3339;

/// The header under which a client repeats a write without doing it twice.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Bytes of an idempotency key.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// The header with which a client asks for a short answer.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Append an event.
///
/// Answers once the event is on the disk. A repeated `id`, or a repeated `Idempotency-Key`, gives the first answer again
/// and writes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    tag = "events",
    operation_id = "append_event",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable: the event's id is derived from it and the account"),
        ("If-Match" = Option<String>, Header, description = "The version that the stream must have, or `*` for any but none"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: the stream must have no events"),
        ("Prefer" = Option<String>, Header, description = "`return=minimal`: the answer leaves out data and metadata"),
    ),
    request_body = docs::NewEvent,
    responses(
        (status = 201, description = "Appended and on the disk", body = docs::Event, headers(("etag" = String, description = "The stream's version now"))),
        (status = 200, description = "It was there already; nothing was written", body = docs::Event),
    ),
)]
pub(crate) async fn append_event(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let http = &state.config.http;
    let limits = BodyLimits {
        bytes_max: http.body_bytes_max,
        timeout: http.body_read_timeout,
    };
    body::require_json(&parts.headers)?;
    let bytes = body::read(&parts.headers, body, limits).await?;
    let mut envelope = parse_event(&bytes)?;
    attribute_to(&caller, &mut envelope.event)?;
    if let Some(key) = idempotency_key(&parts.headers)? {
        derive_id(&caller, key, 0, &mut envelope.event);
    }
    let precondition = precondition(&parts.headers)?;
    let expected = match (precondition, envelope.expected) {
        (Some(header), Some(body)) if header != body => {
            return Err(Problem::new(
                Kind::BadRequest,
                "If-Match and `expected_version` ask for different versions",
            ));
        }
        (header, body) => header.or(body).unwrap_or_default(),
    };
    let mut tail = Vec::with_capacity(bytes.len() + 128);
    if prefers_minimal(&parts.headers) {
        tail.push(b'}');
    } else {
        let event = &envelope.event;
        tail.push(b',');
        write_tail(
            &event.data,
            &event.metadata,
            || event.tags.iter().map(|tag| &**tag),
            &mut tail,
        );
    }
    let (stream, event_type, schema) = (
        envelope.stream.clone(),
        envelope.event.event_type.clone(),
        envelope.event.schema,
    );
    let transaction = Transaction::single(envelope.stream, expected, envelope.event);
    let receipt = append(&state.log, transaction)
        .await
        .map_err(|error| problem_of(error, precondition.is_some()))?;
    let Some(event) = receipt.events.first() else {
        return Err(Problem::internal(&"an append without a receipt"));
    };
    let mut text = Vec::with_capacity(tail.len() + 384);
    write_head(
        &EventHead::appended(event, &stream, &event_type, schema),
        &mut text,
    );
    text.extend_from_slice(&tail);
    Ok(answer(receipt.duplicate, Some(event.version), text))
}

/// Append several events as one transaction.
///
/// All are appended, at consecutive positions in the order given, or none. `condition` makes the whole depend on what
/// has not happened since a position.
#[utoipa::path(
    post,
    path = "/api/v1/events/batch",
    tag = "events",
    operation_id = "append_events",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable: ids are derived from it, the account and the place in the batch"),
        ("Prefer" = Option<String>, Header, description = "`return=minimal`: the answer leaves out the list of events"),
    ),
    request_body = docs::NewBatch,
    responses(
        (status = 201, description = "Appended and on the disk", body = docs::BatchReceipt),
        (status = 200, description = "All were there already; nothing was written", body = docs::BatchReceipt),
    ),
)]
pub(crate) async fn append_batch(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let http = &state.config.http;
    let limits = BodyLimits {
        bytes_max: http.batch_bytes_max,
        timeout: http.body_read_timeout,
    };
    body::require_json(&parts.headers)?;
    let bytes = body::read(&parts.headers, body, limits).await?;
    let events_max = http.batch_events_max;
    let mut batch = read_batch(bytes, events_max).await?;
    let key = idempotency_key(&parts.headers)?;
    let events = batch
        .transaction
        .writes
        .iter_mut()
        .flat_map(|write| &mut write.events);
    for (index, event) in events.enumerate() {
        attribute_to(&caller, event)?;
        if let Some(key) = key {
            derive_id(&caller, key, index, event);
        }
    }
    let receipt = append(&state.log, batch.transaction).await?;
    Ok(answer(
        receipt.duplicate,
        None,
        batch_answer(&receipt, prefers_minimal(&parts.headers)),
    ))
}

/// Reads a batch; a large one on a blocking thread, so that others are answered meanwhile.
async fn read_batch(
    bytes: axum::body::Bytes,
    events_max: usize,
) -> Result<envelope::Batch, Problem> {
    const INLINE_BYTES_MAX: usize = 512 << 10;
    if bytes.len() <= INLINE_BYTES_MAX {
        return Ok(parse_batch(&bytes, events_max)?);
    }
    let parsed = tokio::task::spawn_blocking(move || parse_batch(&bytes, events_max)).await;
    Ok(parsed.map_err(|error| Problem::internal(&error))??)
}

fn batch_answer(receipt: &Receipt, minimal: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(
        128 + if minimal {
            0
        } else {
            receipt.events.len() * 260
        },
    );
    let first = receipt
        .events
        .first()
        .map_or(0, |event| event.position.get());
    text.extend_from_slice(b"{\"count\":");
    put_number(receipt.events.len() as u64, &mut text);
    for (name, position) in [
        (&b",\"first_position\":"[..], first),
        (b",\"last_position\":", receipt.last_position().get()),
        (b",\"position\":", receipt.last_position().get()),
    ] {
        text.extend_from_slice(name);
        put_number(position, &mut text);
    }
    text.extend_from_slice(if receipt.duplicate {
        b",\"duplicate\":true"
    } else {
        b",\"duplicate\":false"
    });
    if !minimal {
        text.extend_from_slice(b",\"events\":[");
        for (index, event) in receipt.events.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            write_receipt(event, &mut text);
        }
        text.push(b']');
    }
    text.push(b'}');
    text
}

fn write_receipt(event: &EventReceipt, out: &mut Vec<u8>) {
    let mut id = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    let id = event.id.hyphenated().encode_lower(&mut id).as_bytes();
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(id);
    out.extend_from_slice(b"\",\"event_id\":\"");
    out.extend_from_slice(id);
    out.extend_from_slice(b"\",\"position\":");
    put_number(event.position.get(), out);
    for name in [&b",\"version\":"[..], b",\"aggregate_version\":"] {
        out.extend_from_slice(name);
        put_number(u64::from(event.version.get()), out);
    }
    out.extend_from_slice(b",\"occurred_at\":\"");
    rfc3339::write(event.occurred_at, out);
    out.extend_from_slice(b"\",\"recorded_at\":\"");
    rfc3339::write(event.recorded_at, out);
    out.extend_from_slice(b"\"}");
}

fn answer(duplicate: bool, version: Option<Version>, text: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = if duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(version) = version {
        headers.insert(header::ETAG, etag(version));
    }
    response
}

/// The entity tag of a stream at this version: the version in quotes.
pub(crate) fn etag(version: Version) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Names the caller as who caused the event. Somebody else may be named by those who import for others.
fn attribute_to(caller: &Caller, event: &mut NewEvent) -> Result<(), Problem> {
    let named = envelope::user_id(event.tags.iter().map(|tag| &**tag));
    match named {
        None => attribute(event, caller.id_text()),
        Some(name) if caller.is(name) || caller.role().reaches(Role::FleetManager) => {}
        Some(_) => {
            let detail = "metadata.user_id names another account; only a FLEET_MANAGER or SUPER_ADMIN may record for others";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
    }
    Ok(())
}

pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value.as_bytes();
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        let detail = format!("Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    Ok(Some(key))
}

/// Gives an event without an id the one that follows from who repeats what (UUID version 5, RFC 9562 §5.5).
fn derive_id(caller: &Caller, key: &[u8], index: usize, event: &mut NewEvent) {
    if event.id.is_none() {
        let mut name = Vec::with_capacity(key.len() + 9);
        name.extend_from_slice(key);
        name.push(0);
        name.extend_from_slice(&(index as u64).to_be_bytes());
        event.id = Some(Uuid::new_v5(&caller.account().id, &name));
    }
}

/// What `If-Match` and `If-None-Match` ask of the stream.
pub(crate) fn precondition(headers: &HeaderMap) -> Result<Option<ExpectedVersion>, Problem> {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default().trim())
    };
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(None),
        (None, Some("*")) => Ok(Some(ExpectedVersion::NoStream)),
        (Some("*"), None) => Ok(Some(ExpectedVersion::Exists)),
        (Some(version), None) => match version.trim_start_matches("W/").trim_matches('"').parse() {
            Ok(number) => Ok(Some(ExpectedVersion::Exact(Version::new(number)))),
            Err(_) => Err(Problem::new(
                Kind::BadRequest,
                "If-Match must be a version, like \"7\", or *",
            )),
        },
        _ => Err(Problem::new(
            Kind::BadRequest,
            "If-None-Match must be * and cannot stand beside If-Match",
        )),
    }
}

fn prefers_minimal(headers: &HeaderMap) -> bool {
    headers
        .get(PREFER)
        .is_some_and(|value| value.as_bytes() == b"return=minimal")
}

/// A version that came in a header and does not fit is 412, as HTTP has it; one that came in the body is 409.
fn problem_of(error: AppendError, from_header: bool) -> Problem {
    let wrong_version = matches!(error, AppendError::WrongVersion { .. });
    let problem = Problem::from(error);
    if wrong_version && from_header {
        problem.as_kind(Kind::PreconditionFailed)
    } else {
        problem
    }
}
