//! The old system's spellings of the audit.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use serde_json::{Value, json};
use storage::{Direction, ReadError, ReadRequest, StreamName};

use super::required_span;
use crate::app::AppState;
use crate::auth::Caller;
use crate::compliance::Standard;
use crate::http::audit::anomalies::{anomalies_of, recorded};
use crate::http::audit::entries::write_entry;
use crate::http::audit::trail::{account_id, may_look};
use crate::http::compliance::reports::{OldReportAsked, old_report};
use crate::http::damage::{self, Stretch};
use crate::http::extract::PathParts;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::time_travel::Target;
use crate::http::visible::Sight;
use crate::past::stream_request;
use crate::rfc3339;

/// The first `limit` entries of a request that the caller may see. What could not be read and may belong among them is added to
/// `damaged`.
fn entries(
    state: &AppState,
    sight: Sight,
    request: &ReadRequest,
    limit: u64,
    damaged: &mut Vec<Stretch>,
) -> Result<Vec<Value>, Problem> {
    let mut entries: Vec<Value> = Vec::new();
    let mut text = Vec::new();
    let mut reader = state.log.read(request)?;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) if sight.covers(event.stream().aggregate_type) => {
                text.clear();
                write_entry(sight, &event, &mut text);
                text.push(b'}');
                entries.push(serde_json::from_slice(&text).unwrap_or_default());
                if entries.len() as u64 == limit {
                    break;
                }
            }
            Ok(_) => {}
            Err(ReadError::Damaged { first, last, .. }) => damaged.push((first, last)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(entries)
}

/// `GET /audit/trail/{aggregate_type}/{aggregate_id}?order=desc`.
#[utoipa::path(get, path = "/api/v1/audit/{aggregate_type}/{aggregate_id}/timeline", tag = "audit",
    operation_id = "audit_timeline",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("limit" = Option<u64>, Query, description = "At most this many, 1 to 200, default 50"),
    ),
    responses((status = 200, description = "`{aggregate_type, aggregate_id, timeline, count}`, the newest first", body = Object)))]
#[deprecated]
pub(crate) async fn timeline(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let limit = query.number("limit", 1..=200).unwrap_or(50);
    query.finish()?;
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let target = Target::find(state, sight, StreamName::new(aggregate_type, aggregate_id))?;
        let request = ReadRequest {
            direction: Direction::Backward,
            ..stream_request(&target.name)
        };
        let timeline = entries(state, sight, &request, limit, damaged)?;
        Ok(json!({
            "aggregate_type": &*target.name.aggregate_type,
            "aggregate_id": &*target.name.aggregate_id,
            "count": timeline.len(),
            "timeline": timeline,
        }))
    })
    .await
}

/// `GET /audit/anomalies?aggregate_type=&aggregate_id=`.
#[utoipa::path(get, path = "/api/v1/audit/{aggregate_type}/{aggregate_id}/anomalies", tag = "audit",
    operation_id = "audit_anomalies_of",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("start_time" = String, Query, description = "From this time, by when things happened"),
        ("end_time" = String, Query, description = "To this time, itself included"),
    ),
    responses((status = 200, description = "`{aggregate_type, aggregate_id, anomalies, count}`", body = Object)))]
#[deprecated]
pub(crate) async fn stream_anomalies(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let span = required_span(&mut query);
    query.finish()?;
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let target = Target::find(state, sight, StreamName::new(aggregate_type, aggregate_id))?;
        let anomalies = anomalies_of(state, sight, &target, span, damaged)?;
        Ok(json!({
            "aggregate_type": &*target.name.aggregate_type,
            "aggregate_id": &*target.name.aggregate_id,
            "count": anomalies.len(),
            "anomalies": anomalies,
        }))
    })
    .await
}

/// `GET /audit/user/{user_id}/actions`.
#[utoipa::path(get, path = "/api/v1/audit/user/{user_id}/activity", tag = "audit",
    operation_id = "user_activity",
    params(
        ("user_id" = String, Path, description = "The account: its id, username or e-mail address"),
        ("start_time" = String, Query, description = "From this time, by when things happened"),
        ("end_time" = String, Query, description = "To this time, itself included"),
        ("limit" = Option<u64>, Query, description = "At most this many, 1 to 500, default 100"),
    ),
    responses((status = 200, description = "`{user_id, start_time, end_time, entries, count}`, the newest first", body = Object)))]
#[deprecated]
pub(crate) async fn user_activity(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([user_id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let (from, to) = required_span(&mut query);
    let limit = query.number("limit", 1..=500).unwrap_or(100);
    query.finish()?;
    let user_id = account_id(&state, user_id);
    may_look(&caller, &user_id)?;
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let user = crate::envelope::tag(crate::envelope::USER_PREFIX, &user_id);
        let request = ReadRequest {
            query: storage::QueryItem {
                tags: vec![user],
                ..storage::QueryItem::default()
            }
            .into(),
            occurred: recorded(from, to),
            direction: Direction::Backward,
            ..ReadRequest::default()
        };
        let entries = entries(state, sight, &request, limit, damaged)?;
        Ok(json!({
            "user_id": user_id,
            "start_time": from.map(rfc3339::to_string),
            "end_time": to.map(rfc3339::to_string),
            "count": entries.len(),
            "entries": entries,
        }))
    })
    .await
}

/// `GET /compliance/reports/gdpr`.
#[utoipa::path(post, path = "/api/v1/compliance/gdpr-report", tag = "compliance", operation_id = "old_gdpr_report",
    request_body = OldReportAsked, responses((status = 200, description = "The report", body = Object)))]
#[deprecated]
pub(crate) async fn gdpr_report(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    old_report(&state, Standard::Gdpr, request).await
}

/// `GET /compliance/reports/sox`.
#[utoipa::path(post, path = "/api/v1/compliance/sox-report", tag = "compliance", operation_id = "old_sox_report",
    request_body = OldReportAsked, responses((status = 200, description = "The report", body = Object)))]
#[deprecated]
pub(crate) async fn sox_report(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    old_report(&state, Standard::Sox, request).await
}
