//! The shapes of read models in the OpenAPI document.
#![expect(dead_code, reason = "only their schemas are used")]

use serde_json::Value;
use utoipa::ToSchema;

/// A read model and how far it is.
#[derive(ToSchema)]
pub(crate) struct Projection {
    name: String,
    /// The number of its layout; another one is made anew.
    format: u32,
    /// `up_to_date`, `catching_up`, `rebuilding` or `failed`.
    status: String,
    /// The last event in it.
    position: u64,
    /// The log's last event.
    durable_position: u64,
    lag_events: u64,
    lag_seconds: f64,
    handled_event_types: Vec<String>,
    handled_events_count: u64,
    /// Events that it could not fold.
    skipped_events_count: u64,
    /// The first of them.
    skipped_positions: Vec<u64>,
    /// When the last event in it was recorded.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_updated: Option<String>,
    /// How far a rebuild is, while there is one.
    rebuild: Option<RebuildProgress>,
}

/// How far a rebuild is.
#[derive(ToSchema)]
pub(crate) struct RebuildProgress {
    position: u64,
    of: u64,
}

/// All read models.
#[derive(ToSchema)]
pub(crate) struct ProjectionList {
    total: usize,
    projections: Vec<Projection>,
}

/// Counts in the old system's shape.
#[derive(ToSchema)]
pub(crate) struct ProjectionStats {
    total_projections: usize,
    projections: Vec<ProjectionCount>,
}

/// What one read model has handled.
#[derive(ToSchema)]
pub(crate) struct ProjectionCount {
    name: String,
    handled_event_types: Vec<String>,
    handled_events_count: u64,
}

/// How far a read model is.
#[derive(ToSchema)]
pub(crate) struct ProjectionProgress {
    projection_name: String,
    /// The position of the last event in it.
    last_processed_version: u64,
    position: u64,
    lag_events: u64,
    lag_seconds: f64,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_updated: Option<String>,
    /// `up_to_date`, `catching_up`, `rebuilding` or `failed`.
    status: String,
}

/// What a read model holds; which members there are depends on the read model.
#[derive(ToSchema)]
pub(crate) struct ProjectionData {
    /// The position that the answer reflects.
    position: u64,
    streams: Option<Vec<Value>>,
    stream: Option<Value>,
    aggregates: Option<Vec<Value>>,
    types: Option<Vec<Value>>,
    days: Option<Vec<Value>>,
    vehicles: Option<Vec<Value>>,
    total: Option<u64>,
    next_cursor: Option<String>,
}

/// A rebuild has begun.
#[derive(ToSchema)]
pub(crate) struct RebuildStarted {
    /// `rebuilding`.
    status: String,
    message: String,
    projection: Option<String>,
    aggregate_id: Option<String>,
}
