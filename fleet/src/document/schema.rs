//! The table of a document's events.

use super::{AGGREGATE_TYPE, STATUSES, TYPES, view};
use crate::listing::{Filter, Listing, Order, OrderBy, Search};
use crate::schema::row::{
    CREATED_AT, CREATED_BY, EXTRA, REASON, SHORT, UPDATED_AT, flag, json, long, reference, short,
    time, whole, word,
};
use crate::schema::{AggregateSchema, EventSchema, Field, Kind};

/// The document is known from here on.
pub const CREATED: &str = "DocumentCreated";
/// Some of what describes it changed.
pub const UPDATED: &str = "DocumentUpdated";
/// It was archived, revoked, or is valid again.
pub const STATUS_CHANGED: &str = "DocumentStatusChanged";
/// A version of its file was added.
pub const VERSION_ADDED: &str = "DocumentVersionAdded";
/// A version of its file was taken out.
pub const VERSION_REMOVED: &str = "DocumentVersionRemoved";
/// Somebody looked at it or did something else with it.
pub const ACCESSED: &str = "DocumentAccessed";
/// The record of it was deleted.
pub const DELETED: &str = "DocumentDeleted";

/// The list of versions; each is named by `version_id`.
pub const VERSIONS: &str = "versions";

/// The Document aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .guarding(GUARDED)
    .listed(LISTING);

/// What a document says, and from where and with what somebody looked at it: for those whose role reaches its access level. Who
/// looked is told as who did anything is.
const GUARDED: &[&str] = &[
    "description",
    "file_url",
    "file_hash",
    "file_size_bytes",
    "metadata_json",
    VERSIONS,
    "version_label",
    "change_description",
    "ip_address",
    "user_agent",
    "extra",
];

/// The name of the search that looks into what a document says, too; the other is for those who may not read all of them.
pub const SEARCH_ALL: &str = "search_all";

/// The number of the order of documents by their end in [`LISTING`].
pub const BY_EXPIRATION: usize = 1;

const LISTING: Listing = Listing {
    keys: &["document_id"],
    filters: &[
        Filter::key("document_type"),
        Filter::by("status", view::listed_status),
        Filter::key("vehicle_id"),
        Filter::key("staff_id"),
        Filter::key("workshop_id"),
        Filter::key("work_order_id"),
        Filter::by("expires", view::expires),
    ],
    searches: &[
        Search::over("search", &["document_id", "title"]),
        Search::over(SEARCH_ALL, &["document_id", "title", "description"]),
    ],
    orders: &[
        Order::LATEST_CREATED,
        Order::by(OrderBy::Time("expiration_date")),
    ],
    row: view::row,
};

const ROW: &[Field] = &[
    short("document_id"),
    short("title"),
    word("document_type", TYPES),
    long("description"),
    long("file_url"),
    short("file_hash"),
    whole("file_size_bytes"),
    short("mime_type"),
    time("issue_date"),
    time("expiration_date"),
    whole("reminder_days_before"),
    word("status", STATUSES),
    reference("vehicle_id"),
    reference("staff_id"),
    reference("workshop_id"),
    reference("work_order_id"),
    json("tags_json"),
    json("metadata_json"),
    flag("is_public"),
    short("access_level"),
    CREATED_AT,
    UPDATED_AT,
    CREATED_BY,
    time("last_accessed_at"),
    reference("last_accessed_by"),
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "The document is known from here on.", ROW),
    EventSchema::new(UPDATED, "Some of what describes it changed.", ROW),
    EventSchema::new(
        STATUS_CHANGED,
        "It was archived, revoked, or is valid again.",
        &[
            Field::optional("old_status", SHORT).setting_nothing(),
            Field::required("new_status", Kind::OneOf(STATUSES)).setting("status"),
            REASON,
            UPDATED_AT,
        ],
    ),
    EventSchema::new(
        VERSION_ADDED,
        "A version of its file was added.",
        &[
            Field::required("version_id", SHORT),
            whole("version_number"),
            short("version_label"),
            long("change_description"),
            long("file_url"),
            short("file_hash"),
            whole("file_size_bytes"),
            CREATED_AT,
            CREATED_BY,
            EXTRA,
        ],
    )
    .putting_item(VERSIONS, "version_id"),
    EventSchema::new(
        VERSION_REMOVED,
        "A version of its file was taken out.",
        &[Field::required("version_id", SHORT), REASON],
    )
    .removing_item(VERSIONS, "version_id"),
    EventSchema::new(
        ACCESSED,
        "Somebody looked at it or did something else with it. The stream itself is the access log.",
        &[
            reference("access_id"),
            reference("accessed_by").setting("last_accessed_by"),
            short("access_type"),
            short("ip_address").personal(),
            long("user_agent").personal(),
            time("accessed_at").setting("last_accessed_at"),
            EXTRA,
        ],
    )
    .reporting(),
    EventSchema::new(DELETED, "The record of it was deleted.", &[REASON]),
];
