//! The table of a sync conflict's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::listing::{Filter, Listing, Order};
use crate::schema::row::{self, CREATED_AT, EXTRA};
use crate::schema::{AggregateSchema, Constant, EventSchema};

/// The SyncConflict aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .internal()
    .listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["conflict_id"],
    filters: &[Filter::key("is_resolved"), Filter::key("source_device")],
    orders: &[Order::LATEST_CREATED],
    row: view::row,
    ..Listing::NONE
};

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::SYNC_CONFLICT_DETECTED,
        "An offline edit met a value that it may not overwrite.",
        &[
            row::short("conflict_id"),
            row::short("entity_type"),
            row::short("entity_id"),
            row::short("field_name"),
            row::json("server_value"),
            row::json("client_value"),
            row::short("conflict_type"),
            row::flag("is_resolved"),
            row::json("resolved_value"),
            row::time("resolved_at"),
            row::reference("resolved_by"),
            row::short("source_device"),
            row::short("source_role"),
            row::short("source_event_id"),
            row::long("notes"),
            CREATED_AT,
            EXTRA,
        ],
    )
    .beginning(),
    EventSchema::new(
        event::SYNC_CONFLICT_RESOLVED,
        "Somebody decided which value stands.",
        &[
            row::short("resolution"),
            row::flag("is_resolved"),
            row::json("resolved_value"),
            row::time("resolved_at"),
            row::reference("resolved_by"),
            row::long("notes"),
        ],
    )
    .implying(&[("is_resolved", Constant::Flag(true))]),
];
