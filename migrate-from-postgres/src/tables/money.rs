//! What is bought, what it costs, and who pays.

use super::words::*;
use super::{Kind, Table, modelled, money, of, sent, text, time, truth, uuid, whole};

pub(crate) const SUPPLIERS: Table = modelled(
    "suppliers",
    &[
        uuid("id"),
        text("supplier_code"),
        text("name"),
        text("contact_person"),
        text("email"),
        text("phone"),
        text("address"),
        text("vat_id"),
        text("payment_terms"),
        text("currency"),
        truth("is_active"),
        text("notes"),
        time("created_at"),
        time("updated_at"),
    ],
    &["supplier_code"],
)
.not_fleet_one(&["rating"], "currency");

pub(crate) const PURCHASE_ORDERS: Table = modelled(
    "purchase_orders",
    &[
        uuid("id"),
        text("po_number"),
        uuid("supplier_id"),
        uuid("work_order_id"),
        of("status", Kind::Code(PURCHASE_ORDER_STATUSES)),
        sent("order_date"),
        sent("expected_delivery_date"),
        sent("received_date"),
        uuid("delivery_location_id"),
        money("total_amount"),
        text("currency"),
        text("notes"),
        uuid("created_by"),
        uuid("approved_by"),
        time("approved_at"),
        time("created_at"),
        time("updated_at"),
    ],
    &["po_number", "supplier_id"],
)
.not_fleet_one(&["related_wo_id", "delivery_date"], "received_date");

pub(crate) const PURCHASE_ORDER_LINES: Table = modelled(
    "purchase_order_lines",
    &[
        uuid("id"),
        uuid("purchase_order_id"),
        whole("line_number"),
        text("part_no"),
        text("description"),
        whole("quantity_ordered"),
        whole("quantity_received"),
        money("unit_price"),
        money("line_total"),
        text("notes"),
    ],
    &["purchase_order_id"],
)
.not_fleet_one(
    &["po_id", "received_quantity", "total_price"],
    "quantity_ordered",
);

pub(crate) const INVOICES: Table = modelled(
    "invoices",
    &[
        uuid("id"),
        text("invoice_number"),
        uuid("supplier_id"),
        uuid("purchase_order_id"),
        uuid("work_order_id"),
        sent("invoice_date"),
        sent("due_date"),
        sent("payment_date"),
        of("status", Kind::Code(INVOICE_STATUSES)),
        money("total_amount"),
        money("tax_amount"),
        text("currency"),
        text("notes"),
        text("attachment_url"),
        uuid("created_by"),
        uuid("reviewed_by"),
        time("reviewed_at"),
        uuid("approved_by"),
        time("approved_at"),
        time("created_at"),
        time("updated_at"),
    ],
    &["invoice_number"],
)
.not_fleet_one(
    &["related_po_id", "related_wo_id", "paid_date"],
    "total_amount",
);

pub(crate) const INVOICE_LINES: Table = modelled(
    "invoice_lines",
    &[
        uuid("id"),
        uuid("invoice_id"),
        whole("line_number"),
        text("description"),
        text("part_no"),
        uuid("purchase_order_line_id"),
        whole("quantity"),
        money("unit_price"),
        money("line_total"),
        money("tax_amount"),
        text("cost_center"),
        text("cost_bearer"),
        text("account_code"),
        money("variance"),
        text("notes"),
    ],
    &["invoice_id"],
);

pub(crate) const COST_CENTERS: Table = modelled(
    "cost_centers",
    &[
        uuid("id"),
        text("code"),
        text("name"),
        text("parent_code"),
        truth("is_active"),
        text("notes"),
        time("created_at"),
        time("updated_at"),
    ],
    &["code"],
)
.not_fleet_one(&["budget", "spent", "fiscal_year"], "parent_code");

pub(crate) const BUDGETS: Table = modelled(
    "budgets",
    &[
        uuid("id"),
        text("period"),
        text("cost_center"),
        text("category"),
        money("planned_amount"),
        money("forecast_amount"),
        money("actual_amount"),
        text("currency"),
        text("notes"),
        time("created_at"),
        time("updated_at"),
    ],
    &["period", "cost_center"],
);
