//! The table of a prediction's events.

use super::{AGGREGATE_TYPE, event};
use crate::schema::row;
use crate::schema::{AggregateSchema, EventSchema, Field, Kind};

/// The Prediction aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).internal();

const EVENTS: &[EventSchema] = &[EventSchema::new(
    event::PREDICTION_MADE,
    "A prediction was served: by which model, from which features as of when, with which answer.",
    &[
        row::short("entity_type"),
        row::short("entity_id"),
        row::short("model_id"),
        row::short("model_name"),
        row::short("source"),
        row::time("as_of"),
        row::whole("position"),
        row::json("features"),
        Field::required("prediction", Kind::Object),
    ],
)
.reporting()];
