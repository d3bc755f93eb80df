//! What a vehicle can be asked for. Bodies from outside become commands only through a parse that checks them, so that
//! `decide` is left with the questions that the present state answers.

use serde_json::{Map, Value};

use super::event::{Breakdown, Incident, MaintenanceDone, MaintenancePlan, MaintenanceReopened};
use super::schema::{CHANGE_FIELDS, COMMAND_FIELDS};
use crate::schema::Field;
use crate::schema::check::{FieldError, check_fields};

/// Fields of a vehicle's row that only the system sets. A client that reads a row, changes it and sends it back sends
/// them too: they are passed over. Any other unknown field is refused, so that no misspelt one goes without effect.
const READ_ONLY: &[&str] = &[
    "asset_id",
    "created_at",
    "id",
    "incidents",
    "last_service_date",
    "max_speed_kmh",
    "next_maintenance",
    "position",
    "power_kw",
    "type",
    "updated_at",
    "version",
    "weight_tons",
];

/// A command on a vehicle.
#[derive(Clone, PartialEq, Debug)]
pub enum VehicleCommand {
    /// Come into being.
    Create(VehicleFields),
    /// Change these fields, each by the event that is made for it.
    Change(VehicleChanges),
    /// Leave the fleet.
    Delete,
    /// Take another status, for a reason.
    ChangeStatus {
        /// One of [`super::STATUSES`].
        status: String,
        /// Why, if it was said.
        reason: Option<String>,
    },
    /// Take in a reading of the odometer.
    RecordMileage {
        /// Kilometres; not below the present reading.
        mileage_km: i64,
    },
    /// Set a wrong reading right, up or down. The event says that it is a correction, and why.
    CorrectMileage {
        /// The true reading in kilometres.
        mileage_km: i64,
        /// Why; not empty.
        reason: String,
    },
    /// Stand somewhere else.
    Move {
        /// Where; at most 255 characters.
        location: String,
    },
    /// Plan maintenance.
    ScheduleMaintenance(MaintenancePlan),
    /// Take in that maintenance was done.
    CompleteMaintenance(MaintenanceDone),
    /// Take back that maintenance was done, if it is remembered as done.
    ReopenMaintenance(MaintenanceReopened),
    /// Take in a breakdown.
    ReportBreakdown(Breakdown),
    /// Take in something that delayed service.
    ReportIncident(Incident),
}

/// The checked fields of a new vehicle.
#[derive(Clone, PartialEq, Debug)]
pub struct VehicleFields(Map<String, Value>);

/// The checked fields of a change; null empties a field that may be empty.
#[derive(Clone, PartialEq, Debug)]
pub struct VehicleChanges(Map<String, Value>);

impl VehicleFields {
    /// Checks the body of a request that creates a vehicle, and fills in what it leaves to its defaults: status
    /// `available`, mileage and hours 0.
    ///
    /// # Errors
    /// All faults; never an empty list.
    pub fn parse(body: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        // `last_service_date` is the only field of a row that a creation might bring and may not set.
        check_body(
            COMMAND_FIELDS,
            &["created_at", "id", "last_service_date", "updated_at"],
            body,
        )?;
        let mut fields = known(COMMAND_FIELDS, body);
        fields.retain(|_, value| !value.is_null());
        fields
            .entry("status")
            .or_insert_with(|| Value::from("available"));
        fields
            .entry(super::schema::MILEAGE_KEY)
            .or_insert_with(|| Value::from(0));
        fields
            .entry("total_operating_hours")
            .or_insert_with(|| Value::from(0));
        Ok(VehicleFields(fields))
    }

    /// The business key: the id of the stream to append to.
    pub fn asset_id(&self) -> &str {
        self.0
            .get("asset_id")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The fields.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl VehicleChanges {
    /// Checks the body of a request that changes a vehicle.
    ///
    /// # Errors
    /// All faults; never an empty list.
    pub fn parse(body: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        check_body(CHANGE_FIELDS, READ_ONLY, body)?;
        Ok(VehicleChanges(known(CHANGE_FIELDS, body)))
    }

    /// The fields.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }
}

fn check_body(
    table: &'static [Field],
    passed_over: &[&str],
    body: &Map<String, Value>,
) -> Result<(), Vec<FieldError>> {
    let mut faults = check_fields(table, body, &str::to_owned)
        .err()
        .unwrap_or_default();
    for name in body.keys() {
        if !table.iter().any(|field| field.name == name) && !passed_over.contains(&name.as_str()) {
            faults.push(FieldError {
                path: vec![name.clone()],
                message: "Extra inputs are not permitted".to_owned(),
                kind: "extra_forbidden",
            });
        }
    }
    faults.truncate(crate::schema::check::FIELD_ERRORS_MAX);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

fn known(table: &[Field], body: &Map<String, Value>) -> Map<String, Value> {
    let fields = table
        .iter()
        .filter_map(|field| Some((field.name.to_owned(), body.get(field.name)?.clone())));
    fields.collect()
}
