//! What differs between two moments of an aggregate, and which events made it so.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use storage::{StreamName, Timestamp};
use utoipa::ToSchema;

use super::docs;
use super::{Target, difference_json, state_at};
use crate::app::AppState;
use crate::auth::Caller;
use crate::field_error::FieldError;
use crate::http::auth::small_json;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::past::{Folded, Moment, diff};
use crate::{reads, rfc3339};

/// Compare an aggregate at two moments.
#[utoipa::path(
    get,
    path = "/api/v1/time-travel/compare",
    tag = "time-travel",
    operation_id = "compare_states",
    params(
        ("aggregate_type" = String, Query, description = "The aggregate's type"),
        ("aggregate_id" = String, Query, description = "The aggregate's id"),
        ("time1" = Option<String>, Query, description = "The first moment, by when things happened"),
        ("version1" = Option<u32>, Query, description = "The first moment, by version"),
        ("as_of1" = Option<String>, Query, description = "The first moment, by when things were recorded"),
        ("time2" = Option<String>, Query, description = "The second moment; now if nothing of it is given"),
        ("version2" = Option<u32>, Query, description = "The second moment, by version"),
        ("as_of2" = Option<String>, Query, description = "The second moment, by when things were recorded"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "What differs", body = docs::Compared)),
)]
pub(crate) async fn compare(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let name = Target::read(&mut query);
    let first = Moment {
        at: query.time("time1"),
        as_of: query.time("as_of1"),
        version: query.version("version1"),
        position: None,
    };
    let second = Moment {
        at: query.time("time2"),
        as_of: query.time("as_of2"),
        version: query.version("version2"),
        position: None,
    };
    if first == Moment::default() {
        query.fault(
            "time1",
            "missing",
            "one of `time1`, `version1`, `as_of1` is required",
        );
    }
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    let body = reads::run(&state, move |state| {
        let target = Target::find(state, sight, name)?;
        compare_points(state, sight, &target, [first, second])
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// Two moments, as the old system's clients ask.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TwoPoints {
    /// The aggregate's type.
    aggregate_type: String,
    /// The aggregate's id.
    aggregate_id: String,
    /// The first moment.
    time_point_1: Point,
    /// The second moment.
    time_point_2: Point,
}

/// A moment.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct Point {
    /// What was true then. Goes before the version.
    timestamp: Option<String>,
    /// After so many events.
    version: Option<u32>,
    /// What was known then.
    as_of: Option<String>,
}

impl Point {
    /// The moment; `None` when nothing says which.
    fn moment(&self, place: &'static str) -> Result<Option<Moment>, Problem> {
        let time = |name: &'static str, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            rfc3339::parse(text).map(Some).map_err(|error| {
                let loc = ["body".into(), place.into(), name.into()];
                let fault = FieldError::new(loc, "datetime_parsing", error.to_string());
                Problem::invalid(vec![fault])
            })
        };
        let at: Option<Timestamp> = time("timestamp", &self.timestamp)?;
        let moment = Moment {
            at,
            as_of: time("as_of", &self.as_of)?,
            version: self.version.filter(|_| at.is_none()),
            position: None,
        };
        Ok(Some(moment).filter(|moment| *moment != Moment::default()))
    }
}

/// Compare an aggregate at two moments.
///
/// A moment at which there was nothing yet is answered with 200 and says so.
#[utoipa::path(
    post,
    path = "/api/v1/time-travel/compare",
    tag = "time-travel",
    operation_id = "compare_two_points",
    request_body = TwoPoints,
    responses((status = 200, description = "What differs", body = docs::Compared)),
)]
pub(crate) async fn compare_two_points(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let points: TwoPoints = small_json(&state, request).await?;
    let first = points.time_point_1.moment("time_point_1")?;
    let second = points.time_point_2.moment("time_point_2")?;
    let sight = Sight::of(&caller);
    let body = reads::run(&state, move |state| {
        let name = StreamName::new(points.aggregate_type, points.aggregate_id);
        let target = Target::find(state, sight, name)?;
        match (first, second) {
            (Some(first), Some(second)) => compare_points(state, sight, &target, [first, second]),
            (first, second) => Ok(no_state(first.is_some(), second.is_some())),
        }
    })
    .await?;
    Ok(json_response(body.to_string()))
}

fn no_state(first: bool, second: bool) -> Value {
    json!({
        "error": "Could not retrieve state for one or both time points",
        "snapshot_1": first,
        "snapshot_2": second,
    })
}

/// What differs between two moments.
pub(in crate::http) fn compare_points(
    state: &AppState,
    sight: Sight,
    target: &Target,
    moments: [Moment; 2],
) -> Result<Value, Problem> {
    let name = &target.name;
    let bounds = [
        moments[0].bounds(&state.log)?,
        moments[1].bounds(&state.log)?,
    ];
    let (first, lost_1) = state.past.state_within(name, &bounds[0])?;
    let (second, lost_2) = state.past.state_within(name, &bounds[1])?;
    if first.last.is_none() || second.last.is_none() {
        let mut body = no_state(first.last.is_some(), second.last.is_some());
        body["damaged_events"] = json!(lost_1.max(lost_2));
        return Ok(body);
    }
    let seen = |folded: &Folded| sight.state(&name.aggregate_type, folded.to_object());
    let (before, after) = (seen(&first), seen(&second));
    let differences = diff(&before, &after);
    let mut fields: Vec<String> = differences
        .iter()
        .map(|difference| difference.field().to_owned())
        .collect();
    fields.dedup();
    // The event that made it so is the last one that is in the later of the two.
    let later = if first.events > second.events {
        &bounds[0]
    } else {
        &bounds[1]
    };
    let causes = state.past.causes(name, later, &fields)?;
    let changes: Vec<Value> = differences
        .iter()
        .map(|difference| difference_json(difference, causes.get(difference.field())))
        .collect();
    let mut warnings: Vec<String> = moments
        .iter()
        .flat_map(|moment| state_at::warnings(state, *moment))
        .collect();
    warnings.dedup();
    Ok(json!({
        "aggregate_type": &*name.aggregate_type,
        "aggregate_id": &*name.aggregate_id,
        "time_point_1": point_json(&first, lost_1),
        "time_point_2": point_json(&second, lost_2),
        "changes": changes,
        "differences": by_field(&fields, &before, &after),
        "changed_fields": fields,
        "warnings": warnings,
    }))
}

fn point_json(folded: &Folded, damaged: u64) -> Value {
    json!({
        "version": folded.last.map(|last| last.version),
        "timestamp": folded.last.map(|last| rfc3339::to_string(last.occurred_at())),
        "event_count": folded.events,
        "damaged_events": damaged,
    })
}

/// The differences as the old system gave them: by field of the state.
fn by_field(fields: &[String], before: &Map<String, Value>, after: &Map<String, Value>) -> Value {
    let entries = fields.iter().map(|field| {
        let (old, new) = (before.get(field), after.get(field));
        let entry = json!({
            "before": old,
            "after": new,
            "changed": old.is_some() && new.is_some(),
            "added": old.is_none(),
            "removed": new.is_none(),
        });
        (field.clone(), entry)
    });
    Value::Object(entries.collect())
}
