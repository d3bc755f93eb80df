//! The table of a track's events.

use super::{AGGREGATE_TYPE, row};
use crate::availability::{NAME, SPANS};
use crate::listing::{Filter, Listing, Order, OrderBy, Search, listed_active};
use crate::schema::row::{
    CREATED_AT, EXTRA, REASON, SHORT, UPDATED_AT, flag, json, long, reference, short, time,
};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The track exists from here on.
pub const CREATED: &str = "TrackCreated";
/// Some of what describes it changed.
pub const UPDATED: &str = "TrackUpdated";
/// A span of time in which it is there, or is not, was set.
pub const AVAILABILITY_SET: &str = "TrackAvailabilitySet";
/// Such a span was taken back.
pub const AVAILABILITY_REMOVED: &str = "TrackAvailabilityRemoved";
/// The record of it was deleted.
pub const DELETED: &str = "TrackDeleted";

/// The Track aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["track_id"],
    filters: &[
        Filter::key("workshop_id"),
        Filter::by("is_active", listed_active),
    ],
    searches: &[Search::over("search", &["track_id", "name"])],
    orders: &[Order::by(OrderBy::Text("track_id"))],
    row,
};

/// The row. `track_id` is its business key here, unlike in the rows that refer to it.
const ROW: &[Field] = &[
    short("track_id"),
    short("name"),
    reference("workshop_id"),
    short("location"),
    json("capabilities"),
    flag("is_active"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "The track exists from here on.", ROW),
    EventSchema::new(UPDATED, "Some of what describes it changed.", ROW),
    EventSchema::new(
        AVAILABILITY_SET,
        "A span of time in which it is there, or is not, was set.",
        &[
            Field::required(NAME, SHORT),
            time("start_ts"),
            time("end_ts"),
            flag("is_available"),
            long("reason"),
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
