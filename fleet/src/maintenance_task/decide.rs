//! Which commands on a maintenance task become events, and what they cause on its vehicle.

use serde_json::{Map, Value};

use super::command::MaintenanceTaskCommand;
use super::schema::{self, SCHEMA};
use super::view::SHAPE;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::vehicle::{MaintenanceDone, MaintenancePlan, MaintenanceReopened, VehicleCommand};

/// The events that `command` causes on a task, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist, `Conflict` for a new due date of what is done and for opening it again without a
/// reason.
pub fn decide(
    task: &Folded,
    command: &MaintenanceTaskCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if let MaintenanceTaskCommand::Create(fields) = command {
        let fields = SHAPE.created(fields);
        return SCHEMA.admit(vec![SCHEMA.draft(schema::CREATED, fields)]);
    }
    if !task.exists() {
        let text = "Maintenance task not found";
        return Err(Refusal::missing("task_not_found", text));
    }
    let drafts = match command {
        MaintenanceTaskCommand::Create(_) => Vec::new(),
        MaintenanceTaskCommand::Change(fields) => change(task, fields.clone(), asked)?,
        MaintenanceTaskCommand::CompleteBy { .. } if task.is_true("is_completed") => Vec::new(),
        MaintenanceTaskCommand::CompleteBy {
            work_order_id,
            completed_at,
        } => {
            let mut data = completed(completed_at.clone().into());
            data.insert("work_order_id".to_owned(), work_order_id.clone().into());
            vec![SCHEMA.draft(schema::COMPLETED, data)]
        }
        MaintenanceTaskCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}

fn change(
    task: &Folded,
    mut fields: Map<String, Value>,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let reason = fields.remove("reason").filter(says_something);
    let was_done = task.is_true("is_completed");
    let is_done = match fields.remove("is_completed") {
        Some(Value::Bool(is_done)) => is_done,
        _ => was_done,
    };
    let done_at = fields.remove("completed_at").filter(|at| !at.is_null());
    let changed = task.differing(fields);
    let due = ["type", "due_date", "due_mileage_km"];
    if was_done
        && is_done
        && let Some(name) = due.iter().find(|name| changed.contains_key(**name))
    {
        let text = format!("The task is completed: {name} stays as it is");
        return Err(Refusal::conflict(name, "task_completed", text));
    }
    let mut drafts = SCHEMA.update(schema::UPDATED, task, changed);
    match (was_done, is_done) {
        (false, true) => {
            let at = done_at.unwrap_or_else(|| asked.time().into());
            drafts.push(SCHEMA.draft(schema::COMPLETED, completed(at)));
        }
        (true, false) => {
            let Some(reason) = reason else {
                let text = "A task that is completed is opened again only with a reason";
                return Err(Refusal::conflict("reason", "reason_missing", text));
            };
            let mut data = completed(Value::Null);
            data.insert("reason".to_owned(), reason);
            drafts.push(SCHEMA.draft(schema::REOPENED, data));
        }
        (true, true) => {
            let at = done_at.map(completed).unwrap_or_default();
            drafts.extend(SCHEMA.update(schema::UPDATED, task, at));
        }
        (false, false) => {}
    }
    Ok(drafts)
}

fn says_something(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn completed(at: Value) -> Map<String, Value> {
    Map::from_iter([("completed_at".to_owned(), at)])
}

/// What the step `before` → `after` of the task `task_id` tells its vehicle: that something falls due, that it was done, or
/// that it is open again. What a work order completes, the order tells.
pub fn caused(task_id: &str, before: &Folded, after: &Folded) -> Vec<VehicleCommand> {
    let text = |key| after.text(key).map(str::to_owned);
    let is_done = |task: &Folded| task.exists() && task.is_true("is_completed");
    let mut commands = Vec::new();
    if is_done(after) {
        if let Some(date) = text("completed_at").filter(|_| !is_done(before)) {
            commands.push(VehicleCommand::CompleteMaintenance(MaintenanceDone {
                maintenance_type: text("type"),
                date,
                maintenance_task_id: Some(task_id.to_owned()),
                ..MaintenanceDone::default()
            }));
        }
        return commands;
    }
    if !after.exists() {
        return commands;
    }
    if is_done(before) {
        commands.push(VehicleCommand::ReopenMaintenance(MaintenanceReopened {
            work_order_id: None,
            maintenance_task_id: Some(task_id.to_owned()),
        }));
    }
    let is_due_anew = !before.exists() || before.text("due_date") != after.text("due_date");
    if let Some(scheduled_date) = text("due_date").filter(|_| is_due_anew) {
        commands.push(VehicleCommand::ScheduleMaintenance(MaintenancePlan {
            maintenance_type: text("type"),
            scheduled_date,
            priority: None,
            work_order_id: None,
        }));
    }
    commands
}
