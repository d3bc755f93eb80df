//! Security events: logins, good and bad, and writes that were refused.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::{security, user};
use serde_json::{Value, json};
use storage::{Direction, EventRef, Query as LogQuery, QueryItem, ReadError, ReadRequest};

use super::anomalies::recorded;
use super::docs;
use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope::{self, USER_PREFIX, tag};
use crate::http::damage;
use crate::http::extract::ReadAt;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::time_travel::read_span;
use crate::http::visible::Sight;
use crate::rfc3339;

/// Events of a page.
const EVENTS_MAX: u64 = 1_000;
/// Events of a page that asks for no number.
const EVENTS_DEFAULT: u64 = 100;

/// What each kind is made of.
const KINDS: &[(&str, &[&str])] = &[
    ("login", &[user::events::USER_LOGGED_IN]),
    (
        "login_refused",
        &[
            user::events::USER_LOGIN_REFUSED,
            security::event::LOGIN_REFUSED,
        ],
    ),
    (
        "write_refused",
        &[
            security::event::WRITE_REFUSED,
            security::event::REFUSALS_SUMMED_UP,
        ],
    ),
    ("session_ended", &[user::events::REFRESH_TOKEN_REVOKED]),
    (
        "account_changed",
        &[
            user::events::USER_REGISTERED,
            user::events::USER_ROLE_CHANGED,
            user::events::USER_DEACTIVATED,
            user::events::USER_REACTIVATED,
            user::events::USER_PASSWORD_CHANGED,
        ],
    ),
];

/// Logins, changes of accounts, and refused writes.
///
/// The newest first. What repeats itself is counted: a refusal is told at once, and then at most once a minute with its `count`.
#[utoipa::path(
    get,
    path = "/api/v1/audit/security",
    tag = "audit",
    operation_id = "security_events",
    params(
        ("kind" = Option<String>, Query, description = "Only `login`, `login_refused`, `write_refused`, `session_ended` or `account_changed`"),
        ("user_id" = Option<String>, Query, description = "Only of this account, by its id"),
        ("from" = Option<String>, Query, description = "Only what was recorded at or after this time"),
        ("to" = Option<String>, Query, description = "Only what was recorded at or before this time"),
        ("limit" = Option<u64>, Query, description = "At most this many, default 100"),
        ("cursor" = Option<u64>, Query, description = "Where the page before ended: its `next_cursor`"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The events", body = docs::SecurityEvents)),
)]
pub(crate) async fn security_events(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let kind = query.one_of("kind", &names);
    let user_id = query.text("user_id");
    let (from, to) = read_span(&mut query, ("from", "to"));
    let limit = query
        .number("limit", 1..=EVENTS_MAX)
        .unwrap_or(EVENTS_DEFAULT);
    let cursor = query.position("cursor");
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    let mut request = ReadRequest {
        query: LogQuery {
            items: items(kind, user_id.as_deref()),
        },
        recorded: recorded(from, to),
        direction: Direction::Backward,
        ..ReadRequest::default()
    };
    if let Some(cursor) = cursor {
        request.to = cursor.previous();
    }
    damage::answer(&state, move |state, damaged| {
        let (mut events, mut last, mut more) = (Vec::new(), None, false);
        let mut reader = state.log.read(&request)?;
        while let Some(event) = reader.next() {
            match event {
                Ok(_) if events.len() as u64 == limit => {
                    more = true;
                    break;
                }
                Ok(event) => {
                    last = Some(event.position());
                    events.push(entry(sight, &event));
                }
                Err(ReadError::Damaged { first, last, .. }) => damaged.push((first, last)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(json!({
            "count": events.len(),
            "events": events,
            "next_cursor": last.filter(|_| more).map(|last| last.to_string()),
        }))
    })
    .await
}

/// What to look for: the events of accounts among these types, by the account they are of or by whom they name, and those of
/// the security streams.
fn items(kind: Option<usize>, user: Option<&str>) -> Vec<QueryItem> {
    let kinds = match kind {
        Some(index) => &KINDS[index..=index],
        None => KINDS,
    };
    let event_types: Vec<Box<str>> = kinds
        .iter()
        .flat_map(|(_, types)| types.iter().map(|name| Box::from(*name)))
        .collect();
    let of = |aggregate_type: &str| QueryItem {
        aggregate_types: vec![aggregate_type.into()],
        event_types: event_types.clone(),
        ..QueryItem::default()
    };
    match user {
        None => vec![of(user::AGGREGATE_TYPE), of(security::AGGREGATE_TYPE)],
        Some(user) => vec![
            QueryItem {
                streams: vec![storage::StreamName::new(user::AGGREGATE_TYPE, user)],
                event_types: event_types.clone(),
                ..QueryItem::default()
            },
            QueryItem {
                tags: vec![tag(USER_PREFIX, user)],
                ..of(security::AGGREGATE_TYPE)
            },
        ],
    }
}

fn entry(sight: Sight, event: &EventRef<'_>) -> Value {
    let kind = KINDS
        .iter()
        .find(|(_, types)| types.contains(&event.event_type()))
        .map(|(name, _)| *name);
    let stream = event.stream();
    let data = sight.data(event);
    let of_account = *stream.aggregate_type == *user::AGGREGATE_TYPE;
    let user = if of_account {
        Some(stream.aggregate_id)
    } else {
        envelope::user_id(event.tags())
    };
    json!({
        "position": event.position().get(),
        "recorded_at": rfc3339::to_string(event.recorded_at()),
        "kind": kind,
        "event_type": event.event_type(),
        "user_id": user,
        "by": envelope::user_id(event.tags()),
        "count": data["count"].as_u64().unwrap_or(1),
        "details": data,
    })
}
