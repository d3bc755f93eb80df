//! The events of a vehicle: names and constructors. The fields are in [`super::schema`].

use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::event::EventDraft;

/// The vehicle exists from here on.
pub const VEHICLE_CREATED: &str = "VehicleCreated";
/// Some of what describes it changed.
pub const VEHICLE_UPDATED: &str = "VehicleUpdated";
/// It left the fleet.
pub const VEHICLE_DELETED: &str = "VehicleDeleted";
/// It may do something else than before: run, wait, be repaired.
pub const VEHICLE_STATUS_CHANGED: &str = "VehicleStatusChanged";
/// Its odometer was read.
pub const VEHICLE_MILEAGE_UPDATED: &str = "VehicleMileageUpdated";
/// A wrong reading of its odometer was set right, or the odometer was exchanged.
pub const VEHICLE_MILEAGE_CORRECTED: &str = "VehicleMileageCorrected";
/// Its counter of operating hours was read.
pub const VEHICLE_OPERATING_HOURS_UPDATED: &str = "VehicleOperatingHoursUpdated";
/// It stands somewhere else.
pub const VEHICLE_LOCATION_CHANGED: &str = "VehicleLocationChanged";
/// Maintenance was planned.
pub const VEHICLE_MAINTENANCE_SCHEDULED: &str = "VehicleMaintenanceScheduled";
/// Maintenance was done. The old documents name it without the aggregate in front.
pub const MAINTENANCE_COMPLETED: &str = "MaintenanceCompleted";
/// Maintenance that was told done is open again.
pub const VEHICLE_MAINTENANCE_REOPENED: &str = "VehicleMaintenanceReopened";
/// It broke down.
pub const VEHICLE_BREAKDOWN_REPORTED: &str = "VehicleBreakdownReported";
/// Something delayed its service.
pub const VEHICLE_INCIDENT_REPORTED: &str = "VehicleIncidentReported";

/// Its home gives it to another depot of the federation ([`super::home`]).
pub const VEHICLE_HANDED_OVER: &str = "VehicleHandedOver";
/// A depot takes over what was handed to it; the giver may take it back. What belongs to a depot that is gone is taken over
/// without.
pub const VEHICLE_TAKEN_OVER: &str = "VehicleTakenOver";

/// Something that delayed a vehicle's service. What is not known stays out of the payload.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Incident {
    /// Minutes of delay.
    pub delay_min: i64,
    /// Minutes to the train ahead when service resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_min: Option<i64>,
    /// The line it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The direction it ran in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
    /// The operator's code for the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_code: Option<String>,
    /// The part of the vehicle at fault: `door`, `brake`, `propulsion` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_group: Option<String>,
    /// Whether the equipment failed, rather than a person, the track or the weather.
    pub is_failure: bool,
    /// The car within the vehicle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub car_number: Option<String>,
    /// The odometer's reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mileage_km: Option<i64>,
}

/// A breakdown. What is not known stays out of the payload.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Breakdown {
    /// What was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `low`, `medium`, `high` or `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<&'static str>,
    /// The operator's code for the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_code: Option<String>,
    /// The part of the vehicle at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_group: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The odometer's reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mileage_km: Option<i64>,
}

/// Maintenance that is planned. What is not known stays out of the payload.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct MaintenancePlan {
    /// What kind, at most 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_type: Option<String>,
    /// When, RFC 3339.
    pub scheduled_date: String,
    /// How urgent, at most 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// The order under which it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_order_id: Option<String>,
}

/// Maintenance that was done. What is not known stays out of the payload.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct MaintenanceDone {
    /// What kind, at most 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_type: Option<String>,
    /// When, RFC 3339.
    pub date: String,
    /// The order under which it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_order_id: Option<String>,
    /// The task that it was, where that was done without an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_task_id: Option<String>,
    /// The odometer's reading then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mileage_km: Option<i64>,
}

/// Maintenance that was told done and is open again: what was told under this order or task is taken back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MaintenanceReopened {
    /// The order under which it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_order_id: Option<String>,
    /// The task that it was, where that was done without an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_task_id: Option<String>,
}

/// The vehicle comes into being with these fields.
pub fn created(fields: Map<String, Value>) -> EventDraft {
    draft(VEHICLE_CREATED, Value::Object(fields))
}

/// These fields have these values from now on.
pub fn updated(fields: Map<String, Value>) -> EventDraft {
    draft(VEHICLE_UPDATED, Value::Object(fields))
}

/// The vehicle leaves the fleet.
pub fn deleted() -> EventDraft {
    draft(VEHICLE_DELETED, json!({}))
}

/// Another status.
pub fn status_changed(
    old_status: Option<&str>,
    new_status: &str,
    reason: Option<&str>,
) -> EventDraft {
    with_optional(
        VEHICLE_STATUS_CHANGED,
        json!({ "old_status": old_status, "new_status": new_status }),
        "reason",
        reason,
    )
}

/// A reading of the odometer, in whole kilometres.
pub fn mileage_updated(old_mileage: Option<i64>, new_mileage: i64) -> EventDraft {
    draft(
        VEHICLE_MILEAGE_UPDATED,
        json!({ "old_mileage": old_mileage, "new_mileage": new_mileage }),
    )
}

/// The odometer's true value, in whole kilometres; what was read before is void.
pub fn mileage_corrected(old_mileage: Option<i64>, new_mileage: i64, reason: &str) -> EventDraft {
    draft(
        VEHICLE_MILEAGE_CORRECTED,
        json!({ "old_mileage": old_mileage, "new_mileage": new_mileage, "reason": reason }),
    )
}

/// A reading of the operating hours.
pub fn operating_hours_updated(old_hours: Option<i64>, new_hours: i64) -> EventDraft {
    draft(
        VEHICLE_OPERATING_HOURS_UPDATED,
        json!({ "old_hours": old_hours, "new_hours": new_hours }),
    )
}

/// Another place; `None`: it is not known where.
pub fn location_changed(old_location: Option<&str>, location: Option<&str>) -> EventDraft {
    draft(
        VEHICLE_LOCATION_CHANGED,
        json!({ "old_location": old_location, "location": location }),
    )
}

/// Maintenance planned.
pub fn maintenance_scheduled(plan: &MaintenancePlan) -> EventDraft {
    draft(VEHICLE_MAINTENANCE_SCHEDULED, json!(plan))
}

/// Maintenance done.
pub fn maintenance_completed(done: &MaintenanceDone) -> EventDraft {
    draft(MAINTENANCE_COMPLETED, json!(done))
}

/// Maintenance open again.
pub fn maintenance_reopened(reopened: &MaintenanceReopened) -> EventDraft {
    draft(VEHICLE_MAINTENANCE_REOPENED, json!(reopened))
}

/// A breakdown.
pub fn breakdown_reported(breakdown: &Breakdown) -> EventDraft {
    draft(VEHICLE_BREAKDOWN_REPORTED, json!(breakdown))
}

/// Something that delayed service.
pub fn incident_reported(incident: &Incident) -> EventDraft {
    draft(VEHICLE_INCIDENT_REPORTED, json!(incident))
}

/// The log `from` gives the vehicle, which is its own by the event `claim`, to the log `to`.
pub fn handed_over(claim: Uuid, from: Uuid, to: Uuid, reason: Option<&str>) -> EventDraft {
    with_optional(
        VEHICLE_HANDED_OVER,
        json!({ "claim_id": claim, "from_log": from, "to_log": to }),
        "reason",
        reason,
    )
}

/// The vehicle that `hand_over` gave away is taken, out of the hands of the log `from`.
pub fn taken_over(hand_over: Uuid, from: Uuid) -> EventDraft {
    draft(
        VEHICLE_TAKEN_OVER,
        json!({ "hand_over_id": hand_over, "from_log": from }),
    )
}

/// The vehicle is taken that is the log `from`'s by the event `claim`: that log is gone.
pub fn taken_from_gone(claim: Uuid, from: Uuid) -> EventDraft {
    draft(
        VEHICLE_TAKEN_OVER,
        json!({ "claim_id": claim, "from_log": from }),
    )
}

/// A draft in the current schema of its type.
fn draft(event_type: &'static str, data: Value) -> EventDraft {
    EventDraft::new(event_type, data).with_schema(super::schema::current(event_type))
}

fn with_optional(
    event_type: &'static str,
    mut data: Value,
    field: &str,
    value: Option<&str>,
) -> EventDraft {
    if let (Some(object), Some(value)) = (data.as_object_mut(), value) {
        object.insert(field.to_owned(), Value::from(value));
    }
    draft(event_type, data)
}
