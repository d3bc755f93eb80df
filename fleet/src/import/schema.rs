//! The table of an import's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::listing::{Listing, Order};
use crate::schema::row;
use crate::schema::{AggregateSchema, Constant, EventSchema};

/// The Import aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .internal()
    .listed(LISTING);

const LISTING: Listing = Listing {
    orders: &[Order::LATEST_CREATED],
    row: view::row,
    ..Listing::NONE
};

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::IMPORT_STARTED,
        "Rows are being read.",
        &[
            row::short("source"),
            row::json("shape"),
            row::short("assumed_timezone"),
            row::json("options"),
            row::time("snapshot_at"),
            row::short("status"),
        ],
    )
    .beginning()
    .implying(&[("status", Constant::Text("running"))]),
    EventSchema::new(
        event::IMPORT_TABLE_FINISHED,
        "All rows of a table are in the log.",
        &[
            row::short("table"),
            row::whole("rows"),
            row::whole("events"),
            row::whole("skipped"),
            row::whole("warnings"),
            row::json("findings"),
        ],
    )
    .putting_item("tables", "table"),
    EventSchema::new(
        event::IMPORT_INTERRUPTED,
        "It ended before its end; it can go on.",
        &[row::short("status"), row::REASON],
    )
    .implying(&[("status", Constant::Text("interrupted"))]),
    EventSchema::new(
        event::IMPORT_FINISHED,
        "All rows are in the log.",
        &[
            row::short("status"),
            row::whole("position"),
            row::json("report"),
        ],
    )
    .implying(&[("status", Constant::Text("finished"))]),
    EventSchema::new(
        event::IMPORT_RECONCILED,
        "Every row was held against what its events fold to.",
        &[
            row::whole("position").setting("reconciled_position"),
            row::whole("rows").setting("reconciled_rows"),
            row::whole("mismatches"),
            row::json("report").setting("reconciliation"),
        ],
    ),
    EventSchema::new(
        event::IMPORT_CUT_OVER,
        "The old database is followed no more.",
        &[row::short("status")],
    )
    .implying(&[("status", Constant::Text("cut_over"))]),
];
