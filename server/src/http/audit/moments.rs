//! An aggregate's state and what changed in it, asked by its id alone.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;

use crate::app::AppState;
use crate::auth::Caller;
use crate::http::extract::{PathParts, ReadAt};
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::time_travel::{
    Changes, Compared, Snapshot, Target, changes_in_span, compare_points, read_moment, snapshot_at,
};
use crate::http::visible::Sight;
use crate::past::Moment;
use crate::reads;

/// An aggregate as it was.
///
/// As `/time-travel/state-at`, by the id alone where only one aggregate has it.
#[utoipa::path(
    get,
    path = "/api/v1/audit/state/{aggregate_id}",
    tag = "audit",
    operation_id = "audit_state",
    params(
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped"),
        ("aggregate_type" = Option<String>, Query, description = "Its type, where several aggregates have the id"),
        ("at" = Option<String>, Query, description = "What was true then"),
        ("timestamp" = Option<String>, Query, deprecated, description = "Older spelling of `at`"),
        ("as_of" = Option<String>, Query, description = "What was known then"),
        ("version" = Option<u32>, Query, description = "After so many events"),
        ("position" = Option<u64>, Query, description = "When the log was so long"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The state", body = Snapshot)),
)]
pub(crate) async fn state_of(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let aggregate_type = query.text("aggregate_type");
    let moment = read_moment(&mut query);
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    let target = reads::run(&state, move |state| {
        Target::find_by_id(state, sight, aggregate_type, &aggregate_id)
    })
    .await?;
    snapshot_at(&state, sight, target.name, moment).await
}

/// What differs between two versions of an aggregate.
///
/// As `/time-travel/compare`, by the id alone where only one aggregate has it. Without `v2`: up to now.
#[utoipa::path(
    get,
    path = "/api/v1/audit/diff/{aggregate_id}",
    tag = "audit",
    operation_id = "audit_diff",
    params(
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped"),
        ("aggregate_type" = Option<String>, Query, description = "Its type, where several aggregates have the id"),
        ("v1" = u32, Query, description = "The first version"),
        ("v2" = Option<u32>, Query, description = "The second version; the last one if absent"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "What differs", body = Compared)),
)]
pub(crate) async fn difference(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let aggregate_type = query.text("aggregate_type");
    let (first, second) = (query.version("v1"), query.version("v2"));
    if query.all("v1").is_empty() {
        query.fault("v1", "missing", "is required");
    }
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    let body = reads::run(&state, move |state| {
        let target = Target::find_by_id(state, sight, aggregate_type, &aggregate_id)?;
        let moments = [
            Moment::version(first.unwrap_or(0)),
            Moment::version(second.unwrap_or(u32::MAX)),
        ];
        compare_points(state, sight, &target, moments)
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// What changed, of an aggregate, a kind, a field, an account, or everywhere.
///
/// As `/time-travel/changes`; without `from` from the beginning.
#[utoipa::path(
    get,
    path = "/api/v1/audit/changes",
    tag = "audit",
    operation_id = "audit_changes",
    params(
        ("from" = Option<String>, Query, description = "From this time, itself included. Also as `start_time`"),
        ("to" = Option<String>, Query, description = "To this time, itself included; now if absent. Also as `end_time`"),
        ("start_time" = Option<String>, Query, deprecated, description = "Older spelling of `from`"),
        ("end_time" = Option<String>, Query, deprecated, description = "Older spelling of `to`"),
        ("time" = Option<String>, Query, description = "`occurred` (default) or `recorded`"),
        ("aggregate_type" = Option<String>, Query, description = "Only aggregates of this type"),
        ("aggregate_id" = Option<String>, Query, description = "Only this aggregate"),
        ("event_type" = Option<String>, Query, description = "Only events of this type"),
        ("user_id" = Option<String>, Query, description = "Only what this account caused"),
        ("field" = Option<String>, Query, description = "Only events that changed this field"),
        ("limit" = Option<u64>, Query, description = "At most this many events, default 100"),
        ("cursor" = Option<String>, Query, description = "Where the page before ended: its `next_cursor`"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The events with what they changed", body = Changes)),
)]
pub(crate) async fn changed(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    changes_in_span(&state, &caller, Query::parse(query.as_deref()), false).await
}
