//! One aggregate's state at a moment.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::json;
use storage::StreamName;

use super::{Snapshot, Target, read_moment, snapshot_json};
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::damage;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::past::Moment;
use crate::{reads, rfc3339};

/// An aggregate's state at a moment.
///
/// Without any moment: now. Several narrow each other: `at` and `as_of` together tell what was taken to be true of one
/// time at another.
#[utoipa::path(
    get,
    path = "/api/v1/time-travel/state-at",
    tag = "time-travel",
    operation_id = "state_at",
    params(
        ("aggregate_type" = String, Query, description = "The aggregate's type"),
        ("aggregate_id" = String, Query, description = "The aggregate's id"),
        ("at" = Option<String>, Query, description = "What was true then: only what happened at or before this time. Also as `timestamp`"),
        ("timestamp" = Option<String>, Query, description = "The older spelling of `at`", deprecated),
        ("as_of" = Option<String>, Query, description = "What was known then: only what was recorded at or before this time"),
        ("version" = Option<u32>, Query, description = "Only up to this version; beyond the last one: the last one"),
        ("position" = Option<u64>, Query, description = "Only up to this position of the log"),
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
    let name = Target::read(&mut query);
    let moment = read_moment(&mut query);
    ReadAt::await_log(query, &state).await?;
    snapshot_at(&state, Sight::of(&caller), name, moment).await
}

/// The answer for a stream at a moment.
pub(in crate::http) async fn snapshot_at(
    state: &AppState,
    sight: Sight,
    name: StreamName,
    moment: Moment,
) -> Result<Response<Body>, Problem> {
    let body = reads::run(state, move |state| {
        let target = Target::find(state, sight, name)?;
        let (folded, damaged) = state.past.state(&target.name, moment)?;
        if folded.last.is_none() {
            let missing = nothing_then(&target.name, moment);
            return Err(damage::unless_lost(&state.log, missing));
        }
        let mut body = snapshot_json(sight, &target, &folded, damaged);
        body["at"] = json!(moment.at.map(rfc3339::to_string));
        body["as_of"] = json!(moment.as_of.map(rfc3339::to_string));
        body["latest_version"] = json!(target.version.get());
        body["warnings"] = json!(warnings(state, moment));
        Ok(body.to_string())
    })
    .await?;
    Ok(json_response(body))
}

/// The answer for a moment before an aggregate's first event.
pub(super) fn nothing_then(name: &StreamName, moment: Moment) -> Problem {
    Problem::not_found(format!(
        "No state found for {}:{} {}",
        name.aggregate_type,
        name.aggregate_id,
        moment.described()
    ))
}

/// What a reader might misunderstand.
pub(super) fn warnings(state: &AppState, moment: Moment) -> Vec<String> {
    let now = state.clock.now();
    let mut warnings = Vec::new();
    for (name, time) in [("at", moment.at), ("as_of", moment.as_of)] {
        if time.is_some_and(|time| time > now) {
            warnings.push(format!(
                "`{name}` lies in the future: this is what is known now, and may still change"
            ));
        }
    }
    if moment
        .position
        .is_some_and(|position| position > state.log.durable_position())
    {
        warnings
            .push("`position` is beyond the end of the log: this is what is known now".to_owned());
    }
    warnings
}
