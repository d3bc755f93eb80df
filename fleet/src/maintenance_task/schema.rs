//! The table of a maintenance task's events.

use super::{AGGREGATE_TYPE, TYPES, view};
use crate::listing::{Filter, Listing, Order, OrderBy};
use crate::schema::row::{
    CREATED_AT, EXTRA, REASON, UPDATED_AT, flag, long, reference, time, whole, word,
};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field};

/// The task exists from here on.
pub const CREATED: &str = "MaintenanceTaskCreated";
/// Some of what describes it changed.
pub const UPDATED: &str = "MaintenanceTaskUpdated";
/// It was done.
pub const COMPLETED: &str = "MaintenanceTaskCompleted";
/// It turned out not to be done.
pub const REOPENED: &str = "MaintenanceTaskReopened";
/// It is no longer asked for.
pub const DELETED: &str = "MaintenanceTaskDeleted";

/// The MaintenanceTask aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[
        Filter::key("vehicle_id"),
        Filter::key("type"),
        Filter::by("is_completed", view::listed_completed),
        Filter::by("is_due_by_mileage", view::is_due_by_mileage),
    ],
    orders: &[Order::by(OrderBy::Time("due_date"))],
    row: view::row,
    ..Listing::NONE
};

/// The row. `is_overdue` is kept as it was stored; what is overdue is computed when it is asked for.
const ROW: &[Field] = &[
    reference("vehicle_id"),
    word("type", TYPES),
    long("description"),
    time("due_date"),
    whole("due_mileage_km"),
    flag("is_overdue"),
    flag("is_completed"),
    time("completed_at"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "The task exists from here on.", ROW),
    EventSchema::new(UPDATED, "Some of what describes it changed.", ROW),
    EventSchema::new(
        COMPLETED,
        "It was done.",
        &[time("completed_at"), reference("work_order_id"), UPDATED_AT],
    )
    .implying(&[("is_completed", Constant::Flag(true))]),
    EventSchema::new(
        REOPENED,
        "It turned out not to be done.",
        &[time("completed_at"), REASON, UPDATED_AT],
    )
    .implying(&[("is_completed", Constant::Flag(false))]),
    EventSchema::new(DELETED, "It is no longer asked for.", &[REASON]),
];
