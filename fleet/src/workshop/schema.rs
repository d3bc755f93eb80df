//! The table of a workshop's events.

use super::{AGGREGATE_TYPE, view};
use crate::listing::{Filter, Listing, Order, OrderBy, Search, listed_active};
use crate::schema::row::{
    CREATED_AT, EXTRA, REASON, SHORT, UPDATED_AT, flag, json, long, real, short, whole,
};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The workshop exists from here on.
pub const CREATED: &str = "WorkshopCreated";
/// Some of what describes it changed.
pub const UPDATED: &str = "WorkshopUpdated";
/// Work on an order began: one of its tracks is taken.
pub const ORDER_BEGUN: &str = "WorkshopOrderBegun";
/// Work on an order ended or was called off: the track is free again.
pub const ORDER_ENDED: &str = "WorkshopOrderEnded";
/// The record of it was deleted.
pub const DELETED: &str = "WorkshopDeleted";

/// The list of orders in work; each is named by `work_order_id`.
pub const ORDERS_IN_WORK: &str = "orders_in_work";
/// The state's key of how many orders were completed.
const COMPLETED_KEY: &str = "total_completed_orders";
/// How many orders more, or less, are completed by this.
const COMPLETED_MORE: Field = whole("completed_orders").adding(COMPLETED_KEY);

/// The Workshop aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .totals(&[COMPLETED_KEY])
    .listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["code"],
    filters: &[Filter::by("is_active", listed_active)],
    searches: &[Search::over("search", &["code", "name", "location"])],
    orders: &[Order::by(OrderBy::Text("code"))],
    row: view::row,
};

const ROW: &[Field] = &[
    short("code"),
    short("name"),
    short("location"),
    short("contact_person").personal(),
    short("phone").personal(),
    short("email").personal(),
    whole("total_tracks"),
    whole("available_tracks"),
    flag("is_ecm_certified"),
    json("specializations"),
    json("supported_vehicle_types"),
    real("rating"),
    whole(COMPLETED_KEY),
    flag("is_active"),
    long("notes"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "The workshop exists from here on.", ROW),
    EventSchema::new(UPDATED, "Some of what describes it changed.", ROW),
    EventSchema::new(
        ORDER_BEGUN,
        "Work on an order began: one of its tracks is taken.",
        &[Field::required("work_order_id", SHORT), COMPLETED_MORE],
    )
    .putting_item(ORDERS_IN_WORK, "work_order_id"),
    EventSchema::new(
        ORDER_ENDED,
        "Work on an order ended or was called off: the track is free again.",
        &[Field::required("work_order_id", SHORT), COMPLETED_MORE],
    )
    .removing_item(ORDERS_IN_WORK, "work_order_id"),
    EventSchema::new(DELETED, "The record of it was deleted.", &[REASON]),
];
