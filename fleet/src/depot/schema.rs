//! The table of the events about other depots.

use super::{AGGREGATE_TYPE, event};
use crate::schema::row;
use crate::schema::{AggregateSchema, EventSchema, Field, Kind};

/// The FederatedDepot aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).internal();

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::DEPOT_MESSAGE_QUARANTINED,
        "A message of another depot that this log can never take is passed by.",
        &[
            Field::required("position", Kind::count()),
            Field::optional("event_id", Kind::Uuid),
            row::long("refusal"),
            row::REASON,
        ],
    ),
    EventSchema::new(
        event::DEPOT_KEY_TRUSTED,
        "The messages of another depot are verified by this key from now on.",
        &[
            row::short("public_key"),
            row::short("former_key"),
            row::REASON,
        ],
    ),
    EventSchema::new(
        event::DEPOT_DECLARED_GONE,
        "Another depot is gone for good: its vehicles may be taken over here.",
        &[row::REASON],
    ),
    EventSchema::new(
        event::DEPOT_CAME_BACK,
        "Another depot that was said to be gone is not.",
        &[row::REASON],
    ),
];
