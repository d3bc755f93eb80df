//! Reports for auditors, reviews of access, and what was done in a period.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::security;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{ExpectedVersion, NewEvent, StreamName, Timestamp, Transaction};
use utoipa::ToSchema;

use super::docs;
use crate::app::AppState;
use crate::append::append;
use crate::auth::Caller;
use crate::compliance::survey::SurveyError;
use crate::compliance::{Report, Standard, Survey};
use crate::envelope::{USER_PREFIX, tag};
use crate::field_error::FieldError;
use crate::http::auth::small_json;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::time_travel::read_span;
use crate::{reads, rfc3339};

/// The period of a report that names none, in microseconds: a year.
const PERIOD_DEFAULT: i64 = 365 * 86_400 * 1_000_000;
/// What a report may be narrowed to: names of checks.
const SCOPES: &[(&str, &[&str])] = &[
    ("all", &[]),
    (
        "user_data",
        &[
            "personal_data_sealed",
            "data_retention",
            "erasure_requests_served",
            "keys_available",
            "dormant_accounts",
            "access_reviews",
            "no_self_granted_rights",
            "least_privilege",
            "refused_logins",
        ],
    ),
    (
        "audit_only",
        &[
            "audit_trail_completeness",
            "user_attribution",
            "financial_user_attribution",
            "change_approval",
            "approval_before_commitment",
            "audit_integrity",
            "checkpoints_kept",
        ],
    ),
];

/// Makes the report.
async fn answer(
    state: &AppState,
    standard: Standard,
    (from, to): (Timestamp, Timestamp),
    scope: usize,
) -> Result<Response<Body>, Problem> {
    let body = reads::run(state, move |state| {
        let survey = Survey::of(state, from, to)?;
        let mut report = Report::of(standard, &survey);
        let (name, checks) = SCOPES[scope];
        if !checks.is_empty() {
            report.checks.retain(|check| checks.contains(&check.name));
        }
        Ok(report.to_json(&survey, name, state.clock.now()))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// Reads `start_date`, `end_date` and `scope`.
async fn asked(
    state: &AppState,
    query: Option<&str>,
    standard: Standard,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query);
    let (from, to) = read_span(&mut query, ("start_date", "end_date"));
    let names: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).collect();
    let scope = query.one_of("scope", &names).unwrap_or(0);
    query.finish()?;
    let to = to.unwrap_or_else(|| state.clock.now());
    let from = from.unwrap_or_else(|| to.plus_micros(-PERIOD_DEFAULT));
    answer(state, standard, (from, to), scope).await
}

/// GDPR: personal data.
///
/// Attribution, sealing of personal fields, retention, erasures asked for and served, keys, integrity by the Merkle root.
#[utoipa::path(
    get,
    path = "/api/v1/compliance/reports/gdpr",
    tag = "compliance",
    operation_id = "gdpr_report",
    params(
        ("start_date" = Option<String>, Query, description = "Of what was recorded from this time; a year before the end if absent"),
        ("end_date" = Option<String>, Query, description = "Of what was recorded up to this time; now if absent"),
        ("scope" = Option<String>, Query, description = "`all` (default), `user_data`, `audit_only`"),
    ),
    responses((status = 200, description = "The report", body = docs::ComplianceReport)),
)]
pub(crate) async fn gdpr(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    asked(&state, query.as_deref(), Standard::Gdpr).await
}

/// SOX: control over money.
///
/// Attribution, separation of creating and approving, approval before commitment, integrity by the Merkle root, checkpoints.
#[utoipa::path(
    get,
    path = "/api/v1/compliance/reports/sox",
    tag = "compliance",
    operation_id = "sox_report",
    params(
        ("start_date" = Option<String>, Query, description = "Of what was recorded from this time; a year before the end if absent"),
        ("end_date" = Option<String>, Query, description = "Of what was recorded up to this time; now if absent"),
        ("scope" = Option<String>, Query, description = "`all` (default), `user_data`, `audit_only`"),
    ),
    responses((status = 200, description = "The report", body = docs::ComplianceReport)),
)]
pub(crate) async fn sox(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    asked(&state, query.as_deref(), Standard::Sox).await
}

/// SOC 2: security and availability.
///
/// Dormant accounts, reviews of access, roles, refused logins, integrity by the Merkle root, attribution, backups.
#[utoipa::path(
    get,
    path = "/api/v1/compliance/reports/soc2",
    tag = "compliance",
    operation_id = "soc2_report",
    params(
        ("start_date" = Option<String>, Query, description = "Of what was recorded from this time; a year before the end if absent"),
        ("end_date" = Option<String>, Query, description = "Of what was recorded up to this time; now if absent"),
        ("scope" = Option<String>, Query, description = "`all` (default), `user_data`, `audit_only`"),
    ),
    responses((status = 200, description = "The report", body = docs::ComplianceReport)),
)]
pub(crate) async fn soc2(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    asked(&state, query.as_deref(), Standard::Soc2).await
}

/// The period and scope, as the old system's clients ask.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OldReportAsked {
    /// Ignored: the path says which.
    #[serde(default, rename = "standard")]
    _standard: String,
    /// From this time.
    start_date: String,
    /// To this time.
    end_date: String,
    /// `all`, `user_data`, `audit_only`.
    #[serde(default)]
    scope: Option<String>,
}

/// Answers the old system's way of asking.
pub(in crate::http) async fn old_report(
    state: &AppState,
    standard: Standard,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let asked: OldReportAsked = small_json(state, request).await?;
    let mut faults = Vec::new();
    let mut time = |name: &'static str, text: &str| match rfc3339::parse(text) {
        Ok(time) => time,
        Err(error) => {
            faults.push(FieldError::body(
                name,
                "datetime_parsing",
                error.to_string(),
            ));
            Timestamp::MIN
        }
    };
    let (from, to) = (
        time("start_date", &asked.start_date),
        time("end_date", &asked.end_date),
    );
    let scope = asked.scope.as_deref().unwrap_or("all");
    let found = SCOPES.iter().position(|(name, _)| *name == scope);
    if found.is_none() {
        let msg = "must be one of: all, user_data, audit_only";
        faults.push(FieldError::body("scope", "enum", msg));
    }
    if faults.is_empty() && to < from {
        let msg = "must not be before `start_date`";
        faults.push(FieldError::body("end_date", "time_order", msg));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    answer(state, standard, (from, to), found.unwrap_or(0)).await
}

/// What was done in a period, counted.
#[utoipa::path(
    get,
    path = "/api/v1/compliance/activity-summary",
    tag = "compliance",
    operation_id = "activity_summary",
    params(
        ("start_date" = String, Query, description = "Of what was recorded from this time"),
        ("end_date" = String, Query, description = "Of what was recorded up to this time"),
    ),
    responses((status = 200, description = "The counts", body = docs::ActivitySummary)),
)]
pub(crate) async fn activity_summary(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let (from, to) = read_span(&mut query, ("start_date", "end_date"));
    for name in ["start_date", "end_date"] {
        if query.all(name).is_empty() {
            query.fault(name, "missing", "is required");
        }
    }
    query.finish()?;
    let (from, to) = (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX));
    let body = reads::run(&state, move |state| {
        let survey = Survey::of(state, from, to)?;
        let types: Vec<Value> = survey
            .by_type
            .iter()
            .map(|((aggregate_type, event_type), count)| {
                json!({"aggregate_type": aggregate_type, "event_type": event_type, "count": count})
            })
            .collect();
        Ok(json!({
            "period_start": rfc3339::to_string(from),
            "period_end": rfc3339::to_string(to),
            "total_events": survey.total,
            "unique_users": survey.users,
            "events_by_type": types,
            "truncated": survey.truncated,
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// What was reviewed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReviewAsked {
    /// What came of it, for the trail.
    note: Option<String>,
}

/// Note a review of access.
///
/// That the caller went through the accounts and their roles. The event keeps which there were.
#[utoipa::path(
    post,
    path = "/api/v1/compliance/access-reviews",
    tag = "compliance",
    operation_id = "note_access_review",
    request_body = ReviewAsked,
    responses((status = 201, description = "Noted", body = docs::AccessReview)),
)]
pub(crate) async fn access_review(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let asked: ReviewAsked = small_json(&state, request).await?;
    let mut accounts: BTreeMap<String, Value> = BTreeMap::new();
    for account in state.accounts.directory().list() {
        let line = json!({"role": account.state.role.name(), "is_active": account.state.is_active});
        accounts.insert(account.id_text.to_string(), line);
    }
    let mut data = json!({ "accounts": accounts });
    if let Some(note) = asked.note {
        data["note"] = json!(note);
    }
    let mut event = NewEvent::new(security::event::ACCESS_REVIEWED, data.to_string());
    event.tags.push(tag(USER_PREFIX, caller.id_text()));
    let day = rfc3339::to_string(state.clock.now())[..10].to_owned();
    let stream = StreamName::new(security::AGGREGATE_TYPE, day);
    let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
    let receipt = append(&state.log, transaction).await?;
    let body = json!({
        "position": receipt.last_position().get(),
        "reviewed_by": caller.id_text(),
        "accounts": accounts.len(),
    });
    let mut response = json_response(body.to_string());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

impl From<SurveyError> for Problem {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::Read(error) => error.into(),
            SurveyError::Checkpoints(error) => error.into(),
        }
    }
}
