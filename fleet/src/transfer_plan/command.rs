//! What a transfer plan can be asked for, and the tables of the bodies that become such commands.

use serde_json::{Map, Value};

use super::{PRIORITIES, STATUSES};
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const POSITIVE: Kind = Kind::Integer {
    min: 1,
    max: 1_000_000_000,
};
const PRIORITY: Field = Field::optional("priority", Kind::OneOf(PRIORITIES)).never_null();
const STATUS: Field = Field::optional("status", Kind::OneOf(STATUSES)).never_null();
const DISTANCE: Field = Field::optional("distance_km", POSITIVE);
const DURATION: Field = Field::optional("estimated_duration_min", POSITIVE);
const ROUTE_NOTES: Field = Field::optional("route_notes", Kind::text(1_000));
const METADATA: Field = Field::optional("metadata_json", Kind::Object);

/// The body of a new plan.
pub const CREATE: &[Field] = &[
    Field::required("plan_id", Kind::Key { chars_max: 50 }),
    Field::required("from_location", Kind::name(255)),
    Field::required("to_location", Kind::name(255)),
    Field::required("scheduled_departure_ts", Kind::Time),
    Field::required("scheduled_arrival_ts", Kind::Time),
    PRIORITY,
    DISTANCE,
    DURATION,
    ROUTE_NOTES,
    METADATA,
    STATUS,
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("from_location", Kind::name(255)).never_null(),
    Field::optional("to_location", Kind::name(255)).never_null(),
    Field::optional("scheduled_departure_ts", Kind::Time).never_null(),
    Field::optional("scheduled_arrival_ts", Kind::Time).never_null(),
    Field::optional("actual_departure_ts", Kind::Time),
    Field::optional("actual_arrival_ts", Kind::Time),
    PRIORITY,
    DISTANCE,
    DURATION,
    ROUTE_NOTES,
    METADATA,
    STATUS,
    Field::optional("reason", Kind::text(1_000)),
    read_only("id"),
    read_only("plan_id"),
    read_only("created_by"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("version"),
    read_only("position"),
];

/// A command on a transfer plan.
#[derive(Clone, PartialEq, Debug)]
pub enum TransferPlanCommand {
    /// Come into being, with fields of [`CREATE`].
    Create(Map<String, Value>),
    /// Change fields of [`CHANGE`]. A `status` among them is a step, `reason` says why it is taken.
    Change(Map<String, Value>),
    /// Be planned no more, and leave no trace in lists.
    Delete,
}
