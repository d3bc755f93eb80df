//! Setting fields of an aggregate back: a proposal, and on request the event that does it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{ExpectedVersion, NewEvent, StreamName, Transaction, Version};
use utoipa::ToSchema;

use super::docs;
use super::{Target, difference_json, state_at};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::append_guarded;
use crate::envelope::attribute;
use crate::field_error::FieldError;
use crate::http::auth::small_json;
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::http::visible::Sight;
use crate::past::Moment;
use crate::past::restore::{Proposal, Wish, propose};
use crate::{reads, rfc3339};

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 500;
/// The reason where none is given.
const REASON_DEFAULT: &str = "restored to an earlier state";

/// What to set back.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RestoreRequest {
    /// The aggregate's type.
    aggregate_type: String,
    /// The aggregate's id.
    aggregate_id: String,
    /// To what was true then.
    at: Option<String>,
    /// To what was known then.
    as_of: Option<String>,
    /// To how it was at this version.
    version: Option<u32>,
    /// Only these fields; all that differ if absent.
    #[serde(default)]
    fields: Vec<String>,
    /// Why. Stands in the events.
    reason: Option<String>,
    /// Append the events; otherwise they are only proposed.
    #[serde(default)]
    apply: bool,
    /// The aggregate's version that the caller has seen; needed to apply.
    expected_version: Option<u32>,
}

/// Set fields of an aggregate back to what they were.
///
/// What was recorded stays as it is: the answer is the events that would set the fields back, and with `apply` they are
/// appended, as one transaction.
#[utoipa::path(
    post,
    path = "/api/v1/time-travel/restore",
    tag = "time-travel",
    operation_id = "restore_fields",
    request_body = RestoreRequest,
    responses((status = 200, description = "What would be, or was, appended", body = docs::Restoration)),
)]
pub(crate) async fn restore(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let wanted: RestoreRequest = small_json(&state, request).await?;
    let moment = moment_of(&wanted)?;
    let reason = reason_of(&wanted)?;
    let sight = Sight::of(&caller);
    let name = StreamName::new(wanted.aggregate_type, wanted.aggregate_id);
    if fleet::registry().is_internal(&name.aggregate_type) {
        let detail = format!(
            "{} is changed through its own routes only",
            name.aggregate_type
        );
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    let fields = wanted.fields;
    let given_reason = reason.clone();
    let (target, version, proposal, damaged) = reads::run(&state, move |state| {
        let target = Target::find(state, sight, name)?;
        let (now, damaged) = state.past.state(&target.name, Moment::default())?;
        let (then, _) = state.past.state(&target.name, moment)?;
        if then.last.is_none() {
            return Err(state_at::nothing_then(&target.name, moment));
        }
        let proposal = propose(&Wish {
            aggregate_type: &target.name.aggregate_type,
            now: &now,
            then: &then,
            fields: &fields,
            reason: &given_reason,
            now_micros: state.clock.now().micros(),
        });
        let version = now.last.map_or(0, |last| last.version);
        Ok((target, version, proposal, damaged))
    })
    .await?;
    let position = match wanted.apply && !proposal.events.is_empty() {
        true => Some(
            apply(
                &state,
                &caller,
                &target,
                &proposal,
                wanted.expected_version,
                &reason,
            )
            .await?,
        ),
        false => None,
    };
    let aggregate_type = &*target.name.aggregate_type;
    let events = proposal.events.iter().map(|event| {
        json!({"event_type": event.event_type, "schema": event.schema, "data": sight.state(aggregate_type, event.data.clone())})
    });
    let left = proposal
        .left
        .iter()
        .map(|(field, why)| json!({"field": field, "reason": why}));
    let body = json!({
        "aggregate_type": aggregate_type,
        "aggregate_id": &*target.name.aggregate_id,
        "events": events.collect::<Vec<_>>(),
        "changes": proposal.changes.iter().map(|change| difference_json(change, None)).collect::<Vec<_>>(),
        "not_restorable": left.collect::<Vec<_>>(),
        "expected_version": version,
        "damaged_events": damaged,
        "applied": position.is_some(),
        "position": position,
    });
    Ok(json_response(body.to_string()))
}

fn moment_of(wanted: &RestoreRequest) -> Result<Moment, Problem> {
    let time = |field: &'static str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        rfc3339::parse(text).map(Some).map_err(|error| {
            Problem::invalid(vec![FieldError::body(
                field,
                "datetime_parsing",
                error.to_string(),
            )])
        })
    };
    let moment = Moment {
        at: time("at", &wanted.at)?,
        as_of: time("as_of", &wanted.as_of)?,
        version: wanted.version,
        position: None,
    };
    if moment == Moment::default() {
        let msg = "one of `at`, `as_of`, `version` is required";
        return Err(Problem::invalid(vec![FieldError::body(
            "at", "missing", msg,
        )]));
    }
    Ok(moment)
}

fn reason_of(wanted: &RestoreRequest) -> Result<String, Problem> {
    let reason = wanted.reason.as_deref().map_or(REASON_DEFAULT, str::trim);
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        let msg = format!("must have 1 to {REASON_CHARS_MAX} characters");
        return Err(Problem::invalid(vec![FieldError::body(
            "reason",
            "string_length",
            msg,
        )]));
    }
    Ok(reason.to_owned())
}

/// Appends what was proposed, if nobody wrote in between. Gives the position.
async fn apply(
    state: &AppState,
    caller: &Caller,
    target: &Target,
    proposal: &Proposal,
    expected: Option<u32>,
    reason: &str,
) -> Result<u64, Problem> {
    let Some(expected) = expected else {
        let msg = "is required to apply: take it from the proposal";
        return Err(Problem::invalid(vec![FieldError::body(
            "expected_version",
            "missing",
            msg,
        )]));
    };
    let metadata = json!({"source": "restore", "reason": reason}).to_string();
    let events = proposal.events.iter().map(|event| {
        let data = Value::Object(event.data.clone()).to_string();
        let mut appended = NewEvent::new(event.event_type.as_str(), data);
        appended.schema = event.schema;
        appended.metadata = metadata.clone().into_bytes();
        attribute(&mut appended, caller.id_text());
        appended
    });
    let expected = ExpectedVersion::Exact(Version::new(expected));
    let transaction = Transaction::stream(target.name.clone(), expected, events.collect());
    let (_, result) = append_guarded(state, caller, transaction).await?;
    Ok(result?.last_position().get())
}
