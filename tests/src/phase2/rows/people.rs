//! Accounts, staff and documents.

use std::io;

use super::{DAY, Filler, HOUR};
use crate::phase2::traps;

/// The hash of the password that every account has: `Fleet-Pass7`.
pub(super) const HASH: &str = "$2b$04$4JpGSxzkzHzRLmREVVYrZOL5aSrMHNwE6PRNMiHoq3jVJHRmT2l66";

pub(super) fn write(filler: &mut Filler<'_>) -> io::Result<()> {
    staff(filler)?;
    staff_assignments(filler)?;
    documents(filler)?;
    versions(filler)?;
    accesses(filler)
}

pub(super) fn users(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "username",
        "email",
        "hashed_password",
        "role",
        "is_active",
        "created_at",
        "updated_at",
        "last_login",
    ];
    filler.table("users", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        // Two names that differ only in case are two names to PostgreSQL; a short one and one with an @ were never refused.
        let name = match (number, row.trap(1)) {
            (1, true) => "User0".to_owned(),
            (2, true) => "x".to_owned(),
            (3, true) => "who@where".to_owned(),
            _ => format!("user{number}"),
        };
        row.raw(Some(&name));
        row.raw(Some(&format!("user{number}@example.org")));
        match number > 4 && row.trap(6) {
            true => {
                let hash = traps::hash(&mut row.random);
                row.raw(Some(hash));
            }
            false => row.raw(Some(HASH)),
        }
        let roles = [
            "SUPER_ADMIN",
            "FLEET_MANAGER",
            "WORKSHOP_MANAGER",
            "DISPATCHER",
            "TECHNICIAN",
            "VIEWER",
        ];
        let role = match number {
            0 => "SUPER_ADMIN",
            _ => row.random.pick(&roles),
        };
        row.raw(Some(role));
        let active = number == 0 || !row.random.once_in(8);
        row.truth(active);
        row.time(made);
        let changed = made + row.span(300 * DAY);
        row.time(changed);
        let logged_in = row.random.once_in(2).then_some(made + 400 * DAY);
        row.time_or_null(logged_in);
    })
}

fn staff(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "staff_id",
        "first_name",
        "last_name",
        "email",
        "phone",
        "role",
        "status",
        "employee_number",
        "skills_json",
        "certifications_json",
        "home_depot",
        "workshop_id",
        "max_weekly_hours",
        "is_available",
        "availability_notes",
        "hired_date",
        "created_at",
        "updated_at",
    ];
    filler.table("staff", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("S-{number}"));
        row.text("Änne");
        row.text("Müller-Lüdenscheidt");
        row.text_or_null("a.mueller@example.org");
        row.text_or_null("+49 170 1234567");
        let role = row.random.pick(&[
            "driver",
            "mechanic",
            "technician",
            "dispatcher",
            "supervisor",
            "manager",
        ]);
        row.word(role);
        let status = row
            .random
            .pick(&["active", "on_leave", "sick_leave", "training", "inactive"]);
        row.word(status);
        row.text_or_null("4711");
        row.json("[\"BR185\", \"ETCS\"]");
        row.json("{\"license\": \"2027-01-01\"}");
        row.text_or_null("Erfurt");
        row.reference_or_null("workshops");
        row.set(35 + number % 6);
        row.truth(true);
        row.text_or_null("nur Frühschicht");
        row.time_or_null(Some(made - 900 * DAY));
        row.time(made);
        let changed = made + row.span(300 * DAY);
        row.time(changed);
    })
}

fn staff_assignments(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "staff_id",
        "work_order_id",
        "transfer_plan_id",
        "scheduled_start_ts",
        "scheduled_end_ts",
        "actual_start_ts",
        "actual_end_ts",
        "role_on_assignment",
        "status",
        "planned_hours",
        "actual_hours",
        "assignment_notes",
        "created_at",
        "created_by",
    ];
    filler.table("staff_assignments", &columns, |row| {
        let made = row.beginning();
        row.id();
        row.reference("staff");
        match row.random.once_in(4) {
            true => {
                row.null();
                row.reference("transfer_plans");
            }
            false => {
                row.reference("work_orders");
                row.null();
            }
        }
        let start = made + 5 * DAY;
        row.raw(Some(&super::moment(start)));
        row.raw(Some(&super::moment(start + 8 * HOUR)));
        let statuses = [
            "scheduled",
            "confirmed",
            "in_progress",
            "completed",
            "cancelled",
        ];
        let status = row.random.pick(&statuses);
        let begun = matches!(status, "in_progress" | "completed") != row.trap(30);
        let actual = start + row.span(2 * HOUR);
        row.time_or_null(begun.then_some(actual));
        let end = actual + row.span(9 * HOUR);
        row.time_or_null((status == "completed").then_some(end));
        row.text_or_null("Lokführer");
        row.raw(Some(status));
        row.set(8);
        row.null();
        row.text_or_null("Übergabe um sechs");
        row.time(made);
        row.loose_reference("users");
    })
}

fn documents(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "document_id",
        "title",
        "document_type",
        "description",
        "file_url",
        "file_hash",
        "file_size_bytes",
        "mime_type",
        "issue_date",
        "expiration_date",
        "reminder_days_before",
        "status",
        "vehicle_id",
        "staff_id",
        "workshop_id",
        "work_order_id",
        "tags_json",
        "metadata_json",
        "is_public",
        "access_level",
        "created_at",
        "updated_at",
        "created_by",
        "last_accessed_at",
        "last_accessed_by",
    ];
    filler.table("document_links", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("DOC-{number:05}"));
        row.text("Untersuchungsbericht");
        let kind = row.random.pick(&[
            "certificate",
            "license",
            "inspection_report",
            "maintenance_log",
            "technical_drawing",
            "compliance_doc",
            "invoice",
            "contract",
            "other",
        ]);
        row.word(kind);
        row.text_or_null("HU nach Plan");
        row.text_or_null("https://files.example.org/a%20b.pdf");
        row.text_or_null("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
        row.set(number * 1_000);
        row.text_or_null("application/pdf");
        row.time(made);
        let expires = made + row.span(700 * DAY);
        row.time_or_null(Some(expires));
        row.set(30);
        let status =
            row.random
                .pick(&["active", "expired", "expiring_soon", "archived", "revoked"]);
        row.word(status);
        row.reference_or_null("vehicles");
        row.reference_or_null("staff");
        row.reference_or_null("workshops");
        row.reference_or_null("work_orders");
        row.json("[\"HU\"]");
        row.json("{\"pages\": 12}");
        row.truth(false);
        let level = row
            .random
            .pick(&["public", "internal", "restricted", "confidential"]);
        row.raw(Some(level));
        row.time(made);
        let changed = made + row.span(300 * DAY);
        row.time(changed);
        row.loose_reference("users");
        row.time_or_null(None);
        row.loose_reference("users");
    })
}

fn versions(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "document_link_id",
        "version_number",
        "version_label",
        "change_description",
        "file_url",
        "file_hash",
        "file_size_bytes",
        "created_at",
        "created_by",
    ];
    filler.table("document_versions", &columns, |row| {
        let made = row.beginning();
        row.id();
        match row.patched_trap(25) {
            true => row.raw(Some("00000000-0000-4000-8000-000000000bad")),
            false => {
                row.reference("document_links");
            }
        }
        row.set(row.number + 1);
        row.text_or_null("v1");
        row.text_or_null("Fehler behoben");
        row.text_or_null("https://files.example.org/v1.pdf");
        row.null();
        row.set(12_345);
        row.time(made);
        row.loose_reference("users");
    })
}

fn accesses(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "document_link_id",
        "accessed_by",
        "access_type",
        "ip_address",
        "user_agent",
        "accessed_at",
    ];
    filler.table("document_access_log", &columns, |row| {
        let made = row.beginning();
        row.id();
        row.reference("document_links");
        row.reference("users");
        let kind = row
            .random
            .pick(&["view", "download", "edit", "delete", "share"]);
        row.raw(Some(kind));
        row.text_or_null("10.0.0.7");
        row.text_or_null("Mozilla/5.0");
        row.time(made);
    })
}
