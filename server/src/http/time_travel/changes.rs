//! What changed between two times: of one aggregate, of a kind, or in the whole depot.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::{Value, json};
use storage::{Order, Position, ReadError, ReadRequest, StreamName, TimeRange, Timestamp};

use super::docs;
use super::{Target, difference_json, read_span};
use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope::{USER_PREFIX, tag};
use crate::http::damage::{self, Stretch};
use crate::http::extract::ReadAt;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::http::weight::Weight;
use crate::past::{Cause, Folded, Steps, diff, stream_request};
use crate::rfc3339;

/// Events in an answer.
const EVENTS_MAX: u64 = 1_000;
/// Events in an answer that asks for no number.
const EVENTS_DEFAULT: u64 = 100;
/// Events of one aggregate that an answer without pages gives.
const SPAN_EVENTS_MAX: usize = 10_000;

/// What changed between two times.
///
/// Every event of the span with the fields that it changed, the oldest first. By when things happened, or, with
/// `time=recorded`, by when they became known.
#[utoipa::path(
    get,
    path = "/api/v1/time-travel/changes",
    tag = "time-travel",
    operation_id = "changes_between",
    params(
        ("from" = Option<String>, Query, description = "From this time, itself included. Also as `start_time`"),
        ("to" = Option<String>, Query, description = "To this time, itself included; now if absent. Also as `end_time`"),
        ("start_time" = Option<String>, Query, deprecated, description = "Older spelling of `from`"),
        ("end_time" = Option<String>, Query, deprecated, description = "Older spelling of `to`"),
        ("time" = Option<String>, Query, description = "`occurred` (default) or `recorded`"),
        ("aggregate_type" = Option<String>, Query, description = "Only aggregates of this type"),
        ("aggregate_id" = Option<String>, Query, description = "Only this aggregate"),
        ("event_type" = Option<String>, Query, description = "Only events of this type"),
        ("user_id" = Option<String>, Query, description = "Only what this account caused"),
        ("field" = Option<String>, Query, description = "Only events that changed this field"),
        ("limit" = Option<u64>, Query, description = "At most this many events, default 100"),
        ("cursor" = Option<String>, Query, description = "Where the page before ended: its `next_cursor`"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The events with what they changed", body = docs::Changes)),
)]
pub(crate) async fn changes(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    changes_in_span(&state, &caller, Query::parse(query.as_deref()), true).await
}

/// What changed in the span that a query names; whether it has to say where it begins.
pub(in crate::http) async fn changes_in_span(
    state: &AppState,
    caller: &Caller,
    mut query: Query<'_>,
    needs_from: bool,
) -> Result<Response<Body>, Problem> {
    let between = EventsBetween::read(&mut query, needs_from);
    ReadAt::await_log(query, state).await?;
    let sight = Sight::of(caller);
    damage::answer(state, move |state, damaged| {
        let (events, next) = events_between(state, sight, &between, damaged)?;
        Ok(json!({
            "from": between.from.map(rfc3339::to_string),
            "to": between.to.map(rfc3339::to_string),
            "count": events.len(),
            "changes": events,
            "next_cursor": next,
        }))
    })
    .await
}

/// Which events of a span are meant.
#[derive(Clone, Debug, Default)]
pub(super) struct EventsBetween {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    by_recorded: bool,
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    event_type: Option<String>,
    user_id: Option<String>,
    field: Option<String>,
    limit: u64,
    /// Behind this time and position.
    after: Option<(Timestamp, Position)>,
}

impl EventsBetween {
    fn read(query: &mut Query<'_>, needs_from: bool) -> Self {
        let (mut from, mut to) = read_span(query, ("from", "to"));
        if from.is_none() && to.is_none() {
            (from, to) = read_span(query, ("start_time", "end_time"));
        }
        if needs_from && from.is_none() {
            query.fault("from", "missing", "is required");
        }
        let cursor = query.text("cursor");
        let after = cursor.as_deref().and_then(read_cursor);
        if cursor.is_some() && after.is_none() {
            query.fault("cursor", "value_error", "is no cursor of this list");
        }
        EventsBetween {
            from,
            to,
            by_recorded: query.one_of("time", &["occurred", "recorded"]) == Some(1),
            aggregate_type: query.text("aggregate_type"),
            aggregate_id: query.text("aggregate_id"),
            event_type: query.text("event_type"),
            user_id: query.text("user_id"),
            field: query.text("field"),
            limit: query
                .number("limit", 1..=EVENTS_MAX)
                .unwrap_or(EVENTS_DEFAULT),
            after,
        }
    }

    fn request(&self, state: &AppState, sight: Sight) -> Result<ReadRequest, Problem> {
        let mut item = storage::QueryItem::default();
        match (&self.aggregate_type, &self.aggregate_id) {
            (Some(kind), Some(id)) => {
                let name = StreamName::new(kind.as_str(), id.as_str());
                item.streams = vec![Target::find(state, sight, name)?.name];
            }
            (None, Some(id)) => {
                item.streams = vec![Target::find_by_id(state, sight, None, id)?.name];
            }
            (Some(kind), None) => item.aggregate_types = vec![kind.as_str().into()],
            (None, None) => {}
        }
        if let Some(event_type) = &self.event_type {
            let spellings = fleet::alias::spellings(event_type);
            item.event_types = spellings.into_iter().map(Into::into).collect();
        }
        item.tags = self
            .user_id
            .iter()
            .map(|user| tag(USER_PREFIX, user))
            .collect();
        let mut range = TimeRange {
            from: self.from.unwrap_or(Timestamp::MIN),
            to: self.to.unwrap_or(Timestamp::MAX),
        };
        let mut request = ReadRequest {
            query: item.into(),
            ..ReadRequest::default()
        };
        if self.by_recorded {
            request.recorded = Some(range);
            if let Some((_, position)) = self.after {
                request.from = position.next();
            }
        } else {
            request.order = Order::Occurred;
            if let Some((time, _)) = self.after {
                range.from = range.from.max(time);
            }
            request.occurred = Some(range);
        }
        Ok(request)
    }

    fn is_behind(&self, here: (Timestamp, Position)) -> bool {
        self.by_recorded || self.after.is_none_or(|after| here > after)
    }
}

/// The events of a span with what each changed, and the cursor of the page behind. What could not be read and may
/// belong among them is added to `damaged`.
pub(super) fn events_between(
    state: &AppState,
    sight: Sight,
    between: &EventsBetween,
    damaged: &mut Vec<Stretch>,
) -> Result<(Vec<Value>, Option<String>), Problem> {
    let request = between.request(state, sight)?;
    let mut steps = Steps::new(&state.past);
    let mut events: Vec<Value> = Vec::new();
    let (mut last, mut weight) = (None, Weight::default());
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
        let stream = event.stream();
        let here = (event.occurred_at(), event.position());
        if !sight.covers(stream.aggregate_type) || !between.is_behind(here) {
            continue;
        }
        if events.len() as u64 == between.limit || weight.is_full() {
            return Ok((events, last.map(cursor_of)));
        }
        let (before, after) = steps.around(&event)?;
        let seen = |folded: &Folded| sight.state(stream.aggregate_type, folded.to_object());
        let mut differences = diff(&seen(&before), &seen(&after));
        if let Some(field) = &between.field {
            differences.retain(|difference| difference.field() == field);
            if differences.is_empty() {
                continue;
            }
        }
        last = Some(here);
        let mut item = Cause::of(&event).to_json();
        item["aggregate_type"] = json!(stream.aggregate_type);
        item["aggregate_id"] = json!(stream.aggregate_id);
        let fields = differences
            .iter()
            .map(|difference| difference_json(difference, None));
        item["changes"] = fields.collect();
        weight.add(&item);
        events.push(item);
    }
    Ok((events, None))
}

/// A span of time by when things happened; open where an end is absent.
pub(in crate::http) type Span = (Option<Timestamp>, Option<Timestamp>);

/// The events of an aggregate that happened in a span, by version, with their data; and whether more were left out.
/// What could not be read and may belong among them is added to `damaged`.
pub(in crate::http) fn events_in_span(
    state: &AppState,
    sight: Sight,
    target: &Target,
    (from, to): Span,
    damaged: &mut Vec<Stretch>,
) -> Result<(Vec<Value>, bool), Problem> {
    let request = ReadRequest {
        occurred: Some(TimeRange {
            from: from.unwrap_or(Timestamp::MIN),
            to: to.unwrap_or(Timestamp::MAX),
        }),
        ..stream_request(&target.name)
    };
    let (mut events, mut weight) = (Vec::new(), Weight::default());
    let mut reader = state.log.read(&request)?;
    while let Some(event) = reader.next() {
        match event {
            Ok(_) if events.len() == SPAN_EVENTS_MAX || weight.is_full() => {
                return Ok((events, true));
            }
            Ok(event) => {
                let item = json!({
                    "event_id": event.id().to_string(),
                    "event_type": event.event_type(),
                    "version": event.version().get(),
                    "occurred_at": rfc3339::to_string(event.occurred_at()),
                    "data": sight.data(&event),
                });
                weight.add(&item);
                events.push(item);
            }
            Err(ReadError::Damaged { first, last, .. }) => damaged.push((first, last)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((events, false))
}

/// Where a page ended.
fn cursor_of((time, position): (Timestamp, Position)) -> String {
    format!("{}_{}", time.micros(), position)
}

fn read_cursor(text: &str) -> Option<(Timestamp, Position)> {
    let (time, position) = text.split_once('_')?;
    let time = time.parse().ok().map(Timestamp::from_micros)?;
    Some((time, Position::new(position.parse().ok()?)))
}
