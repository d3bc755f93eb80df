//! Which commands on a vehicle become events.

use serde_json::{Map, Value};

use super::command::{VehicleChanges, VehicleCommand};
use super::event::{self, MaintenanceReopened};
use super::fold::{VehicleState, mileage_km, occurrences, status};
use super::schema::{MILEAGE_KEY, SCHEMA};
use crate::event::EventDraft;
use crate::refusal::Refusal;
use crate::schema::check::{check, integer};

/// The events that `command` causes on the vehicle `asset_id`, none if it asks for what is already so.
///
/// # Errors
/// `Rule` for a vehicle that exists already and for a mileage that would fall, `Missing` for one that does not
/// exist, `Invalid` for a field that breaks a limit of the event it would lead to.
pub fn decide(
    state: &VehicleState,
    asset_id: &str,
    command: &VehicleCommand,
) -> Result<Vec<EventDraft>, Refusal> {
    let drafts = match command {
        VehicleCommand::Create(fields) => {
            if state.exists() {
                return Err(already_exists(asset_id));
            }
            vec![event::created(fields.fields().clone())]
        }
        _ if !state.exists() => {
            return Err(Refusal::missing("vehicle_not_found", "Vehicle not found"));
        }
        VehicleCommand::Change(changes) => change(state, changes)?,
        VehicleCommand::Delete => vec![event::deleted()],
        VehicleCommand::ChangeStatus { status, reason } => {
            change_status(state, status, reason.as_deref())
        }
        VehicleCommand::RecordMileage { mileage_km } => record_mileage(state, *mileage_km)?,
        VehicleCommand::CorrectMileage { mileage_km, reason } => {
            correct_mileage(state, *mileage_km, reason)
        }
        VehicleCommand::Move { location } => move_to(state, Some(location)),
        VehicleCommand::ScheduleMaintenance(plan) => vec![event::maintenance_scheduled(plan)],
        VehicleCommand::CompleteMaintenance(done) => vec![event::maintenance_completed(done)],
        VehicleCommand::ReopenMaintenance(reopened) => reopen_maintenance(state, reopened),
        VehicleCommand::ReportBreakdown(breakdown) => vec![event::breakdown_reported(breakdown)],
        VehicleCommand::ReportIncident(incident) => vec![event::incident_reported(incident)],
    };
    drafts.iter().try_for_each(within_limits)?;
    Ok(drafts)
}

fn already_exists(asset_id: &str) -> Refusal {
    let message = format!("Vehicle with asset_id '{asset_id}' already exists");
    Refusal::rule("asset_id", "vehicle_exists", message)
}

/// Splits a change into the events made for status, mileage, hours and place, and one for the rest.
fn change(state: &VehicleState, changes: &VehicleChanges) -> Result<Vec<EventDraft>, Refusal> {
    let mut drafts = Vec::new();
    let mut rest = Map::new();
    for (name, value) in changes.fields() {
        match (name.as_str(), value) {
            ("status", Value::String(status)) => drafts.extend(change_status(state, status, None)),
            (MILEAGE_KEY, value) => {
                if let Some(mileage_km) =
                    integer(value).filter(|new| Some(*new) != mileage_km(state))
                {
                    drafts.extend(record_mileage(state, mileage_km)?);
                }
            }
            ("total_operating_hours", value) => {
                let held = state.record.integer("total_operating_hours");
                if let Some(hours) = integer(value).filter(|new| Some(*new) != held) {
                    drafts.push(event::operating_hours_updated(held, hours));
                }
            }
            ("current_location", value) => drafts.extend(move_to(state, value.as_str())),
            (_, value) => {
                if state.record.get(name).unwrap_or_default() != *value {
                    rest.insert(name.clone(), value.clone());
                }
            }
        }
    }
    if !rest.is_empty() {
        drafts.push(event::updated(rest));
    }
    Ok(drafts)
}

fn change_status(state: &VehicleState, new_status: &str, reason: Option<&str>) -> Vec<EventDraft> {
    if status(state) == Some(new_status) {
        return Vec::new();
    }
    vec![event::status_changed(status(state), new_status, reason)]
}

/// An equal reading is a reading: it says that the vehicle stood still.
fn record_mileage(state: &VehicleState, new_km: i64) -> Result<Vec<EventDraft>, Refusal> {
    let held = mileage_km(state);
    if held.is_some_and(|held| new_km < held) {
        return Err(Refusal::rule(
            MILEAGE_KEY,
            "mileage_decreases",
            "Mileage can only increase",
        ));
    }
    Ok(vec![event::mileage_updated(held, new_km)])
}

fn correct_mileage(state: &VehicleState, true_km: i64, reason: &str) -> Vec<EventDraft> {
    if mileage_km(state) == Some(true_km) {
        return Vec::new();
    }
    vec![event::mileage_corrected(mileage_km(state), true_km, reason)]
}

/// Nothing is taken back that was not told, or that is so long ago that it is not remembered by itself.
fn reopen_maintenance(state: &VehicleState, reopened: &MaintenanceReopened) -> Vec<EventDraft> {
    let order = reopened.work_order_id.as_deref();
    let name = order.or(reopened.maintenance_task_id.as_deref());
    match name {
        Some(name) if occurrences(state).is_done_under(name) => {
            vec![event::maintenance_reopened(reopened)]
        }
        _ => Vec::new(),
    }
}

fn move_to(state: &VehicleState, location: Option<&str>) -> Vec<EventDraft> {
    let held = state.record.text("current_location");
    if held == location {
        return Vec::new();
    }
    vec![event::location_changed(held, location)]
}

/// Holds a draft against the table that will judge it on append, so that no decision is refused there.
fn within_limits(draft: &EventDraft) -> Result<(), Refusal> {
    let table = SCHEMA
        .events
        .iter()
        .find(|table| table.event_type == draft.event_type);
    let (Some(table), Some(data)) = (table, draft.data.as_object()) else {
        return Ok(());
    };
    match check(&SCHEMA, table, draft.schema, data) {
        Ok(()) => Ok(()),
        Err(faults) => Err(Refusal::out_of_limits(&faults)),
    }
}
