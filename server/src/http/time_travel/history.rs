//! One aggregate event by event: its true state after each, and what each changed.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::{Value, json};
use storage::{Position, ReadError, ReadRequest, StreamName, TimeRange, Timestamp, Version};

use super::docs;
use super::{Target, difference_json, read_span, snapshot_json};
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::damage::{self, Stretch};
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::http::weight::Weight;
use crate::past::{Cause, Steps, diff, stream_request};
use crate::reads;

/// States in an answer.
const STATES_MAX: u64 = 1_000;
/// States in an answer that asks for no number.
const STATES_DEFAULT: u64 = 100;
/// Intermediate states that a replay gives.
const REPLAY_STATES_MAX: usize = 1_000;

/// An aggregate's states, one after each event.
///
/// Each is the true state at its version, wherever the answer begins: as it was known once that event was recorded.
#[utoipa::path(
    get,
    path = "/api/v1/time-travel/history",
    tag = "time-travel",
    operation_id = "state_history",
    params(
        ("aggregate_type" = String, Query, description = "The aggregate's type"),
        ("aggregate_id" = String, Query, description = "The aggregate's id"),
        ("start_time" = Option<String>, Query, description = "Only events that happened at or after this time"),
        ("end_time" = Option<String>, Query, description = "Only events that happened at or before this time"),
        ("from_version" = Option<u32>, Query, description = "Only from this version on; where a page left off: its `next_version`"),
        ("to_version" = Option<u32>, Query, description = "Only up to this version"),
        ("limit" = Option<u64>, Query, description = "At most this many, default 100; fewer where they are large"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The states", body = docs::History)),
)]
pub(crate) async fn history(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let name = Target::read(&mut query);
    let walk_of = Walk::read(&mut query);
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let target = Target::find(state, sight, name)?;
        let (states, next) = walk(state, sight, &target, walk_of, damaged)?;
        Ok(json!({
            "aggregate_type": &*target.name.aggregate_type,
            "aggregate_id": &*target.name.aggregate_id,
            "count": states.len(),
            "history": states,
            "next_version": next,
        }))
    })
    .await
}

/// Which of an aggregate's events to walk along.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Walk {
    pub(in crate::http) from: Option<Timestamp>,
    pub(in crate::http) to: Option<Timestamp>,
    pub(in crate::http) from_version: u32,
    pub(in crate::http) to_version: u32,
    pub(in crate::http) limit: u64,
}

impl Walk {
    /// Reads what `history` understands.
    pub(in crate::http) fn read(query: &mut Query<'_>) -> Self {
        let (from, to) = read_span(query, ("start_time", "end_time"));
        let from_version = query.version("from_version").unwrap_or(0);
        let to_version = query.version("to_version").unwrap_or(u32::MAX);
        if to_version < from_version {
            query.fault(
                "to_version",
                "value_error",
                "must not be below `from_version`",
            );
        }
        Walk {
            from,
            to,
            from_version,
            to_version,
            limit: query
                .number("limit", 1..=STATES_MAX)
                .unwrap_or(STATES_DEFAULT),
        }
    }

    fn request(self, name: &StreamName) -> ReadRequest {
        let span = self.from.is_some() || self.to.is_some();
        ReadRequest {
            occurred: span.then(|| TimeRange {
                from: self.from.unwrap_or(Timestamp::MIN),
                to: self.to.unwrap_or(Timestamp::MAX),
            }),
            ..stream_request(name)
        }
    }
}

/// The states after the events of a walk, and the version at which the next page begins. What could not be
/// read and may belong to the aggregate is added to `damaged`.
pub(in crate::http) fn walk(
    state: &AppState,
    sight: Sight,
    target: &Target,
    walk: Walk,
    damaged: &mut Vec<Stretch>,
) -> Result<(Vec<Value>, Option<u32>), Problem> {
    let mut request = walk.request(&target.name);
    request.from = position_of_version(state, &target.name, walk.from_version)?;
    let mut steps = Steps::new(&state.past);
    let (mut states, mut weight) = (Vec::new(), Weight::default());
    let mut reader = state.log.read(&request)?;
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            Err(ReadError::Damaged { first, last, .. }) => {
                damaged.push((first, last));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let version = event.version().get();
        if version < walk.from_version {
            continue;
        }
        if version > walk.to_version {
            break;
        }
        if states.len() as u64 == walk.limit || weight.is_full() {
            return Ok((states, Some(version)));
        }
        let (before, after) = steps.around(&event)?;
        let aggregate_type = &target.name.aggregate_type;
        let seen = |folded: &crate::past::Folded| sight.state(aggregate_type, folded.to_object());
        let cause = Cause::of(&event);
        let changes: Vec<Value> = diff(&seen(&before), &seen(&after))
            .iter()
            .map(|difference| difference_json(difference, None))
            .collect();
        let mut item = snapshot_json(sight, target, &after, 0);
        item["event"] = cause.to_json();
        item["changes"] = json!(changes);
        item["version"] = json!(version);
        item["timestamp"] = item["event"]["occurred_at"].clone();
        weight.add(&item);
        states.push(item);
    }
    Ok((states, None))
}

/// Where a version of a stream lies; the start of the log for the first ones.
fn position_of_version(
    state: &AppState,
    name: &StreamName,
    version: u32,
) -> Result<Position, Problem> {
    if version <= 1 {
        return Ok(Position::FIRST);
    }
    let range = storage::StreamRange {
        from: Version::new(version),
        limit: Some(1),
        ..storage::StreamRange::default()
    };
    let mut reader = state.log.read_stream(name, &range);
    match reader.next() {
        Some(Ok(event)) => Ok(event.position()),
        Some(Err(ReadError::Damaged { first, .. })) => Ok(first),
        Some(Err(error)) => Err(error.into()),
        // Beyond the last one: nothing is left to give.
        None => Ok(Position::MAX),
    }
}

/// Fold an aggregate anew, from its first event.
///
/// The slow way, on purpose: no saved state is used, so that what it gives proves what the others give. `agrees` says
/// whether it did.
#[utoipa::path(
    get,
    path = "/api/v1/time-travel/replay",
    tag = "time-travel",
    operation_id = "replay_states",
    params(
        ("aggregate_type" = String, Query, description = "The aggregate's type"),
        ("aggregate_id" = String, Query, description = "The aggregate's id"),
        ("to_version" = Option<u32>, Query, description = "Up to this version"),
        ("capture_intermediate" = Option<bool>, Query, description = "Also the state after each event, for the last 1,000 of them, or fewer where they are large"),
    ),
    responses((status = 200, description = "What came out", body = docs::Replayed)),
)]
pub(crate) async fn replay_states(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let name = Target::read(&mut query);
    let to_version = query.version("to_version").unwrap_or(u32::MAX);
    let capture = query.flag("capture_intermediate").unwrap_or(false);
    query.finish()?;
    let sight = Sight::of(&caller);
    let body = reads::run(&state, move |state| {
        let target = Target::find(state, sight, name)?;
        let replayed = replay(state, sight, &target, to_version, capture)?;
        Ok(json!({
            "aggregate_type": &*target.name.aggregate_type,
            "aggregate_id": &*target.name.aggregate_id,
            "events_replayed": replayed.events,
            "final_state": replayed.state,
            "version": replayed.version,
            "intermediate_states_count": replayed.intermediate_count,
            "intermediate_states": replayed.intermediate,
            "agrees": replayed.agrees,
            "errors": replayed.errors,
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// What a replay gave.
#[derive(Debug)]
pub(in crate::http) struct Replay {
    pub(in crate::http) events: u64,
    pub(in crate::http) version: u32,
    pub(in crate::http) state: Value,
    pub(in crate::http) intermediate: Vec<Value>,
    pub(in crate::http) intermediate_count: u64,
    /// Whether the state equals the one that saved states lead to.
    pub(in crate::http) agrees: bool,
    pub(in crate::http) errors: Vec<String>,
}

/// Folds a stream from its first event.
pub(in crate::http) fn replay(
    state: &AppState,
    sight: Sight,
    target: &Target,
    to_version: u32,
    capture: bool,
) -> Result<Replay, Problem> {
    let aggregate_type = &target.name.aggregate_type;
    let to_version = to_version.min(target.version.get());
    let mut folded = crate::past::Folded::default();
    let (mut errors, mut count) = (Vec::new(), 0_u64);
    let mut intermediate = std::collections::VecDeque::new();
    let mut weight = Weight::default();
    let range = storage::StreamRange {
        to: Version::new(to_version),
        ..storage::StreamRange::default()
    };
    let mut reader = state.log.read_stream(&target.name, &range);
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => {
                if !folded.fold(&event) {
                    errors.push(format!(
                        "version {}: its data is no JSON object",
                        event.version()
                    ));
                    continue;
                }
                if capture {
                    count += 1;
                    let item = json!({
                        "version": event.version().get(),
                        "event_type": event.event_type(),
                        "timestamp": crate::rfc3339::to_string(event.occurred_at()),
                        "state": sight.state(aggregate_type, folded.to_object()),
                    });
                    weight.add(&item);
                    intermediate.push_back(item);
                    while (intermediate.len() > REPLAY_STATES_MAX || weight.is_full())
                        && let Some(oldest) = intermediate.pop_front()
                    {
                        weight.remove(&oldest);
                    }
                }
            }
            Err(ReadError::Damaged { first, last, .. }) => {
                errors.push(format!("positions {first} to {last} are damaged"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let moment = crate::past::Moment::version(to_version);
    let (known, _) = state.past.state(&target.name, moment)?;
    Ok(Replay {
        events: folded.events,
        version: folded.last.map_or(0, |last| last.version),
        agrees: known == folded,
        state: Value::Object(sight.state(aggregate_type, folded.to_object())),
        intermediate: intermediate.into(),
        intermediate_count: count,
        errors,
    })
}
