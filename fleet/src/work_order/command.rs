//! What a work order can be asked for, and the tables of the bodies that become such commands
//! ([`parse`](crate::schema::body::parse)).

use serde_json::{Map, Value};

use super::{PRIORITIES, SEVERITIES, STATUSES};
use crate::schema::body::read_only;
use crate::schema::{Field, Kind};

const NAMES: Kind = Kind::List(&Kind::text(500));
const COST: Kind = Kind::Number {
    min: 0.0,
    max: 1e12,
};
const HOURS: Kind = Kind::Number { min: 0.0, max: 1e6 };
const REMARK: Kind = Kind::text(1_000);
const REPORT: Kind = Kind::text(2_000);
const REFERENCE: Kind = Kind::name(255);
const CODE: Kind = Kind::text(50);

/// A command on a work order. Fields are those of its table, checked.
#[derive(Clone, PartialEq, Debug)]
pub enum WorkOrderCommand {
    /// Come into being under this number.
    Create {
        /// Its business key, `WO-2026-0001`.
        order_number: String,
        /// Of [`CREATE`].
        fields: Map<String, Value>,
    },
    /// Change these fields. A `status` among them is a step, `reason` says why it is taken, `mileage_km` what the
    /// odometer shows.
    Change {
        /// Of [`CHANGE`].
        fields: Map<String, Value>,
    },
    /// Let the vehicle back into service.
    Release {
        /// Of [`RELEASE`].
        fields: Map<String, Value>,
    },
    /// Write an item of the checklist, or change or tick one.
    SetChecklistItem {
        /// Which; a new one's is the caller's to make.
        item_id: String,
        /// Of [`CHECKLIST_ITEM`].
        fields: Map<String, Value>,
    },
    /// Take an item out of the checklist.
    RemoveChecklistItem {
        /// Which.
        item_id: String,
    },
    /// Take in what was found.
    RecordFinding {
        /// A new name.
        finding_id: String,
        /// Of [`FINDING`].
        fields: Map<String, Value>,
    },
    /// Take in what became of a finding.
    ResolveFinding {
        /// Which.
        finding_id: String,
        /// Of [`RESOLUTION`].
        fields: Map<String, Value>,
    },
    /// Add a note.
    AddNote {
        /// A new name.
        note_id: String,
        /// Of [`NOTE`].
        fields: Map<String, Value>,
    },
    /// Take in that a part was used; the stock move is the caller's to append beside it.
    UsePart {
        /// A new name.
        usage_id: String,
        /// Of [`PART_USE`], with `unit_price` and `stock_move_id` where they are known.
        fields: Map<String, Value>,
    },
}

/// What a plan says; the same for a new order and for one that is changed.
const PRIORITY: Field = Field::optional("priority", Kind::OneOf(PRIORITIES)).never_null();
const WORKSHOP: Field = Field::optional("workshop_id", REFERENCE);
const SCHEDULED_START: Field = Field::optional("scheduled_start", Kind::Time);
const SCHEDULED_END: Field = Field::optional("scheduled_end", Kind::Time);
const TRACK: Field = Field::optional("assigned_track", CODE);
const TEAM: Field = Field::optional("assigned_team", Kind::text(100));
const DESCRIPTION: Field = Field::optional("work_description", REMARK);
const TASKS: Field = Field::optional("tasks", NAMES);
const ESTIMATED_COST: Field = Field::optional("estimated_cost", COST);
const ESTIMATED_HOURS: Field = Field::optional("estimated_hours", HOURS);
const NOTES: Field = Field::optional("notes", REMARK);
const TYPE: Field = Field::optional(
    "maintenance_type",
    Kind::OneOf(crate::maintenance_task::TYPES),
);
const REQUIRES_RELEASE: Field = Field::optional("requires_release", Kind::Boolean).never_null();
const DURATION: Field = Field::optional("duration_min", Kind::count());
const SKILLS: Field = Field::optional("required_skills", NAMES);
const PARTS: Field = Field::optional("required_parts", Kind::Any);
const INCOMPATIBLE: Field = Field::optional("incompatible_assets", NAMES);
const EARLIEST: Field = Field::optional("earliest_start_ts", Kind::Time);
const LATEST: Field = Field::optional("latest_end_ts", Kind::Time);
const DEADLINE: Field = Field::optional("hard_deadline_ts", Kind::Time);
const STAFF: Field = Field::optional("assigned_staff", NAMES);

/// The body of a new order.
pub const CREATE: &[Field] = &[
    Field::required("vehicle_id", REFERENCE),
    WORKSHOP,
    PRIORITY,
    SCHEDULED_START,
    SCHEDULED_END,
    TRACK,
    TEAM,
    DESCRIPTION,
    TASKS,
    ESTIMATED_COST,
    ESTIMATED_HOURS,
    NOTES,
    TYPE,
    REQUIRES_RELEASE,
    DURATION,
    SKILLS,
    PARTS,
    INCOMPATIBLE,
    EARLIEST,
    LATEST,
    DEADLINE,
    STAFF,
    Field::optional("status", Kind::OneOf(STATUSES)).never_null(),
];

/// The body of a change; what is absent stays.
pub const CHANGE: &[Field] = &[
    Field::optional("status", Kind::OneOf(STATUSES)).never_null(),
    WORKSHOP,
    PRIORITY,
    SCHEDULED_START,
    SCHEDULED_END,
    TRACK,
    TEAM,
    DESCRIPTION,
    TASKS,
    ESTIMATED_COST,
    ESTIMATED_HOURS,
    NOTES,
    TYPE,
    REQUIRES_RELEASE,
    DURATION,
    SKILLS,
    PARTS,
    INCOMPATIBLE,
    EARLIEST,
    LATEST,
    DEADLINE,
    STAFF,
    Field::optional("actual_start", Kind::Time),
    Field::optional("actual_end", Kind::Time),
    Field::optional("work_performed", REPORT),
    Field::optional("findings", REPORT),
    Field::optional("actual_cost", COST),
    Field::optional("actual_hours", HOURS),
    Field::optional("completion_notes", REPORT),
    Field::optional("reason", REMARK),
    Field::optional("mileage_km", Kind::count()),
    // What a client sends back that read the row before.
    read_only("id"),
    read_only("order_number"),
    read_only("vehicle_id"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("released_at"),
    read_only("released_by"),
    read_only("release_notes"),
    read_only("checklist"),
    read_only("finding_items"),
    read_only("note_items"),
    read_only("used_parts"),
    read_only("assignments"),
    read_only("version"),
    read_only("position"),
];

/// The body of a release.
pub const RELEASE: &[Field] = &[
    Field::optional("notes", REPORT),
    Field::optional("released_at", Kind::Time),
];

/// The body of a checklist item: a new one needs a text, one that is changed keeps what is not sent.
pub const CHECKLIST_ITEM: &[Field] = &[
    Field::optional("text", Kind::name(500)).never_null(),
    Field::optional("done", Kind::Boolean).never_null(),
    Field::optional(
        "measured",
        Kind::Number {
            min: -1e12,
            max: 1e12,
        },
    ),
    Field::optional("unit", Kind::text(50)),
    Field::optional("remark", REMARK),
];

/// The body of a finding.
pub const FINDING: &[Field] = &[
    Field::required("text", Kind::name(2_000)),
    Field::optional("severity", Kind::OneOf(SEVERITIES)).never_null(),
    Field::optional("component", Kind::text(255)),
    Field::optional("found_at", Kind::Time).never_null(),
];

/// The body of what became of a finding.
pub const RESOLUTION: &[Field] = &[Field::required("resolution", Kind::name(2_000))];

/// The body of a note.
pub const NOTE: &[Field] = &[Field::required("text", Kind::name(2_000))];

/// The body of a part that was used.
pub const PART_USE: &[Field] = &[
    Field::required("part_no", Kind::name(100)),
    Field::required(
        "quantity",
        Kind::Integer {
            min: 1,
            max: 1_000_000_000,
        },
    ),
    Field::optional("from_location_id", REFERENCE),
    Field::optional("remark", Kind::text(500)),
];
