//! The table of a model's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::listing::{Filter, Listing, Order};
use crate::schema::row::{self, CREATED_AT, EXTRA};
use crate::schema::{AggregateSchema, Constant, EventSchema};

/// The Model aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .internal()
    .listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[Filter::key("status"), Filter::key("model_name")],
    orders: &[Order::LATEST_CREATED],
    row: view::row,
    ..Listing::NONE
};

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::MODEL_REGISTERED,
        "The model is known from here on.",
        &[
            row::short("model_name"),
            row::short("model_type"),
            row::short("model_version"),
            row::short("status"),
            row::short("file_path"),
            row::short("file_digest"),
            row::json("feature_names"),
            row::json("hyperparameters"),
            row::json("metrics"),
            row::reference("created_by"),
            row::time("trained_at"),
            row::time("deployed_at"),
            CREATED_AT,
            EXTRA,
        ],
    )
    .beginning(),
    EventSchema::new(
        event::MODEL_TRAINED,
        "Its training ended well.",
        &[
            row::short("status"),
            row::short("file_path"),
            row::short("file_digest"),
            row::json("feature_names"),
            row::json("hyperparameters"),
            row::json("metrics"),
            row::time("trained_at"),
        ],
    )
    .implying(&[("status", Constant::Text("trained"))]),
    EventSchema::new(
        event::MODEL_DEPLOYED,
        "Predictions are made by it from here on.",
        &[row::short("status"), row::time("deployed_at")],
    )
    .implying(&[("status", Constant::Text("deployed"))]),
    EventSchema::new(
        event::MODEL_ARCHIVED,
        "No predictions are made by it any more.",
        &[row::short("status"), row::REASON],
    )
    .implying(&[("status", Constant::Text("archived"))]),
    EventSchema::new(
        event::MODEL_FAILED,
        "Its training ended without a model.",
        &[row::short("status"), row::long("error")],
    )
    .implying(&[("status", Constant::Text("failed"))]),
];
