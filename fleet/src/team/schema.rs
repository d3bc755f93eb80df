//! The table of a team's events.

use super::{AGGREGATE_TYPE, row};
use crate::availability::{NAME, SPANS};
use crate::listing::{Filter, Listing, Order, OrderBy, Search, listed_active};
use crate::schema::row::{
    CREATED_AT, EXTRA, REASON, SHORT, UPDATED_AT, flag, json, long, reference, short, time, whole,
};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The team exists from here on.
pub const CREATED: &str = "TeamCreated";
/// Some of what describes it changed.
pub const UPDATED: &str = "TeamUpdated";
/// A span of time in which it is there, or is not, was set.
pub const AVAILABILITY_SET: &str = "TeamAvailabilitySet";
/// Such a span was taken back.
pub const AVAILABILITY_REMOVED: &str = "TeamAvailabilityRemoved";
/// The record of it was deleted.
pub const DELETED: &str = "TeamDeleted";

/// The Team aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["team_id"],
    filters: &[
        Filter::key("workshop_id"),
        Filter::by("is_active", listed_active),
    ],
    searches: &[Search::over("search", &["team_id", "name"])],
    orders: &[Order::by(OrderBy::Text("team_id"))],
    row,
};

/// The row. `team_id` is its business key here, unlike in the rows that refer to it.
const ROW: &[Field] = &[
    short("team_id"),
    short("name"),
    reference("workshop_id"),
    json("skills"),
    whole("max_concurrent_work_orders"),
    flag("is_active"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "The team exists from here on.", ROW),
    EventSchema::new(UPDATED, "Some of what describes it changed.", ROW),
    EventSchema::new(
        AVAILABILITY_SET,
        "A span of time in which it is there, or is not, was set.",
        &[
            Field::required(NAME, SHORT),
            time("start_ts"),
            time("end_ts"),
            flag("is_available"),
            short("shift_type"),
            long("notes"),
            CREATED_AT,
            EXTRA,
        ],
    )
    .putting_item(SPANS, NAME),
    EventSchema::new(
        AVAILABILITY_REMOVED,
        "Such a span was taken back.",
        &[Field::required(NAME, SHORT), REASON],
    )
    .removing_item(SPANS, NAME),
    EventSchema::new(DELETED, "The record of it was deleted.", &[REASON]),
];
