//! Parts and what happened to them.

use super::{Table, modelled, money, scripted, sent, text, time, truth, uuid, whole};

pub(crate) const PART_INVENTORY: Table = modelled(
    "part_inventory",
    &[
        uuid("id"),
        text("part_no"),
        text("name"),
        text("railway_class"),
        text("unit"),
        whole("min_stock"),
        whole("current_stock"),
        uuid("preferred_supplier_id"),
        money("unit_price"),
        truth("is_active"),
        time("created_at"),
        time("updated_at"),
    ],
    &["part_no"],
)
.not_fleet_one(
    &["quantity_available", "quantity_reserved", "last_restocked"],
    "current_stock",
);

pub(crate) const PART_AVAILABILITY: Table = scripted(
    "part_availability",
    &[
        uuid("id"),
        text("part_no"),
        whole("available_qty"),
        sent("available_from_ts"),
        text("location"),
        uuid("reservation_work_order_id"),
        time("created_at"),
    ],
    &["part_no"],
);

pub(crate) const USED_PARTS: Table = modelled(
    "used_parts",
    &[
        uuid("id"),
        uuid("work_order_id"),
        text("part_no"),
        whole("quantity_used"),
        money("unit_price"),
        time("used_at"),
        uuid("recorded_by"),
        text("notes"),
    ],
    &["part_no", "quantity_used"],
);

pub(crate) const STOCK_LOCATIONS: Table = modelled(
    "stock_locations",
    &[
        uuid("id"),
        text("location_code"),
        text("name"),
        text("location_type"),
        uuid("workshop_id"),
        text("address"),
        truth("is_active"),
        time("created_at"),
        time("updated_at"),
    ],
    &["location_code"],
);

pub(crate) const STOCK_MOVES: Table = modelled(
    "stock_moves",
    &[
        uuid("id"),
        text("part_no"),
        text("move_type"),
        whole("quantity"),
        uuid("from_location_id"),
        uuid("to_location_id"),
        uuid("work_order_id"),
        text("reference_doc"),
        money("unit_price"),
        uuid("performed_by"),
        time("performed_at"),
        text("notes"),
    ],
    &["part_no", "move_type", "quantity"],
);
