//! Writing events: `POST /events` and `POST /events/batch`.
//!
//! The first is the hot path of the whole server: the body is read once, no tree is built from it, and the answer is the
//! stored text with what the log assigned in front.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use fleet::policy::Role;
use serde_json::{Map, Value};
use storage::{
    AppendError, EventReceipt, ExpectedVersion, NewEvent, Receipt, Transaction, Version,
};
use uuid::Uuid;

use super::{docs, rank};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::append_guarded;
use crate::envelope::{
    self, EventHead, USER_PREFIX, attribute, parse_batch, parse_event, write_head, write_tail,
    write_times,
};
use crate::field_error::{FieldError, Place};
use crate::http::body::{self, BodyLimits};
use crate::http::problem::{Kind, Problem};
use crate::json::put_number;
use crate::rfc3339;
use crate::sync::is_of_log;

/// The header under which a client repeats a write without doing it twice.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Bytes of an idempotency key.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// How far ahead of the server's clock an event may claim to have happened, in microseconds: states go by when things happened,
/// so what a wrong clock dates into next year outweighs until then whatever is done. A day is more than time zones are apart.
const AHEAD_MAX: i64 = 24 * 3_600 * 1_000_000;
/// The header with which a client asks for a short answer.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");

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
    let wishes = Wishes::of(&parts.headers);
    let (transaction, asked) = read_write(&state, &caller, wishes, &bytes)?;
    let (transaction, result) = append_guarded(&state, &caller, transaction).await?;
    let mut text = Vec::new();
    let written = asked.write_answer(&transaction, result, &mut text)?;
    Ok(answer(written.duplicate, Some(written.version), text))
}

/// What a request's head asks of an append.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes<'a> {
    pub(crate) idempotency_key: Option<&'a [u8]>,
    pub(crate) if_match: Option<&'a [u8]>,
    pub(crate) if_none_match: Option<&'a [u8]>,
    pub(crate) prefer: Option<&'a [u8]>,
}

impl<'a> Wishes<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let value = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
        Wishes {
            idempotency_key: value(IDEMPOTENCY_KEY),
            if_match: value(header::IF_MATCH),
            if_none_match: value(header::IF_NONE_MATCH),
            prefer: value(PREFER),
        }
    }
}

/// What an answer to an append depends on besides the transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    minimal: bool,
    /// Whether the expected version came in a header.
    by_header: bool,
}

/// What an answer's head says of an append.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) duplicate: bool,
    pub(crate) version: Version,
}

/// What `caller` wants appended: all that can be checked before the log is asked.
///
/// # Errors
/// `invalid`, `bad-request`, `forbidden`.
pub(crate) fn read_write(
    state: &AppState,
    caller: &Caller,
    wishes: Wishes<'_>,
    body: &[u8],
) -> Result<(Transaction, Asked), Problem> {
    let mut envelope = parse_event(body)?;
    check_own(state.log.log_id(), &envelope.event, &[])?;
    check_time(state, &envelope.event, &[])?;
    attribute_to(caller, &mut envelope.event)?;
    rank::check(state, caller, &envelope.stream, &envelope.event)?;
    if let Some(key) = idempotency_key(wishes)? {
        derive_id(caller, key, 0, &mut envelope.event);
    }
    let precondition = precondition(wishes)?;
    let expected = match (precondition, envelope.expected) {
        (Some(header), Some(body)) if header != body => {
            return Err(Problem::new(
                Kind::BadRequest,
                "If-Match and `expected_version` ask for different versions",
            ));
        }
        (header, body) => header.or(body).unwrap_or_default(),
    };
    check_row(state, &envelope.stream, expected, &envelope.event, &[])?;
    let asked = Asked {
        minimal: prefers_minimal(wishes),
        by_header: precondition.is_some(),
    };
    let transaction = Transaction::single(envelope.stream, expected, envelope.event);
    Ok((transaction, asked))
}

impl Asked {
    /// Appends the answer's text: the event as it was sent, with what the log assigned in front.
    ///
    /// # Errors
    /// Those of the log.
    pub(crate) fn write_answer(
        self,
        transaction: &Transaction,
        result: Result<Receipt, AppendError>,
        text: &mut Vec<u8>,
    ) -> Result<Written, Problem> {
        let receipt = result.map_err(|error| problem_of(error, self.by_header))?;
        let sent = transaction.writes.first();
        let sent = sent.and_then(|write| Some((&write.stream, write.events.first()?)));
        let (Some((stream, event)), Some(assigned)) = (sent, receipt.events.first()) else {
            return Err(Problem::internal(&"an append without an event"));
        };
        text.reserve(event.data.len() + event.metadata.len() + 512);
        let head = EventHead::appended(assigned, stream, &event.event_type, event.schema);
        write_head(&head, text);
        if self.minimal {
            text.push(b'}');
        } else {
            text.push(b',');
            let tags = || event.tags.iter().map(|tag| &**tag);
            write_tail(&event.data, &event.metadata, tags, text);
        }
        Ok(Written {
            duplicate: receipt.duplicate,
            version: assigned.version,
        })
    }
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
    let wishes = Wishes::of(&parts.headers);
    let key = idempotency_key(wishes)?;
    let log = state.log.log_id();
    let writes = batch.transaction.writes.iter_mut();
    let events = writes.flat_map(|write| {
        let (stream, expected) = (&write.stream, write.expected);
        let events = write.events.iter_mut();
        events.map(move |event| (stream, expected, event))
    });
    for (index, (stream, expected, event)) in events.enumerate() {
        let outer: [Place; 2] = ["events".into(), index.into()];
        check_own(log, event, &outer)?;
        check_time(&state, event, &outer)?;
        attribute_to(&caller, event)?;
        rank::check(&state, &caller, stream, event)?;
        check_row(&state, stream, expected, event, &outer)?;
        if let Some(key) = key {
            derive_id(&caller, key, index, event);
        }
    }
    let (_, receipt) = append_guarded(&state, &caller, batch.transaction).await?;
    let receipt = receipt?;
    Ok(answer(
        receipt.duplicate,
        None,
        batch_answer(&receipt, prefers_minimal(wishes)),
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
    write_times(event.occurred_at, event.recorded_at, out);
    out.push(b'}');
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

/// Refuses what is the server's own: the ids of what tablets do, which can be told beforehand (`sync::carrier`) and would stop a
/// tablet if somebody took them; and in metadata what a tablet did, and from where the importer took a row. A file may hold
/// events that were exported, and what they say of themselves is kept and not believed.
fn check_own(log: Uuid, event: &NewEvent, outer: &[Place]) -> Result<(), Problem> {
    if event.id.is_some_and(|id| is_of_log(log, id)) {
        let msg = "is one that the server keeps for what tablets do: send another";
        let fault = FieldError::body("id", "internal_id", msg).below(outer);
        return Err(Problem::invalid(vec![fault]));
    }
    if event.metadata.is_empty() {
        return Ok(());
    }
    let metadata: Map<String, Value> = serde_json::from_slice(&event.metadata).unwrap_or_default();
    let member = match (metadata.get("crdt"), metadata.get("source")) {
        (Some(_), _) => "crdt",
        (None, Some(Value::Object(_))) => "source",
        _ => return Ok(()),
    };
    let loc = ["body".into(), "metadata".into(), member.into()];
    let msg = match member {
        "source" => "is an object, which the importer alone writes; text is taken",
        _ => "is written by the server alone",
    };
    let fault = FieldError::new(loc, "internal_member", msg).below(outer);
    Err(Problem::invalid(vec![fault]))
}

/// Refuses what is said to have happened long after the present time. What comes from files, other depots and tablets has
/// ways in of its own.
fn check_time(state: &AppState, event: &NewEvent, outer: &[Place]) -> Result<(), Problem> {
    let Some(occurred_at) = event.occurred_at else {
        return Ok(());
    };
    let now = state.clock.now();
    if occurred_at <= now.plus_micros(AHEAD_MAX) {
        return Ok(());
    }
    let msg = format!(
        "is more than 24 hours ahead of the server's clock, which says {}: set the sender's clock, or leave `occurred_at` out",
        rfc3339::to_string(now)
    );
    let fault = FieldError::body("occurred_at", "datetime_past", msg).below(outer);
    Err(Problem::invalid(vec![fault]))
}

/// Refuses a creation that would give its row the UUID of another one, or another UUID than it has: rows refer to each
/// other by it. A row has the UUID that its creation tells, else the aggregate's id where that is one. What the read model
/// does not show yet is not seen; a client cannot know the UUID of such a row.
fn check_row(
    state: &AppState,
    stream: &storage::StreamName,
    expected: ExpectedVersion,
    event: &NewEvent,
    outer: &[Place],
) -> Result<(), Problem> {
    let aggregate_type = &*stream.aggregate_type;
    if !rank::is_creation(stream, event) || fleet::registry().aggregate(aggregate_type).is_none() {
        return Ok(());
    }
    let data: Map<String, Value> = serde_json::from_slice(&event.data).unwrap_or_default();
    let told = data.get("id").and_then(Value::as_str);
    let told = told.and_then(|id| Uuid::try_parse(id).ok());
    let Some(uuid) = told.or_else(|| Uuid::try_parse(&stream.aggregate_id).ok()) else {
        return Ok(());
    };
    let fault = |kind: &'static str, msg: String| {
        let fault = match told {
            Some(_) => FieldError::new(["body".into(), "data".into(), "id".into()], kind, msg),
            None => FieldError::body("aggregate_id", kind, msg),
        };
        Err(Problem::invalid(vec![fault.below(outer)]))
    };
    let catalog = state.projections.catalog();
    let own = catalog.entry(aggregate_type, &stream.aggregate_id).value;
    if let Some(own) = own.filter(|own| own.folded.exists()) {
        // Who expects no stream is told by the log that there is one.
        let is_kept = told.is_none_or(|told| told == own.uuid());
        if is_kept || expected == ExpectedVersion::NoStream {
            return Ok(());
        }
        let msg = format!(
            "is not the UUID of the row, which is there and keeps {}: leave `id` out",
            own.uuid()
        );
        return fault("row_id_kept", msg);
    }
    match catalog.find(aggregate_type, &uuid.to_string()).value {
        Some(other) if *other.aggregate_id != *stream.aggregate_id => {
            let msg = format!(
                "is the UUID of another {aggregate_type}, {}, by which rows refer to it: send one that is free",
                other.aggregate_id
            );
            fault("row_id_taken", msg)
        }
        _ => Ok(()),
    }
}

/// Names the caller as who caused the event. Somebody else may be named by those who import for others.
fn attribute_to(caller: &Caller, event: &mut NewEvent) -> Result<(), Problem> {
    let named = envelope::user_id(event.tags.iter().map(|tag| &**tag));
    match named {
        None => attribute(event, caller.id_text()),
        // By their id: an e-mail address or a name must not lie open in a tag.
        Some(name) if caller.is(name) && name != caller.id_text() => {
            event.tags.retain(|tag| !tag.starts_with(USER_PREFIX));
            attribute(event, caller.id_text());
        }
        Some(name) if caller.is(name) || caller.role().reaches(Role::FleetManager) => {}
        Some(_) => {
            let detail = "metadata.user_id names another account; only a FLEET_MANAGER or SUPER_ADMIN may record for others";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
    }
    Ok(())
}

pub(crate) fn idempotency_key(wishes: Wishes<'_>) -> Result<Option<&[u8]>, Problem> {
    let Some(key) = wishes.idempotency_key else {
        return Ok(None);
    };
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
pub(crate) fn precondition(wishes: Wishes<'_>) -> Result<Option<ExpectedVersion>, Problem> {
    // What is no text is no version either.
    fn text(value: &[u8]) -> &str {
        str::from_utf8(value).unwrap_or_default().trim()
    }
    match (wishes.if_match.map(text), wishes.if_none_match.map(text)) {
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

fn prefers_minimal(wishes: Wishes<'_>) -> bool {
    wishes.prefer == Some(b"return=minimal")
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
