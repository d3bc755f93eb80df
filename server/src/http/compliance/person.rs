//! All that is held on a person, for them to take: as JSON, or as a page to read (GDPR Art. 15 and 20).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, Response, header};
use serde_json::{Value, json};
use storage::{EventRef, QueryItem, ReadError, ReadRequest, StreamName};

use super::docs;
use super::erase::{is_erased, resolve};
use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope::{USER_PREFIX, tag};
use crate::http::audit::table::{Table, html_foot, html_head};
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::http::weight::Weight;
use crate::past::Moment;
use crate::privacy::Subject;
use crate::{reads, rfc3339};

/// Events of one answer; a person who did more is told how many.
const EVENTS_MAX: usize = 20_000;

/// All that is held on a person.
///
/// The record that stands for them, every event that holds something of them, and everything they did; `categories` counts
/// it. One's own data is for everybody, that of others for a SUPER_ADMIN.
#[utoipa::path(
    get,
    path = "/api/v1/compliance/user-data/{user_id}",
    tag = "compliance",
    operation_id = "user_data",
    params(
        ("user_id" = String, Path, description = "An account by id, username or e-mail address; a staff number; `Staff:ID`, `User:ID`"),
        ("format" = Option<String>, Query, description = "`json` (default) or `html` (to read and print)"),
    ),
    responses((status = 200, description = "What is held", body = docs::UserData)),
)]
pub(crate) async fn user_data(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([who]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let html = query.one_of("format", &["json", "html"]) == Some(1);
    query.finish()?;
    let own = caller.is(&who) || who.strip_prefix("User:").is_some_and(|id| caller.is(id));
    if !own && caller.role() != fleet::policy::Role::SuperAdmin {
        let detail = "what is held on others is shown to a SUPER_ADMIN";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    let held = reads::run(&state, move |state| {
        let subject = match own {
            true => Subject::user(caller.id_text()),
            false => resolve(state, &who)?,
        };
        gather(state, &subject)
    })
    .await?;
    if html {
        return Ok(page(&held));
    }
    Ok(json_response(held.to_string()))
}

fn gather(state: &AppState, subject: &Subject) -> Result<Value, Problem> {
    // Of a person everything is shown that is theirs, but no secrets.
    let sight = Sight::everything();
    let stream = StreamName::new(subject.kind(), subject.id());
    let record = match state.log.stream(&stream) {
        Some(_) => {
            let (folded, _) = state.past.state(&stream, Moment::default())?;
            Value::Object(sight.state(subject.kind(), folded.to_object()))
        }
        None => Value::Null,
    };
    let streams = QueryItem {
        streams: vec![stream],
        ..QueryItem::default()
    };
    let about = QueryItem {
        tags: vec![subject.tag()],
        ..QueryItem::default()
    };
    let done = QueryItem {
        tags: vec![tag(USER_PREFIX, subject.id())],
        ..QueryItem::default()
    };
    let request = ReadRequest {
        query: storage::Query {
            items: vec![streams, about, done],
        },
        ..ReadRequest::default()
    };
    let mut categories: BTreeMap<String, u64> = BTreeMap::new();
    let (mut events, mut weight, mut total) = (Vec::new(), Weight::default(), 0_u64);
    let mut reader = state.log.read(&request)?;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => {
                total += 1;
                let why = why_held(&event, subject);
                *categories
                    .entry(format!("{why}: {}", event.event_type()))
                    .or_default() += 1;
                if events.len() < EVENTS_MAX && !weight.is_full() {
                    let line = line(sight, &event, why);
                    weight.add(&line);
                    events.push(line);
                }
            }
            Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(json!({
        "subject": subject.to_string(),
        "erased": is_erased(state, subject),
        "generated_at": rfc3339::to_string(state.clock.now()),
        "record": record,
        "categories": categories,
        "total_events": total,
        "truncated": total > events.len() as u64,
        "events": events,
    }))
}

/// Why an event is in the answer.
fn why_held(event: &EventRef<'_>, subject: &Subject) -> &'static str {
    let stream = event.stream();
    if *stream.aggregate_type == *subject.kind() && *stream.aggregate_id == *subject.id() {
        "their record"
    } else if event.tags().any(|tag| *tag == *subject.tag()) {
        "holds something of them"
    } else {
        "done by them"
    }
}

fn line(sight: Sight, event: &EventRef<'_>, why: &'static str) -> Value {
    let (data, metadata) = sight.texts(event);
    let object = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
    json!({
        "position": event.position().get(),
        "recorded_at": rfc3339::to_string(event.recorded_at()),
        "occurred_at": rfc3339::to_string(event.occurred_at()),
        "why": why,
        "stream": event.stream().to_string(),
        "event_type": event.event_type(),
        "data": object(&data),
        "metadata": object(&metadata),
    })
}

/// The same as a page to read and print.
fn page(held: &Value) -> Response<Body> {
    let mut out = Vec::new();
    let title = format!(
        "Personal data held on {}",
        held["subject"].as_str().unwrap_or_default()
    );
    html_head(
        &title,
        &["what", "since", "why", "where", "content"],
        &mut out,
    );
    let record = held["record"].as_object().into_iter().flatten();
    for (field, value) in record {
        let value = plain(value);
        let row = ["record", "", "their record", field.as_str(), value.as_str()];
        Table::Html.row(row.into_iter(), &mut out);
    }
    for event in held["events"].as_array().into_iter().flatten() {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let data = plain(&event["data"]);
        let row = [
            text("event_type"),
            text("occurred_at"),
            text("why"),
            text("stream"),
            data.as_str(),
        ];
        Table::Html.row(row.into_iter(), &mut out);
    }
    let note = format!(
        "{} events, as of {}. Fields that were erased show as [erased].",
        held["total_events"],
        held["generated_at"].as_str().unwrap_or_default()
    );
    html_foot(&note, &mut out);
    html_response(out)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A page.
pub(super) fn html_response(out: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(out));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
