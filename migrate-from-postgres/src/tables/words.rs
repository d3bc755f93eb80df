//! The words that columns take. Where the old system never checked any, none are listed.

pub(super) const ROLES: &[&str] = &[
    "SUPER_ADMIN",
    "FLEET_MANAGER",
    "WORKSHOP_MANAGER",
    "DISPATCHER",
    "TECHNICIAN",
    "VIEWER",
];
pub(super) const VEHICLE_TYPES: &[&str] = &["electric", "diesel", "hybrid"];
pub(super) const VEHICLE_STATUSES: &[&str] = &[
    "available",
    "in_service",
    "workshop_planned",
    "in_workshop",
    "out_of_service",
    "maintenance_due",
    "retired",
];
pub(super) const MAINTENANCE_TYPES: &[&str] = &["HU", "INSPECTION", "ECM", "REPAIR", "PREVENTIVE"];
pub(super) const WORK_ORDER_STATUSES: &[&str] = &[
    "draft",
    "scheduled",
    "in_progress",
    "completed",
    "cancelled",
];
pub(super) const WORK_ORDER_PRIORITIES: &[&str] = &["low", "medium", "high", "urgent"];
pub(super) const TRANSFER_STATUSES: &[&str] = WORK_ORDER_STATUSES;
pub(super) const TRANSFER_PRIORITIES: &[&str] = &["low", "normal", "high", "urgent"];
pub(super) const CONFIRMATIONS: &[&str] = &["pending", "confirmed", "cancelled"];
pub(super) const STAFF_ROLES: &[&str] = &[
    "driver",
    "mechanic",
    "technician",
    "dispatcher",
    "supervisor",
    "manager",
];
pub(super) const STAFF_STATUSES: &[&str] =
    &["active", "on_leave", "sick_leave", "training", "inactive"];
pub(super) const STAFF_ASSIGNMENT_STATUSES: &[&str] = &[
    "scheduled",
    "confirmed",
    "in_progress",
    "completed",
    "cancelled",
];
pub(super) const DOCUMENT_TYPES: &[&str] = &[
    "certificate",
    "license",
    "inspection_report",
    "maintenance_log",
    "technical_drawing",
    "compliance_doc",
    "invoice",
    "contract",
    "other",
];
pub(super) const DOCUMENT_STATUSES: &[&str] =
    &["active", "expired", "expiring_soon", "archived", "revoked"];
pub(super) const ACCESS_LEVELS: &[&str] = &["public", "internal", "restricted", "confidential"];
pub(super) const ACCESS_TYPES: &[&str] = &["view", "download", "edit", "delete", "share"];
pub(super) const PURCHASE_ORDER_STATUSES: &[&str] =
    &["DRAFT", "APPROVED", "ORDERED", "RECEIVED", "CLOSED"];
/// `POSTED` is the README's word for what the code calls `EXPORTED`.
pub(super) const INVOICE_STATUSES: &[&str] =
    &["DRAFT", "REVIEWED", "APPROVED", "EXPORTED", "POSTED"];
