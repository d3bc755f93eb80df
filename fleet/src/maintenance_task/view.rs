//! A maintenance task's row, with the keys that clients know.

use serde_json::{Map, Value};

use super::AGGREGATE_TYPE;
use crate::calendar;
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::schema::Constant;

pub(super) const SHAPE: RowShape = RowShape {
    aggregate_type: AGGREGATE_TYPE,
    fields: &[
        "vehicle_id",
        "type",
        "description",
        "due_date",
        "due_mileage_km",
        "is_overdue",
        "is_completed",
        "completed_at",
    ],
    defaults: &[
        ("is_overdue", Constant::Flag(false)),
        ("is_completed", Constant::Flag(false)),
    ],
};

/// Whether a task is overdue at `now` on a vehicle that has run so far: its day has passed (or its moment, where it is
/// due at one), or its kilometres are run, and it is not done. The old system stored this and never set it.
///
/// `last_in_time` gives the last moment at which what is due at a time is in time: when a day ends is for the depot's time
/// zone to say, which is not known here.
pub fn is_overdue(
    task: &Folded,
    now: i64,
    mileage_km: Option<i64>,
    last_in_time: impl Fn(i64) -> i64,
) -> bool {
    if task.is_true("is_completed") {
        return false;
    }
    let due = task.text("due_date").and_then(calendar::parse_time);
    let is_late = due.is_some_and(|due| last_in_time(due) < now);
    let due_mileage = task.integer("due_mileage_km");
    let is_run = due_mileage.is_some_and(|due| mileage_km.is_some_and(|run| run >= due));
    is_late || is_run
}

/// The row of the task with this id; `None` when there is none, or none any more. `is_overdue` is as it was stored;
/// whoever knows the time asks [`is_overdue`].
pub fn row(aggregate_id: &str, task: &Folded) -> Option<Map<String, Value>> {
    SHAPE.row(aggregate_id, task)
}

/// Whether it is done, as lists are narrowed by it.
pub(super) fn listed_completed(task: &Folded) -> Option<String> {
    Some(task.is_true("is_completed").to_string())
}

/// Whether it is open and due by kilometres, which no index over days can tell.
pub(super) fn is_due_by_mileage(task: &Folded) -> Option<String> {
    let is_open = !task.is_true("is_completed");
    let due = task.integer("due_mileage_km").filter(|_| is_open);
    due.map(|_| "true".to_owned())
}
