//! Checkpoints and proofs: what lets somebody without the log check what it holds, and that it only ever grew.
//!
//! Everything that a check needs is in one answer: the leaf, its path, the note that signs the root, and the same for the
//! leaves that brought the names in the event. `scripts/check_proof.py` checks such an answer.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, Response, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use storage::{
    EventRef, InclusionProof, Log, Position, Query as LogQuery, ReadError, ReadRequest, StreamName,
    TreeError, TreeHash,
};

use super::docs;
use crate::app::AppState;
use crate::audit::{CheckpointError, Signed};
use crate::auth::Caller;
use crate::http::extract::{PathParts, ReadAt};
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::{reads, rfc3339};

/// Notes in an answer.
const NOTES_MAX: u64 = 1_000;

impl From<CheckpointError> for Problem {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Forked { size } => {
                tracing::error!(
                    size,
                    "the log does not continue a checkpoint that was signed"
                );
                Problem::new(Kind::Conflict, error.to_string()).with("checkpoint_size", size)
            }
            CheckpointError::Tree(error) => error.into(),
            CheckpointError::Key(_) | CheckpointError::Io { .. } => Problem::internal(&error),
        }
    }
}

impl From<TreeError> for Problem {
    fn from(error: TreeError) -> Self {
        let detail = error.to_string();
        match error {
            TreeError::Beyond { .. } | TreeError::NotInTree { .. } => Problem::not_found(detail),
            TreeError::Changed { first, last } => Problem::new(Kind::Conflict, detail)
                .with("first_position", first.get())
                .with("last_position", last.get()),
            TreeError::Read(error) => error.into(),
        }
    }
}

/// The log as it is, signed.
///
/// Keep the `note` where nobody who can write to this server's disk can change it: whatever is changed, removed, inserted
/// or reordered in the log from then on is found by holding it against the note.
#[utoipa::path(
    get,
    path = "/api/v1/audit/checkpoint",
    tag = "audit",
    operation_id = "checkpoint",
    params(
        ("position" = Option<u64>, Query, description = "Of the log up to this position; all of it if absent"),
        ("format" = Option<String>, Query, description = "`json` (default) or `note`: the note alone, as text"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The checkpoint", body = docs::CheckpointAnswer)),
)]
pub(crate) async fn checkpoint(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let position = query.position("position");
    let as_note = query.one_of("format", &["json", "note"]) == Some(1);
    ReadAt::await_log(query, &state).await?;
    let (signed, recorded_at) = reads::run(&state, move |state| {
        let signed = match position {
            Some(position) => state.checkpoints.sign(&state.log, position)?,
            None => {
                let now = state.clock.now();
                state.checkpoints.sign_on_demand(&state.log, now)?
            }
        };
        let recorded_at = recorded_at(&state.log, signed.checkpoint.size)?;
        Ok((signed, recorded_at))
    })
    .await?;
    if as_note {
        let mut response = Response::new(Body::from(signed.note));
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        return Ok(response);
    }
    let mut body = signed_json(&signed);
    body["recorded_at"] = json!(recorded_at);
    body["public_key"] = json!(state.checkpoints.verifier().to_string());
    Ok(json_response(body.to_string()))
}

fn signed_json(signed: &Signed) -> Value {
    json!({
        "origin": signed.checkpoint.origin,
        "tree_size": signed.checkpoint.size,
        "root_hash": BASE64.encode(signed.checkpoint.root.0),
        "note": signed.note,
    })
}

/// When the event at a position was recorded, if it can be read.
fn recorded_at(log: &Log, position: u64) -> Result<Option<String>, ReadError> {
    with_event(log, Position::new(position), |event| {
        rfc3339::to_string(event.recorded_at())
    })
}

/// What `make` makes of the event at a position; `None` when there is none, or it is damaged.
fn with_event<T>(
    log: &Log,
    position: Position,
    make: impl FnOnce(&EventRef<'_>) -> T,
) -> Result<Option<T>, ReadError> {
    let request = ReadRequest {
        from: position.max(Position::FIRST),
        to: position,
        ..ReadRequest::default()
    };
    let mut reader = log.read(&request)?;
    match reader.next() {
        Some(Ok(event)) => Ok(Some(make(&event))),
        Some(Err(ReadError::Damaged { .. })) | None => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

/// The checkpoints that were signed at intervals, and on demand.
#[utoipa::path(
    get,
    path = "/api/v1/audit/checkpoints",
    tag = "audit",
    operation_id = "checkpoints",
    params(
        ("from_position" = Option<u64>, Query, description = "Only those of at least so many events"),
        ("limit" = Option<u64>, Query, description = "At most this many, default 1,000"),
    ),
    responses((status = 200, description = "The checkpoints, the oldest first", body = docs::CheckpointList)),
)]
pub(crate) async fn checkpoints(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let from = query.position("from_position").unwrap_or(Position::START);
    let limit = query.number("limit", 1..=NOTES_MAX).unwrap_or(NOTES_MAX);
    query.finish()?;
    let body = reads::run(&state, move |state| {
        let kept = state.checkpoints.kept()?;
        let (older_bytes, mut kept) = (kept.older_bytes, kept.signed);
        kept.retain(|signed| signed.checkpoint.size >= from.get());
        let total = kept.len();
        kept.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(json!({
            "total": total,
            "checkpoints": kept.iter().map(signed_json).collect::<Vec<_>>(),
            "truncated": older_bytes > 0,
            "public_key": state.checkpoints.verifier().to_string(),
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// Proof that an event is in the log.
///
/// Holds all that a check needs. Of events that are not shown whole (accounts; documents, below a FLEET_MANAGER) the record is left
/// out and only its hash is given.
#[utoipa::path(
    get,
    path = "/api/v1/audit/proof/{position}",
    tag = "audit",
    operation_id = "inclusion_proof",
    params(
        ("position" = u64, Path, description = "The event's position"),
        ("size" = Option<u64>, Query, description = "Within the tree of so many events; all of them if absent"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The proof", body = docs::Proof)),
)]
pub(crate) async fn inclusion(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([position]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let size = query.position("size");
    let position: u64 = position.parse().unwrap_or_else(|_| {
        query.fault("position", "int_parsing", "must be a whole number");
        0
    });
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    let body = reads::run(&state, move |state| {
        prove(state, sight, Position::new(position), size)
    })
    .await?;
    Ok(json_response(body.to_string()))
}

fn prove(
    state: &AppState,
    sight: Sight,
    position: Position,
    size: Option<Position>,
) -> Result<Value, Problem> {
    let log = &state.log;
    let size = size.unwrap_or(log.durable_position());
    let proof = log.inclusion_proof(position, size)?;
    let found = with_event(log, position, |event| {
        let stream = event.stream().to_name();
        (stream, event.event_type().to_owned(), sight.event(event))
    })?;
    let (stream, event_type, event) = found.ok_or_else(|| {
        Problem::not_found(format!("the event at position {position} is damaged"))
    })?;
    if !sight.covers(&stream.aggregate_type) {
        return Err(Problem::not_found(format!(
            "there is no event at position {position}"
        )));
    }
    let is_whole = sight.shows_whole(&stream.aggregate_type);
    let names = match is_whole {
        true => naming_leaves(log, sight, stream, event_type, (position, size))?,
        false => Vec::new(),
    };
    let signed = state.checkpoints.sign(log, size)?;
    let mut body = proof_json(&proof, is_whole);
    body["tree_size"] = json!(size.get());
    body["root_hash"] = json!(BASE64.encode(signed.checkpoint.root.0));
    body["names"] = json!(names);
    body["event"] = event;
    body["checkpoint"] = json!(signed.note);
    body["public_key"] = json!(state.checkpoints.verifier().to_string());
    Ok(body)
}

/// Proof that the event at a position is in the tree of `size` events, with the leaves that brought its names; the tree's root
/// and its note are the caller's to add.
pub(in crate::http) fn bare_proof(
    log: &Log,
    sight: Sight,
    event: &EventRef<'_>,
    size: Position,
) -> Result<Value, Problem> {
    let (position, stream) = (event.position(), event.stream().to_name());
    let is_whole = sight.shows_whole(&stream.aggregate_type);
    let mut body = proof_json(&log.inclusion_proof(position, size)?, is_whole);
    let event_type = event.event_type().to_owned();
    let names = match is_whole {
        true => naming_leaves(log, sight, stream, event_type, (position, size))?,
        false => Vec::new(),
    };
    body["names"] = json!(names);
    Ok(body)
}

/// The leaves that brought the names of an event's stream and types, proved in the tree of `size` events. The event's own leaf is
/// not among them. One that the caller may not see (an event type's name may have come with an account) is given as its hash.
fn naming_leaves(
    log: &Log,
    sight: Sight,
    stream: StreamName,
    event_type: String,
    (position, size): (Position, Position),
) -> Result<Vec<Value>, Problem> {
    let mut names = Vec::new();
    for query in [
        LogQuery::aggregate_types([stream.aggregate_type.clone()]),
        LogQuery::stream(stream),
        LogQuery::event_types([event_type]),
    ] {
        names.extend(first_of(log, query)?);
    }
    names.sort_unstable();
    names.dedup();
    names.retain(|naming| *naming != position && *naming <= size);
    let proved = names
        .into_iter()
        .map(|naming| {
            let is_whole = with_event(log, naming, |event| {
                sight.shows_whole(event.stream().aggregate_type)
            })?;
            let proof = log.inclusion_proof(naming, size)?;
            Ok(proof_json(&proof, is_whole == Some(true)))
        })
        .collect::<Result<_, Problem>>()?;
    Ok(proved)
}

/// The position of the first event that matches: the one that brought the names. One that cannot be read, and only may match,
/// is passed over.
fn first_of(log: &Log, query: LogQuery) -> Result<Option<Position>, ReadError> {
    let mut reader = log.read(&ReadRequest {
        query,
        ..ReadRequest::default()
    })?;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => return Ok(Some(event.position())),
            Err(error @ ReadError::Archived { .. }) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

fn proof_json(proof: &InclusionProof, with_leaf: bool) -> Value {
    let path: Vec<String> = proof
        .path
        .iter()
        .map(|hash| BASE64.encode(hash.0))
        .collect();
    json!({
        "position": proof.position.get(),
        "leaf_index": proof.position.previous().get(),
        "leaf": with_leaf.then(|| BASE64.encode(&proof.leaf)),
        "leaf_hash": BASE64.encode(TreeHash::leaf(&proof.leaf).0),
        "path": path,
    })
}

/// Proof that the log as it was is the beginning of the log as it is.
#[utoipa::path(
    get,
    path = "/api/v1/audit/consistency",
    tag = "audit",
    operation_id = "consistency_proof",
    params(
        ("from" = u64, Query, description = "Events in the earlier tree: the second line of its checkpoint"),
        ("to" = Option<u64>, Query, description = "Events in the later tree; all of them if absent"),
    ),
    responses((status = 200, description = "The proof", body = docs::Consistency)),
)]
pub(crate) async fn consistency(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let from = query.position("from");
    if from.is_none() && query.all("from").is_empty() {
        query.fault("from", "missing", "is required");
    }
    let to = query.position("to");
    query.finish()?;
    let body = reads::run(&state, move |state| {
        let log = &state.log;
        let old = from.unwrap_or(Position::START);
        let new = to.unwrap_or(log.durable_position());
        let proof = log.consistency_proof(old, new)?;
        let signed = state.checkpoints.sign(log, new)?;
        let path: Vec<String> = proof
            .path
            .iter()
            .map(|hash| BASE64.encode(hash.0))
            .collect();
        Ok(json!({
            "old_size": old.get(),
            "new_size": new.get(),
            "old_root": BASE64.encode(log.tree_root(old)?.0),
            "new_root": BASE64.encode(signed.checkpoint.root.0),
            "path": path,
            "checkpoint": signed.note,
            "public_key": state.checkpoints.verifier().to_string(),
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}
