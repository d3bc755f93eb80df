//! The table of a cost center's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::described::listed_is_active;
use crate::listing::{Filter, Listing, Search};
use crate::schema::row::{self, CREATED_AT, EXTRA, ID, UPDATED_AT};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The CostCenter aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .named_by("code")
    .listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[Filter::by("is_active", listed_is_active)],
    searches: &[Search::over("search", &["code", "name"]).with_id()],
    row: view::row,
    ..Listing::NONE
};

const FIELDS: [Field; 9] = [
    ID,
    row::short("code"),
    row::short("name"),
    row::short("parent_code"),
    row::flag("is_active"),
    row::long("notes"),
    CREATED_AT,
    UPDATED_AT,
    EXTRA,
];
const DESCRIPTION: &[Field] = &FIELDS;
const DESCRIPTION_CHANGED: &[Field] = &row::keeping_id(FIELDS);

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::COST_CENTER_CREATED,
        "Costs may be booked on it from here on.",
        DESCRIPTION,
    ),
    EventSchema::new(
        event::COST_CENTER_UPDATED,
        "Some of what describes it changed.",
        DESCRIPTION_CHANGED,
    ),
    EventSchema::new(
        event::COST_CENTER_DELETED,
        "It is given up.",
        &[row::REASON],
    ),
];
