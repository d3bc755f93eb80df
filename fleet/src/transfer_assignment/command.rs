//! What a transfer assignment can be asked for, and the tables of the bodies that become such commands.

use serde_json::{Map, Value};

use super::CONFIRMATIONS;
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const PLACE: Field = Field::optional("position_in_convoy", Kind::Integer { min: 1, max: 1_000 });
const DRIVER: Field = Field::optional("driver_id", Kind::name(255));
const NOTES: Field = Field::optional("confirmation_notes", Kind::text(500));

/// The body of a new assignment.
pub const CREATE: &[Field] = &[
    Field::required("transfer_plan_id", Kind::name(255)),
    Field::required("vehicle_id", Kind::name(255)),
    PLACE,
    DRIVER,
    NOTES,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    PLACE,
    DRIVER,
    NOTES,
    Field::optional("is_confirmed", Kind::OneOf(CONFIRMATIONS)).never_null(),
    Field::optional("reason", Kind::text(500)),
    read_only("id"),
    read_only("transfer_plan_id"),
    read_only("vehicle_id"),
    read_only("assigned_at"),
    read_only("confirmed_at"),
    read_only("assigned_by"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("version"),
    // The place in the log, not that in the convoy.
    read_only("position"),
];

/// A command on a transfer assignment.
#[derive(Clone, PartialEq, Debug)]
pub enum TransferAssignmentCommand {
    /// Come into being, with fields of [`CREATE`].
    Create(Map<String, Value>),
    /// Change fields of [`CHANGE`]; `is_confirmed` confirms it, calls it off or takes that back.
    Change(Map<String, Value>),
    /// Be planned no more.
    Delete,
}
