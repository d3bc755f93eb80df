//! Trails: everything that was done to an aggregate, and everything that somebody did.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::policy::Role;
use serde_json::{Map, json};
use storage::{Query as LogQuery, QueryItem, ReadRequest, StreamName, TimeRange, Timestamp};

use super::docs;
use super::entries::{Entries, Wanted, answer};
use super::related::related;
use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope::{USER_PREFIX, tag};
use crate::http::extract::{PathParts, ReadAt};
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::http::time_travel::{Target, most_similar, read_span, told};
use crate::http::visible::Sight;
use crate::{reads, rfc3339};

/// Which events of a trail.
#[derive(Clone, Debug, Default)]
struct Narrowed {
    occurred: (Option<Timestamp>, Option<Timestamp>),
    recorded: (Option<Timestamp>, Option<Timestamp>),
    event_type: Option<String>,
    user_id: Option<String>,
    aggregate_type: Option<String>,
}

impl Narrowed {
    /// Reads `from`, `to`, `recorded_since`, `recorded_until`, `event_type`, `user_id`.
    fn read(query: &mut Query<'_>) -> Self {
        let occurred = read_span(query, ("from", "to"));
        Narrowed {
            occurred,
            recorded: read_span(query, ("recorded_since", "recorded_until")),
            event_type: query.text("event_type"),
            user_id: query.text("user_id"),
            aggregate_type: None,
        }
    }

    /// The request for the events of these streams; of all streams if there are none.
    fn request(&self, streams: Vec<StreamName>) -> ReadRequest {
        let range = |(from, to): (Option<Timestamp>, Option<Timestamp>)| {
            (from.is_some() || to.is_some()).then(|| TimeRange {
                from: from.unwrap_or(Timestamp::MIN),
                to: to.unwrap_or(Timestamp::MAX),
            })
        };
        let item = QueryItem {
            streams,
            aggregate_types: self
                .aggregate_type
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            event_types: self
                .event_type
                .iter()
                .flat_map(|name| fleet::alias::spellings(name))
                .map(Into::into)
                .collect(),
            tags: self
                .user_id
                .iter()
                .map(|user| tag(USER_PREFIX, user))
                .collect(),
        };
        ReadRequest {
            query: LogQuery::from(item),
            occurred: range(self.occurred),
            recorded: range(self.recorded),
            ..ReadRequest::default()
        }
    }

    fn is_open(&self) -> bool {
        self.occurred == (None, None)
            && self.recorded == (None, None)
            && self.event_type.is_none()
            && self.user_id.is_none()
    }
}

/// The trail of an aggregate, or of everything.
///
/// Without `aggregate_type` and `aggregate_id`: of the whole log, in the order in which it was recorded.
#[utoipa::path(
    get,
    path = "/api/v1/audit/trail",
    tag = "audit",
    operation_id = "audit_trail",
    params(
        ("aggregate_type" = Option<String>, Query, description = "Only aggregates of this type"),
        ("aggregate_id" = Option<String>, Query, description = "Only this aggregate"),
        ("from" = Option<String>, Query, description = "Only what happened at or after this time"),
        ("to" = Option<String>, Query, description = "Only what happened at or before this time"),
        ("recorded_since" = Option<String>, Query, description = "Only what was recorded at or after this time"),
        ("recorded_until" = Option<String>, Query, description = "Only what was recorded at or before this time"),
        ("event_type" = Option<String>, Query, description = "Only events of this type"),
        ("user_id" = Option<String>, Query, description = "Only what this account caused"),
        ("changes" = Option<bool>, Query, description = "Also the fields that each event changed, with what they were"),
        ("related" = Option<bool>, Query, description = "Of an aggregate: also of those that belong to it, a vehicle's work orders, transfers, documents and what belongs to these"),
        ("order" = Option<String>, Query, description = "`asc` (default) or `desc`, as recorded"),
        ("limit" = Option<u64>, Query, description = "At most this many, default 100, at most 10,000; all in the other formats"),
        ("cursor" = Option<u64>, Query, description = "Where the page before ended: its `next_cursor`"),
        ("format" = Option<String>, Query, description = "`json` (default), `jsonl`, `csv`, `html` (to print)"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The trail", body = docs::Trail)),
)]
pub(crate) async fn trail(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let (kind, id) = (query.text("aggregate_type"), query.text("aggregate_id"));
    trail_of(&state, Sight::of(&caller), query, kind, id).await
}

/// The trail of an aggregate.
#[utoipa::path(
    get,
    path = "/api/v1/audit/trail/{aggregate_type}/{aggregate_id}",
    tag = "audit",
    operation_id = "audit_trail_of",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped"),
        ("from" = Option<String>, Query, description = "Only what happened at or after this time"),
        ("to" = Option<String>, Query, description = "Only what happened at or before this time"),
        ("recorded_since" = Option<String>, Query, description = "Only what was recorded at or after this time"),
        ("recorded_until" = Option<String>, Query, description = "Only what was recorded at or before this time"),
        ("event_type" = Option<String>, Query, description = "Only events of this type"),
        ("user_id" = Option<String>, Query, description = "Only what this account caused"),
        ("changes" = Option<bool>, Query, description = "Also the fields that each event changed, with what they were"),
        ("related" = Option<bool>, Query, description = "Of an aggregate: also of those that belong to it, a vehicle's work orders, transfers, documents and what belongs to these"),
        ("order" = Option<String>, Query, description = "`asc` (default) or `desc`, as recorded"),
        ("limit" = Option<u64>, Query, description = "At most this many, default 100, at most 10,000; all in the other formats"),
        ("cursor" = Option<u64>, Query, description = "Where the page before ended: its `next_cursor`"),
        ("format" = Option<String>, Query, description = "`json` (default), `jsonl`, `csv`, `html` (to print)"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The trail", body = docs::Trail)),
)]
pub(crate) async fn trail_of_aggregate(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([kind, id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    trail_of(&state, Sight::of(&caller), query, Some(kind), Some(id)).await
}

async fn trail_of(
    state: &AppState,
    sight: Sight,
    mut query: Query<'_>,
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
) -> Result<Response<Body>, Problem> {
    let mut narrowed = Narrowed::read(&mut query);
    let wanted = Wanted::read(&mut query, false);
    let with_related = query.flag("related").unwrap_or(false);
    if with_related && aggregate_id.is_none() {
        query.fault("related", "value_error", "needs `aggregate_id`");
    }
    ReadAt::await_log(query, state).await?;
    let mut head = Map::new();
    let (streams, title) = match aggregate_id {
        None => {
            let title = match &aggregate_type {
                Some(aggregate_type) => format!("Audit trail of every {aggregate_type}"),
                None => "Audit trail".to_owned(),
            };
            narrowed.aggregate_type = aggregate_type;
            (Vec::new(), title)
        }
        Some(id) => {
            let (target, belonging) = reads::run(state, move |state| {
                let target = Target::find_by_id(state, sight, aggregate_type, &id)?;
                let belonging = with_related.then(|| related(state, &target.name));
                Ok((target, belonging))
            })
            .await?;
            let name = target.name;
            let title = format!("Audit trail of {name}");
            head.insert("aggregate_type".to_owned(), json!(&*name.aggregate_type));
            head.insert("aggregate_id".to_owned(), json!(&*name.aggregate_id));
            let mut streams = vec![name];
            if let Some(belonging) = belonging {
                head.insert("related".to_owned(), json!(belonging.counts));
                head.insert("related_truncated".to_owned(), json!(belonging.truncated));
                streams.extend(belonging.streams);
            } else if narrowed.is_open() {
                head.insert("total".to_owned(), json!(target.version.get()));
            }
            (streams, title)
        }
    };
    let entries = Entries {
        request: narrowed.request(streams),
        sight,
        wanted,
        head,
        title,
    };
    answer(state, entries).await
}

/// What an account did, in all aggregates.
///
/// One's own actions are for everybody, those of others from FLEET_MANAGER up. Found by an index, not by reading the log.
#[utoipa::path(
    get,
    path = "/api/v1/audit/user/{user_id}/actions",
    tag = "audit",
    operation_id = "user_actions",
    params(
        ("user_id" = String, Path, description = "The account: its id, username or e-mail address"),
        ("from" = Option<String>, Query, description = "Only what happened at or after this time"),
        ("to" = Option<String>, Query, description = "Only what happened at or before this time"),
        ("event_type" = Option<String>, Query, description = "Only events of this type"),
        ("changes" = Option<bool>, Query, description = "Also the fields that each event changed"),
        ("order" = Option<String>, Query, description = "`desc` (default) or `asc`, as recorded"),
        ("limit" = Option<u64>, Query, description = "At most this many, default 100"),
        ("cursor" = Option<u64>, Query, description = "Where the page before ended: its `next_cursor`"),
        ("format" = Option<String>, Query, description = "`json` (default), `jsonl`, `csv`, `html` (to print)"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The actions", body = docs::Trail)),
)]
pub(crate) async fn user_actions(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([user_id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let mut narrowed = Narrowed::read(&mut query);
    let wanted = Wanted::read(&mut query, true);
    ReadAt::await_log(query, &state).await?;
    let user_id = account_id(&state, user_id);
    may_look(&caller, &user_id)?;
    let known = user_id.clone();
    reads::run(&state, move |state| is_known(state, &known)).await?;
    let (from, to) = narrowed.occurred;
    let mut head = Map::new();
    head.insert("user_id".to_owned(), json!(user_id));
    head.insert("start_time".to_owned(), json!(from.map(rfc3339::to_string)));
    head.insert("end_time".to_owned(), json!(to.map(rfc3339::to_string)));
    let title = format!("Actions of {user_id}");
    narrowed.user_id = Some(user_id);
    let entries = Entries {
        request: narrowed.request(Vec::new()),
        sight: Sight::of(&caller),
        wanted,
        head,
        title,
    };
    answer(&state, entries).await
}

/// The id of an account that was named by id, username or e-mail address; a name that no account has stays.
pub(in crate::http) fn account_id(state: &AppState, name: String) -> String {
    match state.accounts.directory().find(&name) {
        Some(account) => account.id_text.to_string(),
        None => name,
    }
}

/// Sees that there is such an account, or that something was done in this name.
///
/// # Errors
/// A 404 that tells the ids of accounts that are named alike.
fn is_known(state: &AppState, user_id: &str) -> Result<(), Problem> {
    let accounts = state.accounts.directory().list();
    if accounts.iter().any(|account| *account.id_text == *user_id) {
        return Ok(());
    }
    let item = QueryItem {
        tags: vec![tag(USER_PREFIX, user_id)],
        ..QueryItem::default()
    };
    let request = ReadRequest {
        query: LogQuery::from(item),
        ..ReadRequest::default()
    };
    if state.log.read(&request)?.next().is_some() {
        return Ok(());
    }
    let names = accounts
        .iter()
        .flat_map(|account| [&*account.id_text, &*account.state.username]);
    let alike = most_similar(user_id, names);
    let similar: Vec<String> = accounts
        .iter()
        .filter(|account| {
            alike
                .iter()
                .any(|name| *name == *account.id_text || *name == *account.state.username)
        })
        .map(|account| account.id_text.to_string())
        .collect();
    let detail = format!(
        "there is no account {user_id}, and nothing was done in this name{}",
        told(&similar)
    );
    Err(Problem::not_found(detail).with("similar_ids", similar))
}

/// Whether the caller may see what this account did.
///
/// # Errors
/// `forbidden`.
pub(in crate::http) fn may_look(caller: &Caller, user_id: &str) -> Result<(), Problem> {
    if caller.is(user_id) || caller.role().reaches(Role::FleetManager) {
        return Ok(());
    }
    let detail = "what others did is shown to a FLEET_MANAGER or SUPER_ADMIN";
    Err(Problem::new(Kind::Forbidden, detail))
}
