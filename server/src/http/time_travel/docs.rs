//! The shapes of time travel in the OpenAPI document.
#![expect(dead_code, reason = "only their schemas are used")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

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
    /// When that event happened.
    #[schema(format = DateTime)]
    timestamp: String,
    /// When that event was recorded.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// How many events are in it.
    event_count: u64,
    /// The time that was asked for.
    at: Option<String>,
    /// The time of knowledge that was asked for.
    as_of: Option<String>,
    /// Events that cannot be read and are missing in it.
    damaged_events: u64,
}
