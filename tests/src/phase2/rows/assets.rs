//! Workshops, vehicles and the work on them.

use std::io;

use super::{DAY, Filler, HOUR, Row};
use crate::phase2::Shape;

pub(super) fn write(filler: &mut Filler<'_>) -> io::Result<()> {
    workshops(filler)?;
    vehicles(filler)?;
    tasks(filler)?;
    work_orders(filler)
}

/// The number on a vehicle's side.
pub(super) fn asset_id(row: &mut Row<'_>, number: u64) -> String {
    // Without its unique index a database takes the same number twice.
    match row.patched_trap(15) {
        true => "185000".to_owned(),
        false => format!("{}", 185_000 + number),
    }
}

fn workshops(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "code",
        "name",
        "location",
        "contact_person",
        "phone",
        "email",
        "total_tracks",
        "available_tracks",
        "is_ecm_certified",
        "specializations",
        "supported_vehicle_types",
        "rating",
        "total_completed_orders",
        "is_active",
        "notes",
        "created_at",
        "updated_at",
    ];
    filler.table("workshops", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("WS-{number}"));
        row.text("Betriebswerk Süd");
        row.text("Erfurt");
        row.text_or_null("A. Weber");
        row.text_or_null("+49 361 123456");
        row.text_or_null("werk@example.org");
        row.set(number % 7 + 1);
        row.set(number % 5);
        row.truth(number.is_multiple_of(2));
        row.json("[\"HU\", \"ECM\"]");
        row.json("[\"electric\"]");
        row.real(4.5);
        row.set(number * 3);
        row.truth(true);
        row.text_or_null("Halle 2");
        row.time(made);
        let changed = made + row.span(90 * DAY);
        row.time(changed);
    })
}

fn vehicles(filler: &mut Filler<'_>) -> io::Result<()> {
    let mut columns = vec![
        "id",
        "asset_id",
        "model",
        "type",
        "manufacturer",
        "year",
        "status",
        "max_speed_kmh",
        "power_kw",
        "weight_tons",
        "current_mileage_km",
        "total_operating_hours",
        "current_location",
        "home_depot",
        "notes",
        "specifications",
        "created_at",
        "updated_at",
        "last_service_date",
    ];
    if filler.shape == Shape::Patched {
        columns.extend(["Radsatz Nr.", "telemetry", "wear"]);
    }
    filler.table("vehicles", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        let asset_id = asset_id(row, number);
        row.key(&asset_id);
        row.text("BR 185");
        let kind = row.random.pick(&["electric", "diesel", "hybrid"]);
        row.word(kind);
        row.text_or_null("Bombardier");
        row.set(1990 + number % 34);
        let status = row.random.pick(&[
            "available",
            "available",
            "in_service",
            "in_service",
            "workshop_planned",
            "in_workshop",
            "out_of_service",
            "maintenance_due",
            "retired",
        ]);
        row.word(status);
        row.set(140);
        row.set(5_600);
        row.real(84.5);
        let mileage = row.random.below(2_000_000);
        row.set(mileage);
        row.set(mileage / 60);
        row.text_or_null("Leipzig-Engelsdorf");
        row.text_or_null("Erfurt");
        row.text_or_null("rote Lackierung");
        row.json("{\"etcs\": \"L2\", \"seats\": 0}");
        row.time(made);
        let changed = made + row.span(90 * DAY);
        row.time(changed);
        let serviced = (!row.random.once_in(3)).then_some(made + 30 * DAY);
        row.time_or_null(serviced);
        if row.shape == Shape::Patched {
            row.text_or_null("RS-4711");
            row.raw(Some("{\"axle\": [1.5, null], \"n\": 12345678901234567890}"));
            row.raw(Some("0.125"));
        }
    })
}

fn tasks(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "vehicle_id",
        "type",
        "description",
        "due_date",
        "due_mileage_km",
        "is_overdue",
        "is_completed",
        "completed_at",
        "created_at",
        "updated_at",
    ];
    filler.table("maintenance_tasks", &columns, |row| {
        let made = row.beginning();
        row.id();
        row.reference("vehicles");
        let kind = row
            .random
            .pick(&["HU", "INSPECTION", "ECM", "REPAIR", "PREVENTIVE"]);
        row.raw(Some(kind));
        row.text_or_null("Frist laut Instandhaltungsplan");
        let due = made + row.span(180 * DAY);
        row.time(due);
        row.set(row.number * 100);
        let (overdue, completed) = (row.random.once_in(20), row.random.once_in(2));
        row.truth(overdue);
        row.truth(completed);
        // Completed without a date, and a date without being completed: both were seen.
        let dated = completed != row.trap(15);
        let done = made + row.span(200 * DAY);
        row.time_or_null(dated.then_some(done));
        row.time(made);
        let changed = made + row.span(200 * DAY);
        row.time(changed);
    })
}

fn work_orders(filler: &mut Filler<'_>) -> io::Result<()> {
    let mut columns = vec![
        "id",
        "order_number",
        "vehicle_id",
        "workshop_id",
        "status",
        "priority",
        "scheduled_start",
        "scheduled_end",
        "assigned_track",
        "assigned_team",
        "actual_start",
        "actual_end",
        "work_description",
        "work_performed",
        "findings",
        "tasks",
        "estimated_cost",
        "actual_cost",
        "notes",
        "created_at",
        "updated_at",
    ];
    if filler.shape.has_scripted() {
        columns.extend([
            "duration_min",
            "required_skills",
            "required_parts",
            "incompatible_assets",
            "earliest_start_ts",
            "latest_end_ts",
            "hard_deadline_ts",
        ]);
    }
    if filler.shape == Shape::Patched {
        columns.push("sap_order");
    }
    filler.table("work_orders", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("WO-2024-{number:04}"));
        row.reference("vehicles");
        row.reference_or_null("workshops");
        let statuses = [
            "draft",
            "scheduled",
            "in_progress",
            "completed",
            "completed",
            "cancelled",
        ];
        let status = row.random.pick(&statuses);
        row.word(status);
        let priority = row.random.pick(&["low", "medium", "high", "urgent"]);
        row.word(priority);
        let start = made + row.span(20 * DAY);
        let end = start + row.span(5 * DAY);
        let planned = status != "draft" || row.random.once_in(2);
        row.time_or_null(planned.then_some(start));
        row.time_or_null(planned.then_some(end));
        row.text_or_null("Gleis 3");
        row.text_or_null("Frühschicht A");
        let begun = matches!(status, "in_progress" | "completed");
        // Completed without a start, or an end before the start.
        let has_begun = begun != row.trap(25);
        row.time_or_null(has_begun.then_some(start + HOUR));
        let ended = (status == "completed") != row.trap(25);
        row.time_or_null(ended.then_some(end + HOUR));
        row.text_or_null("Bremsbeläge tauschen");
        row.text_or_null("Beläge getauscht, Probe gefahren");
        row.text_or_null("keine");
        row.json("[\"INSPECTION\", \"REPAIR\"]");
        row.real(1_250.5);
        row.real(1_300.25);
        row.text_or_null("dringend");
        row.time(made);
        let changed = made + row.span(30 * DAY);
        row.time(changed);
        if row.shape.has_scripted() {
            row.set(number % 600);
            row.raw(Some("[\"electric\"]"));
            row.raw(Some("[{\"part_no\": \"P-1\", \"qty\": 2}]"));
            row.raw(Some("[]"));
            row.time(made);
            row.time_or_null(planned.then_some(end));
            row.null();
        }
        if row.shape == Shape::Patched {
            row.raw(Some("4500012345678"));
        }
    })
}
