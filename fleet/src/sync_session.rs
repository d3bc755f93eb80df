//! The SyncSession aggregate: what a device pushed, in the order it came, and what became of it where no other stream says
//! so. Only the server writes it. The aggregate id is the device's.
//!
//! Its events are reports: they set nothing, so a stream of any length costs its read model nothing.

use crate::schema::row::{flag, json, long, reference, short, time, whole};
use crate::schema::{AggregateSchema, EventSchema, Field};

/// The aggregate type of what devices pushed.
pub const AGGREGATE_TYPE: &str = "SyncSession";
/// The stream in which compactions are told.
pub const COMPACTIONS: &str = "(compaction)";

/// A push came and was judged.
pub const SYNC_PUSHED: &str = "SyncPushed";
/// An operation was refused. Its content is kept here.
pub const SYNC_OPERATION_REFUSED: &str = "SyncOperationRefused";
/// An operation waits for a person to look at it.
pub const SYNC_OPERATION_HELD: &str = "SyncOperationHeld";
/// An operation was taken in and changed nothing that others see: what it says was so, or is not complete yet.
pub const SYNC_OPERATION_NOTED: &str = "SyncOperationNoted";
/// Markers of removals that every device knows were dropped.
pub const SYNC_COMPACTED: &str = "SyncCompacted";
/// A device was not seen for too long: it does not hold up compaction any more. It may come back.
pub const SYNC_DEVICE_EXPIRED: &str = "SyncDeviceExpired";
/// Something was refused that no honest device sends.
pub const SYNC_REFUSED: &str = "SyncRefused";

/// What is told of an operation.
const OPERATION: &[Field] = &[
    short("operation_id"),
    reference("entity_type"),
    reference("entity_id"),
    short("field"),
    json("change"),
    time("timestamp"),
    short("reason"),
    long("detail"),
    reference("user_id"),
];

/// The SyncSession aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS).internal();

const EVENTS: &[EventSchema] = &[
    EventSchema::new(
        SYNC_PUSHED,
        "A push came and was judged.",
        &[
            short("session_id"),
            short("sync_type"),
            whole("entities_synced"),
            whole("operations"),
            whole("applied"),
            whole("merged"),
            whole("rejected"),
            whole("conflicts"),
            short("status"),
            time("started_at"),
            time("completed_at"),
            reference("user_id"),
        ],
    )
    .reporting(),
    EventSchema::new(
        SYNC_OPERATION_REFUSED,
        "An operation was refused. Its content is kept here.",
        OPERATION,
    )
    .reporting(),
    EventSchema::new(
        SYNC_OPERATION_HELD,
        "An operation waits for a person to look at it.",
        OPERATION,
    )
    .reporting(),
    EventSchema::new(
        SYNC_OPERATION_NOTED,
        "An operation was taken in and changed nothing that others see.",
        OPERATION,
    )
    .reporting(),
    EventSchema::new(
        SYNC_COMPACTED,
        "Markers of removals that every device knows were dropped.",
        &[whole("horizon"), reference("user_id")],
    )
    .reporting(),
    EventSchema::new(
        SYNC_DEVICE_EXPIRED,
        "A device was not seen for too long.",
        &[whole("device_number"), flag("revoked")],
    )
    .reporting(),
    EventSchema::new(
        SYNC_REFUSED,
        "Something was refused that no honest device sends.",
        &[short("code"), long("detail"), whole("count")],
    )
    .reporting(),
];
