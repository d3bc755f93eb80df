//! Erasing somebody, and what is known of erasures and keys.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use fleet::erasure::event::{ERASURE_REQUESTED, SUBJECT_ERASED};
use fleet::{erasure, staff, user};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use storage::{Query, QueryItem, ReadError, ReadRequest, StreamName};
use utoipa::ToSchema;

use super::docs;
use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope;
use crate::field_error::FieldError;
use crate::http::auth::small_json;
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::privacy::erase::{self, EraseError};
use crate::privacy::subject::CONTACT;
use crate::privacy::{StoreError, Subject, SubjectStatus, lost};
use crate::{reads, rfc3339};

/// Why, and since when.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EraseAsked {
    /// Why, for the trail. Must not name the person: it stays.
    reason: Option<String>,
    /// When the person asked for it; now if absent.
    requested_at: Option<String>,
    /// Only note that they asked, to be erased later.
    request_only: bool,
}

/// Erase a person.
///
/// Destroys the key of the person's fields: names, addresses, telephone numbers in every event, for ever. Nothing in the log
/// changes, and every proof holds. An account is closed first. What is derived is made anew; while that takes longer than
/// a request may, the answer is 202 and the same request tells how far it is.
#[utoipa::path(
    post,
    path = "/api/v1/compliance/erase/{subject}",
    tag = "compliance",
    operation_id = "erase_subject",
    params(("subject" = String, Path, description = "`User:ID`, `Staff:ID` or another aggregate that stands for a person; an account's id, username or e-mail address; a staff number; an e-mail address that stands in metadata")),
    request_body = EraseAsked,
    responses(
        (status = 200, description = "Erased", body = docs::Erasure),
        (status = 202, description = "Requested, or erased while read models are still being folded anew", body = docs::Erasure),
    ),
)]
pub(crate) async fn erase_subject(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([subject]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let asked: EraseAsked = small_json(&state, request).await?;
    let requested_at = match asked.requested_at.as_deref().map(rfc3339::parse) {
        None => Some(state.clock.now()),
        Some(Ok(time)) if time <= state.clock.now() => Some(time),
        Some(Ok(_)) => {
            let fault = FieldError::body("requested_at", "value_error", "lies in the future");
            return Err(Problem::invalid(vec![fault]));
        }
        Some(Err(error)) => {
            let fault = FieldError::body("requested_at", "datetime_parsing", error.to_string());
            return Err(Problem::invalid(vec![fault]));
        }
    };
    let subject = {
        let text = subject.clone();
        reads::run(&state, move |state| resolve(state, &text)).await?
    };
    let request = erase::Request {
        subject: subject.clone(),
        by: Some(caller.id_text().to_owned()),
        reason: asked.reason,
        requested_at,
    };
    if asked.request_only {
        let events = reads::run(&state, move |state| {
            erase::request(&state.log, &request)?;
            held(state, &request.subject)
        })
        .await?;
        let body = json!({"subject": subject.to_string(), "status": "requested", "erased_at": null, "by": caller.id_text(), "events": events});
        return Ok(with_status(StatusCode::ACCEPTED, &body));
    }
    if subject.kind() == user::AGGREGATE_TYPE {
        close_account(&state, &caller, &subject).await?;
    }
    let done = {
        let state = state.clone();
        let task = tokio::task::spawn_blocking(move || erase::erase(&state, &request));
        task.await.map_err(|error| Problem::internal(&error))??
    };
    let events = {
        let subject = subject.clone();
        reads::run(&state, move |state| held(state, &subject)).await?
    };
    let (status, word) = match done.purged {
        true => (StatusCode::OK, "erased"),
        false => (StatusCode::ACCEPTED, "erasing"),
    };
    let body = json!({
        "subject": subject.to_string(),
        "status": word,
        "erased_at": done.erased.erased_at,
        "by": done.erased.by,
        "events": events,
    });
    Ok(with_status(status, &body))
}

fn with_status(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = json_response(body.to_string());
    *response.status_mut() = status;
    response
}

/// An erased account must not come in: it has no name any more.
async fn close_account(
    state: &AppState,
    caller: &Caller,
    subject: &Subject,
) -> Result<(), Problem> {
    if caller.is(subject.id()) {
        let detail = "nobody erases their own account: ask another SUPER_ADMIN";
        return Err(Problem::new(Kind::Conflict, detail));
    }
    let Ok(id) = uuid::Uuid::try_parse(subject.id()) else {
        return Ok(());
    };
    let Some(account) = state.accounts.directory().get(id).cloned() else {
        return Ok(());
    };
    if account.state.is_active {
        state.accounts.set_active(id, false, caller).await?;
    }
    Ok(())
}

/// Who is meant.
///
/// # Errors
/// A 404 that says how a person can be named.
pub(super) fn resolve(state: &AppState, text: &str) -> Result<Subject, Problem> {
    let store = state.privacy.store();
    if let Some(subject) = Subject::parse(text) {
        let stream = StreamName::new(subject.kind(), subject.id());
        let is_aggregate = subject.kind() != CONTACT
            && state.log.stream(&stream).is_some()
            && crate::privacy::subject::is_person(subject.kind());
        if is_aggregate || store.status(&subject).is_some() || held(state, &subject)? > 0 {
            return Ok(subject);
        }
    }
    let account = state.accounts.directory().find(text).cloned();
    let account = account.or_else(|| {
        let id = uuid::Uuid::try_parse(text).ok()?;
        state.accounts.directory().get(id).cloned()
    });
    if let Some(account) = account {
        return Ok(Subject::user(&account.id_text));
    }
    let person = state
        .projections
        .catalog()
        .find(staff::AGGREGATE_TYPE, text);
    if let Some(person) = person.value {
        return Ok(Subject::new(staff::AGGREGATE_TYPE, &*person.aggregate_id));
    }
    let contact = state.privacy.contact(text);
    if store.status(&contact).is_some() {
        return Ok(contact);
    }
    let detail = format!(
        "nobody is known as {text}: name a person as `User:ID`, `Staff:ID`, by an account's name or e-mail address, or by a staff number"
    );
    Err(Problem::not_found(detail))
}

/// How many events hold something of somebody that is sealed.
pub(super) fn held(state: &AppState, subject: &Subject) -> Result<u64, Problem> {
    let request = ReadRequest {
        query: QueryItem {
            tags: vec![subject.tag()],
            ..QueryItem::default()
        }
        .into(),
        ..ReadRequest::default()
    };
    let mut events = 0;
    let mut reader = state.log.read(&request)?;
    while let Some(event) = reader.next() {
        match event {
            Ok(_) => events += 1,
            Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(events)
}

/// Erasures, done and asked for.
#[utoipa::path(
    get,
    path = "/api/v1/compliance/erasures",
    tag = "compliance",
    operation_id = "list_erasures",
    responses((status = 200, description = "Everybody who asked, or was erased", body = docs::Erasures)),
)]
pub(crate) async fn erasures(State(state): State<AppState>) -> Result<Response<Body>, Problem> {
    let body = reads::run(&state, |state| {
        let erasures: Vec<Value> = requests(state)?
            .into_iter()
            .map(|(subject, found)| {
                json!({
                    "subject": subject,
                    "status": if found.erased_at.is_some() { "erased" } else { "requested" },
                    "requested_at": found.requested_at,
                    "erased_at": found.erased_at,
                    "by": found.by,
                    "reason": found.reason,
                })
            })
            .collect();
        Ok(json!({"total": erasures.len(), "erasures": erasures}))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// What the log tells of one person's erasure.
#[derive(Clone, Debug, Default)]
pub(super) struct Requested {
    pub(super) requested_at: Option<String>,
    pub(super) erased_at: Option<String>,
    pub(super) by: Option<String>,
    pub(super) reason: Option<String>,
}

/// Every erasure that was asked for or done, by subject.
pub(super) fn requests(state: &AppState) -> Result<BTreeMap<String, Requested>, Problem> {
    let mut found: BTreeMap<String, Requested> = BTreeMap::new();
    let mut reader = state.log.read(&ReadRequest {
        query: Query::aggregate_types([erasure::AGGREGATE_TYPE]),
        ..ReadRequest::default()
    })?;
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            Err(ReadError::Damaged { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
        let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
        let entry = found
            .entry(event.stream().aggregate_id.to_string())
            .or_default();
        entry.requested_at = entry.requested_at.take().or_else(|| text("requested_at"));
        entry.reason = text("reason").or_else(|| entry.reason.take());
        entry.by = envelope::user_id(event.tags()).map(str::to_owned);
        match event.event_type() {
            SUBJECT_ERASED => {
                entry.erased_at =
                    text("erased_at").or_else(|| Some(rfc3339::to_string(event.recorded_at())));
            }
            ERASURE_REQUESTED => {
                entry.requested_at = entry
                    .requested_at
                    .take()
                    .or_else(|| Some(rfc3339::to_string(event.recorded_at())));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The keys of people.
///
/// How many there are, and whose are lost: their fields show as `[key lost]`, everything else is served.
#[utoipa::path(
    get,
    path = "/api/v1/compliance/keys",
    tag = "compliance",
    operation_id = "key_status",
    responses((status = 200, description = "The store of keys", body = docs::KeyStatus)),
)]
pub(crate) async fn key_status(State(state): State<AppState>) -> Response<Body> {
    let store = state.privacy.store();
    let people: Vec<Value> = store
        .lost()
        .into_iter()
        .map(|(subject, reads)| json!({"subject": subject.to_string(), "reads": reads}))
        .collect();
    let what_to_do = (!people.is_empty()).then_some(lost::WHAT_TO_DO);
    let body = json!({
        "people": store.people_count(),
        "erased": store.erased().len(),
        "begun_anew": store.begun_anew,
        "purge_pending": store.needs_purge(),
        "lost": people,
        "what_to_do": what_to_do,
    });
    json_response(body.to_string())
}

/// Whether somebody was erased.
pub(super) fn is_erased(state: &AppState, subject: &Subject) -> bool {
    matches!(
        state.privacy.store().status(subject),
        Some(SubjectStatus::Erased(_))
    )
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Append(error) => error.into(),
            EraseError::Read(error) => error.into(),
            EraseError::Store(ref store) => {
                let source = std::error::Error::source(store);
                let cause = source
                    .map(|source| format!(": {source}"))
                    .unwrap_or_default();
                let outcome = match store {
                    StoreError::LeftAside { .. } => "they were erased, but",
                    _ => "nobody was erased:",
                };
                tracing::error!(%error, cause, "{outcome}");
                Problem::new(Kind::Unavailable, format!("{outcome} {error}{cause}"))
            }
            EraseError::Purge(source) => {
                tracing::error!(%source, "what was derived cannot be removed");
                let detail = "the key is destroyed, but what was derived from the person's data cannot be removed now; a restart tries again";
                Problem::new(Kind::Unavailable, detail)
            }
        }
    }
}
