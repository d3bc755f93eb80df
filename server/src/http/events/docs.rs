//! The shapes of events in the OpenAPI document. Nothing is read or written through them: both directions splice text.
#![expect(dead_code, reason = "only their schemas are used")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// An event to append.
#[derive(ToSchema)]
pub(crate) struct NewEvent {
    /// The kind of thing it happened to; with `aggregate_id` the stream. 1 to 255 bytes, no control characters.
    #[schema(example = "Vehicle")]
    aggregate_type: String,
    /// Which one. 1 to 1,024 bytes of any Unicode but NUL.
    #[schema(example = "185 123-4")]
    aggregate_id: String,
    /// What happened; a trailing `Event` is dropped. 1 to 255 bytes.
    #[schema(example = "VehicleStatusChanged")]
    event_type: String,
    /// The payload; event types that the server knows are checked.
    #[schema(value_type = Object, example = json!({"old_status": "available", "new_status": "in_service"}))]
    data: BTreeMap<String, Value>,
    /// What surrounds the payload. `user_id` and `correlation_id` are strings and can be filtered by; `user_id` is the caller's own id if absent.
    #[schema(value_type = Option<Object>)]
    metadata: Option<BTreeMap<String, Value>>,
    /// The event's id: the same id twice is one event. Also as `event_id`.
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<String>,
    /// When it happened; when it is recorded, if absent. RFC 3339; without an offset, UTC. At most 24 hours ahead of the server's clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<String>,
    /// The number of the schema that `data` follows, 1 if absent. Also as `event_version`.
    schema: Option<u16>,
    /// The version that the stream must have (0: no events), or `any`, `no_stream`, `exists`.
    #[schema(value_type = Option<Value>)]
    expected_version: Option<Value>,
    /// Words to find the event by, at most 251.
    tags: Option<Vec<String>>,
}

/// An event in the log.
#[derive(ToSchema)]
pub(crate) struct Event {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// The same.
    #[schema(format = Uuid)]
    event_id: String,
    /// Its place in the whole log, first is 1, without gaps.
    position: u64,
    /// Its place in its stream, first is 1, without gaps.
    version: u32,
    /// The same.
    aggregate_version: u32,
    /// The kind of thing it happened to.
    aggregate_type: String,
    /// Which one.
    aggregate_id: String,
    /// What happened.
    event_type: String,
    /// The number of the schema that `data` follows.
    schema: u16,
    /// The same.
    event_version: u16,
    /// When it happened.
    #[schema(format = DateTime)]
    occurred_at: String,
    /// When the log accepted it; rises with `position`.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// The payload as it was sent.
    #[schema(value_type = Object)]
    data: BTreeMap<String, Value>,
    /// Its tags; absent where there are none.
    tags: Option<Vec<String>>,
    /// Where it was recorded first; absent where that was this log.
    origin: Option<EventOrigin>,
    /// What surrounds the payload.
    #[schema(value_type = Object)]
    metadata: BTreeMap<String, Value>,
}

/// Where an event of another depot was recorded first.
#[derive(ToSchema)]
pub(crate) struct EventOrigin {
    /// The id of that depot's log.
    #[schema(format = Uuid)]
    log_id: String,
    /// Its place there.
    position: u64,
    /// When that log accepted it, by the clock there.
    #[schema(format = DateTime)]
    recorded_at: String,
}

/// Events for one transaction; an array of events alone is taken too.
#[derive(ToSchema)]
pub(crate) struct NewBatch {
    /// 1 to 10,000 events, in the order in which they are appended.
    events: Vec<NewEvent>,
    /// What must not have happened.
    condition: Option<Condition>,
}

/// "Nothing that matches any of these lies after this position."
#[derive(ToSchema)]
pub(crate) struct Condition {
    /// The position up to which the client has seen.
    after: u64,
    /// What must not have happened; empty: anything.
    query: Vec<ConditionItem>,
}

/// Events that satisfy every list that is not empty.
#[derive(ToSchema)]
pub(crate) struct ConditionItem {
    /// In one of these streams.
    streams: Option<Vec<StreamName>>,
    /// In a stream of one of these types.
    aggregate_types: Option<Vec<String>>,
    /// Of one of these types.
    event_types: Option<Vec<String>>,
    /// With all of these tags.
    tags: Option<Vec<String>>,
}

/// A stream's name.
#[derive(ToSchema)]
pub(crate) struct StreamName {
    aggregate_type: String,
    aggregate_id: String,
}

/// Where the events of a batch lie.
#[derive(ToSchema)]
pub(crate) struct BatchReceipt {
    /// How many.
    count: usize,
    /// The first one's position.
    first_position: u64,
    /// The last one's position.
    last_position: u64,
    /// The same: what `min_position` is set to by a client that wants to read its write.
    position: u64,
    /// Whether they were there already.
    duplicate: bool,
    /// One an event, in the order of the batch; absent with `Prefer: return=minimal`.
    events: Option<Vec<EventReceipt>>,
}

/// Where one event lies.
#[derive(ToSchema)]
pub(crate) struct EventReceipt {
    #[schema(format = Uuid)]
    id: String,
    #[schema(format = Uuid)]
    event_id: String,
    position: u64,
    version: u32,
    aggregate_version: u32,
    #[schema(format = DateTime)]
    occurred_at: String,
    #[schema(format = DateTime)]
    recorded_at: String,
}

/// A page of events.
#[derive(ToSchema)]
pub(crate) struct EventPage {
    /// How many match, on all pages; absent with `count=false`.
    total: Option<u64>,
    /// False when `total` is a lower bound, because more match than are counted.
    total_exact: Option<bool>,
    /// Those of this page.
    events: Vec<Event>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
    /// Positions of events that cannot be read and may belong here: first and last of each stretch, at most 1,000 of them.
    /// Absent where there are none.
    #[schema(value_type = Option<Vec<Vec<u64>>>)]
    damaged: Option<Vec<[u64; 2]>>,
    /// The log's last position when it was read.
    position: u64,
}

/// The events of an aggregate.
#[derive(ToSchema)]
pub(crate) struct AggregateEvents {
    /// The aggregate's id.
    aggregate_id: String,
    /// How many there are in the window.
    total: u64,
    /// They, by version.
    events: Vec<Event>,
}

/// The events of an aggregate, replayed.
#[derive(ToSchema)]
pub(crate) struct ReplayedEvents {
    /// The aggregate's id.
    aggregate_id: String,
    /// How many there are in the window.
    total_events: u64,
    /// They, by version.
    events: Vec<Event>,
}

/// How far a stream is.
#[derive(ToSchema, serde::Serialize)]
pub(crate) struct LatestVersion {
    /// The aggregate's id.
    pub(crate) aggregate_id: String,
    /// The version of its last event.
    pub(crate) latest_version: u32,
    /// The same for each type that has an aggregate of this id.
    pub(crate) streams: Vec<StreamVersion>,
}

/// How far one stream is.
#[derive(ToSchema, serde::Serialize)]
pub(crate) struct StreamVersion {
    /// The aggregate's type.
    pub(crate) aggregate_type: String,
    /// The version of its last event.
    pub(crate) latest_version: u32,
}
