//! Which fields of an aggregate changed, when, and by whom: the old system's change history, with true states.
//!
//! Each event is a *changeset*: the fields that differ between the states before and after it. A changed field is told with
//! both values; what lies within a field is in `/time-travel/history`.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::calendar::HOUR;
use serde_json::{Map, Value, json};
use storage::{ReadError, ReadRequest, StreamName, Timestamp};

use super::anomalies::recorded as range;
use super::docs;
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::damage::{self, Stretch};
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::time_travel::{Target, read_span};
use crate::http::visible::Sight;
use crate::http::weight::Weight;
use crate::past::{Cause, Folded, Moment, Steps, diff, stream_request};
use crate::{reads, rfc3339};

/// Changesets of one answer; beyond, it says that it is not whole.
const CHANGESETS_MAX: usize = 10_000;

/// An event with the fields that it changed.
#[derive(Debug)]
struct Changeset {
    cause: Cause,
    changes: Vec<FieldChange>,
}

#[derive(Debug)]
struct FieldChange {
    field: String,
    old: Option<Value>,
    new: Option<Value>,
}

impl FieldChange {
    fn to_json(&self, cause: Option<&Cause>) -> Value {
        json!({
            "field_name": self.field,
            "change_type": match (&self.old, &self.new) {
                (None, _) => "created",
                (_, None) => "deleted",
                _ => "updated",
            },
            "old_value": self.old,
            "new_value": self.new,
            "timestamp": cause.map(|cause| rfc3339::to_string(cause.occurred_at)),
            "user_id": cause.and_then(|cause| cause.user_id.as_deref()),
            "event_id": cause.map(|cause| cause.id.to_string()),
            "version": cause.map(|cause| cause.version),
        })
    }
}

impl Changeset {
    fn to_json(&self) -> Value {
        let cause = &self.cause;
        let changes: Vec<Value> = self
            .changes
            .iter()
            .map(|change| change.to_json(Some(cause)))
            .collect();
        json!({
            "timestamp": rfc3339::to_string(cause.occurred_at),
            "recorded_at": rfc3339::to_string(cause.recorded_at),
            "event_id": cause.id.to_string(),
            "position": cause.position,
            "event_type": cause.event_type,
            "version": cause.version,
            "user_id": cause.user_id,
            "change_count": changes.len(),
            "field_changes": changes,
        })
    }
}

/// The fields in which two states differ.
fn changed_fields(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let mut fields: Vec<String> = diff(before, after)
        .iter()
        .map(|difference| difference.field().to_owned())
        .collect();
    fields.dedup();
    let change = |field: String| FieldChange {
        old: before.get(&field).cloned(),
        new: after.get(&field).cloned(),
        field,
    };
    fields.into_iter().map(change).collect()
}

/// The changesets of an aggregate within a span of time by when things happened; and whether there are more. What could not be
/// read and may belong among them is added to `damaged`.
fn changesets(
    state: &AppState,
    sight: Sight,
    target: &Target,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    damaged: &mut Vec<Stretch>,
) -> Result<(Vec<Changeset>, bool), Problem> {
    let request = ReadRequest {
        occurred: range(from, to),
        ..stream_request(&target.name)
    };
    let aggregate_type = &target.name.aggregate_type;
    let mut steps = Steps::new(&state.past);
    let (mut sets, mut weight) = (Vec::new(), Weight::default());
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
        if sets.len() == CHANGESETS_MAX || weight.is_full() {
            return Ok((sets, true));
        }
        let (before, after) = steps.around(&event)?;
        let seen = |folded: &Folded| sight.state(aggregate_type, folded.to_object());
        let changes = changed_fields(&seen(&before), &seen(&after));
        let values = changes.iter().flat_map(|change| [&change.old, &change.new]);
        values.flatten().for_each(|value| weight.add(value));
        sets.push(Changeset {
            cause: Cause::of(&event),
            changes,
        });
    }
    Ok((sets, false))
}

/// The old system's `History`.
fn history_json(name: &StreamName, sets: &[Changeset], truncated: bool) -> Value {
    let changes = || sets.iter().flat_map(|set| &set.changes);
    let fields: BTreeSet<&str> = changes().map(|change| change.field.as_str()).collect();
    let users: BTreeSet<&str> = sets
        .iter()
        .filter_map(|set| set.cause.user_id.as_deref())
        .collect();
    let mut summary = json!({
        "total_changesets": sets.len(),
        "total_field_changes": changes().count(),
        "unique_fields_changed": fields.len(),
        "unique_users": users.len(),
    });
    let times = || sets.iter().map(|set| set.cause.occurred_at);
    if let (Some(first), Some(last)) = (times().min(), times().max()) {
        summary["first_change"] = json!(rfc3339::to_string(first));
        summary["last_change"] = json!(rfc3339::to_string(last));
    }
    json!({
        "aggregate_type": &*name.aggregate_type,
        "aggregate_id": &*name.aggregate_id,
        "changesets": sets.iter().map(Changeset::to_json).collect::<Vec<_>>(),
        "summary": summary,
        "truncated": truncated,
    })
}

/// Every change of an aggregate, field by field.
#[utoipa::path(
    get,
    path = "/api/v1/changes/{aggregate_type}/{aggregate_id}/history",
    tag = "audit",
    operation_id = "change_history",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped"),
        ("start_time" = Option<String>, Query, description = "Only what happened at or after this time"),
        ("end_time" = Option<String>, Query, description = "Only what happened at or before this time"),
    ),
    responses((status = 200, description = "The changesets, the oldest first, and their summary", body = docs::ChangeHistory)),
)]
pub(crate) async fn change_history(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let span = read_span(&mut query, ("start_time", "end_time"));
    query.finish()?;
    let name = StreamName::new(aggregate_type, aggregate_id);
    history_of(&state, &caller, name, span).await
}

/// What changed in an aggregate lately.
#[utoipa::path(
    get,
    path = "/api/v1/changes/{aggregate_type}/{aggregate_id}/recent",
    tag = "audit",
    operation_id = "recent_changes",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped"),
        ("hours" = Option<u64>, Query, description = "Within so many hours, 1 to 720, default 24"),
    ),
    responses((status = 200, description = "The changesets and their summary", body = docs::ChangeHistory)),
)]
pub(crate) async fn recent_changes(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let hours = query.number("hours", 1..=720).unwrap_or(24);
    query.finish()?;
    let back = i64::try_from(hours).unwrap_or(720) * HOUR;
    let span = (Some(state.clock.now().plus_micros(-back)), None);
    let name = StreamName::new(aggregate_type, aggregate_id);
    history_of(&state, &caller, name, span).await
}

async fn history_of(
    state: &AppState,
    caller: &Caller,
    name: StreamName,
    span: (Option<Timestamp>, Option<Timestamp>),
) -> Result<Response<Body>, Problem> {
    let sight = Sight::of(caller);
    damage::answer(state, move |state, damaged| {
        let target = Target::find(state, sight, name)?;
        let (sets, truncated) = changesets(state, sight, &target, span, damaged)?;
        Ok(history_json(&target.name, &sets, truncated))
    })
    .await
}

/// Every value that a field of an aggregate ever had.
#[utoipa::path(
    get,
    path = "/api/v1/changes/{aggregate_type}/{aggregate_id}/field/{field_name}",
    tag = "audit",
    operation_id = "field_history",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped"),
        ("field_name" = String, Path, description = "The field of the state"),
    ),
    responses((status = 200, description = "Its changes, the oldest first", body = docs::FieldHistory)),
)]
pub(crate) async fn field_history(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id, field]): PathParts<3>,
) -> Result<Response<Body>, Problem> {
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let target = Target::find(state, sight, StreamName::new(aggregate_type, aggregate_id))?;
        let (sets, truncated) = changesets(state, sight, &target, (None, None), damaged)?;
        let changes: Vec<Value> = sets
            .iter()
            .flat_map(|set| set.changes.iter().map(move |change| (set, change)))
            .filter(|(_, change)| change.field == field)
            .map(|(set, change)| change.to_json(Some(&set.cause)))
            .collect();
        Ok(json!({
            "aggregate_type": &*target.name.aggregate_type,
            "aggregate_id": &*target.name.aggregate_id,
            "field_name": field,
            "count": changes.len(),
            "changes": changes,
            "truncated": truncated,
        }))
    })
    .await
}

/// What differs between two versions of an aggregate, field by field.
///
/// A version before the first event has no fields; one beyond the last is the last.
#[utoipa::path(
    get,
    path = "/api/v1/changes/{aggregate_type}/{aggregate_id}/compare-versions",
    tag = "audit",
    operation_id = "compare_versions",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped"),
        ("version_1" = u32, Query, description = "The first version"),
        ("version_2" = u32, Query, description = "The second version"),
    ),
    responses((status = 200, description = "What differs", body = docs::VersionComparison)),
)]
pub(crate) async fn compare_versions(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let versions = ["version_1", "version_2"].map(|name| {
        let version = query.version(name);
        if query.all(name).is_empty() {
            query.fault(name, "missing", "is required");
        }
        version.unwrap_or(0)
    });
    query.finish()?;
    let sight = Sight::of(&caller);
    let body = reads::run(&state, move |state| {
        let target = Target::find(state, sight, StreamName::new(aggregate_type, aggregate_id))?;
        let name = &target.name;
        let (first, lost_1) = state.past.state(name, Moment::version(versions[0]))?;
        let (second, lost_2) = state.past.state(name, Moment::version(versions[1]))?;
        let seen = |folded: &Folded| sight.state(&name.aggregate_type, folded.to_object());
        let changes = changed_fields(&seen(&first), &seen(&second));
        let fields: Vec<String> = changes.iter().map(|change| change.field.clone()).collect();
        let later = Moment::version(versions[0].max(versions[1])).bounds(&state.log)?;
        let causes = state.past.causes(name, &later, &fields)?;
        let changes: Vec<Value> = changes
            .iter()
            .map(|change| change.to_json(causes.get(&change.field)))
            .collect();
        Ok(json!({
            "aggregate_type": &*name.aggregate_type,
            "aggregate_id": &*name.aggregate_id,
            "version_1": versions[0],
            "version_2": versions[1],
            "count": changes.len(),
            "changes": changes,
            // What the earlier version lacks the later one lacks, too.
            "damaged_events": lost_1.max(lost_2),
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// Who changed which fields of an aggregate.
///
/// `user_changes` lists the fields of each account; `details` adds how often, and when last. Changes of events that name
/// nobody stand under `unattributed`.
#[utoipa::path(
    get,
    path = "/api/v1/changes/{aggregate_type}/{aggregate_id}/who-changed-what",
    tag = "audit",
    operation_id = "who_changed_what",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped"),
    ),
    responses((status = 200, description = "By account", body = docs::WhoChangedWhat)),
)]
pub(crate) async fn who_changed_what(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
) -> Result<Response<Body>, Problem> {
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let target = Target::find(state, sight, StreamName::new(aggregate_type, aggregate_id))?;
        let (sets, truncated) = changesets(state, sight, &target, (None, None), damaged)?;
        let mut by_user: BTreeMap<&str, BTreeMap<&str, (u64, &Cause)>> = BTreeMap::new();
        for set in &sets {
            let user = set.cause.user_id.as_deref().unwrap_or("unattributed");
            let fields = by_user.entry(user).or_default();
            for change in &set.changes {
                let entry = fields.entry(&change.field).or_insert((0, &set.cause));
                *entry = (entry.0 + 1, &set.cause);
            }
        }
        let user_changes: BTreeMap<&str, Vec<&str>> = by_user
            .iter()
            .map(|(user, fields)| (*user, fields.keys().copied().collect()))
            .collect();
        let details: Vec<Value> = by_user
            .iter()
            .flat_map(|(user, fields)| {
                fields.iter().map(move |(field, (count, cause))| {
                    json!({
                        "user_id": user,
                        "field": field,
                        "changes": count,
                        "last_changed_at": rfc3339::to_string(cause.occurred_at),
                        "last_event": cause.to_json(),
                    })
                })
            })
            .collect();
        Ok(json!({
            "aggregate_type": &*target.name.aggregate_type,
            "aggregate_id": &*target.name.aggregate_id,
            "user_changes": user_changes,
            "details": details,
            "truncated": truncated,
        }))
    })
    .await
}
