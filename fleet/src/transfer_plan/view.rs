//! A transfer plan's row, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
    aggregate_type: AGGREGATE_TYPE,
    fields: &[
        "plan_id",
        "from_location",
        "to_location",
        "scheduled_departure_ts",
        "scheduled_arrival_ts",
        "actual_departure_ts",
        "actual_arrival_ts",
        "status",
        "priority",
        "distance_km",
        "estimated_duration_min",
        "route_notes",
        "metadata_json",
        "created_by",
    ],
    defaults: &[
        ("status", Constant::Text("draft")),
        ("priority", Constant::Text("normal")),
    ],
};

/// The row of the plan with this id; `None` when there is none, or none any more.
pub fn row(aggregate_id: &str, plan: &Folded) -> Option<Map<String, Value>> {
    SHAPE.row(aggregate_id, plan)
}

/// The status that lists are narrowed by: that of the row.
pub(super) fn listed_status(plan: &Folded) -> Option<String> {
    Some(super::decide::status(plan).to_owned())
}
