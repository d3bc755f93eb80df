//! The bodies of staff and of assignments, as the description shows them. What checks them is `fleet::staff` and
//! `fleet::staff_assignment`.
#![expect(dead_code, reason = "only their schemas are used")]

use serde_json::Value;
use utoipa::ToSchema;

/// A person to take on.
#[derive(ToSchema)]
pub(crate) struct StaffCreate {
    /// The business key; 1 to 50 characters.
    #[schema(example = "MA-017")]
    staff_id: String,
    /// 1 to 100 characters.
    first_name: String,
    /// 1 to 100 characters.
    last_name: String,
    /// `driver`, `mechanic`, `technician`, `dispatcher`, `supervisor` or `manager`.
    #[schema(example = "mechanic")]
    role: String,
    email: Option<String>,
    phone: Option<String>,
    employee_number: Option<String>,
    skills_json: Option<Vec<String>>,
    certifications_json: Option<Value>,
    home_depot: Option<String>,
    /// By UUID or code.
    workshop_id: Option<String>,
    /// 1 to 168, default 40.
    max_weekly_hours: Option<u32>,
    availability_notes: Option<String>,
    /// `active` (default), `on_leave`, `sick_leave`, `training` or `inactive`.
    status: Option<String>,
    /// Default: whether the status is `active`.
    is_available: Option<bool>,
    hired_date: Option<String>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct StaffUpdate {
    first_name: Option<String>,
    last_name: Option<String>,
    role: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    employee_number: Option<String>,
    skills_json: Option<Vec<String>>,
    certifications_json: Option<Value>,
    home_depot: Option<String>,
    workshop_id: Option<String>,
    max_weekly_hours: Option<u32>,
    availability_notes: Option<String>,
    status: Option<String>,
    is_available: Option<bool>,
    hired_date: Option<String>,
    /// Why the status changes.
    reason: Option<String>,
}

/// A person.
#[derive(ToSchema)]
pub(crate) struct Staff {
    /// Their UUID; paths take it as well as the staff_id.
    id: String,
    staff_id: String,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    role: Option<String>,
    status: String,
    employee_number: Option<String>,
    skills_json: Option<Vec<String>>,
    certifications_json: Option<Value>,
    home_depot: Option<String>,
    workshop_id: Option<String>,
    max_weekly_hours: u32,
    is_available: bool,
    availability_notes: Option<String>,
    hired_date: Option<String>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of people.
#[derive(ToSchema)]
pub(crate) struct StaffList {
    /// How many there are in all pages.
    total: u64,
    staff: Vec<Staff>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}

/// An assignment to plan: `work_order_id` or `transfer_plan_id`, one of the two.
#[derive(ToSchema)]
pub(crate) struct StaffAssignmentCreate {
    /// By UUID or staff_id.
    staff_id: String,
    scheduled_start_ts: String,
    /// After the start.
    scheduled_end_ts: String,
    /// By UUID or number.
    work_order_id: Option<String>,
    /// By UUID or plan_id.
    transfer_plan_id: Option<String>,
    role_on_assignment: Option<String>,
    planned_hours: Option<u32>,
    assignment_notes: Option<String>,
    /// `scheduled` (default) or `confirmed`.
    status: Option<String>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct StaffAssignmentUpdate {
    scheduled_start_ts: Option<String>,
    scheduled_end_ts: Option<String>,
    actual_start_ts: Option<String>,
    actual_end_ts: Option<String>,
    role_on_assignment: Option<String>,
    planned_hours: Option<u32>,
    /// Where none are told at the end: those begun between start and end.
    actual_hours: Option<u32>,
    assignment_notes: Option<String>,
    /// A step: `scheduled`, `confirmed`, `in_progress`, `completed` or `cancelled`.
    status: Option<String>,
    /// Why the step is taken; steps back need one.
    reason: Option<String>,
}

/// An assignment.
#[derive(ToSchema)]
pub(crate) struct StaffAssignment {
    id: String,
    /// The person's UUID.
    staff_id: String,
    work_order_id: Option<String>,
    transfer_plan_id: Option<String>,
    scheduled_start_ts: Option<String>,
    scheduled_end_ts: Option<String>,
    actual_start_ts: Option<String>,
    actual_end_ts: Option<String>,
    role_on_assignment: Option<String>,
    status: String,
    planned_hours: Option<u32>,
    actual_hours: Option<u32>,
    assignment_notes: Option<String>,
    created_by: Option<String>,
    created_at: String,
    updated_at: String,
    /// What somebody should know: skills that are missing, too many hours, times outside those of the target. Only in the
    /// answers to writes.
    warnings: Option<Vec<String>>,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of assignments.
#[derive(ToSchema)]
pub(crate) struct StaffAssignmentList {
    /// How many there are in all pages.
    total: u64,
    assignments: Vec<StaffAssignment>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
