//! The shapes of sync, for the API's description.

use serde_json::Value;
use utoipa::ToSchema;

/// A device to register.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct DeviceRegistration {
    /// What it names itself by, for ever.
    device_id: String,
    device_name: String,
    /// `tablet`, `mobile`, `desktop`, `workshop_terminal` …
    device_type: String,
    platform: Option<String>,
    app_version: Option<String>,
    capabilities: Option<Value>,
    /// The most that it may do; default and limit is the caller's own role.
    role: Option<String>,
    /// What it is shown: `{"depot": …, "workshop": …, "assigned_orders": true}`; default all.
    scope: Option<Value>,
}

/// A device.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Device {
    device_id: String,
    device_name: String,
    device_type: String,
    platform: Option<String>,
    app_version: Option<String>,
    capabilities: Value,
    /// For whom it acts.
    user_id: String,
    role: Option<String>,
    scope: Option<Value>,
    is_active: bool,
    is_offline: bool,
    registered_at: String,
    token_expires_at: Option<String>,
    last_sync_at: Option<String>,
    /// Its number in the protocol; 0 before it had a token.
    device_number: u32,
}

/// A device with its token.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct RegisteredDevice {
    device_id: String,
    device_name: String,
    registered_at: String,
    is_active: bool,
    /// Opens the routes of sync. Shown this once.
    device_token: String,
    /// `bearer`.
    token_type: String,
    token_expires_at: String,
    device_number: u32,
    role: String,
    scope: Value,
    position: u64,
}

/// A page of devices.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct DeviceList {
    /// How many there are in all pages.
    total: u64,
    devices: Vec<Device>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}

/// Whether a device said that it is offline.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct OfflineStatus {
    device_id: String,
    is_offline: bool,
    updated_at: String,
}

/// What a device pushes. One of the lists.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Push {
    /// The device, where a person asks.
    device_id: Option<String>,
    /// What the device has seen: `next_cursor` of its last pull.
    cursor: Option<String>,
    operations: Option<Vec<Operation>>,
    /// Whole states: `{entity_type, entity_id, device_id, vector_clock, crdt_data, tombstone}`.
    states: Option<Vec<Value>>,
    /// As in the documents: `{aggregate_type, aggregate_id, crdt_type, state, vector_clock}`.
    changes: Option<Vec<Value>>,
    /// As in Phase 2: `{id, source_role, entity_type, entity_id, field_changes, timestamp}`.
    events: Option<Vec<Value>>,
}

/// One operation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Operation {
    /// The client's own name for it, the same however often it is sent.
    id: String,
    /// `Vehicle`, `WorkOrder`, `StockMove`.
    entity_type: String,
    /// The aggregate's id, UUID or business key.
    entity_id: String,
    field: String,
    /// `set`, `clear`, `add`, `raise`, `correct`, `insert`, `remove`, `put`, `drop`, `create`; default by the field's kind.
    op: Option<String>,
    value: Option<Value>,
    /// Which item of a list.
    key: Option<Value>,
    /// Which field of the item; none where `value` is an object of them.
    item_field: Option<String>,
    /// When, by the device's clock.
    timestamp: Option<String>,
}

/// What became of an operation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct OperationResult {
    id: String,
    /// `applied`, `merged`, `duplicate`, `rejected`.
    status: String,
    /// A stable word, where there is more to say.
    reason: Option<String>,
    /// The same for a person.
    detail: Option<String>,
    /// Where the log has it.
    position: Option<u64>,
    /// The field as it is now, with its author and what else was written at the same time.
    state: Value,
}

/// What became of a push.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct PushAnswer {
    device_id: String,
    results: Vec<OperationResult>,
    applied_count: u64,
    merged_count: u64,
    duplicate_count: u64,
    rejected_count: u64,
    /// Conflicts that were opened.
    conflict_count: u64,
}

/// A page of what changed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct PullPage {
    /// `{entity_type, entity_id, position, fields}`; of fields those that changed.
    states: Vec<Value>,
    total_count: u64,
    /// What the device must drop.
    deleted: Vec<Value>,
    /// Whether to pull again at once.
    has_more: bool,
    next_cursor: String,
    /// The log's head when the page was made.
    head: u64,
    /// Everything that lives, for a device that was away for too long: it drops what is not listed.
    manifest: Option<Vec<Value>>,
}

/// A push's answer and a page in one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct SyncAnswer {
    results: Vec<OperationResult>,
    states: Vec<Value>,
    has_more: bool,
    next_cursor: String,
}

/// How sync stands.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct SyncStatus {
    enabled: bool,
    /// The position that everything is folded up to.
    head: u64,
    /// What every device that counts has.
    stable: u64,
    /// Markers of removals at or below this are gone.
    floor: u64,
    entities: u64,
    device_count: u64,
    active_device_count: u64,
    /// Each with its lag: entities that changed since its view was whole.
    devices: Vec<Value>,
}

/// What a device pushed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct SessionList {
    device_id: String,
    sessions: Vec<Value>,
    count: u64,
}

/// What a compaction came to.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Compaction {
    /// Whether anything was dropped.
    compacted: bool,
    floor: u64,
    head: u64,
    /// Devices that do not count any more.
    expired: Vec<String>,
    /// Devices that hold up the next one.
    waiting_for: Vec<String>,
    /// Parts that went back from devices which did not come back in time.
    leases_returned: Vec<ReturnedLease>,
}

/// Parts that went back from a device.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ReturnedLease {
    device_id: String,
    part_no: String,
    quantity: i64,
    /// Where they were given from; null where no place is known, so that they are still with the device.
    location_id: Option<String>,
}

/// Parts to give to a tablet, or to take back.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Lease {
    device_id: String,
    part_no: String,
    /// At least 1.
    quantity: u64,
    /// Where they come from or go to: UUID or code; none where the part lies at no known place.
    location_id: Option<String>,
}

/// What a tablet has of a part.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct LeaseHeld {
    device_id: String,
    part_no: String,
    quantity: i64,
    /// The place of its leases.
    location_id: String,
    position: u64,
}

/// What a tablet has.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct LeaseList {
    device_id: String,
    location_id: Option<String>,
    leases: Vec<Value>,
    position: u64,
}
