//! The table of an invoice's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::listing::{Filter, Listing, Order};
use crate::schema::row::{self, CREATED_AT, EXTRA, UPDATED_AT};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field, Kind};

/// The Invoice aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["invoice_number"],
    filters: &[
        Filter::by("status", view::listed_status),
        Filter::key("supplier_id"),
        Filter::key("purchase_order_id"),
    ],
    orders: &[Order::latest("invoice_date")],
    row: view::row,
    ..Listing::NONE
};

const DESCRIPTION: &[Field] = &[
    row::short("invoice_number"),
    row::reference("supplier_id"),
    row::reference("purchase_order_id"),
    row::reference("work_order_id"),
    row::time("invoice_date"),
    row::time("due_date"),
    row::time("payment_date"),
    row::short("status"),
    row::money("total_amount"),
    row::money("tax_amount"),
    row::short("currency"),
    row::long("notes"),
    row::short("attachment_url"),
    row::CREATED_BY,
    row::reference("reviewed_by"),
    row::time("reviewed_at"),
    row::reference("approved_by"),
    row::time("approved_at"),
    LINES,
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const LINES: Field = Field::optional("lines", Kind::List(&Kind::Record(LINE)));

/// A line of an invoice. Imported lines keep their ids; others are named by their invoice and number.
const LINE: &[Field] = &[
    Field::optional("id", Kind::Uuid),
    row::whole("line_number"),
    row::long("description"),
    row::reference("part_no"),
    row::reference("purchase_order_line_id"),
    row::whole("quantity"),
    row::money("unit_price"),
    row::money("line_total"),
    row::money("tax_amount"),
    row::reference("cost_center"),
    row::short("cost_bearer"),
    row::short("account_code"),
    row::money("variance"),
    row::long("notes"),
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(event::INVOICE_CREATED, "An invoice came.", DESCRIPTION),
    EventSchema::new(
        event::INVOICE_UPDATED,
        "Some of the invoice changed.",
        DESCRIPTION,
    ),
    EventSchema::new(event::INVOICE_DELETED, "It was dropped.", &[row::REASON]),
    EventSchema::new(
        event::INVOICE_REVIEWED,
        "It was held against an order: its lines with what that found.",
        &[
            row::short("status"),
            row::reference("purchase_order_id"),
            row::reference("reviewed_by"),
            row::time("reviewed_at"),
            LINES,
            row::whole("matched_lines").setting_nothing(),
            row::whole("unmatched_lines").setting_nothing(),
            row::money("total_variance").setting_nothing(),
        ],
    )
    .implying(&[("status", Constant::Text("REVIEWED"))]),
    EventSchema::new(
        event::INVOICE_APPROVED,
        "Somebody who may has approved it; its costs are booked.",
        &[
            row::short("status"),
            row::reference("approved_by"),
            row::time("approved_at"),
            row::long("notes"),
        ],
    )
    .implying(&[("status", Constant::Text("APPROVED"))]),
    EventSchema::new(
        event::INVOICE_EXPORTED,
        "It went to the bookkeeping.",
        &[row::short("status"), row::long("notes")],
    )
    .implying(&[("status", Constant::Text("EXPORTED"))]),
    EventSchema::new(
        event::INVOICE_PAID,
        "It was paid.",
        &[row::time("payment_date"), row::REASON],
    ),
];
