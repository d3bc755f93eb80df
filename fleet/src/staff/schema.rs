//! The table of the events of a person on the staff.

use super::{AGGREGATE_TYPE, ROLES, STATUSES, view};
use crate::listing::{Filter, Listing, Order, OrderBy, Search};
use crate::schema::row::{
    CREATED_AT, EXTRA, REASON, SHORT, UPDATED_AT, flag, json, long, reference, short, time, whole,
    word,
};
use crate::schema::{AggregateSchema, EventSchema, Field, Kind};

/// The person belongs to the staff from here on.
pub const CREATED: &str = "StaffCreated";
/// Some of what describes the person changed.
pub const UPDATED: &str = "StaffUpdated";
/// The person is at work, away, or has left.
pub const STATUS_CHANGED: &str = "StaffStatusChanged";
/// The record of the person was deleted.
pub const DELETED: &str = "StaffDeleted";

/// The Staff aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["staff_id"],
    filters: &[
        Filter::key("role"),
        Filter::by("status", view::listed_status),
        Filter::by("is_available", view::listed_available),
        Filter::key("workshop_id"),
    ],
    searches: &[Search::over(
        "search",
        &["staff_id", "first_name", "last_name", "employee_number"],
    )],
    orders: &[Order::by(OrderBy::Text("staff_id"))],
    row: view::row,
};

const ROW: &[Field] = &[
    short("staff_id"),
    short("first_name").personal(),
    short("last_name").personal(),
    short("email").personal(),
    short("phone").personal(),
    word("role", ROLES),
    word("status", STATUSES),
    short("employee_number").personal(),
    json("skills_json"),
    json("certifications_json").personal(),
    short("home_depot"),
    reference("workshop_id"),
    whole("max_weekly_hours"),
    flag("is_available"),
    long("availability_notes").personal(),
    time("hired_date"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        CREATED,
        "The person belongs to the staff from here on.",
        ROW,
    ),
    EventSchema::new(UPDATED, "Some of what describes the person changed.", ROW),
    EventSchema::new(
        STATUS_CHANGED,
        "The person is at work, away, or has left.",
        &[
            Field::optional("old_status", SHORT).setting_nothing(),
            Field::required("new_status", Kind::OneOf(STATUSES)).setting("status"),
            REASON.personal(),
            UPDATED_AT,
        ],
    ),
    EventSchema::new(DELETED, "The record of the person was deleted.", &[REASON]),
];
