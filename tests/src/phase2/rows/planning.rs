//! Tracks, teams, transfers, and what the old system noted about itself.

use std::io;

use super::{DAY, Filler, HOUR};
use crate::phase2::Shape;

pub(super) fn write(filler: &mut Filler<'_>) -> io::Result<()> {
    plans(filler)?;
    transfer_assignments(filler)?;
    conflicts(filler)?;
    event_log(filler)?;
    if filler.shape.has_scripted() {
        tracks(filler)?;
        availabilities(filler)?;
        teams(filler)?;
        shifts(filler)?;
        assignments(filler)?;
        solutions(filler)?;
        audit_log(filler)?;
    }
    Ok(())
}

fn plans(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "plan_id",
        "from_location",
        "to_location",
        "scheduled_departure_ts",
        "scheduled_arrival_ts",
        "actual_departure_ts",
        "actual_arrival_ts",
        "status",
        "priority",
        "distance_km",
        "estimated_duration_min",
        "route_notes",
        "metadata_json",
        "created_at",
        "updated_at",
        "created_by",
    ];
    filler.table("transfer_plans", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("TP-{number:05}"));
        row.text("Leipzig");
        row.text("Erfurt");
        let leaving = made + 3 * DAY;
        row.raw(Some(&super::moment(leaving)));
        row.raw(Some(&super::moment(leaving + 5 * HOUR)));
        let status = row.random.pick(&[
            "draft",
            "scheduled",
            "in_progress",
            "completed",
            "cancelled",
        ]);
        let left = leaving + row.span(5 * HOUR);
        let has_left = matches!(status, "in_progress" | "completed") != row.trap(30);
        row.time_or_null(has_left.then_some(left));
        let arrived = left + row.span(9 * HOUR);
        row.time_or_null((status == "completed").then_some(arrived));
        row.word(status);
        let priority = row.random.pick(&["low", "normal", "high", "urgent"]);
        row.word(priority);
        row.set(120 + number % 300);
        row.set(240);
        row.text_or_null("über Weimar");
        row.json("{\"loco\": \"185123\"}");
        row.time(made);
        let changed = made + row.span(60 * DAY);
        row.time(changed);
        row.loose_reference("users");
    })
}

fn transfer_assignments(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "transfer_plan_id",
        "vehicle_id",
        "position_in_convoy",
        "driver_id",
        "is_confirmed",
        "confirmation_notes",
        "assigned_at",
        "confirmed_at",
        "assigned_by",
    ];
    filler.table("transfer_assignments", &columns, |row| {
        let made = row.beginning();
        row.id();
        let scripted = row.shape == Shape::Scripts;
        for table in ["transfer_plans", "vehicles"] {
            match scripted && row.trap(30) {
                true => row.null(),
                false => {
                    row.reference(table);
                }
            }
        }
        row.set(row.number % 12);
        row.loose_reference("staff");
        let word = row.random.pick(&["pending", "confirmed", "cancelled"]);
        row.raw(Some(word));
        row.text_or_null("telefonisch");
        row.time(made);
        let confirmed = made + row.span(DAY);
        row.time_or_null((word == "confirmed").then_some(confirmed));
        row.loose_reference("users");
    })
}

fn conflicts(filler: &mut Filler<'_>) -> io::Result<()> {
    let mut columns = vec![
        "id",
        "conflict_id",
        "entity_type",
        "entity_id",
        "field_name",
        "server_value",
        "client_value",
        "is_resolved",
        "resolved_value",
        "resolved_at",
        "resolved_by",
        "source_device",
        "source_role",
        "created_at",
    ];
    if filler.shape == Shape::Scripts {
        columns.extend(["conflict_type", "source_event_id", "notes"]);
    }
    filler.table("sync_conflicts", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.raw(Some(&format!("C-{number}")));
        row.raw(Some("vehicle"));
        row.raw(Some("185001"));
        row.raw(Some("status"));
        row.json("{\"value\": \"available\", \"type\": \"str\"}");
        row.json("{\"value\": \"retired\", \"type\": \"str\"}");
        let resolved = row.random.once_in(2);
        row.truth(resolved);
        match resolved {
            true => row.json("{\"value\": \"available\", \"type\": \"str\"}"),
            false => row.null(),
        }
        row.time_or_null(resolved.then_some(made + DAY));
        match resolved {
            true => {
                row.reference("users");
            }
            false => row.null(),
        }
        row.text_or_null("tablet-7");
        row.text_or_null("TECHNICIAN");
        row.time(made);
        if row.shape == Shape::Scripts {
            row.raw(Some("PLAN_CONFLICT"));
            row.null();
            row.text_or_null("am Gleis");
        }
    })
}

fn event_log(filler: &mut Filler<'_>) -> io::Result<()> {
    let mut columns = vec![
        "id",
        "event_id",
        "entity_type",
        "entity_id",
        "event_type",
        "payload_json",
        "actor_id",
        "device_id",
        "source_ts",
        "server_received_ts",
        "idempotency_key",
    ];
    if filler.shape == Shape::Scripts {
        columns.push("actor_role");
    }
    filler.table("event_log", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        // Sequences leave gaps where a transaction was rolled back.
        row.set(number * 3 + 1);
        row.raw(Some(&format!("evt-{number}")));
        row.raw(Some("vehicle"));
        row.raw(Some("185001"));
        row.raw(Some("updated"));
        row.json("{\"status\": \"available\"}");
        row.loose_reference("users");
        row.text_or_null("tablet-7");
        row.time(made);
        row.time(made + HOUR);
        row.raw(Some(&format!("key-{number}")));
        if row.shape == Shape::Scripts {
            row.raw(Some("TECHNICIAN"));
        }
    })
}

fn audit_log(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "entity_type",
        "entity_id",
        "action",
        "old_value_json",
        "new_value_json",
        "actor_id",
        "actor_role",
        "actor_ip",
        "timestamp",
        "reason",
    ];
    filler.table("audit_log", &columns, |row| {
        let made = row.beginning();
        row.set(row.number * 2 + 5);
        row.raw(Some("work_order"));
        row.text("WO-2024-0001");
        row.raw(Some("update"));
        row.raw(Some("{\"status\": \"draft\"}"));
        row.raw(Some("{\"status\": \"scheduled\"}"));
        row.loose_reference("users");
        row.text_or_null("DISPATCHER");
        row.text_or_null("10.0.0.8");
        row.time(made);
        row.text_or_null("Umplanung");
    })
}

fn tracks(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "track_id",
        "name",
        "workshop_id",
        "location",
        "capabilities",
        "is_active",
        "created_at",
        "updated_at",
    ];
    filler.table("tracks", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("T{number}"));
        row.text("Gleis");
        row.reference_or_null("workshops");
        row.text_or_null("Halle 1");
        row.raw(Some("[\"pit\", \"crane\"]"));
        row.truth(true);
        row.time(made);
        row.time(made);
    })
}

fn teams(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "team_id",
        "name",
        "workshop_id",
        "skills",
        "max_concurrent_work_orders",
        "is_active",
        "created_at",
        "updated_at",
    ];
    filler.table("teams", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("TEAM-{number}"));
        row.text("Frühschicht");
        row.reference_or_null("workshops");
        row.raw(Some("[\"brakes\"]"));
        row.set(2);
        row.truth(true);
        row.time(made);
        row.time(made);
    })
}

fn availabilities(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "track_id",
        "start_ts",
        "end_ts",
        "is_available",
        "reason",
        "created_at",
    ];
    filler.table("track_availability", &columns, |row| {
        let made = row.beginning();
        row.id();
        match row.trap(15) {
            true => row.null(),
            false => {
                row.reference("tracks");
            }
        }
        row.raw(Some(&super::moment(made)));
        row.raw(Some(&super::moment(made + 8 * HOUR)));
        row.truth(row.number.is_multiple_of(2));
        row.text_or_null("Weichenarbeiten");
        row.time(made);
    })
}

fn shifts(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "team_id",
        "start_ts",
        "end_ts",
        "is_available",
        "shift_type",
        "notes",
        "created_at",
    ];
    filler.table("team_availability", &columns, |row| {
        let made = row.beginning();
        row.id();
        row.reference("teams");
        row.raw(Some(&super::moment(made)));
        row.raw(Some(&super::moment(made + 8 * HOUR)));
        row.truth(true);
        let shift = row.random.pick(&["EARLY", "LATE", "NIGHT"]);
        row.raw(Some(shift));
        row.text_or_null("zu zweit");
        row.time(made);
    })
}

fn assignments(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "work_order_id",
        "solution_id",
        "track_id",
        "team_id",
        "scheduled_start_ts",
        "scheduled_end_ts",
        "start_slot",
        "end_slot",
        "status",
        "created_at",
        "created_by",
    ];
    filler.table("wo_assignment", &columns, |row| {
        let made = row.beginning();
        row.id();
        match row.trap(30) {
            true => row.null(),
            false => {
                row.reference("work_orders");
            }
        }
        row.loose_reference("solver_solutions");
        row.reference_or_null("tracks");
        row.reference_or_null("teams");
        row.raw(Some(&super::moment(made + DAY)));
        row.raw(Some(&super::moment(made + 2 * DAY)));
        row.set(row.number % 96);
        row.set(row.number % 96 + 8);
        let status = row
            .random
            .pick(&["SCHEDULED", "CONFIRMED", "IN_PROGRESS", "COMPLETED"]);
        row.raw(Some(status));
        row.time(made);
        row.loose_reference("users");
    })
}

fn solutions(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "solution_id",
        "solver_status",
        "objective_value",
        "solve_time_sec",
        "total_work_orders",
        "scheduled_count",
        "unscheduled_count",
        "problem_spec",
        "created_at",
        "created_by",
    ];
    filler.table("solver_solutions", &columns, |row| {
        let made = row.beginning();
        row.id();
        let id = row.random.uuid();
        row.raw(Some(&id));
        row.raw(Some("OPTIMAL"));
        row.money(123_456);
        row.raw(Some("1.250"));
        row.set(12);
        row.set(10);
        row.set(2);
        row.raw(Some("{\"horizon\": 96}"));
        row.time(made);
        row.loose_reference("users");
    })
}
