//! The table of an erasure's events.

use super::{AGGREGATE_TYPE, event};
use crate::schema::row;
use crate::schema::{AggregateSchema, Constant, EventSchema};

/// The Erasure aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).internal();

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::ERASURE_REQUESTED,
        "Somebody asked to be erased.",
        &[
            row::short("subject"),
            row::time("requested_at"),
            row::REASON,
        ],
    )
    .beginning()
    .implying(&[("status", Constant::Text("requested"))]),
    EventSchema::new(
        event::SUBJECT_ERASED,
        "The keys of somebody's personal fields were destroyed.",
        &[
            row::short("subject"),
            row::time("requested_at"),
            row::time("erased_at"),
            row::REASON,
        ],
    )
    .beginning()
    .implying(&[("status", Constant::Text("erased"))]),
];
