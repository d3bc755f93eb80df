//! The table of a transfer assignment's events.

use super::{AGGREGATE_TYPE, view};
use crate::listing::{Filter, Listing, Order};
use crate::schema::row::{
    CREATED_AT, EXTRA, REASON, UPDATED_AT, long, reference, short, time, whole,
};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field};

/// A vehicle was put into a plan.
pub const CREATED: &str = "TransferAssignmentCreated";
/// Its place, its driver or its notes changed.
pub const UPDATED: &str = "TransferAssignmentUpdated";
/// Somebody confirmed it.
pub const CONFIRMED: &str = "TransferAssignmentConfirmed";
/// It was called off.
pub const CANCELLED: &str = "TransferAssignmentCancelled";
/// The record of it was deleted.
pub const DELETED: &str = "TransferAssignmentDeleted";

/// The TransferAssignment aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[
        Filter::key("transfer_plan_id"),
        Filter::key("vehicle_id"),
        Filter::key("driver_id"),
        Filter::by("is_confirmed", view::listed_confirmation),
        Filter::by("active_plan", view::active_plan),
        Filter::by("active_vehicle", view::active_vehicle),
        Filter::by("active_driver", view::active_driver),
    ],
    orders: &[Order::OLDEST],
    row: view::row,
    ..Listing::NONE
};

const ROW: &[Field] = &[
    reference("transfer_plan_id"),
    reference("vehicle_id"),
    whole("position_in_convoy"),
    reference("driver_id"),
    short("is_confirmed"),
    long("confirmation_notes"),
    time("assigned_at"),
    time("confirmed_at"),
    reference("assigned_by"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "A vehicle was put into a plan.", ROW),
    EventSchema::new(UPDATED, "Its place, its driver or its notes changed.", ROW),
    EventSchema::new(
        CONFIRMED,
        "Somebody confirmed it.",
        &[
            time("confirmed_at"),
            reference("confirmed_by"),
            long("confirmation_notes"),
            UPDATED_AT,
        ],
    )
    .implying(&[("is_confirmed", Constant::Text("confirmed"))]),
    EventSchema::new(
        CANCELLED,
        "It was called off.",
        &[REASON, long("confirmation_notes"), UPDATED_AT],
    )
    .implying(&[("is_confirmed", Constant::Text("cancelled"))]),
    EventSchema::new(DELETED, "The record of it was deleted.", &[REASON]),
];
