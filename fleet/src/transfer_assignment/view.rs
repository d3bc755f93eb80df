//! A transfer assignment's row, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use super::decide::{confirmation, is_active};
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
    aggregate_type: AGGREGATE_TYPE,
    fields: &[
        "transfer_plan_id",
        "vehicle_id",
        "position_in_convoy",
        "driver_id",
        "is_confirmed",
        "confirmation_notes",
        "assigned_at",
        "confirmed_at",
        "assigned_by",
    ],
    defaults: &[("is_confirmed", Constant::Text("pending"))],
};

/// The row of the assignment with this id; `None` when there is none, or none any more.
pub fn row(aggregate_id: &str, assignment: &Folded) -> Option<Map<String, Value>> {
    SHAPE.row(aggregate_id, assignment)
}

/// The word that lists are narrowed by: that of the row.
pub(super) fn listed_confirmation(assignment: &Folded) -> Option<String> {
    Some(confirmation(assignment).to_owned())
}

/// The vehicle that it takes.
pub(super) fn active_vehicle(assignment: &Folded) -> Option<String> {
    active(assignment, "vehicle_id")
}

/// The driver whom it takes.
pub(super) fn active_driver(assignment: &Folded) -> Option<String> {
    active(assignment, "driver_id")
}

/// The plan in which it takes a place.
pub(super) fn active_plan(assignment: &Folded) -> Option<String> {
    active(assignment, "transfer_plan_id")
}

fn active(assignment: &Folded, key: &str) -> Option<String> {
    let id = assignment.text(key).map(str::to_owned);
    id.filter(|_| is_active(assignment))
}
