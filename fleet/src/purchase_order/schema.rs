//! The table of a purchase order's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::listing::{Filter, Listing, Order};
use crate::schema::row::{self, CREATED_AT, EXTRA, UPDATED_AT};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field, Kind};

/// The state's key of what came, by the line's id.
pub const RECEIVED_KEY: &str = "quantities_received";

/// The PurchaseOrder aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .totals(&[RECEIVED_KEY])
    .listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["po_number"],
    filters: &[
        Filter::by("status", view::listed_status),
        Filter::key("supplier_id"),
        Filter::key("work_order_id"),
    ],
    orders: &[Order::LATEST_CREATED],
    row: view::row,
    ..Listing::NONE
};

const DESCRIPTION: &[Field] = &[
    row::short("po_number"),
    row::reference("supplier_id"),
    row::reference("work_order_id"),
    row::short("status"),
    row::time("order_date"),
    row::time("expected_delivery_date"),
    row::time("received_date"),
    row::reference("delivery_location_id"),
    row::money("total_amount"),
    row::short("currency"),
    row::long("notes"),
    row::CREATED_BY,
    row::reference("approved_by"),
    row::time("approved_at"),
    Field::optional("lines", Kind::List(&Kind::Record(LINE))),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

/// A line of an order. Imported lines keep their ids; others are named by their order and number.
const LINE: &[Field] = &[
    Field::optional("id", Kind::Uuid),
    row::whole("line_number"),
    row::reference("part_no"),
    row::long("description"),
    row::whole("quantity_ordered"),
    row::whole("quantity_received"),
    row::money("unit_price"),
    row::money("line_total"),
    row::long("notes"),
    EXTRA,
];

/// What came of a line.
const RECEIPT: &[Field] = &[
    row::reference("line_id"),
    row::whole("line_number"),
    row::reference("part_no"),
    row::whole("quantity_received"),
    row::reference("stock_move_id"),
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::PURCHASE_ORDER_CREATED,
        "Somebody wants to order.",
        DESCRIPTION,
    ),
    EventSchema::new(
        event::PURCHASE_ORDER_UPDATED,
        "Some of the order changed.",
        DESCRIPTION,
    ),
    EventSchema::new(
        event::PURCHASE_ORDER_DELETED,
        "The order is dropped.",
        &[row::REASON],
    ),
    EventSchema::new(
        event::PURCHASE_ORDER_APPROVED,
        "Somebody who may has approved it.",
        &[
            row::short("status"),
            row::reference("approved_by"),
            row::time("approved_at"),
            row::long("notes"),
        ],
    )
    .implying(&[("status", Constant::Text("APPROVED"))]),
    EventSchema::new(
        event::PURCHASE_ORDER_ORDERED,
        "It went to the supplier.",
        &[
            row::short("status"),
            row::time("order_date"),
            row::long("notes"),
        ],
    )
    .implying(&[("status", Constant::Text("ORDERED"))]),
    EventSchema::new(
        event::PURCHASE_ORDER_RECEIVED,
        "A delivery came; the status says whether more is to come.",
        &[
            row::short("status"),
            row::time("received_date"),
            row::reference("delivery_location_id"),
            Field::optional("lines_received", Kind::List(&Kind::Record(RECEIPT))).adding_each(
                RECEIVED_KEY,
                "line_id",
                "quantity_received",
            ),
            row::reference("received_by").setting_nothing(),
            row::long("notes"),
        ],
    )
    .implying(&[("status", Constant::Text("RECEIVED"))]),
    EventSchema::new(
        event::PURCHASE_ORDER_CLOSED,
        "Nothing more is to come.",
        &[row::short("status"), row::long("notes"), row::REASON],
    )
    .implying(&[("status", Constant::Text("CLOSED"))]),
];
