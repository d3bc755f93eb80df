//! Which commands on a transfer assignment become events, and what may stand in their way.

use serde_json::{Map, Value};

use super::command::TransferAssignmentCommand;
use super::schema::{self, SCHEMA};
use super::view::SHAPE;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::span::Span;
use crate::{staff, transfer_plan, work_order};

/// The events that `command` causes on an assignment, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist.
pub fn decide(
    assignment: &Folded,
    command: &TransferAssignmentCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if let TransferAssignmentCommand::Create(fields) = command {
        let mut fields = SHAPE.created(fields);
        fields.insert("assigned_at".to_owned(), asked.time().into());
        fields.insert("assigned_by".to_owned(), asked.by.into());
        return SCHEMA.admit(vec![SCHEMA.draft(schema::CREATED, fields)]);
    }
    if !assignment.exists() {
        let text = "Transfer assignment not found";
        return Err(Refusal::missing("assignment_not_found", text));
    }
    let drafts = match command {
        TransferAssignmentCommand::Create(_) => Vec::new(),
        TransferAssignmentCommand::Change(fields) => change(assignment, fields.clone(), asked),
        TransferAssignmentCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}

fn change(
    assignment: &Folded,
    mut fields: Map<String, Value>,
    asked: Asked<'_>,
) -> Vec<EventDraft> {
    let reason = fields.remove("reason").filter(|reason| !reason.is_null());
    let told = fields.remove("is_confirmed");
    let told = told.as_ref().and_then(Value::as_str);
    let mut rest = assignment.differing(fields);
    let Some(told) = told.filter(|told| *told != confirmation(assignment)) else {
        return SCHEMA.update(schema::UPDATED, assignment, rest);
    };
    let mut data = Map::new();
    let event_type = match told {
        "confirmed" => {
            data.insert("confirmed_at".to_owned(), asked.time().into());
            data.insert("confirmed_by".to_owned(), asked.by.into());
            schema::CONFIRMED
        }
        "cancelled" => {
            data.extend(reason.map(|reason| ("reason".to_owned(), reason)));
            schema::CANCELLED
        }
        _ => {
            rest.insert("is_confirmed".to_owned(), told.into());
            rest.insert("confirmed_at".to_owned(), Value::Null);
            return SCHEMA.update(schema::UPDATED, assignment, rest);
        }
    };
    data.extend(rest.remove_entry("confirmation_notes"));
    let mut drafts = SCHEMA.update(schema::UPDATED, assignment, rest);
    drafts.push(SCHEMA.draft(event_type, data));
    drafts
}

/// Whether it takes its vehicle and driver.
pub fn is_active(assignment: &Folded) -> bool {
    assignment.exists() && confirmation(assignment) != "cancelled"
}

pub(super) fn confirmation(assignment: &Folded) -> &str {
    assignment.text("is_confirmed").unwrap_or("pending")
}

/// What is known around an assignment.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Its plan.
    pub plan: &'a Folded,
    /// Its vehicle.
    pub vehicle: &'a Folded,
    /// Its driver, if one is named.
    pub driver: Option<&'a Folded>,
    /// The other assignments of the same plan that are [`is_active`].
    pub of_plan: &'a [Folded],
    /// Plans in which the vehicle has another assignment that is active.
    pub plans_of_vehicle: &'a [Folded],
    /// Plans in which the driver has another assignment that is active.
    pub plans_of_driver: &'a [Folded],
    /// Work orders of the vehicle that are active.
    pub orders_of_vehicle: &'a [Folded],
}

/// Holds an assignment, as it shall be, against what is planned around it.
///
/// # Errors
/// `Conflict`, naming the first thing that cannot be.
pub fn check(assignment: &Folded, around: &Around<'_>, now: i64) -> Result<(), Refusal> {
    if !is_active(assignment) {
        return Ok(());
    }
    if !transfer_plan::is_open(around.plan) {
        let status = around.plan.text("status").unwrap_or("draft");
        let text = format!("The transfer plan is {status}; it takes no vehicles");
        return Err(Refusal::conflict("transfer_plan_id", "plan_closed", text));
    }
    if around.vehicle.text("status") == Some("retired") {
        let text = "The vehicle is retired";
        return Err(Refusal::conflict("vehicle_id", "vehicle_retired", text));
    }
    check_convoy(assignment, around.of_plan)?;
    if let Some(driver) = around.driver {
        staff::check_at_work(driver, "driver_id")?;
    }
    check_times(around, now)
}

/// Holds the time of an assignment's plan against what its vehicle and its driver do then besides: what a plan whose time
/// changes is held against.
///
/// # Errors
/// `Conflict`, naming the first thing that cannot be.
pub fn check_times(around: &Around<'_>, now: i64) -> Result<(), Refusal> {
    let Some(span) = transfer_plan::span_of(around.plan, now) else {
        return Ok(());
    };
    let meeting = |plans: &[Folded]| {
        let mut plans = plans.iter();
        let plan = plans.find(|plan| {
            transfer_plan::span_of(plan, now).is_some_and(|other| other.meets(span))
        })?;
        Some(plan.text("plan_id").unwrap_or("(unnamed)").to_owned())
    };
    if let Some(plan) = meeting(around.plans_of_vehicle) {
        let text = format!("The vehicle runs in transfer plan {plan} then");
        return Err(Refusal::conflict("vehicle_id", "vehicle_elsewhere", text));
    }
    if let Some(plan) = meeting(around.plans_of_driver) {
        let text = format!("The driver drives in transfer plan {plan} then");
        return Err(Refusal::conflict("driver_id", "staff_overlap", text));
    }
    check_workshop(span, around.orders_of_vehicle, now)
}

/// A vehicle stands in a convoy once, and alone in its place.
fn check_convoy(assignment: &Folded, others: &[Folded]) -> Result<(), Refusal> {
    for other in others {
        if other.text("vehicle_id") == assignment.text("vehicle_id") {
            let text = "The vehicle is in this transfer plan already";
            return Err(Refusal::conflict("vehicle_id", "vehicle_taken", text));
        }
        let place = assignment.integer("position_in_convoy");
        if place.is_some() && other.integer("position_in_convoy") == place {
            let text = format!("Place {} of the convoy is taken", place.unwrap_or_default());
            return Err(Refusal::conflict("position_in_convoy", "place_taken", text));
        }
    }
    Ok(())
}

fn check_workshop(span: Span, orders: &[Folded], now: i64) -> Result<(), Refusal> {
    let meets =
        |order: &&Folded| work_order::span_of(order, now).is_some_and(|other| other.meets(span));
    match orders.iter().find(meets) {
        Some(order) => {
            let number = order.text("order_number").unwrap_or("(unnamed)");
            let text = format!("The vehicle is in the workshop then: work order {number}");
            Err(Refusal::conflict("vehicle_id", "vehicle_in_workshop", text))
        }
        None => Ok(()),
    }
}
