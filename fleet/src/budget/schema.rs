//! The table of a budget's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::listing::{Filter, Listing, Order, OrderBy};
use crate::schema::row::{self, CREATED_AT, EXTRA, UPDATED_AT};
use crate::schema::{AggregateSchema, EventSchema, Field, Kind};

/// What lists are narrowed by: the budgets of a month and a cost center ([`super::place`]).
pub const PLACE_FILTER: &str = "place";
/// What lists are narrowed by: the budget of a month, a cost center and a category ([`super::unique_key`]).
pub const UNIQUE_FILTER: &str = "unique";
/// The state's key of what was spent: the opening value that a creation tells, and the bookings.
pub const ACTUAL_KEY: &str = "actual_amount";

/// The Budget aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .totals(&[ACTUAL_KEY])
    .listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[
        Filter::key("period"),
        Filter::key("cost_center"),
        Filter::key("category"),
        Filter::by(PLACE_FILTER, view::listed_place),
        Filter::by(UNIQUE_FILTER, view::listed_unique),
    ],
    orders: &[Order::by(OrderBy::Text("period")).reversed()],
    row: view::row,
    ..Listing::NONE
};

const DESCRIPTION: &[Field] = &[
    row::short("period"),
    row::reference("cost_center"),
    row::short("category"),
    row::money("planned_amount"),
    row::money("forecast_amount"),
    row::money(ACTUAL_KEY),
    row::short("currency"),
    row::long("notes"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::BUDGET_CREATED,
        "There is a plan from here on, or a place for costs that nobody planned.",
        DESCRIPTION,
    ),
    EventSchema::new(event::BUDGET_UPDATED, "The plan changed.", DESCRIPTION).beginning(),
    EventSchema::new(
        event::BUDGET_DELETED,
        "The plan is dropped.",
        &[row::REASON],
    ),
    EventSchema::new(
        event::BUDGET_BOOKED,
        "Costs were booked on it.",
        &[
            Field::required("amount", Kind::Money).adding(ACTUAL_KEY),
            row::reference("invoice_id").setting_nothing(),
            row::short("invoice_number").setting_nothing(),
            row::reference("booked_by").setting_nothing(),
            row::REASON,
        ],
    ),
];
