//! A person's row, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use super::decide::{is_available, status};
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
    aggregate_type: AGGREGATE_TYPE,
    fields: &[
        "staff_id",
        "first_name",
        "last_name",
        "email",
        "phone",
        "role",
        "status",
        "employee_number",
        "skills_json",
        "certifications_json",
        "home_depot",
        "workshop_id",
        "max_weekly_hours",
        "is_available",
        "availability_notes",
        "hired_date",
    ],
    defaults: &[
        ("status", Constant::Text("active")),
        ("max_weekly_hours", Constant::Count(40)),
        ("is_available", Constant::Flag(true)),
    ],
};

/// The row of the person with this id; `None` when there is none, or none any more.
pub fn row(aggregate_id: &str, person: &Folded) -> Option<Map<String, Value>> {
    SHAPE.row(aggregate_id, person)
}

/// The status that lists are narrowed by: that of the row.
pub(super) fn listed_status(person: &Folded) -> Option<String> {
    Some(status(person).to_owned())
}

/// Whether somebody may be planned with, as lists are narrowed by it.
pub(super) fn listed_available(person: &Folded) -> Option<String> {
    Some(is_available(person).to_string())
}
