//! The shapes of compliance in the OpenAPI document.
#![expect(dead_code, reason = "only their schemas are used")]

use serde_json::Value;
use utoipa::ToSchema;

/// An erasure that was done.
#[derive(ToSchema)]
pub(in crate::http) struct Erasure {
    /// `User:…`, `Staff:…`
    subject: String,
    /// `erased`, `erasing` (read models are still being folded anew) or `requested`.
    status: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    erased_at: Option<String>,
    by: Option<String>,
    /// Events that hold something of the person, which nobody can read any more.
    events: u64,
}

/// Erasures, done and asked for.
#[derive(ToSchema)]
pub(in crate::http) struct Erasures {
    total: usize,
    erasures: Vec<ErasureLine>,
}

/// A person who asked to be erased, or was.
#[derive(ToSchema)]
struct ErasureLine {
    subject: String,
    /// `requested` or `erased`.
    status: String,
    requested_at: Option<String>,
    erased_at: Option<String>,
    by: Option<String>,
    reason: Option<String>,
}

/// A person whose key is not in the store.
#[derive(ToSchema)]
struct LostSubject {
    subject: String,
    /// How often a field of theirs was asked for since the start.
    reads: u64,
}

/// The store of keys.
#[derive(ToSchema)]
pub(in crate::http) struct KeyStatus {
    /// People who have a key.
    people: usize,
    erased: usize,
    /// Whether the store was begun at this start: on a log that holds sealed fields this means that it was lost.
    begun_anew: bool,
    /// Whether what was derived from erased people's data is still being removed.
    purge_pending: bool,
    /// People whose fields cannot be read, the first 10,000. Where keys may be lost the log is searched for them at the start.
    lost: Vec<LostSubject>,
    /// What to do about it, where some are lost.
    what_to_do: Option<String>,
}

/// Something that was looked into.
#[derive(ToSchema)]
struct ReportCheck {
    check_name: String,
    passed: bool,
    /// The article, section or criterion.
    source: String,
    looked_at: String,
}

/// What is wrong.
#[derive(ToSchema)]
struct ReportFinding {
    check: String,
    /// `low`, `medium`, `high` or `critical`.
    severity: String,
    title: String,
    description: String,
    /// At most ten events, accounts or subjects.
    #[schema(value_type = Vec<Object>)]
    evidence: Vec<Value>,
    recommendation: String,
}

/// A report.
#[derive(ToSchema)]
pub(in crate::http) struct ComplianceReport {
    standard: String,
    report_type: String,
    scope: String,
    #[schema(format = DateTime)]
    start_date: String,
    #[schema(format = DateTime)]
    end_date: String,
    #[schema(format = DateTime)]
    generated_at: String,
    /// `pass`, `warning` or `fail`.
    status: String,
    checks: Vec<ReportCheck>,
    findings: Vec<ReportFinding>,
    /// `{low, medium, high, critical}`.
    #[schema(value_type = Object)]
    findings_by_severity: Value,
    recommendations: Vec<String>,
    passed_checks: usize,
    failed_checks: usize,
    /// Checks that passed, in percent.
    compliance_score: f64,
    #[schema(value_type = Object)]
    statistics: Value,
    /// The log's end when it was looked at.
    position: u64,
    /// The log as it was, signed.
    checkpoint: Option<String>,
    /// Whether the period has more events than were looked at.
    truncated: bool,
}

/// What was done in a period.
#[derive(ToSchema)]
pub(in crate::http) struct ActivitySummary {
    period_start: String,
    period_end: String,
    total_events: u64,
    unique_users: u64,
    /// `{aggregate_type, event_type, count}`.
    #[schema(value_type = Vec<Object>)]
    events_by_type: Vec<Value>,
    truncated: bool,
}

/// A review of access.
#[derive(ToSchema)]
pub(in crate::http) struct AccessReview {
    position: u64,
    reviewed_by: String,
    /// How many accounts there were.
    accounts: usize,
}

/// All that is held on a person.
#[derive(ToSchema)]
pub(in crate::http) struct UserData {
    subject: String,
    erased: bool,
    generated_at: String,
    /// The record that stands for them, as it is now.
    #[schema(value_type = Object)]
    record: Value,
    /// How many events of which kind, and why they are here.
    #[schema(value_type = Object)]
    categories: Value,
    total_events: u64,
    truncated: bool,
    /// `{position, recorded_at, occurred_at, why, stream, event_type, data, metadata}`.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
}

/// A vehicle's maintenance record.
#[derive(ToSchema)]
pub(in crate::http) struct MaintenanceRecord {
    vehicle: String,
    #[schema(value_type = Object)]
    vehicle_state: Value,
    regulation: String,
    generated_at: String,
    from: Option<String>,
    to: Option<String>,
    /// How many aggregates of each type belong to the vehicle.
    #[schema(value_type = Object)]
    belonging: Value,
    count: usize,
    /// Events with their `function` after Annex II and their `proof`.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Value>,
    truncated: bool,
    tree_size: u64,
    root_hash: String,
    /// The signed note of the tree in which all entries are proved.
    checkpoint: String,
    public_key: String,
}
