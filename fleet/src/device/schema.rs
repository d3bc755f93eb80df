//! The table of a device's events.

use super::{AGGREGATE_TYPE, event, view};
use crate::listing::Listing;
use crate::schema::row::{self, CREATED_AT, EXTRA, UPDATED_AT};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field, Kind};

/// The Device aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .internal()
    .listed(LISTING);

const LISTING: Listing = Listing {
    row: view::row,
    ..Listing::NONE
};

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        event::DEVICE_REGISTERED,
        "The device may sync from here on; also when it comes back.",
        &[
            row::short("device_name"),
            row::short("device_type"),
            row::short("platform"),
            row::short("app_version"),
            row::json("capabilities"),
            row::reference("user_id"),
            row::short("last_ip_address").personal(),
            row::flag("is_active"),
            row::flag("is_offline"),
            CREATED_AT,
            EXTRA,
        ],
    )
    .beginning()
    .implying(&[("is_active", Constant::Flag(true))]),
    EventSchema::new(
        event::DEVICE_UPDATED,
        "Some of what describes it changed.",
        &[
            row::short("device_name"),
            row::short("device_type"),
            row::short("platform"),
            row::short("app_version"),
            row::json("capabilities"),
            row::reference("user_id"),
            row::short("last_ip_address").personal(),
            row::flag("is_active"),
            UPDATED_AT,
            EXTRA,
        ],
    ),
    EventSchema::new(
        event::DEVICE_STATUS_CHANGED,
        "It said that it goes offline, or is back.",
        &[row::flag("is_offline")],
    ),
    EventSchema::new(
        event::DEVICE_SYNCED,
        "It pushed, pulled, or did both.",
        &[
            row::time("last_sync_at"),
            row::time("last_push_at"),
            row::time("last_pull_at"),
            row::short("cursor"),
        ],
    ),
    EventSchema::new(
        event::DEVICE_TOKEN_ISSUED,
        "It got a token; the one it had before is void.",
        &[
            Field::required("token_hash", Kind::Hex { digits: 64 }).secret(),
            row::reference("user_id"),
            row::short("role"),
            row::json("scope"),
            Field::required("token_expires_at", Kind::Time),
            // A renewal keeps the device's number; without one its store begins anew.
            row::flag("renews").setting_nothing(),
        ],
    ),
    EventSchema::new(
        event::DEVICE_DEACTIVATED,
        "It may sync no more.",
        &[row::REASON],
    )
    .implying(&[("is_active", Constant::Flag(false))]),
];
