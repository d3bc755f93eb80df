//! The table of a stock move's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::listing::{Filter, Listing, Order, OrderBy};
use crate::schema::row::{self, EXTRA, SHORT, WHOLE};
use crate::schema::{AggregateSchema, EventSchema, Field, Spelling};

/// The StockMove aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .spelled(&[Spelling::new("part_id", "part_no")])
    .listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[
        Filter::key("part_no"),
        Filter::key("move_type"),
        Filter::key("work_order_id"),
    ],
    orders: &[Order::by(OrderBy::TimeOrCreation("performed_at")).reversed()],
    row: view::row,
    ..Listing::NONE
};

const EVENTS: &[EventSchema] = &[EventSchema::new(
    event::STOCK_MOVE_CREATED,
    "Parts came, went, or were carried from one place to another.",
    &[
        Field::required("part_no", SHORT),
        Field::required("quantity", WHOLE),
        row::short("move_type"),
        row::reference("from_location_id"),
        row::reference("to_location_id"),
        row::reference("work_order_id"),
        row::reference("purchase_order_id"),
        row::reference("purchase_order_line_id"),
        row::short("reference_doc"),
        row::money("unit_price"),
        row::reference("performed_by"),
        row::time("performed_at"),
        row::long("notes"),
        // The old table that an imported move comes from, where that is not `stock_moves`.
        row::short("source"),
        EXTRA,
    ],
)];
