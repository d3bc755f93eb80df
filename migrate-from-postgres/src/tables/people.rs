//! Accounts, staff and documents.

use super::words::*;
use super::{Kind, Table, json, modelled, of, sent, text, time, truth, uuid, whole};

pub(crate) const USERS: Table = modelled(
    "users",
    &[
        uuid("id"),
        text("username"),
        text("email"),
        text("hashed_password"),
        of("role", Kind::Code(ROLES)),
        truth("is_active"),
        time("created_at"),
        time("updated_at"),
        time("last_login"),
    ],
    &["username", "email", "hashed_password"],
);

pub(crate) const STAFF: Table = modelled(
    "staff",
    &[
        uuid("id"),
        text("staff_id"),
        text("first_name"),
        text("last_name"),
        text("email"),
        text("phone"),
        of("role", Kind::Word(STAFF_ROLES)),
        of("status", Kind::Word(STAFF_STATUSES)),
        text("employee_number"),
        json("skills_json"),
        json("certifications_json"),
        text("home_depot"),
        uuid("workshop_id"),
        whole("max_weekly_hours"),
        truth("is_available"),
        text("availability_notes"),
        sent("hired_date"),
        time("created_at"),
        time("updated_at"),
    ],
    &["staff_id"],
)
.not_fleet_one(
    &["employee_id", "qualifications", "availability_status"],
    "staff_id",
);

pub(crate) const STAFF_ASSIGNMENTS: Table = modelled(
    "staff_assignments",
    &[
        uuid("id"),
        uuid("staff_id"),
        uuid("work_order_id"),
        uuid("transfer_plan_id"),
        sent("scheduled_start_ts"),
        sent("scheduled_end_ts"),
        sent("actual_start_ts"),
        sent("actual_end_ts"),
        text("role_on_assignment"),
        of("status", Kind::Code(STAFF_ASSIGNMENT_STATUSES)),
        whole("planned_hours"),
        whole("actual_hours"),
        text("assignment_notes"),
        time("created_at"),
        uuid("created_by"),
    ],
    &["staff_id"],
)
.not_fleet_one(
    &["assignment_type", "reference_id", "from_datetime"],
    "scheduled_start_ts",
);

pub(crate) const DOCUMENT_LINKS: Table = modelled(
    "document_links",
    &[
        uuid("id"),
        text("document_id"),
        text("title"),
        of("document_type", Kind::Word(DOCUMENT_TYPES)),
        text("description"),
        text("file_url"),
        text("file_hash"),
        whole("file_size_bytes"),
        text("mime_type"),
        sent("issue_date"),
        sent("expiration_date"),
        whole("reminder_days_before"),
        of("status", Kind::Word(DOCUMENT_STATUSES)),
        uuid("vehicle_id"),
        uuid("staff_id"),
        uuid("workshop_id"),
        uuid("work_order_id"),
        json("tags_json"),
        json("metadata_json"),
        truth("is_public"),
        of("access_level", Kind::Code(ACCESS_LEVELS)),
        time("created_at"),
        time("updated_at"),
        uuid("created_by"),
        time("last_accessed_at"),
        uuid("last_accessed_by"),
    ],
    &["document_id"],
)
.not_fleet_one(&["doc_type", "doc_url", "asset_type"], "document_id");

pub(crate) const DOCUMENT_VERSIONS: Table = modelled(
    "document_versions",
    &[
        uuid("id"),
        uuid("document_link_id"),
        whole("version_number"),
        text("version_label"),
        text("change_description"),
        text("file_url"),
        text("file_hash"),
        whole("file_size_bytes"),
        time("created_at"),
        uuid("created_by"),
    ],
    &["document_link_id"],
);

pub(crate) const DOCUMENT_ACCESS_LOG: Table = modelled(
    "document_access_log",
    &[
        uuid("id"),
        uuid("document_link_id"),
        uuid("accessed_by"),
        of("access_type", Kind::Code(ACCESS_TYPES)),
        text("ip_address"),
        text("user_agent"),
        time("accessed_at"),
    ],
    &["document_link_id"],
);
