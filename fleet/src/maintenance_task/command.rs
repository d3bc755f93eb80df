//! What a maintenance task can be asked for, and the tables of the bodies that become such commands.

use serde_json::{Map, Value};

use super::TYPES;
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const DESCRIPTION: Field = Field::optional("description", Kind::text(500));
const DUE_MILEAGE: Field = Field::optional("due_mileage_km", Kind::count());

/// The body of a new task.
pub const CREATE: &[Field] = &[
    Field::required("vehicle_id", Kind::name(255)),
    Field::required("type", Kind::OneOf(TYPES)),
    Field::required("due_date", Kind::Time),
    DESCRIPTION,
    DUE_MILEAGE,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("type", Kind::OneOf(TYPES)).never_null(),
    Field::optional("due_date", Kind::Time).never_null(),
    DESCRIPTION,
    DUE_MILEAGE,
    Field::optional("is_completed", Kind::Boolean).never_null(),
    Field::optional("completed_at", Kind::Time),
    Field::optional("reason", Kind::text(1_000)),
    read_only("id"),
    read_only("vehicle_id"),
    read_only("is_overdue"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("version"),
    read_only("position"),
];

/// A command on a maintenance task.
#[derive(Clone, PartialEq, Debug)]
pub enum MaintenanceTaskCommand {
    /// Come into being, with fields of [`CREATE`].
    Create(Map<String, Value>),
    /// Change fields of [`CHANGE`]. `is_completed` completes it, or opens it again with a `reason`.
    Change(Map<String, Value>),
    /// It was done under a work order.
    CompleteBy {
        /// The order.
        work_order_id: String,
        /// When, RFC 3339.
        completed_at: String,
    },
    /// No longer be asked for.
    Delete,
}
