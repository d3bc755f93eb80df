//! A vehicle's row in the read model, with the keys that clients know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::AGGREGATE_TYPE;
use super::fold::{Maintenance, VehicleState, occurrences};
use super::schema::{MILEAGE_KEY, SCHEMA};
use crate::calendar;
use crate::folded::Folded;
use crate::listing::row_uuid;

/// A vehicle's row. Times are RFC 3339 with `Z`; what no event told is null.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are those of the HTTP contract, by its names and in its units"
)]
pub struct VehicleView {
    pub id: Uuid,
    pub asset_id: String,
    pub model: Option<String>,
    pub r#type: Option<String>,
    pub manufacturer: Option<String>,
    pub year: Option<i64>,
    pub max_speed_kmh: Option<i64>,
    pub power_kw: Option<i64>,
    pub weight_tons: Option<f64>,
    pub current_location: Option<String>,
    pub home_depot: Option<String>,
    pub notes: Option<String>,
    pub specifications: Option<Value>,
    pub status: String,
    pub current_mileage_km: i64,
    pub total_operating_hours: i64,
    pub last_service_date: Option<String>,
    pub created_at: String,
    pub updated_at: String,
    /// What befell it.
    pub incidents: IncidentCounts,
    /// The maintenance planned last, unless some was done since.
    pub next_maintenance: Option<NextMaintenance>,
    /// The version that a conditional write expects.
    pub version: u32,
}

/// What befell a vehicle, counted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in `Occurrences`, times as text")]
pub struct IncidentCounts {
    pub total: u64,
    pub failures: u64,
    pub breakdowns: u64,
    pub delay_min: i64,
    pub by_group: BTreeMap<String, u64>,
    pub last_at: Option<String>,
    pub last_failure_at: Option<String>,
}

/// Maintenance to come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NextMaintenance {
    /// What kind, in the planner's word.
    pub maintenance_type: Option<String>,
    /// When it shall be, as it was given.
    pub scheduled_date: Option<String>,
    /// How urgent, in the planner's word.
    pub priority: Option<String>,
}

/// The row of the vehicle with this aggregate id; `None` when it was never created, or deleted. Its number is the one that its
/// events told last, else the id with which it began.
pub fn view(id: &str, state: &VehicleState) -> Option<VehicleView> {
    if !state.exists() {
        return None;
    }
    let record = &state.record;
    let text = |key| record.text(key).map(str::to_owned);
    let befell = occurrences(state);
    Some(VehicleView {
        id: row_uuid(AGGREGATE_TYPE, id, state),
        asset_id: SCHEMA.name_of(id, state).to_owned(),
        model: text("model"),
        r#type: text("type"),
        manufacturer: text("manufacturer"),
        year: record.integer("year"),
        max_speed_kmh: record.integer("max_speed_kmh"),
        power_kw: record.integer("power_kw"),
        weight_tons: record.get("weight_tons").and_then(|weight| weight.as_f64()),
        current_location: text("current_location"),
        home_depot: text("home_depot"),
        notes: text("notes"),
        specifications: record.get("specifications").filter(Value::is_object),
        status: text("status").unwrap_or_else(|| "available".to_owned()),
        current_mileage_km: record.integer(MILEAGE_KEY).unwrap_or(0),
        total_operating_hours: record.integer("total_operating_hours").unwrap_or(0),
        last_service_date: last_service_at(state).map(calendar::format_time),
        created_at: record
            .created_at()
            .map(calendar::format_time)
            .unwrap_or_default(),
        updated_at: record
            .changed_at()
            .map(calendar::format_time)
            .unwrap_or_default(),
        incidents: incident_counts(state),
        next_maintenance: befell.next_maintenance().map(next_maintenance),
        version: record.version(),
    })
}

/// The row as an object: how lists and answers show it.
pub(super) fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    match serde_json::to_value(view(id, state)?) {
        Ok(Value::Object(row)) => Some(row),
        Ok(_) | Err(_) => None,
    }
}

/// The status that a list is narrowed by: that of the row.
pub(super) fn listed_status(state: &Folded) -> Option<String> {
    Some(state.text("status").unwrap_or("available").to_owned())
}

/// The later of what the record says and what maintenance was reported.
fn last_service_at(state: &VehicleState) -> Option<i64> {
    let recorded = state
        .record
        .text("last_service_date")
        .and_then(calendar::parse_time);
    recorded.max(occurrences(state).last_service_at())
}

fn incident_counts(state: &VehicleState) -> IncidentCounts {
    let occurrences = occurrences(state);
    IncidentCounts {
        total: occurrences.incidents,
        failures: occurrences.failures,
        breakdowns: occurrences.breakdowns,
        delay_min: occurrences.delay_min,
        by_group: occurrences.by_group.clone(),
        last_at: occurrences.last_incident_at.map(calendar::format_time),
        last_failure_at: occurrences.last_failure_at.map(calendar::format_time),
    }
}

fn next_maintenance(planned: &Maintenance) -> NextMaintenance {
    NextMaintenance {
        maintenance_type: planned.maintenance_type.clone(),
        scheduled_date: planned.scheduled_date.clone(),
        priority: planned.priority.clone(),
    }
}
