//! Time travel: an aggregate as it was, in either time.
//!
//! `at` asks what was true then (by `occurred_at`), `as_of` what was known then (by `recorded_at`), `version` how it was
//! after so many events; together they narrow each other. The state is a true fold of the log's events, not a copy kept
//! aside, and so equals the read models' wherever both answer.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::EventView;
use fleet::fold::{self, State as FoldedState};
use serde_json::{Map, Value, json};
use storage::{EventRef, Log, ReadError, StreamName, StreamRange, Timestamp, Version};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::ReadAt;
use super::json_response;
use super::problem::Problem;
use super::query::Query;
use super::visible::Sight;
use crate::app::AppState;
use crate::auth::Caller;
use crate::{reads, rfc3339};

mod docs;
#[cfg(test)]
mod tests;

pub(super) use docs::Snapshot;

/// The routes of time travel.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(state_at))
}

/// An aggregate's state at a time.
///
/// Without a time or version: now.
#[utoipa::path(
    get,
    path = "/api/v1/time-travel/state-at",
    tag = "time-travel",
    operation_id = "state_at",
    params(
        ("aggregate_type" = String, Query, description = "The aggregate's type"),
        ("aggregate_id" = String, Query, description = "The aggregate's id"),
        ("at" = Option<String>, Query, description = "What was true then: only what happened at or before this time. Also as `timestamp`"),
        ("as_of" = Option<String>, Query, description = "What was known then: only what was recorded at or before this time"),
        ("version" = Option<u32>, Query, description = "Only up to this version"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The state", body = Snapshot)),
)]
pub(crate) async fn state_at(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let name = StreamName::new(
        query.required("aggregate_type"),
        query.required("aggregate_id"),
    );
    let moment = Moment::read(&mut query);
    let at = ReadAt::read(&mut query, &state);
    query.finish()?;
    at.reach_log(&state).await?;
    snapshot_at(&state, Sight::of(&caller), name, moment).await
}

/// A moment in a stream's history; what is absent does not narrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Moment {
    /// Only what happened at or before.
    pub(super) at: Option<Timestamp>,
    /// Only what was recorded at or before.
    pub(super) as_of: Option<Timestamp>,
    /// Only up to this version.
    pub(super) version: Option<u32>,
}

impl Moment {
    fn read(query: &mut Query<'_>) -> Self {
        Moment {
            at: query.time("at").or_else(|| query.time("timestamp")),
            as_of: query.time("as_of"),
            version: query.version("version"),
        }
    }

    fn described(self) -> String {
        let at = self
            .at
            .map(|time| format!("at {}", rfc3339::to_string(time)));
        let as_of = self
            .as_of
            .map(|time| format!("as of {}", rfc3339::to_string(time)));
        let version = self.version.map(|version| format!("at version {version}"));
        let parts: Vec<String> = [at, as_of, version].into_iter().flatten().collect();
        if parts.is_empty() {
            "at any time".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

/// The answer for a stream at a moment.
pub(super) async fn snapshot_at(
    state: &AppState,
    sight: Sight,
    name: StreamName,
    moment: Moment,
) -> Result<Response<Body>, Problem> {
    let missing = Problem::not_found(format!(
        "No state found for {}:{} {}",
        name.aggregate_type,
        name.aggregate_id,
        moment.described()
    ));
    if !sight.covers(&name.aggregate_type) {
        return Err(missing);
    }
    let read = name.clone();
    let past = reads::run(state, move |state| {
        Ok(fold_until(&state.log, &read, moment)?)
    })
    .await?;
    let Some(last) = past.last else {
        return Err(missing);
    };
    let body = json!({
        "aggregate_type": &*name.aggregate_type,
        "aggregate_id": &*name.aggregate_id,
        "state": sight.state(&name.aggregate_type, past.state.to_object()),
        "deleted": past.state.is_deleted(),
        "version": last.version,
        "timestamp": rfc3339::to_string(last.occurred_at),
        "recorded_at": rfc3339::to_string(last.recorded_at),
        "event_count": past.events,
        "at": moment.at.map(rfc3339::to_string),
        "as_of": moment.as_of.map(rfc3339::to_string),
        "damaged_events": past.damaged,
    });
    Ok(json_response(body.to_string()))
}

/// A stream's fold up to a moment.
#[derive(Debug, Default)]
struct Past {
    state: FoldedState,
    events: u64,
    damaged: u64,
    last: Option<Last>,
}

/// The newest event that was folded, by version.
#[derive(Clone, Copy, Debug)]
struct Last {
    version: u32,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
}

fn fold_until(log: &Log, name: &StreamName, moment: Moment) -> Result<Past, ReadError> {
    let to = moment.version.map_or(Version::MAX, Version::new);
    let mut past = Past::default();
    let mut reader = log.read_stream(
        name,
        &StreamRange {
            to,
            ..StreamRange::default()
        },
    );
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            Err(ReadError::Damaged { first, last, .. }) => {
                tracing::error!(
                    first = first.get(),
                    last = last.get(),
                    "events of a past state are damaged"
                );
                past.damaged += first.distance_to(last) + 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        // Recorded times rise with the version; happened times do not, for some events arrive late.
        if moment
            .as_of
            .is_some_and(|as_of| event.recorded_at() > as_of)
        {
            break;
        }
        if moment.at.is_some_and(|at| event.occurred_at() > at) {
            continue;
        }
        past.fold(&event);
    }
    Ok(past)
}

impl Past {
    fn fold(&mut self, event: &EventRef<'_>) {
        let Ok(data) = serde_json::from_slice::<Map<String, Value>>(event.data()) else {
            self.damaged += 1;
            return;
        };
        let stream = event.stream();
        let view = EventView {
            aggregate_type: &stream.aggregate_type,
            aggregate_id: &stream.aggregate_id,
            event_type: event.event_type(),
            schema: event.schema(),
            version: event.version().get(),
            position: event.position().get(),
            occurred_at: event.occurred_at().micros(),
            recorded_at: event.recorded_at().micros(),
            data: &data,
        };
        self.state = fold::fold(std::mem::take(&mut self.state), &view);
        self.events += 1;
        self.last = Some(Last {
            version: event.version().get(),
            occurred_at: event.occurred_at(),
            recorded_at: event.recorded_at(),
        });
    }
}
