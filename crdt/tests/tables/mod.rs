//! Tables of the tests and examples: the shape of the fleet's entities, every kind of field included.

use crdt::{EntityTable, FieldRow, Kind, ValueType};

const TEXT: ValueType = ValueType::Text { bytes_max: 200 };
const STATUS: ValueType = ValueType::Enum(&[
    "available",
    "in_service",
    "in_workshop",
    "out_of_service",
    "retired",
]);
const ORDER_STATUS: ValueType = ValueType::Enum(&[
    "draft",
    "scheduled",
    "in_progress",
    "completed",
    "cancelled",
]);
const PRIORITY: ValueType = ValueType::Enum(&["low", "medium", "high", "urgent"]);

/// A locomotive.
pub static VEHICLE: EntityTable = EntityTable::new(
    1,
    "Vehicle",
    "asset_id",
    &[
        FieldRow::new(1, "status", Kind::MultiValue(STATUS)),
        FieldRow::new(2, "current_mileage", Kind::Max),
        FieldRow::new(3, "model", Kind::Lww(TEXT)),
        FieldRow::new(4, "manufacturer", Kind::Lww(TEXT)),
        FieldRow::new(5, "location", Kind::Lww(TEXT)),
        FieldRow::new(6, "safety_hold", Kind::Flag),
    ],
);

/// A work order with what a technician writes under the locomotive.
pub static WORK_ORDER: EntityTable = EntityTable::new(
    2,
    "WorkOrder",
    "work_order_id",
    &[
        FieldRow::new(1, "status", Kind::MultiValue(ORDER_STATUS)),
        FieldRow::new(2, "priority", Kind::MultiValue(PRIORITY)),
        FieldRow::new(
            3,
            "actual_start",
            Kind::Lww(ValueType::Int {
                min: 0,
                max: 1 << 48,
            }),
        ),
        FieldRow::new(
            4,
            "actual_end",
            Kind::Lww(ValueType::Int {
                min: 0,
                max: 1 << 48,
            }),
        ),
        FieldRow::new(5, "tasks", Kind::Set(TEXT)),
        FieldRow::new(
            6,
            "checklist",
            Kind::Map {
                key: ValueType::Int {
                    min: 0,
                    max: 10_000,
                },
                items: &[
                    FieldRow::new(1, "text", Kind::MultiValue(TEXT)),
                    FieldRow::new(2, "done", Kind::MultiValue(ValueType::Bool)),
                    FieldRow::new(4, "measured", Kind::MultiValue(ValueType::Real)),
                ],
            },
        ),
        FieldRow::new(7, "findings", Kind::Set(ValueType::Any)),
        FieldRow::new(8, "notes", Kind::Set(TEXT)),
        FieldRow::new(10, "used_parts", Kind::Counter),
        FieldRow::new(40, "photos", Kind::GrowCounter),
    ],
);

/// A movement of stock.
pub static STOCK_MOVE: EntityTable = EntityTable::new(
    3,
    "StockMove",
    "stock_move_id",
    &[
        FieldRow::new(1, "quantity", Kind::Counter),
        FieldRow::new(2, "move_type", Kind::Lww(TEXT)),
        FieldRow::new(3, "part_no", Kind::Lww(TEXT)),
        FieldRow::new(4, "location_id", Kind::Lww(ValueType::Any)),
    ],
);

/// All of them.
pub static TABLES: [&EntityTable; 3] = [&VEHICLE, &WORK_ORDER, &STOCK_MOVE];
