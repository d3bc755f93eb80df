//! The aggregates that tablets hold, as tables of the protocol. Numbers are never given anew.

use crdt::{EntityTable, FieldRow, Kind, ValueType};

use crate::{vehicle, work_order};

/// The field that says that the aggregate was deleted. It stays visible, so that what refers to it can say so.
pub const IS_DELETED: &str = "is_deleted";

const SHORT: ValueType = ValueType::Text { bytes_max: 4_000 };
const LONG: ValueType = ValueType::Text { bytes_max: 16_000 };
const COUNT: ValueType = ValueType::Int {
    min: 0,
    max: (1 << 53) - 1,
};

const fn last(number: u16, name: &'static str, of: ValueType) -> FieldRow {
    FieldRow::new(number, name, Kind::Lww(of))
}

/// A field under review: of concurrent changes all stay visible until somebody chooses.
const fn reviewed(number: u16, name: &'static str, of: ValueType) -> FieldRow {
    FieldRow::new(number, name, Kind::MultiValue(of))
}

/// A list whose items have names.
const fn items(number: u16, name: &'static str, items: &'static [FieldRow]) -> FieldRow {
    let key = SHORT;
    FieldRow::new(number, name, Kind::Map { key, items })
}

/// A vehicle. Its status is under review, its mileage only rises.
pub static VEHICLE: EntityTable = EntityTable::new(
    1,
    "Vehicle",
    "asset_id",
    &[
        reviewed(1, "status", ValueType::Enum(vehicle::STATUSES)),
        FieldRow::new(2, "current_mileage_km", Kind::Max),
        last(3, "model", SHORT),
        last(4, "manufacturer", SHORT),
        last(5, "current_location", SHORT),
        reviewed(6, "notes", LONG),
        last(7, "home_depot", SHORT),
        last(8, "total_operating_hours", COUNT),
        last(9, "type", SHORT),
        last(10, "year", COUNT),
        last(11, "last_service_date", SHORT),
        last(12, IS_DELETED, ValueType::Bool),
    ],
);

/// A work order. Its status is decided by the server alone, so it is no matter of review.
pub static WORK_ORDER: EntityTable = EntityTable::new(
    2,
    "WorkOrder",
    "work_order_id",
    &[
        last(1, "status", ValueType::Enum(work_order::STATUSES)),
        reviewed(2, "priority", SHORT),
        last(3, "vehicle_id", SHORT),
        last(4, "workshop_id", SHORT),
        last(5, "order_number", SHORT),
        last(6, "scheduled_start", SHORT),
        last(7, "scheduled_end", SHORT),
        last(8, "assigned_track", SHORT),
        last(9, "assigned_team", SHORT),
        reviewed(10, "actual_start", SHORT),
        reviewed(11, "actual_end", SHORT),
        reviewed(12, "work_description", LONG),
        reviewed(13, "work_performed", LONG),
        reviewed(14, "findings", LONG),
        FieldRow::new(15, "tasks", Kind::Set(SHORT)),
        reviewed(16, "estimated_cost", ValueType::Real),
        reviewed(17, "actual_cost", ValueType::Real),
        reviewed(18, "notes", LONG),
        last(19, "maintenance_type", SHORT),
        last(20, "requires_release", ValueType::Bool),
        FieldRow::new(21, "assigned_staff", Kind::Set(SHORT)),
        reviewed(22, "actual_hours", ValueType::Real),
        reviewed(23, "completion_notes", LONG),
        last(24, "released_at", SHORT),
        last(25, "released_by", SHORT),
        last(26, IS_DELETED, ValueType::Bool),
        items(
            27,
            work_order::schema::CHECKLIST,
            &[
                reviewed(1, "text", LONG),
                reviewed(2, "done", ValueType::Bool),
                reviewed(3, "done_at", SHORT),
                reviewed(4, "done_by", SHORT),
                reviewed(5, "measured", ValueType::Real),
                reviewed(6, "unit", SHORT),
                reviewed(7, "remark", LONG),
            ],
        ),
        items(
            28,
            work_order::schema::FINDING_ITEMS,
            &[
                reviewed(1, "text", LONG),
                reviewed(2, "severity", SHORT),
                reviewed(3, "component", SHORT),
                reviewed(4, "found_at", SHORT),
                reviewed(5, "found_by", SHORT),
                reviewed(6, "resolution", LONG),
                reviewed(7, "resolved_at", SHORT),
                reviewed(8, "resolved_by", SHORT),
            ],
        ),
        items(
            29,
            work_order::schema::NOTE_ITEMS,
            &[
                reviewed(1, "text", LONG),
                reviewed(2, "noted_at", SHORT),
                reviewed(3, "noted_by", SHORT),
            ],
        ),
        items(
            30,
            work_order::schema::USED_PARTS,
            &[
                reviewed(1, "part_no", SHORT),
                reviewed(2, "quantity", ValueType::Real),
                reviewed(3, "from_location_id", SHORT),
                reviewed(4, "used_at", SHORT),
                reviewed(5, "recorded_by", SHORT),
                reviewed(6, "remark", LONG),
                reviewed(7, "stock_move_id", SHORT),
            ],
        ),
    ],
);

/// A movement of stock: a fact once it is complete.
pub static STOCK_MOVE: EntityTable = EntityTable::new(
    3,
    "StockMove",
    "stock_move_id",
    &[
        FieldRow::new(1, "quantity", Kind::Counter),
        last(2, "move_type", SHORT),
        last(3, "part_no", SHORT),
        last(4, "from_location_id", SHORT),
        last(5, "to_location_id", SHORT),
        last(6, "work_order_id", SHORT),
        last(7, "reference_doc", SHORT),
        last(8, "notes", LONG),
        last(9, "performed_at", SHORT),
        last(10, "performed_by", SHORT),
        last(11, IS_DELETED, ValueType::Bool),
    ],
);

/// A part and how much there is of it. Tablets read it.
pub static PART: EntityTable = EntityTable::new(
    4,
    "Part",
    "part_no",
    &[
        last(1, "name", SHORT),
        last(2, "unit", SHORT),
        last(3, "railway_class", SHORT),
        FieldRow::new(4, "min_stock", Kind::Lww(COUNT)),
        FieldRow::new(5, "current_stock", Kind::Counter),
        last(6, "is_active", ValueType::Bool),
        last(7, IS_DELETED, ValueType::Bool),
    ],
);

/// A task that falls due. Tablets say that it is done, which the server decides, and describe it; the rest they read.
pub static MAINTENANCE_TASK: EntityTable = EntityTable::new(
    5,
    "MaintenanceTask",
    "maintenance_task_id",
    &[
        last(1, "vehicle_id", SHORT),
        last(2, "type", SHORT),
        last(3, "description", LONG),
        last(4, "due_date", SHORT),
        last(5, "due_mileage_km", COUNT),
        last(6, "is_completed", ValueType::Bool),
        last(7, "completed_at", SHORT),
        last(8, IS_DELETED, ValueType::Bool),
    ],
);

/// A train of vehicles from one place to another. Tablets read it.
pub static TRANSFER_PLAN: EntityTable = EntityTable::new(
    6,
    "TransferPlan",
    "transfer_plan_id",
    &[
        last(1, "plan_id", SHORT),
        last(2, "from_location", SHORT),
        last(3, "to_location", SHORT),
        last(4, "scheduled_departure_ts", SHORT),
        last(5, "scheduled_arrival_ts", SHORT),
        last(6, "actual_departure_ts", SHORT),
        last(7, "actual_arrival_ts", SHORT),
        last(8, "status", SHORT),
        last(9, "priority", SHORT),
        last(10, "route_notes", LONG),
        last(11, IS_DELETED, ValueType::Bool),
    ],
);

/// A vehicle of such a train. Tablets read it.
pub static TRANSFER_ASSIGNMENT: EntityTable = EntityTable::new(
    7,
    "TransferAssignment",
    "transfer_assignment_id",
    &[
        last(1, "transfer_plan_id", SHORT),
        last(2, "vehicle_id", SHORT),
        last(3, "position_in_convoy", COUNT),
        last(4, "driver_id", SHORT),
        last(5, "is_confirmed", SHORT),
        last(6, "confirmation_notes", LONG),
        last(7, IS_DELETED, ValueType::Bool),
    ],
);

/// Somebody on the staff, as far as it is nothing personal: what the log seals stays off tablets, which cannot be made to
/// forget. Tablets read it.
pub static STAFF: EntityTable = EntityTable::new(
    8,
    "Staff",
    "staff_uuid",
    &[
        last(1, "staff_id", SHORT),
        last(2, "role", SHORT),
        last(3, "status", SHORT),
        last(4, "home_depot", SHORT),
        last(5, "workshop_id", SHORT),
        last(6, "is_available", ValueType::Bool),
        last(7, IS_DELETED, ValueType::Bool),
    ],
);

/// Somebody's time, planned for an order or a train. Tablets read it.
pub static STAFF_ASSIGNMENT: EntityTable = EntityTable::new(
    9,
    "StaffAssignment",
    "staff_assignment_id",
    &[
        last(1, "staff_id", SHORT),
        last(2, "work_order_id", SHORT),
        last(3, "transfer_plan_id", SHORT),
        last(4, "scheduled_start_ts", SHORT),
        last(5, "scheduled_end_ts", SHORT),
        last(6, "status", SHORT),
        last(7, "role_on_assignment", SHORT),
        last(8, IS_DELETED, ValueType::Bool),
    ],
);

/// All of them, by number.
pub static TABLES: [&EntityTable; 9] = [
    &VEHICLE,
    &WORK_ORDER,
    &STOCK_MOVE,
    &PART,
    &MAINTENANCE_TASK,
    &TRANSFER_PLAN,
    &TRANSFER_ASSIGNMENT,
    &STAFF,
    &STAFF_ASSIGNMENT,
];

/// The schema that a client of these tables speaks.
pub const SCHEMA_NUMBER: u16 = 2;

/// The highest table that a client of a schema knows: its decoder cannot pass over entities of any other.
pub const fn last_table_of(schema: u16) -> u16 {
    match schema {
        0 | 1 => 5,
        _ => 9,
    }
}

/// The table of an aggregate type; spellings of the old documents (`vehicle`, `work_order`) are taken too.
pub fn table_of(entity_type: &str) -> Option<&'static EntityTable> {
    let plain = |text: &str| text.replace('_', "").to_ascii_lowercase();
    let named = TABLES.iter().find(|table| table.name == entity_type);
    let named = named.or_else(|| {
        TABLES
            .iter()
            .find(|table| plain(table.name) == plain(entity_type))
    });
    named.copied()
}
