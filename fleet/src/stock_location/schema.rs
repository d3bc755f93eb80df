//! The table of a stock location's events.

use super::{AGGREGATE_TYPE, event};
use crate::schema::row::{self, CREATED_AT, EXTRA, UPDATED_AT};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The StockLocation aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS);

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
