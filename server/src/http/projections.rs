//! Read models: how far they are, what they hold, and having them made anew.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};
use storage::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{PathParts, ReadAt};
use super::json_response;
use super::listing::rows;
use super::problem::{Kind, Problem};
use super::query::Query;
use super::visible::Sight;
use crate::app::AppState;
use crate::auth::Caller;
use crate::projection::{
    Ask, Day, ProjectionState, ProjectionStatus, RebuildError, StateFilter, StreamState,
};
use crate::rfc3339;

mod docs;

/// The routes of read models.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_projections))
        .routes(routes!(projection_stats))
        .routes(routes!(rebuild_all))
        .routes(routes!(get_projection))
        .routes(routes!(projection_state))
        .routes(routes!(projection_data))
        .routes(routes!(rebuild_projection))
}

/// List read models and how far they are.
#[utoipa::path(
    get,
    path = "/api/v1/projections",
    tag = "projections",
    operation_id = "list_projections",
    responses((status = 200, description = "All of them", body = docs::ProjectionList)),
)]
pub(crate) async fn list_projections(State(state): State<AppState>) -> Response<Body> {
    let projections: Vec<Value> = state.projections.status().iter().map(described).collect();
    json_response(json!({ "total": projections.len(), "projections": projections }).to_string())
}

/// Count what read models have handled, in the old system's shape.
#[utoipa::path(
    get,
    path = "/api/v1/projections/stats",
    tag = "projections",
    operation_id = "projection_stats",
    responses((status = 200, description = "Counts", body = docs::ProjectionStats)),
)]
pub(crate) async fn projection_stats(State(state): State<AppState>) -> Response<Body> {
    let statuses = state.projections.status();
    let projections: Vec<Value> = statuses
        .iter()
        .map(|status| {
            json!({
                "name": status.name,
                "handled_event_types": status.handled_event_types,
                "handled_events_count": status.handled_events,
            })
        })
        .collect();
    json_response(
        json!({ "total_projections": projections.len(), "projections": projections }).to_string(),
    )
}

/// One read model and how far it is.
#[utoipa::path(
    get,
    path = "/api/v1/projections/{name}",
    tag = "projections",
    operation_id = "get_projection",
    params(("name" = String, Path, description = "Its name, or the old system's")),
    responses((status = 200, description = "The read model", body = docs::Projection)),
)]
pub(crate) async fn get_projection(
    State(state): State<AppState>,
    PathParts([name]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    Ok(json_response(
        described(&status_of(&state, &name)?).to_string(),
    ))
}

/// How far a read model is, in the shape of the old system's documentation.
#[utoipa::path(
    get,
    path = "/api/v1/projections/{name}/state",
    tag = "projections",
    operation_id = "projection_state",
    params(
        ("name" = String, Path, description = "Its name, or the old system's"),
        ("min_position" = Option<u64>, Query, description = "Wait until it has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "How far it is", body = docs::ProjectionProgress)),
)]
pub(crate) async fn projection_state(
    State(state): State<AppState>,
    PathParts([name]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let at = ReadAt::read(&mut query, &state);
    query.finish()?;
    let known = status_of(&state, &name)?;
    at.reach_projection(&state, known.name).await?;
    let status = status_of(&state, &name)?;
    let body = json!({
        "projection_name": name,
        "last_processed_version": status.position.get(),
        "position": status.position.get(),
        "lag_events": status.lag_events,
        "lag_seconds": status.lag_seconds,
        "last_updated": status.last_updated.map(rfc3339::to_string),
        "status": state_word(&status),
    });
    Ok(json_response(body.to_string()))
}

/// What a read model holds.
///
/// `current_state`: the state of every stream (or one, by `aggregate_type` and `aggregate_id`), or with `busiest` the
/// aggregates of a type by how many events they have. `event_counts`: events per type, or with `event_type` per day.
/// `vehicles`: the list of vehicles. Every answer says which position it reflects.
#[utoipa::path(
    get,
    path = "/api/v1/projections/{name}/data",
    tag = "projections",
    operation_id = "projection_data",
    params(
        ("name" = String, Path, description = "`current_state`, `event_counts` or `vehicles`"),
        ("aggregate_type" = Option<String>, Query, description = "current_state: only of this type"),
        ("aggregate_id" = Option<String>, Query, description = "current_state: only this aggregate"),
        ("busiest" = Option<u64>, Query, description = "current_state: so many aggregates of the type with the most events"),
        ("event_type" = Option<String>, Query, description = "event_counts: per day, of this type; `*` for all types"),
        ("since" = Option<String>, Query, description = "event_counts: from this day"),
        ("until" = Option<String>, Query, description = "event_counts: to this day"),
        ("status" = Option<String>, Query, description = "vehicles: only of this status"),
        ("search" = Option<String>, Query, description = "current_state, vehicles: only with this text"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The data, with the position it reflects", body = docs::ProjectionData)),
)]
pub(crate) async fn projection_data(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([name]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let status = status_of(&state, &name)?;
    let asked = Asked {
        aggregate_type: query.text("aggregate_type"),
        aggregate_id: query.text("aggregate_id"),
        busiest: query.number("busiest", 1..=100_000),
        event_type: query.text("event_type"),
        since: query.time("since"),
        until: query.time("until"),
        status: query.text("status"),
        search: query.text("search"),
        limit: query
            .number("limit", 1..=state.config.http.page_limit_max as u64)
            .unwrap_or(100),
        cursor: query.text("cursor"),
    };
    ReadAt::await_projection(query, &state, status.name).await?;
    let sight = Sight::of(&caller);
    // Folding states out of their rows takes a while for a long page.
    let answer = tokio::task::spawn_blocking(move || match status.name {
        "current_state" if VEHICLES.contains(&&*name) => vehicles(&state, asked),
        "current_state" => streams(&state, &asked, sight),
        "event_counts" => Ok(counts(&state, &asked)),
        other => Err(Problem::not_found(format!(
            "{other} holds nothing that can be shown"
        ))),
    });
    let answer = answer.await.map_err(|error| Problem::internal(&error))??;
    Ok(json_response(answer.to_string()))
}

/// Names under which the read model of all streams shows its vehicles.
const VEHICLES: [&str; 3] = ["vehicles", "VehicleProjection", "vehicle_projection"];

/// What of a read model is asked for.
struct Asked {
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    busiest: Option<u64>,
    event_type: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    status: Option<String>,
    search: Option<String>,
    limit: u64,
    cursor: Option<String>,
}

fn streams(state: &AppState, asked: &Asked, sight: Sight) -> Result<Value, Problem> {
    let model = state.projections.catalog();
    let shown = |stream: &StreamState| sight.covers(&stream.aggregate_type);
    if let (Some(aggregate_type), Some(count)) = (&asked.aggregate_type, asked.busiest) {
        let answer = model.busiest(aggregate_type, usize::try_from(count).unwrap_or(usize::MAX));
        let list: Vec<Value> = answer
            .value
            .into_iter()
            .filter(|_| sight.covers(aggregate_type))
            .map(|(aggregate_id, events)| json!({ "aggregate_id": aggregate_id, "events": events }))
            .collect();
        return Ok(
            json!({ "position": answer.position.get(), "aggregate_type": aggregate_type, "aggregates": list }),
        );
    }
    if let (Some(aggregate_type), Some(aggregate_id)) = (&asked.aggregate_type, &asked.aggregate_id)
    {
        let answer = model.get(aggregate_type, aggregate_id);
        let Some(stream) = answer.value.filter(shown) else {
            return Err(Problem::not_found(format!(
                "{aggregate_type} {aggregate_id} not found"
            )));
        };
        return Ok(
            json!({ "position": answer.position.get(), "stream": stream_json(sight, stream) }),
        );
    }
    let filter = StateFilter {
        aggregate_type: asked.aggregate_type.clone(),
        search: asked.search.clone(),
        include_deleted: false,
    };
    let cursor = asked.cursor.as_deref().and_then(|text| text.parse().ok());
    let answer = model.list(
        &filter,
        cursor,
        usize::try_from(asked.limit).unwrap_or(usize::MAX),
    );
    let streams: Vec<Value> = answer
        .value
        .streams
        .into_iter()
        .filter(shown)
        .map(|stream| stream_json(sight, stream))
        .collect();
    Ok(json!({
        "position": answer.position.get(),
        "streams": streams,
        "next_cursor": answer.value.next.map(|next| next.to_string()),
    }))
}

fn stream_json(sight: Sight, stream: StreamState) -> Value {
    let state = sight.state(&stream.aggregate_type, stream.state);
    json!({
        "aggregate_type": stream.aggregate_type,
        "aggregate_id": stream.aggregate_id,
        "version": stream.version.get(),
        "position": stream.position.get(),
        "occurred_at": rfc3339::to_string(stream.occurred_at),
        "recorded_at": rfc3339::to_string(stream.recorded_at),
        "deleted": stream.deleted,
        "state": state,
    })
}

fn counts(state: &AppState, asked: &Asked) -> Value {
    let model = state.projections.event_counts();
    if asked.event_type.is_none() && asked.since.is_none() && asked.until.is_none() {
        let answer = model.by_type();
        let types: Vec<Value> = answer
            .value
            .iter()
            .map(|count| {
                json!({
                    "event_type": count.event_type,
                    "events": count.events,
                    "late": count.late,
                    "first_day": count.first_day.to_string(),
                    "last_day": count.last_day.to_string(),
                })
            })
            .collect();
        return json!({ "position": answer.position.get(), "types": types });
    }
    let event_type = asked.event_type.as_deref().filter(|name| *name != "*");
    let answer = model.by_day(
        event_type,
        asked.since.map(Day::of),
        asked.until.map(Day::of),
    );
    let total: u64 = answer.value.iter().map(|day| day.events).sum();
    let days: Vec<Value> = answer
        .value
        .iter()
        .map(|day| json!({ "day": day.day.to_string(), "events": day.events, "late": day.late }))
        .collect();
    json!({ "position": answer.position.get(), "event_type": event_type, "total": total, "days": days })
}

fn vehicles(state: &AppState, asked: Asked) -> Result<Value, Problem> {
    let ask = Ask {
        aggregate_type: fleet::vehicle::AGGREGATE_TYPE,
        filters: asked
            .status
            .map(|status| ("status", status))
            .into_iter()
            .collect(),
        searches: asked
            .search
            .map(|text| ("search", text))
            .into_iter()
            .collect(),
        limit: usize::try_from(asked.limit).unwrap_or(usize::MAX),
        cursor: asked.cursor,
        ..Ask::default()
    };
    let answer = state.projections.catalog().page(&ask)?;
    Ok(json!({
        "position": answer.position.get(),
        "total": answer.value.total,
        "vehicles": rows(&answer.value.entries),
        "next_cursor": answer.value.next,
    }))
}

/// Have a read model made anew.
///
/// The new one is folded beside the old one, which answers until they are swapped.
#[utoipa::path(
    post,
    path = "/api/v1/projections/{name}/rebuild",
    tag = "projections",
    operation_id = "rebuild_projection",
    params(
        ("name" = String, Path, description = "Its name, or the old system's"),
        ("aggregate_id" = Option<String>, Query, description = "Of the old system; without effect, for a read model is always made anew whole", deprecated),
    ),
    responses((status = 202, description = "Begun", body = docs::RebuildStarted)),
)]
pub(crate) async fn rebuild_projection(
    State(state): State<AppState>,
    PathParts([name]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    match state.projections.rebuild(&name) {
        Ok(()) => Ok(started(Some(&name))),
        Err(RebuildError::Unknown { .. }) => {
            Err(Problem::not_found(format!("Projection {name} not found")))
        }
        Err(error @ RebuildError::Running { .. }) => {
            Err(Problem::new(Kind::Conflict, error.to_string()))
        }
    }
}

/// Have all read models made anew.
#[utoipa::path(
    post,
    path = "/api/v1/projections/rebuild",
    tag = "projections",
    operation_id = "rebuild_all_projections",
    responses((status = 202, description = "Begun", body = docs::RebuildStarted)),
)]
pub(crate) async fn rebuild_all(State(state): State<AppState>) -> Response<Body> {
    state.projections.rebuild_all();
    started(None)
}

fn started(name: Option<&str>) -> Response<Body> {
    let message = name.map_or("Rebuild of all projections started".to_owned(), |name| {
        format!("Projection {name} rebuild started")
    });
    let body = json!({ "status": "rebuilding", "message": message, "projection": name, "aggregate_id": null });
    let mut response = json_response(body.to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn status_of(state: &AppState, name: &str) -> Result<ProjectionStatus, Problem> {
    let missing = || Problem::not_found(format!("Projection {name} not found"));
    state.projections.status_of(name).ok_or_else(missing)
}

fn state_word(status: &ProjectionStatus) -> &'static str {
    match status.state {
        ProjectionState::Live if status.lag_events == 0 => "up_to_date",
        ProjectionState::Live | ProjectionState::CatchingUp => "catching_up",
        ProjectionState::Rebuilding { .. } => "rebuilding",
        ProjectionState::Failed { .. } => "failed",
    }
}

fn described(status: &ProjectionStatus) -> Value {
    let mut body = json!({
        "name": status.name,
        "format": status.format,
        "status": state_word(status),
        "position": status.position.get(),
        "durable_position": status.durable.get(),
        "lag_events": status.lag_events,
        "lag_seconds": status.lag_seconds,
        "handled_event_types": status.handled_event_types,
        "handled_events_count": status.handled_events,
        "skipped_events_count": status.skipped_events,
        "skipped_positions": status.skipped.iter().map(|position| position.get()).collect::<Vec<_>>(),
        "last_updated": status.last_updated.map(rfc3339::to_string),
    });
    match &status.state {
        ProjectionState::Rebuilding { position, of } => {
            body["rebuild"] = json!({ "position": position.get(), "of": of.get() });
        }
        // The reason names files and threads; it is in the log.
        ProjectionState::Failed { .. } => {
            body["detail"] = json!("it does not run; the server's log says why")
        }
        ProjectionState::Live | ProjectionState::CatchingUp => {}
    }
    body
}
