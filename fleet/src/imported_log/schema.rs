//! The table of an imported log's events.

use super::{AGGREGATE_TYPE, event};
use crate::schema::row;
use crate::schema::{AggregateSchema, EventSchema, Field, Kind};

/// The ImportedLog aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).internal();

const EVENTS: &[EventSchema] = &[EventSchema::new(
    event::LOG_ROW_IMPORTED,
    "A row as the old database held it.",
    &[Field::required("row", Kind::Object), row::short("key")],
)
.reporting()];
