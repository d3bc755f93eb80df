//! The table of a transfer plan's events.

use super::{AGGREGATE_TYPE, STATUSES, view};
use crate::listing::{Filter, Listing, Order, Search};
use crate::schema::row::{
    CREATED_AT, CREATED_BY, EXTRA, REASON, SHORT, UPDATED_AT, json, long, short, time, whole,
};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field, Kind};

/// The plan exists from here on.
pub const CREATED: &str = "TransferPlanCreated";
/// Some of what describes it changed.
pub const UPDATED: &str = "TransferPlanUpdated";
/// It took another step without a train moving: planned, called off, planned anew.
pub const STATUS_CHANGED: &str = "TransferPlanStatusChanged";
/// The train left.
pub const DEPARTED: &str = "TransferPlanDeparted";
/// The train arrived.
pub const ARRIVED: &str = "TransferPlanArrived";
/// The record of it was deleted.
pub const DELETED: &str = "TransferPlanDeleted";

/// The TransferPlan aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["plan_id"],
    filters: &[
        Filter::by("status", view::listed_status),
        Filter::key("priority"),
    ],
    searches: &[
        Search::over("from_location", &["from_location"]),
        Search::over("to_location", &["to_location"]),
        Search::over("search", &["plan_id", "from_location", "to_location"]),
    ],
    orders: &[Order::latest("scheduled_departure_ts")],
    row: view::row,
};

const OLD_STATUS: Field = Field::optional("old_status", SHORT).setting_nothing();
const NEW_STATUS: Field = Field::optional("new_status", Kind::OneOf(STATUSES))
    .never_null()
    .setting("status");

const ROW: &[Field] = &[
    short("plan_id"),
    short("from_location"),
    short("to_location"),
    time("scheduled_departure_ts"),
    time("scheduled_arrival_ts"),
    time("actual_departure_ts"),
    time("actual_arrival_ts"),
    Field::optional("status", Kind::OneOf(STATUSES)).never_null(),
    short("priority"),
    whole("distance_km"),
    whole("estimated_duration_min"),
    long("route_notes"),
    json("metadata_json"),
    CREATED_AT,
    UPDATED_AT,
    CREATED_BY,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "The plan exists from here on.", ROW),
    EventSchema::new(UPDATED, "Some of what describes it changed.", ROW),
    EventSchema::new(
        STATUS_CHANGED,
        "It took another step without a train moving.",
        &[
            OLD_STATUS,
            Field::required("new_status", Kind::OneOf(STATUSES)).setting("status"),
            REASON,
            UPDATED_AT,
        ],
    ),
    EventSchema::new(
        DEPARTED,
        "The train left.",
        &[
            OLD_STATUS,
            NEW_STATUS,
            time("actual_departure_ts"),
            UPDATED_AT,
        ],
    )
    .implying(&[("status", Constant::Text("in_progress"))]),
    EventSchema::new(
        ARRIVED,
        "The train arrived.",
        &[
            OLD_STATUS,
            NEW_STATUS,
            time("actual_departure_ts"),
            time("actual_arrival_ts"),
            UPDATED_AT,
        ],
    )
    .implying(&[("status", Constant::Text("completed"))]),
    EventSchema::new(DELETED, "The record of it was deleted.", &[REASON]),
];
