//! The shapes of time travel in the OpenAPI document.
#![expect(dead_code, reason = "only their schemas are used")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{OneOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

/// An aggregate as it was.
#[derive(ToSchema)]
pub(in crate::http) struct Snapshot {
    aggregate_type: String,
    aggregate_id: String,
    /// The fold of its events.
    #[schema(value_type = Object)]
    state: BTreeMap<String, Value>,
    /// Whether it was deleted by then.
    deleted: bool,
    /// The version of the last event in it.
    version: u32,
    /// The position of that event.
    position: u64,
    /// When that event happened.
    #[schema(format = DateTime)]
    timestamp: String,
    /// When that event was recorded.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// How many events are in it.
    event_count: u64,
    /// The version of the aggregate's last event, in it or not.
    latest_version: u32,
    /// The time that was asked for.
    at: Option<String>,
    /// The time of knowledge that was asked for.
    as_of: Option<String>,
    /// Events that cannot be read and are missing in it.
    damaged_events: u64,
    /// What a reader might misunderstand.
    warnings: Vec<String>,
}

/// The event that made something so.
#[derive(ToSchema)]
struct CausingEvent {
    #[schema(format = Uuid)]
    event_id: String,
    position: u64,
    version: u32,
    event_type: String,
    #[schema(format = DateTime)]
    occurred_at: String,
    #[schema(format = DateTime)]
    recorded_at: String,
    user_id: Option<String>,
}

/// A value that differs.
#[derive(ToSchema)]
pub(in crate::http) struct FieldChange {
    /// The way to it, `specifications.axles`.
    field: String,
    /// The same in parts.
    path: Vec<String>,
    /// `added`, `removed` or `changed`.
    kind: String,
    old_value: Value,
    new_value: Value,
    /// When, by which event, and by whom; null where the event stands beside, or lies too far back.
    changed_at: Option<String>,
    user_id: Option<String>,
    event: Option<CausingEvent>,
}

/// An aggregate's state after one event.
#[derive(ToSchema)]
struct StateAfter {
    /// The fold of its events up to this one.
    #[schema(value_type = Object)]
    state: BTreeMap<String, Value>,
    deleted: bool,
    version: u32,
    /// When the event happened.
    #[schema(format = DateTime)]
    timestamp: String,
    event_count: u64,
    event: CausingEvent,
    /// What the event changed.
    changes: Vec<FieldChange>,
}

/// An aggregate's states.
#[derive(ToSchema)]
pub(in crate::http) struct History {
    aggregate_type: String,
    aggregate_id: String,
    count: usize,
    history: Vec<StateAfter>,
    /// The `from_version` of the next page.
    next_version: Option<u32>,
    /// First and last position of events that cannot be read and may belong here; absent where there are none.
    damaged: Option<Vec<[u64; 2]>>,
}

/// An aggregate folded anew.
#[derive(ToSchema)]
pub(in crate::http) struct Replayed {
    aggregate_type: String,
    aggregate_id: String,
    events_replayed: u64,
    #[schema(value_type = Object)]
    final_state: BTreeMap<String, Value>,
    version: u32,
    /// How many intermediate states there were; the last 1,000 are given.
    intermediate_states_count: u64,
    #[schema(value_type = Vec<Object>)]
    intermediate_states: Vec<Value>,
    /// Whether the answer from saved states is the same.
    agrees: bool,
    /// What could not be folded.
    errors: Vec<String>,
}

/// A moment that was compared.
#[derive(ToSchema)]
struct ComparedPoint {
    version: Option<u32>,
    timestamp: Option<String>,
    event_count: u64,
    /// Events that cannot be read and are missing in it.
    damaged_events: u64,
}

/// What two moments come to: what differs, or at which of them there was nothing yet.
pub(in crate::http) struct Compared;

impl PartialSchema for Compared {
    fn schema() -> RefOr<Schema> {
        let either = OneOfBuilder::new().item(Comparison::schema());
        either.item(NothingThen::schema()).into()
    }
}

impl ToSchema for Compared {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Comparison::schemas(schemas);
        NothingThen::schemas(schemas);
    }
}

/// One of the two moments was before the first event.
#[derive(ToSchema)]
struct NothingThen {
    error: String,
    /// Whether there was a state at the first moment.
    snapshot_1: bool,
    /// Whether there was one at the second.
    snapshot_2: bool,
    /// Events that cannot be read and are missing; absent where a moment says nothing.
    damaged_events: Option<u64>,
}

/// What differs between two moments.
#[derive(ToSchema)]
pub(in crate::http) struct Comparison {
    aggregate_type: String,
    aggregate_id: String,
    time_point_1: ComparedPoint,
    time_point_2: ComparedPoint,
    /// Every value that differs, into objects and lists.
    changes: Vec<FieldChange>,
    /// By field of the state: `{before, after, changed, added, removed}`.
    #[schema(value_type = Object)]
    differences: BTreeMap<String, Value>,
    changed_fields: Vec<String>,
    /// What a reader might misunderstand, as a moment in the future.
    warnings: Vec<String>,
}

/// An event with what it changed.
#[derive(ToSchema)]
struct ChangingEvent {
    aggregate_type: String,
    aggregate_id: String,
    event_id: String,
    position: u64,
    version: u32,
    event_type: String,
    #[schema(format = DateTime)]
    occurred_at: String,
    #[schema(format = DateTime)]
    recorded_at: String,
    user_id: Option<String>,
    changes: Vec<FieldChange>,
}

/// What changed in a span of time.
#[derive(ToSchema)]
pub(in crate::http) struct Changes {
    from: Option<String>,
    to: Option<String>,
    count: usize,
    changes: Vec<ChangingEvent>,
    /// The `cursor` of the next page.
    next_cursor: Option<String>,
    /// First and last position of events that cannot be read and may belong here; absent where there are none.
    damaged: Option<Vec<[u64; 2]>>,
}

/// The whole fleet at a moment.
#[derive(ToSchema)]
pub(in crate::http) struct FleetAt {
    aggregate_type: String,
    at: Option<String>,
    as_of: Option<String>,
    /// The position up to which the log was read.
    position: u64,
    /// How many match, in all pages.
    total: usize,
    total_exact: bool,
    /// Rows as in the list of vehicles; of another type they are called `aggregates`.
    #[schema(value_type = Vec<Object>)]
    vehicles: Vec<Value>,
    next_cursor: Option<String>,
    /// Events that cannot be read and are missing in the rows of this page.
    damaged_events: u64,
    warnings: Vec<String>,
}

/// What to set back, and what came of it.
#[derive(ToSchema)]
pub(in crate::http) struct Restoration {
    aggregate_type: String,
    aggregate_id: String,
    /// What would be, or was, appended.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
    /// What the fields would be, or are, set to.
    changes: Vec<FieldChange>,
    /// Fields that no event can set back, and why.
    #[schema(value_type = Vec<Object>)]
    not_restorable: Vec<Value>,
    /// The version that `apply` is to be sent with.
    expected_version: u32,
    /// Events of the aggregate that cannot be read: what they set is in neither of the states that were compared.
    damaged_events: u64,
    /// Whether it was appended.
    applied: bool,
    /// The position of the last event appended.
    position: Option<u64>,
}
