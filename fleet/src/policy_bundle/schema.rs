//! The table of a policy's events.

use super::{AGGREGATE_TYPE, TEXT_BYTES_MAX, view};
use crate::listing::{Filter, Listing};
use crate::schema::row::{EXTRA, flag, reference, short, time};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field, Kind};

/// The policy has this document from here on.
pub const UPLOADED: &str = "PolicyUploaded";
/// Somebody signed the document.
pub const SIGNED: &str = "PolicySigned";
/// The document is in force from here on.
pub const ACTIVATED: &str = "PolicyActivated";
/// The policy is in force no more.
pub const DEACTIVATED: &str = "PolicyDeactivated";
/// The policy was deleted.
pub const DELETED: &str = "PolicyDeleted";

/// The Policy aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .internal()
    .listed(LISTING);

const LISTING: Listing = Listing {
    filters: &[Filter::key("is_active")],
    row: view::row,
    ..Listing::NONE
};

const TEXT: Kind = Kind::text(TEXT_BYTES_MAX);

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        UPLOADED,
        "The policy has this document from here on; signatures of the one before are void.",
        &[
            Field::required("text", TEXT),
            short("sha256"),
            reference("uploaded_by"),
            time("uploaded_at"),
            short("signature"),
            short("public_key"),
            reference("signed_by"),
            time("signed_at"),
            EXTRA,
        ],
    )
    .beginning(),
    EventSchema::new(
        SIGNED,
        "Somebody signed the document.",
        &[
            short("signature"),
            short("public_key"),
            reference("signed_by"),
            time("signed_at"),
        ],
    ),
    EventSchema::new(
        ACTIVATED,
        "The document is in force from here on. The event has it with its signature, so that it alone says what held when.",
        &[
            Field::required("text", TEXT).setting("active_text"),
            short("sha256").setting("active_sha256"),
            short("signature").setting("active_signature"),
            short("public_key").setting("active_public_key"),
            reference("activated_by"),
            time("activated_at"),
            flag("is_active"),
        ],
    )
    .implying(&[("is_active", Constant::Flag(true))]),
    EventSchema::new(
        DEACTIVATED,
        "The policy is in force no more.",
        &[flag("is_active")],
    )
    .implying(&[("is_active", Constant::Flag(false))]),
    EventSchema::new(DELETED, "The policy was deleted.", &[]),
];
