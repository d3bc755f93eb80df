//! Replay, which gives the sequence of events in the order of the log. Read models are rebuilt elsewhere
//! ([`crate::http::projections`]).

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;

use super::docs;
use super::filter::Filter;
use super::history;
use super::page::{PageRequest, Sorting, respond};
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::extract::PathParts;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::visible::Sight;

/// Replay events in the order of the log, page by page.
///
/// Takes the parameters of `GET /events`.
#[utoipa::path(
    post,
    path = "/api/v1/events/replay",
    tag = "events",
    operation_id = "replay_events",
    params(
        ("from_position" = Option<u64>, Query, description = "Only at or after this position"),
        ("to_position" = Option<u64>, Query, description = "Only at or before this position"),
        ("aggregate_type" = Option<String>, Query, description = "Only of this aggregate type"),
        ("aggregate_id" = Option<String>, Query, description = "Only of this aggregate"),
        ("event_type" = Option<String>, Query, description = "Only of this type, in either spelling"),
        ("tag" = Option<Vec<String>>, Query, description = "Only with all of these tags"),
        ("user_id" = Option<String>, Query, description = "Only caused by this user"),
        ("correlation_id" = Option<String>, Query, description = "Only of this correlation"),
        ("since" = Option<String>, Query, description = "Only happened at or after this time"),
        ("until" = Option<String>, Query, description = "Only happened at or before this time"),
        ("recorded_since" = Option<String>, Query, description = "Only recorded at or after this time"),
        ("recorded_until" = Option<String>, Query, description = "Only recorded at or before this time"),
        ("order" = Option<String>, Query, description = "As for `GET /events`, `position_asc` if absent"),
        ("limit" = Option<u64>, Query, description = "Events on a page, 1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("offset" = Option<u64>, Query, description = "Events to pass over; `cursor` is the better way"),
        ("skip" = Option<u64>, Query, description = "The older spelling of `offset`", deprecated),
        ("count" = Option<bool>, Query, description = "Whether to give the count, default true"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "A page; the count is called `total_events`", body = docs::EventPage)),
)]
pub(crate) async fn replay_events(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let filter = Filter::read(&mut query);
    let request = PageRequest::read(query, filter, &state, Sorting::PositionUp)?;
    respond(&state, Sight::of(&caller), request, "total_events").await
}

/// Replay one aggregate's events.
#[utoipa::path(
    post,
    path = "/api/v1/events/replay/{aggregate_id}",
    tag = "events",
    operation_id = "replay_aggregate",
    params(
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("aggregate_type" = Option<String>, Query, description = "Only of this type"),
        ("from_version" = Option<u32>, Query, description = "From this version, itself included"),
        ("to_version" = Option<u32>, Query, description = "To this version, itself included"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The events; the count is called `total_events`", body = docs::ReplayedEvents)),
)]
pub(crate) async fn replay_aggregate(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    history::whole_history(
        &state,
        &caller,
        aggregate_id,
        query.as_deref(),
        "total_events",
    )
    .await
}
