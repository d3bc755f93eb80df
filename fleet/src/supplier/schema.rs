//! The table of a supplier's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::described::listed_is_active;
use crate::listing::{Filter, Listing, Order, OrderBy, Search};
use crate::schema::row::{self, CREATED_AT, EXTRA, UPDATED_AT};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The Supplier aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["supplier_code"],
    filters: &[Filter::by("is_active", listed_is_active)],
    searches: &[Search::over("search", &["supplier_code", "name"])],
    orders: &[Order::by(OrderBy::Text("supplier_code"))],
    row: view::row,
};

const DESCRIPTION: &[Field] = &[
    row::short("supplier_code"),
    row::short("name"),
    row::short("contact_person").personal(),
    row::short("email").personal(),
    row::short("phone").personal(),
    row::long("address"),
    row::short("vat_id"),
    row::short("payment_terms"),
    row::short("currency"),
    row::flag("is_active"),
    row::long("notes"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::SUPPLIER_CREATED,
        "The supplier is known from here on.",
        DESCRIPTION,
    ),
    EventSchema::new(
        event::SUPPLIER_UPDATED,
        "Some of what describes it changed.",
        DESCRIPTION,
    ),
    EventSchema::new(
        event::SUPPLIER_DELETED,
        "It is known no more.",
        &[row::REASON],
    ),
];
