//! What a step of an order causes elsewhere: on its vehicle, and at the workshop whose track it takes.

use serde_json::Value;

use super::decide::status;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::maintenance_task::TYPES;
use crate::refusal::Refusal;
use crate::vehicle::{self, MaintenanceDone, MaintenancePlan, MaintenanceReopened, VehicleCommand};
use crate::workshop::WorkshopCommand;

/// Events for other streams, to be appended in the same transaction.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Consequences {
    /// For the vehicle.
    pub vehicle: Vec<EventDraft>,
    /// For workshops: the row's id as the order names it, and what it is told.
    pub workshops: Vec<(String, WorkshopCommand)>,
}

/// Whether an order keeps its vehicle in the workshop: in work, or done and waiting to be released.
pub fn holds_vehicle(order: &Folded) -> bool {
    match status(order) {
        "in_progress" => order.exists(),
        "completed" => {
            order.exists()
                && order.is_true("requires_release")
                && order.text("released_at").is_none()
        }
        _ => false,
    }
}

/// Whether the step from one state to the other changes what other orders of the vehicle are judged by.
pub fn changes_hold(before: &Folded, after: &Folded) -> bool {
    in_work(before) != in_work(after) || holds_vehicle(before) != holds_vehicle(after)
}

/// What kind of maintenance the order is: its own word, or the first of its tasks that is one.
pub fn maintenance_type(order: &Folded) -> Option<String> {
    if let Some(kind) = order.text("maintenance_type") {
        return Some(kind.to_owned());
    }
    let tasks = order.get("tasks")?;
    let mut words = tasks.as_array()?.iter().filter_map(Value::as_str);
    words.find(|word| TYPES.contains(word)).map(str::to_owned)
}

/// What follows from the step `before` → `after` of the order `order_id`.
///
/// `vehicle` is its vehicle under its asset id; `held_by_others` whether another order [`holds_vehicle`].
///
/// # Errors
/// `Conflict` when the vehicle is retired, or the odometer would run backwards.
pub fn consequences(
    (order_id, before, after): (&str, &Folded, &Folded),
    (asset_id, vehicle): (&str, &Folded),
    held_by_others: bool,
    mileage_km: Option<i64>,
    asked: Asked<'_>,
) -> Result<Consequences, Refusal> {
    let mut commands = Vec::new();
    commands.extend(mileage_km.map(|mileage_km| VehicleCommand::RecordMileage { mileage_km }));
    commands.extend(planned(order_id, before, after));

    let number = after.text("order_number").unwrap_or(order_id);
    let to = |status: &str, why: &str| VehicleCommand::ChangeStatus {
        status: status.to_owned(),
        reason: Some(format!("Work order {number} {why}")),
    };
    if status(before) == "completed" && status(after) != "completed" {
        commands.push(VehicleCommand::ReopenMaintenance(MaintenanceReopened {
            work_order_id: Some(order_id.to_owned()),
            maintenance_task_id: None,
        }));
    }
    let (was_in_work, is_in_work) = (in_work(before), in_work(after));
    if is_in_work && !was_in_work {
        if vehicle.text("status") == Some("retired") {
            let text = "The vehicle is retired; nothing is begun on it";
            return Err(Refusal::conflict("status", "vehicle_retired", text));
        }
        commands.push(to("in_workshop", "begun"));
    }
    let is_done = status(after) == "completed" && status(before) != "completed";
    if is_done && let Some(maintenance_type) = maintenance_type(after) {
        let date = after.text("actual_end").map(str::to_owned);
        commands.push(VehicleCommand::CompleteMaintenance(MaintenanceDone {
            maintenance_type: Some(maintenance_type),
            date: date.unwrap_or_else(|| asked.time()),
            work_order_id: Some(order_id.to_owned()),
            maintenance_task_id: None,
            mileage_km: mileage_km.or_else(|| vehicle.integer("current_mileage_km")),
        }));
    }
    let is_released = after.text("released_at").is_some() && before.text("released_at").is_none();
    let lets_go = (is_done || is_released) && !holds_vehicle(after) && !held_by_others;
    let is_here = vehicle.text("status") == Some("in_workshop");
    if lets_go && is_here {
        commands.push(to(
            "available",
            if is_released { "released" } else { "completed" },
        ));
    }
    // What was begun and called off still has to be done.
    if was_in_work && status(after) == "cancelled" && !held_by_others && is_here {
        commands.push(to("maintenance_due", "called off"));
    }

    let mut drafts = Vec::new();
    for command in &commands {
        drafts.extend(vehicle::decide(vehicle, asset_id, command)?);
    }
    Ok(Consequences {
        vehicle: drafts,
        workshops: at_workshops(order_id, before, after),
    })
}

fn in_work(order: &Folded) -> bool {
    order.exists() && status(order) == "in_progress"
}

/// A plan with a time is told to the vehicle, again when the time changes.
fn planned(order_id: &str, before: &Folded, after: &Folded) -> Option<VehicleCommand> {
    let is_scheduled = |order: &Folded| order.exists() && status(order) == "scheduled";
    let start = after.text("scheduled_start")?;
    let is_new = !is_scheduled(before) || before.text("scheduled_start") != Some(start);
    (is_scheduled(after) && is_new).then(|| {
        VehicleCommand::ScheduleMaintenance(MaintenancePlan {
            maintenance_type: maintenance_type(after),
            scheduled_date: start.to_owned(),
            priority: after.text("priority").map(str::to_owned),
            work_order_id: Some(order_id.to_owned()),
        })
    })
}

/// Work takes a track from its beginning to its end.
fn at_workshops(order_id: &str, before: &Folded, after: &Folded) -> Vec<(String, WorkshopCommand)> {
    let place = |order: &Folded| {
        let workshop = order.text("workshop_id").map(str::to_owned);
        workshop.filter(|_| in_work(order))
    };
    let (left, entered) = (place(before), place(after));
    if left == entered {
        return Vec::new();
    }
    let work_order_id = order_id.to_owned();
    let mut commands = Vec::new();
    if let Some(workshop) = left {
        let is_completed = status(after) == "completed";
        let work_order_id = work_order_id.clone();
        commands.push((
            workshop,
            WorkshopCommand::EndOrder {
                work_order_id,
                is_completed,
            },
        ));
    }
    if let Some(workshop) = entered {
        let is_taken_up_again = before.exists() && status(before) == "completed";
        commands.push((
            workshop,
            WorkshopCommand::BeginOrder {
                work_order_id,
                is_taken_up_again,
            },
        ));
    }
    commands
}
