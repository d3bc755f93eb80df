//! The table of a work order's events.

use super::{AGGREGATE_TYPE, STATUSES, view};
use crate::listing::{Filter, Listing, Order, Search};
use crate::schema::row::{
    CREATED_AT, CREATED_BY, EXTRA, REASON, SHORT, UPDATED_AT, flag, json, long, money, real,
    reference, short, time, whole,
};
use crate::schema::{AggregateSchema, Constant, EventSchema, Field, Kind, Spelling};

/// The order exists from here on.
pub const CREATED: &str = "WorkOrderCreated";
/// Some of what describes or plans it changed.
pub const UPDATED: &str = "WorkOrderUpdated";
/// It took another step: planned, begun, called off, taken up again.
pub const STATUS_CHANGED: &str = "WorkOrderStatusChanged";
/// The work is done.
pub const COMPLETED: &str = "WorkOrderCompleted";
/// Somebody who may do so let the vehicle back into service after it.
pub const RELEASED: &str = "WorkOrderReleased";
/// A planner put it on a track with a team.
pub const ASSIGNED: &str = "WorkOrderAssigned";
/// Such an assignment was taken back.
pub const UNASSIGNED: &str = "WorkOrderUnassigned";
/// An item of its checklist was written or ticked.
pub const CHECKLIST_ITEM_SET: &str = "WorkOrderChecklistItemSet";
/// An item of its checklist was taken out.
pub const CHECKLIST_ITEM_REMOVED: &str = "WorkOrderChecklistItemRemoved";
/// Something was found while working.
pub const FINDING_RECORDED: &str = "WorkOrderFindingRecorded";
/// A finding was dealt with.
pub const FINDING_RESOLVED: &str = "WorkOrderFindingResolved";
/// A note was added.
pub const NOTE_ADDED: &str = "WorkOrderNoteAdded";
/// A part was used.
pub const PART_USED: &str = "WorkOrderPartUsed";
/// The record of it was deleted.
pub const DELETED: &str = "WorkOrderDeleted";

/// The list of checklist items; each is named by `item_id`.
pub const CHECKLIST: &str = "checklist";
/// The list of findings; each is named by `finding_id`. (`findings` is the row's free text.)
pub const FINDING_ITEMS: &str = "finding_items";
/// The list of notes; each is named by `note_id`. (`notes` is the row's free text.)
pub const NOTE_ITEMS: &str = "note_items";
/// The list of parts used; each is named by `usage_id`.
pub const USED_PARTS: &str = "used_parts";
/// The list of planners' assignments; each is named by `assignment_id`.
pub const ASSIGNMENTS: &str = "assignments";

/// The WorkOrder aggregate.
pub const SCHEMA: AggregateSchema = AggregateSchema::new(AGGREGATE_TYPE, EVENTS)
    .spelled(&[
        Spelling::new("description", "work_description"),
        Spelling::new("parts_required", "required_parts"),
        Spelling::new("actual_start_ts", "actual_start"),
        Spelling::new("actual_end_ts", "actual_end"),
    ])
    .listed(LISTING);

const LISTING: Listing = Listing {
    keys: &["order_number"],
    filters: &[
        Filter::by("status", view::listed_status),
        Filter::by("priority", view::listed_priority),
        Filter::key("vehicle_id"),
        Filter::key("workshop_id"),
        Filter::by("open_at_workshop", view::open_at_workshop),
        Filter::by("open_on_vehicle", view::open_on_vehicle),
        Filter::by("waits_for_release", view::waits_for_release),
    ],
    searches: &[Search::over(
        "search",
        &["order_number", "work_description"],
    )],
    orders: &[Order::NEWEST],
    row: view::row,
};

const STATUS: Field = Field::optional("status", Kind::OneOf(STATUSES)).never_null();
const OLD_STATUS: Field = Field::optional("old_status", SHORT).setting_nothing();

/// What the vehicle's odometer showed; the reading itself is the vehicle's.
const MILEAGE_THEN: Field = whole("mileage_km").setting_nothing();

const ROW: &[Field] = &[
    short("order_number"),
    reference("vehicle_id"),
    reference("workshop_id"),
    STATUS,
    short("priority"),
    time("scheduled_start"),
    time("scheduled_end"),
    short("assigned_track"),
    short("assigned_team"),
    time("actual_start"),
    time("actual_end"),
    long("work_description"),
    long("work_performed"),
    long("findings"),
    json("tasks"),
    real("estimated_cost"),
    real("actual_cost"),
    long("notes"),
    short("maintenance_type"),
    flag("requires_release"),
    json("assigned_staff"),
    real("estimated_hours"),
    real("actual_hours"),
    whole("duration_min"),
    json("required_skills"),
    json("required_parts"),
    json("incompatible_assets"),
    time("earliest_start_ts"),
    time("latest_end_ts"),
    time("hard_deadline_ts"),
    CREATED_AT,
    UPDATED_AT,
    CREATED_BY,
    EXTRA,
];

const EVENTS: &[EventSchema] = &[
    EventSchema::new(CREATED, "The order exists from here on.", ROW),
    EventSchema::new(UPDATED, "Some of what describes or plans it changed.", ROW),
    EventSchema::new(
        STATUS_CHANGED,
        "It took another step: planned, begun, called off, taken up again.",
        &[
            OLD_STATUS,
            Field::required("new_status", Kind::OneOf(STATUSES)).setting("status"),
            REASON,
            time("scheduled_start"),
            time("scheduled_end"),
            time("actual_start"),
            time("actual_end"),
            MILEAGE_THEN,
            UPDATED_AT,
        ],
    )
    .spelled(&[Spelling::new("status", "new_status")]),
    EventSchema::new(
        COMPLETED,
        "The work is done.",
        &[
            OLD_STATUS,
            Field::optional("new_status", Kind::OneOf(STATUSES))
                .never_null()
                .setting("status"),
            time("actual_start"),
            time("actual_end"),
            real("actual_cost"),
            real("actual_hours"),
            long("work_performed"),
            long("findings"),
            long("completion_notes"),
            MILEAGE_THEN,
            UPDATED_AT,
        ],
    )
    .implying(&[("status", Constant::Text("completed"))])
    .spelled(&[
        Spelling::new("status", "new_status"),
        Spelling::new("completed_at", "actual_end"),
    ]),
    EventSchema::new(
        RELEASED,
        "Somebody who may do so let the vehicle back into service after it.",
        &[
            time("released_at"),
            reference("released_by"),
            long("release_notes"),
            UPDATED_AT,
        ],
    ),
    EventSchema::new(
        ASSIGNED,
        "A planner put it on a track with a team, or changed that assignment.",
        &[
            Field::required("assignment_id", SHORT),
            reference("solution_id"),
            reference("track_id"),
            reference("team_id"),
            time("scheduled_start_ts"),
            time("scheduled_end_ts"),
            whole("start_slot"),
            whole("end_slot"),
            short("status"),
            CREATED_AT,
            CREATED_BY,
            EXTRA,
        ],
    )
    .putting_item(ASSIGNMENTS, "assignment_id"),
    EventSchema::new(
        UNASSIGNED,
        "Such an assignment was taken back.",
        &[Field::required("assignment_id", SHORT), REASON],
    )
    .removing_item(ASSIGNMENTS, "assignment_id"),
    EventSchema::new(
        CHECKLIST_ITEM_SET,
        "An item of its checklist was written or ticked.",
        &[
            Field::required("item_id", SHORT),
            long("text"),
            flag("done"),
            time("done_at"),
            reference("done_by"),
            real("measured"),
            short("unit"),
            long("remark"),
        ],
    )
    .putting_item(CHECKLIST, "item_id"),
    EventSchema::new(
        CHECKLIST_ITEM_REMOVED,
        "An item of its checklist was taken out.",
        &[Field::required("item_id", SHORT), REASON],
    )
    .removing_item(CHECKLIST, "item_id"),
    EventSchema::new(
        FINDING_RECORDED,
        "Something was found while working.",
        &[
            Field::required("finding_id", SHORT),
            long("text"),
            short("severity"),
            short("component"),
            time("found_at"),
            reference("found_by"),
        ],
    )
    .putting_item(FINDING_ITEMS, "finding_id"),
    EventSchema::new(
        FINDING_RESOLVED,
        "A finding was dealt with.",
        &[
            Field::required("finding_id", SHORT),
            long("resolution"),
            time("resolved_at"),
            reference("resolved_by"),
        ],
    )
    .putting_item(FINDING_ITEMS, "finding_id"),
    EventSchema::new(
        NOTE_ADDED,
        "A note was added.",
        &[
            Field::required("note_id", SHORT),
            long("text"),
            time("noted_at"),
            reference("noted_by"),
        ],
    )
    .putting_item(NOTE_ITEMS, "note_id"),
    EventSchema::new(
        PART_USED,
        "A part was used; the stock move beside it took it from the shelf.",
        &[
            Field::required("usage_id", SHORT),
            reference("part_no"),
            real("quantity"),
            money("unit_price"),
            reference("stock_move_id"),
            reference("from_location_id"),
            time("used_at"),
            reference("recorded_by"),
            long("remark"),
        ],
    )
    .putting_item(USED_PARTS, "usage_id"),
    EventSchema::new(DELETED, "The record of it was deleted.", &[REASON]),
];
