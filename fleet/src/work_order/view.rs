//! A work order's row, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use super::schema::{ASSIGNMENTS, CHECKLIST, FINDING_ITEMS, NOTE_ITEMS, USED_PARTS};
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
    aggregate_type: AGGREGATE_TYPE,
    fields: &[
        "order_number",
        "vehicle_id",
        "workshop_id",
        "status",
        "priority",
        "scheduled_start",
        "scheduled_end",
        "actual_start",
        "actual_end",
        "assigned_track",
        "assigned_team",
        "assigned_staff",
        "work_description",
        "work_performed",
        "findings",
        "tasks",
        "estimated_cost",
        "actual_cost",
        "estimated_hours",
        "actual_hours",
        "completion_notes",
        "notes",
        "maintenance_type",
        "requires_release",
        "released_at",
        "released_by",
        "release_notes",
        "duration_min",
        "required_skills",
        "required_parts",
        "incompatible_assets",
        "earliest_start_ts",
        "latest_end_ts",
        "hard_deadline_ts",
    ],
    defaults: &[
        ("status", Constant::Text("draft")),
        ("priority", Constant::Text("medium")),
        ("requires_release", Constant::Flag(false)),
    ],
};

const LISTS: &[&str] = &[
    CHECKLIST,
    FINDING_ITEMS,
    NOTE_ITEMS,
    USED_PARTS,
    ASSIGNMENTS,
];

/// The row of the order with this id; `None` when there is none, or none any more.
pub fn row(aggregate_id: &str, order: &Folded) -> Option<Map<String, Value>> {
    let mut row = SHAPE.row(aggregate_id, order)?;
    for list in LISTS {
        let items = order.record.items(list);
        row.insert((*list).to_owned(), Value::from_iter(items));
    }
    Some(row)
}

/// The status that lists are narrowed by: that of the row.
pub(super) fn listed_status(order: &Folded) -> Option<String> {
    Some(super::decide::status(order).to_owned())
}

/// How urgent it is, as lists are narrowed by it.
pub(super) fn listed_priority(order: &Folded) -> Option<String> {
    Some(order.text("priority").unwrap_or("medium").to_owned())
}

/// The workshop where it takes a track.
pub(super) fn open_at_workshop(order: &Folded) -> Option<String> {
    let workshop = order.text("workshop_id").map(str::to_owned);
    workshop.filter(|_| super::is_active(order))
}

/// Whether it is done, and holds its vehicle until somebody releases it.
pub(super) fn waits_for_release(order: &Folded) -> Option<String> {
    let is_done = super::decide::status(order) == "completed";
    Some((is_done && super::holds_vehicle(order)).to_string())
}

/// The vehicle that it takes, or will take.
pub(super) fn open_on_vehicle(order: &Folded) -> Option<String> {
    let vehicle = order.text("vehicle_id").map(str::to_owned);
    vehicle.filter(|_| super::is_active(order) || super::holds_vehicle(order))
}
