//! The table of a staff assignment's events.

use super::{AGGREGATE_TYPE, view};
use crate::listing::{Filter, Listing, Order};
use crate::schema::row::{
    CREATED_AT, CREATED_BY, EXTRA, REASON, SHORT, UPDATED_AT, long, reference, short, time, whole,
};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field};

/// Somebody's time was planned.
pub const CREATED: &str = "StaffAssignmentCreated";
/// The plan or what is told of it changed.
pub const UPDATED: &str = "StaffAssignmentUpdated";
/// It was confirmed, called off or planned anew.
pub const STATUS_CHANGED: &str = "StaffAssignmentStatusChanged";
/// The person began.
pub const STARTED: &str = "StaffAssignmentStarted";
/// The person is done.
pub const ENDED: &str = "StaffAssignmentEnded";
/// The record of it was deleted.
pub const DELETED: &str = "StaffAssignmentDeleted";

/// The StaffAssignment aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[
        Filter::key("staff_id"),
        Filter::key("work_order_id"),
        Filter::key("transfer_plan_id"),
        Filter::by("status", view::listed_status),
    ],
    orders: &[Order::latest("scheduled_start_ts")],
    row: view::row,
    ..Listing::NONE
};

const OLD_STATUS: Field = Field::optional("old_status", SHORT).setting_nothing();
const NEW_STATUS: Field = Field::optional("new_status", SHORT)
    .never_null()
    .setting("status");

const ROW: &[Field] = &[
    reference("staff_id"),
    reference("work_order_id"),
    reference("transfer_plan_id"),
    time("scheduled_start_ts"),
    time("scheduled_end_ts"),
    time("actual_start_ts"),
    time("actual_end_ts"),
    short("role_on_assignment"),
    short("status").never_null(),
    whole("planned_hours"),
    whole("actual_hours"),
    long("assignment_notes"),
    CREATED_AT,
    UPDATED_AT,
    CREATED_BY,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "Somebody's time was planned.", ROW),
    EventSchema::new(UPDATED, "The plan or what is told of it changed.", ROW),
    EventSchema::new(
        STATUS_CHANGED,
        "It was confirmed, called off or planned anew.",
        &[
            OLD_STATUS,
            Field::required("new_status", SHORT).setting("status"),
            REASON,
            UPDATED_AT,
        ],
    ),
    EventSchema::new(
        STARTED,
        "The person began.",
        &[OLD_STATUS, NEW_STATUS, time("actual_start_ts"), UPDATED_AT],
    )
    .implying(&[("status", Constant::Text("in_progress"))]),
    EventSchema::new(
        ENDED,
        "The person is done.",
        &[
            OLD_STATUS,
            NEW_STATUS,
            time("actual_start_ts"),
            time("actual_end_ts"),
            whole("actual_hours"),
            UPDATED_AT,
        ],
    )
    .implying(&[("status", Constant::Text("completed"))]),
    EventSchema::new(DELETED, "The record of it was deleted.", &[REASON]),
];
