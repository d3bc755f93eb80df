//! What a staff assignment can be asked for, and the tables of the bodies that become such commands.

use serde_json::{Map, Value};

use super::STATUSES;
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const HOURS: Kind = Kind::Integer {
    min: 0,
    max: 100_000,
};
const ROLE: Field = Field::optional("role_on_assignment", Kind::text(100));
const PLANNED_HOURS: Field = Field::optional("planned_hours", HOURS);
const NOTES: Field = Field::optional("assignment_notes", Kind::text(500));
const STATUS: Field = Field::optional("status", Kind::OneOf(STATUSES)).never_null();

/// The body of a new assignment.
pub const CREATE: &[Field] = &[
    Field::required("staff_id", Kind::name(255)),
    Field::required("scheduled_start_ts", Kind::Time),
    Field::required("scheduled_end_ts", Kind::Time),
    Field::optional("work_order_id", Kind::name(255)),
    Field::optional("transfer_plan_id", Kind::name(255)),
    ROLE,
    PLANNED_HOURS,
    NOTES,
    STATUS,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("scheduled_start_ts", Kind::Time).never_null(),
    Field::optional("scheduled_end_ts", Kind::Time).never_null(),
    Field::optional("actual_start_ts", Kind::Time),
    Field::optional("actual_end_ts", Kind::Time),
    ROLE,
    PLANNED_HOURS,
    Field::optional("actual_hours", HOURS),
    NOTES,
    STATUS,
    Field::optional("reason", Kind::text(500)),
    read_only("id"),
    read_only("staff_id"),
    read_only("work_order_id"),
    read_only("transfer_plan_id"),
    read_only("created_by"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("warnings"),
    read_only("version"),
    read_only("position"),
];

/// A command on a staff assignment.
#[derive(Clone, PartialEq, Debug)]
pub enum StaffAssignmentCommand {
    /// Come into being, with fields of [`CREATE`].
    Create(Map<String, Value>),
    /// Change fields of [`CHANGE`]. A `status` among them is a step, `reason` says why it is taken.
    Change(Map<String, Value>),
    /// Be planned no more, and leave no trace in lists.
    Delete,
}
