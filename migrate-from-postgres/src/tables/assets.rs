//! Workshops, vehicles and the work on them.

use super::words::*;
use super::{Column, Kind, Table, json, modelled, of, real, sent, text, time, truth, uuid, whole};

pub(crate) const WORKSHOPS: Table = modelled(
    "workshops",
    &[
        uuid("id"),
        text("code"),
        text("name"),
        text("location"),
        text("contact_person"),
        text("phone"),
        text("email"),
        whole("total_tracks"),
        whole("available_tracks"),
        truth("is_ecm_certified"),
        json("specializations"),
        json("supported_vehicle_types"),
        real("rating"),
        whole("total_completed_orders"),
        truth("is_active"),
        text("notes"),
        time("created_at"),
        time("updated_at"),
    ],
    &["code"],
);

pub(crate) const VEHICLES: Table = modelled(
    "vehicles",
    &[
        uuid("id"),
        text("asset_id"),
        text("model"),
        of("type", Kind::Word(VEHICLE_TYPES)),
        text("manufacturer"),
        whole("year"),
        of("status", Kind::Word(VEHICLE_STATUSES)),
        whole("max_speed_kmh"),
        whole("power_kw"),
        real("weight_tons"),
        whole("current_mileage_km"),
        whole("total_operating_hours"),
        text("current_location"),
        text("home_depot"),
        text("notes"),
        json("specifications"),
        time("created_at"),
        time("updated_at"),
        sent("last_service_date"),
    ],
    &["asset_id"],
);

pub(crate) const MAINTENANCE_TASKS: Table = modelled(
    "maintenance_tasks",
    &[
        uuid("id"),
        uuid("vehicle_id"),
        of("type", Kind::Code(MAINTENANCE_TYPES)),
        text("description"),
        sent("due_date"),
        whole("due_mileage_km"),
        truth("is_overdue"),
        truth("is_completed"),
        sent("completed_at"),
        time("created_at"),
        time("updated_at"),
    ],
    &["vehicle_id"],
);

/// The last seven but the two times are there only where the first SQL file ran.
const WORK_ORDER_COLUMNS: &[Column] = &[
    uuid("id"),
    text("order_number"),
    uuid("vehicle_id"),
    uuid("workshop_id"),
    of("status", Kind::Word(WORK_ORDER_STATUSES)),
    of("priority", Kind::Word(WORK_ORDER_PRIORITIES)),
    sent("scheduled_start"),
    sent("scheduled_end"),
    text("assigned_track"),
    text("assigned_team"),
    sent("actual_start"),
    sent("actual_end"),
    text("work_description"),
    text("work_performed"),
    text("findings"),
    json("tasks"),
    real("estimated_cost"),
    real("actual_cost"),
    text("notes"),
    whole("duration_min"),
    json("required_skills"),
    json("required_parts"),
    json("incompatible_assets"),
    sent("earliest_start_ts"),
    sent("latest_end_ts"),
    sent("hard_deadline_ts"),
    time("created_at"),
    time("updated_at"),
];

pub(crate) const WORK_ORDERS: Table = modelled(
    "work_orders",
    WORK_ORDER_COLUMNS,
    &["order_number", "vehicle_id", "status"],
);
