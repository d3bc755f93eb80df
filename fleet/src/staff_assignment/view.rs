//! A staff assignment's row, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
    aggregate_type: AGGREGATE_TYPE,
    fields: &[
        "staff_id",
        "work_order_id",
        "transfer_plan_id",
        "scheduled_start_ts",
        "scheduled_end_ts",
        "actual_start_ts",
        "actual_end_ts",
        "role_on_assignment",
        "status",
        "planned_hours",
        "actual_hours",
        "assignment_notes",
        "created_by",
    ],
    defaults: &[("status", Constant::Text("scheduled"))],
};

/// The row of the assignment with this id; `None` when there is none, or none any more.
pub fn row(aggregate_id: &str, assignment: &Folded) -> Option<Map<String, Value>> {
    SHAPE.row(aggregate_id, assignment)
}

/// The status that lists are narrowed by: that of the row.
pub(super) fn listed_status(assignment: &Folded) -> Option<String> {
    Some(super::decide::status(assignment).to_owned())
}
