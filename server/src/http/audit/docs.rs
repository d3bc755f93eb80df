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
}
