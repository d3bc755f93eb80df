//! The table of a stock location's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::described::listed_is_active;
use crate::listing::{Filter, Listing, Order, OrderBy};
use crate::schema::row::{self, CREATED_AT, EXTRA, UPDATED_AT};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The StockLocation aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["location_code"],
    filters: &[
        Filter::key("location_type"),
        Filter::by("is_active", listed_is_active),
    ],
    orders: &[Order::by(OrderBy::Text("location_code"))],
    row: view::row,
    ..Listing::NONE
};

const DESCRIPTION: &[Field] = &[
    row::short("location_code"),
    row::short("name"),
    row::short("location_type"),
    row::reference("workshop_id"),
    row::short("address"),
    row::flag("is_active"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::STOCK_LOCATION_CREATED,
        "Parts may lie there from here on.",
        DESCRIPTION,
    ),
    EventSchema::new(
        event::STOCK_LOCATION_UPDATED,
        "Some of what describes it changed.",
        DESCRIPTION,
    ),
    EventSchema::new(
        event::STOCK_LOCATION_DELETED,
        "It is given up.",
        &[row::REASON],
    ),
];
