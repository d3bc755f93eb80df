//! Tracks, teams and what planners made of them; transfers; what the old system noted about itself.

use super::words::*;
use super::{
    Kind, Table, json, modelled, money, of, scripted, sent, text, time, truth, uuid, whole,
};

pub(crate) const TRACKS: Table = scripted(
    "tracks",
    &[
        uuid("id"),
        text("track_id"),
        text("name"),
        uuid("workshop_id"),
        text("location"),
        json("capabilities"),
        truth("is_active"),
        time("created_at"),
        time("updated_at"),
    ],
    &["track_id"],
)
.not_fleet_one(&["track_number"], "name");

pub(crate) const TRACK_AVAILABILITY: Table = scripted(
    "track_availability",
    &[
        uuid("id"),
        uuid("track_id"),
        sent("start_ts"),
        sent("end_ts"),
        truth("is_available"),
        text("reason"),
        time("created_at"),
    ],
    &["track_id"],
);

pub(crate) const TEAMS: Table = scripted(
    "teams",
    &[
        uuid("id"),
        text("team_id"),
        text("name"),
        uuid("workshop_id"),
        json("skills"),
        whole("max_concurrent_work_orders"),
        truth("is_active"),
        time("created_at"),
        time("updated_at"),
    ],
    &["team_id"],
);

pub(crate) const TEAM_AVAILABILITY: Table = scripted(
    "team_availability",
    &[
        uuid("id"),
        uuid("team_id"),
        sent("start_ts"),
        sent("end_ts"),
        truth("is_available"),
        text("shift_type"),
        text("notes"),
        time("created_at"),
    ],
    &["team_id"],
);

pub(crate) const WO_ASSIGNMENT: Table = scripted(
    "wo_assignment",
    &[
        uuid("id"),
        uuid("work_order_id"),
        uuid("solution_id"),
        uuid("track_id"),
        uuid("team_id"),
        sent("scheduled_start_ts"),
        sent("scheduled_end_ts"),
        whole("start_slot"),
        whole("end_slot"),
        text("status"),
        time("created_at"),
        uuid("created_by"),
    ],
    &["work_order_id"],
)
.not_fleet_one(&["assigned_from", "assigned_to"], "scheduled_start_ts");

pub(crate) const SOLVER_SOLUTIONS: Table = scripted(
    "solver_solutions",
    &[
        uuid("id"),
        uuid("solution_id"),
        text("solver_status"),
        money("objective_value"),
        money("solve_time_sec"),
        whole("total_work_orders"),
        whole("scheduled_count"),
        whole("unscheduled_count"),
        json("problem_spec"),
        time("created_at"),
        uuid("created_by"),
    ],
    &[],
);

pub(crate) const TRANSFER_PLANS: Table = modelled(
    "transfer_plans",
    &[
        uuid("id"),
        text("plan_id"),
        text("from_location"),
        text("to_location"),
        sent("scheduled_departure_ts"),
        sent("scheduled_arrival_ts"),
        sent("actual_departure_ts"),
        sent("actual_arrival_ts"),
        of("status", Kind::Word(TRANSFER_STATUSES)),
        of("priority", Kind::Word(TRANSFER_PRIORITIES)),
        whole("distance_km"),
        whole("estimated_duration_min"),
        text("route_notes"),
        json("metadata_json"),
        time("created_at"),
        time("updated_at"),
        uuid("created_by"),
    ],
    &["plan_id"],
)
.not_fleet_one(
    &["window_start", "window_end", "assigned_staff_id"],
    "scheduled_departure_ts",
);

pub(crate) const TRANSFER_ASSIGNMENTS: Table = modelled(
    "transfer_assignments",
    &[
        uuid("id"),
        uuid("transfer_plan_id"),
        uuid("vehicle_id"),
        whole("position_in_convoy"),
        uuid("driver_id"),
        of("is_confirmed", Kind::Code(CONFIRMATIONS)),
        text("confirmation_notes"),
        time("assigned_at"),
        time("confirmed_at"),
        uuid("assigned_by"),
    ],
    &["transfer_plan_id", "vehicle_id"],
);

pub(crate) const SYNC_CONFLICTS: Table = modelled(
    "sync_conflicts",
    &[
        uuid("id"),
        text("conflict_id"),
        text("entity_type"),
        text("entity_id"),
        text("field_name"),
        json("server_value"),
        json("client_value"),
        text("conflict_type"),
        truth("is_resolved"),
        json("resolved_value"),
        time("resolved_at"),
        uuid("resolved_by"),
        text("source_device"),
        text("source_role"),
        text("source_event_id"),
        text("notes"),
        time("created_at"),
    ],
    &["conflict_id"],
);

pub(crate) const EVENT_LOG: Table = modelled(
    "event_log",
    &[
        whole("id"),
        text("event_id"),
        text("entity_type"),
        text("entity_id"),
        text("event_type"),
        json("payload_json"),
        uuid("actor_id"),
        text("actor_role"),
        text("device_id"),
        sent("source_ts"),
        time("server_received_ts"),
        text("idempotency_key"),
    ],
    &["event_type"],
);

pub(crate) const AUDIT_LOG: Table = scripted(
    "audit_log",
    &[
        whole("id"),
        text("entity_type"),
        text("entity_id"),
        text("action"),
        json("old_value_json"),
        json("new_value_json"),
        uuid("actor_id"),
        text("actor_role"),
        text("actor_ip"),
        time("timestamp"),
        text("reason"),
    ],
    &["action"],
);
