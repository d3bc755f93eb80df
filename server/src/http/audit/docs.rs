//! The shapes of audit in the OpenAPI document.
#![expect(dead_code, reason = "only their schemas are used")]

use serde_json::Value;
use utoipa::ToSchema;

/// A signed root of the log's tree.
#[derive(ToSchema)]
struct SignedRoot {
    /// Which log.
    origin: String,
    /// Events in the tree: the position up to which the log is meant.
    tree_size: u64,
    /// Base64 of the root.
    root_hash: String,
    /// The signed note (C2SP tlog-checkpoint): origin, size and root, a line each, and the signature.
    note: String,
}

/// The log as it is, signed.
#[derive(ToSchema)]
pub(in crate::http) struct CheckpointAnswer {
    #[schema(inline)]
    origin: String,
    tree_size: u64,
    root_hash: String,
    note: String,
    /// When the last of the events was recorded.
    recorded_at: Option<String>,
    /// The key that checks the note: NAME+ID+KEY.
    public_key: String,
}

/// The checkpoints that were kept.
#[derive(ToSchema)]
pub(in crate::http) struct CheckpointList {
    total: usize,
    checkpoints: Vec<SignedRoot>,
    /// Whether there are older ones, beyond the newest 64 MiB of notes.
    truncated: bool,
    public_key: String,
}

/// A leaf and its way to the root.
#[derive(ToSchema)]
struct ProvedLeaf {
    position: u64,
    leaf_index: u64,
    /// Base64 of what the event brought into the log: name records that it was the first to use, and its own record; the hash of
    /// it is SHA-256(0x00 || leaf). Null for what only the server writes.
    leaf: Option<String>,
    leaf_hash: String,
    /// Base64 of the siblings, from the leaf up (RFC 9162 §2.1.3).
    path: Vec<String>,
}

/// Proof that an event is in the log.
#[derive(ToSchema)]
pub(in crate::http) struct Proof {
    position: u64,
    leaf_index: u64,
    leaf: Option<String>,
    leaf_hash: String,
    path: Vec<String>,
    tree_size: u64,
    root_hash: String,
    /// The leaves that brought the names of the event's stream and types, proved in the same tree.
    names: Vec<ProvedLeaf>,
    /// The event, for reading; the leaf is what is proved.
    #[schema(value_type = Object)]
    event: Value,
    /// The signed note of the tree.
    checkpoint: String,
    public_key: String,
}

/// Proof that one tree is the beginning of another.
#[derive(ToSchema)]
pub(in crate::http) struct Consistency {
    old_size: u64,
    new_size: u64,
    old_root: String,
    new_root: String,
    /// RFC 9162 §2.1.4.
    path: Vec<String>,
    /// The signed note of the later tree.
    checkpoint: String,
    public_key: String,
}

/// One thing that was done.
#[derive(ToSchema)]
struct TrailEntry {
    /// When it happened.
    #[schema(format = DateTime)]
    timestamp: String,
    #[schema(format = DateTime)]
    recorded_at: String,
    position: u64,
    event_id: String,
    aggregate_type: String,
    aggregate_id: String,
    event_type: String,
    version: u32,
    /// The same, as the old system called it.
    event_version: u32,
    user_id: Option<String>,
    /// What happened, by whom.
    summary: String,
    /// The event's data.
    #[schema(value_type = Object)]
    changes: Value,
    #[schema(value_type = Object)]
    metadata: Value,
    /// With `changes=true`: the fields that it changed, with what they were.
    #[schema(value_type = Option<Vec<Object>>)]
    field_changes: Option<Vec<Value>>,
}

/// A trail. Events that cannot be read stand in it as `{damaged: {first, last}}`.
#[derive(ToSchema)]
pub(in crate::http) struct Trail {
    entries: Vec<TrailEntry>,
    count: usize,
    /// The `cursor` of the next page.
    next_cursor: Option<String>,
    /// Events of the aggregate, where nothing narrows.
    total: Option<u64>,
    /// With `related=true`: how many aggregates of each type belong to it.
    #[schema(value_type = Option<Object>)]
    related: Option<Value>,
    /// With `related=true`: whether there are more than were followed.
    related_truncated: Option<bool>,
}

/// An event that a finding rests upon.
#[derive(ToSchema)]
struct EvidenceEvent {
    position: u64,
    event_id: String,
    /// `Vehicle/5110`.
    stream: String,
    version: u32,
    event_type: String,
    #[schema(format = DateTime)]
    occurred_at: String,
    #[schema(format = DateTime)]
    recorded_at: String,
    user_id: Option<String>,
    device_id: Option<String>,
}

/// Something that looks odd.
#[derive(ToSchema)]
struct Oddity {
    /// `rapid_changes`, `missing_versions`, `out_of_hours`, `clock_jump`, `mass_change` or `backdated`.
    r#type: String,
    /// `low`, `medium`, `high` or `critical`.
    severity: String,
    description: String,
    /// When the last of it happened.
    #[schema(format = DateTime)]
    timestamp: String,
    /// How many events it is about.
    count: u64,
    /// The first of them: `{event_id, event_type, version}`.
    #[schema(value_type = Object)]
    event_1: Value,
    /// The last of them.
    #[schema(value_type = Object)]
    event_2: Value,
    /// At most ten of them.
    evidence: Vec<EvidenceEvent>,
    /// Of `missing_versions`: those that were expected, at most 100.
    expected_versions: Option<Vec<u32>>,
}

/// What looks odd.
#[derive(ToSchema)]
pub(in crate::http) struct Anomalies {
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    events_looked_at: u64,
    count: usize,
    /// Findings that were left out.
    more_findings: u64,
    anomalies: Vec<Oddity>,
    /// The `cursor` with which the look goes on; null: all was looked at.
    next_cursor: Option<String>,
    /// First and last position of events that cannot be read and may belong here; absent where there are none.
    damaged: Option<Vec<[u64; 2]>>,
}

/// A field that changed.
#[derive(ToSchema)]
struct ChangedField {
    field_name: String,
    /// `created`, `updated` or `deleted`.
    change_type: String,
    old_value: Value,
    new_value: Value,
    timestamp: Option<String>,
    user_id: Option<String>,
    event_id: Option<String>,
    version: Option<u32>,
}

/// An event with the fields that it changed.
#[derive(ToSchema)]
struct ChangeSet {
    #[schema(format = DateTime)]
    timestamp: String,
    #[schema(format = DateTime)]
    recorded_at: String,
    event_id: String,
    position: u64,
    event_type: String,
    version: u32,
    user_id: Option<String>,
    change_count: usize,
    field_changes: Vec<ChangedField>,
}

/// The changes of an aggregate.
#[derive(ToSchema)]
pub(in crate::http) struct ChangeHistory {
    aggregate_type: String,
    aggregate_id: String,
    changesets: Vec<ChangeSet>,
    /// `{total_changesets, total_field_changes, unique_fields_changed, unique_users, first_change, last_change}`; the last two
    /// are missing where nothing changed.
    #[schema(value_type = Object)]
    summary: Value,
    /// Whether there are more than 10,000.
    truncated: bool,
    /// First and last position of events that cannot be read and may belong here; absent where there are none.
    damaged: Option<Vec<[u64; 2]>>,
}

/// The changes of one field.
#[derive(ToSchema)]
pub(in crate::http) struct FieldHistory {
    aggregate_type: String,
    aggregate_id: String,
    field_name: String,
    count: usize,
    changes: Vec<ChangedField>,
    truncated: bool,
    /// First and last position of events that cannot be read and may belong here; absent where there are none.
    damaged: Option<Vec<[u64; 2]>>,
}

/// What differs between two versions.
#[derive(ToSchema)]
pub(in crate::http) struct VersionComparison {
    aggregate_type: String,
    aggregate_id: String,
    version_1: u32,
    version_2: u32,
    count: usize,
    changes: Vec<ChangedField>,
    /// Events up to the later version that cannot be read and are missing in what is compared.
    damaged_events: u64,
}

/// Who changed which fields.
#[derive(ToSchema)]
pub(in crate::http) struct WhoChangedWhat {
    aggregate_type: String,
    aggregate_id: String,
    /// Fields by account.
    #[schema(value_type = Object)]
    user_changes: Value,
    /// `{user_id, field, changes, last_changed_at, last_event}`.
    #[schema(value_type = Vec<Object>)]
    details: Vec<Value>,
    truncated: bool,
    /// First and last position of events that cannot be read and may belong here; absent where there are none.
    damaged: Option<Vec<[u64; 2]>>,
}

/// An audit report.
#[derive(ToSchema)]
pub(in crate::http) struct Report {
    aggregate_type: String,
    aggregate_id: String,
    start_time: String,
    end_time: String,
    entries: Vec<TrailEntry>,
    /// `{total_events, unique_users, event_types, time_span_hours, events_by_user, events_by_day, …}`.
    #[schema(value_type = Object)]
    statistics: Value,
    /// What an auditor would ask about, in sentences.
    findings: Vec<String>,
    anomalies: Vec<Oddity>,
    /// How many aggregates of each type belong to it, where that was asked.
    #[schema(value_type = Option<Object>)]
    related: Option<Value>,
    /// Whether something was left out.
    truncated: bool,
    /// First and last position of events that cannot be read and may belong here; absent where there are none.
    damaged: Option<Vec<[u64; 2]>>,
}

/// Something that was refused, or a login.
#[derive(ToSchema)]
struct SecurityEntry {
    position: u64,
    /// When it was recorded.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// `login`, `login_refused`, `write_refused`, `session_ended`.
    kind: String,
    event_type: String,
    user_id: Option<String>,
    /// How many times; what repeats itself is counted rather than repeated.
    count: u64,
    #[schema(value_type = Object)]
    details: Value,
}

/// Security events.
#[derive(ToSchema)]
pub(in crate::http) struct SecurityEvents {
    events: Vec<SecurityEntry>,
    count: usize,
    next_cursor: Option<String>,
    /// First and last position of events that cannot be read and may belong here; absent where there are none.
    damaged: Option<Vec<[u64; 2]>>,
}
