//! Which commands on a transfer plan become events.

use serde_json::{Map, Value};

use super::command::TransferPlanCommand;
use super::schema::{self, SCHEMA};
use super::view::SHAPE;
use crate::calendar;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::lifecycle::{self, Step};
use crate::refusal::Refusal;
use crate::span::Span;

/// The steps of a plan.
pub const STEPS: &[Step] = &[
    Step::new("draft", "scheduled"),
    Step::new("scheduled", "draft"),
    Step::new("scheduled", "in_progress"),
    Step::new("in_progress", "completed"),
    Step::new("draft", "cancelled"),
    Step::new("scheduled", "cancelled"),
    Step::new("in_progress", "cancelled"),
    Step::back("cancelled", "draft"),
];

/// Fields that say what shall be.
const PLAN: &[&str] = &[
    "from_location",
    "to_location",
    "scheduled_departure_ts",
    "scheduled_arrival_ts",
    "priority",
];

/// The events that `command` causes on a plan, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist, `Rule` for times that run backwards, `Conflict` for a step that may not be
/// taken, for a change of what is done, and for deleting a train that is under way.
pub fn decide(
    plan: &Folded,
    command: &TransferPlanCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if let TransferPlanCommand::Create(fields) = command {
        return SCHEMA.admit(vec![create(fields, asked)?]);
    }
    if !plan.exists() {
        let text = "Transfer plan not found";
        return Err(Refusal::missing("plan_not_found", text));
    }
    let drafts = match command {
        TransferPlanCommand::Create(_) => Vec::new(),
        TransferPlanCommand::Change(fields) => change(plan, fields.clone(), asked)?,
        TransferPlanCommand::Delete if status(plan) == "in_progress" => {
            let text = "The transfer is under way; cancel it first";
            return Err(Refusal::conflict("", "plan_in_progress", text));
        }
        TransferPlanCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}

/// Whether vehicles and drivers may still be put into it, or taken out.
pub fn is_open(plan: &Folded) -> bool {
    plan.exists() && matches!(status(plan), "draft" | "scheduled")
}

/// The time that it takes: as it was run where that is known, else as it is planned. A train that left and has not
/// arrived takes it until `now` at least, for [a day](Span::under_way) longer than planned at most. `None` when it is called
/// off.
pub fn span_of(plan: &Folded, now: i64) -> Option<Span> {
    if !plan.exists() || status(plan) == "cancelled" {
        return None;
    }
    let moment = |name| plan.text(name).and_then(calendar::parse_time);
    let (left, arrived) = (moment("actual_departure_ts"), moment("actual_arrival_ts"));
    let (departure, arrival) = (
        moment("scheduled_departure_ts"),
        moment("scheduled_arrival_ts"),
    );
    let start = left.or(departure)?;
    let has_left = status(plan) == "in_progress" || left.is_some();
    if has_left && arrived.is_none() && status(plan) != "completed" {
        let planned = departure.zip(arrival);
        let planned = planned.and_then(|(departure, arrival)| Span::new(departure, arrival));
        return Some(Span::under_way(start, planned, now));
    }
    Span::new(start, arrived.or(arrival)?)
}

/// Whether this step plans another time than before, or plans what was called off. What is told of a train that ran or runs
/// is no plan, whatever its status.
pub fn is_moved(before: &Folded, after: &Folded) -> bool {
    let is_planned_anew = || {
        let times = ["scheduled_departure_ts", "scheduled_arrival_ts"];
        times.iter().any(|name| before.get(name) != after.get(name))
    };
    is_open(after) && (!is_open(before) || is_planned_anew())
}

/// Whether this step brought it to its end: its vehicles stand there from now on.
pub fn has_arrived(before: &Folded, after: &Folded) -> bool {
    status(after) == "completed" && status(before) != "completed"
}

pub(super) fn status(plan: &Folded) -> &str {
    plan.text("status").unwrap_or("draft")
}

fn create(fields: &Map<String, Value>, asked: Asked<'_>) -> Result<EventDraft, Refusal> {
    check_times(&Folded::default(), fields)?;
    let mut fields = SHAPE.created(fields);
    if !matches!(fields["status"].as_str(), Some("draft" | "scheduled")) {
        let text = "A new transfer plan is draft or scheduled";
        return Err(Refusal::rule("status", "status_at_start", text));
    }
    fields.insert("created_by".to_owned(), asked.by.into());
    Ok(SCHEMA.draft(schema::CREATED, fields))
}

fn change(
    plan: &Folded,
    mut fields: Map<String, Value>,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let reason = fields.remove("reason");
    let reason = reason.as_ref().and_then(Value::as_str);
    let from = status(plan).to_owned();
    let to = match fields.remove("status") {
        Some(Value::String(to)) => to,
        _ => from.clone(),
    };
    let mut changed = plan.differing(fields);
    check_times(plan, &changed)?;
    if from == to {
        let is_closed = matches!(from.as_str(), "completed" | "cancelled");
        if let Some(name) = PLAN.iter().find(|name| changed.contains_key(**name))
            && is_closed
        {
            let text = format!("The transfer is {from}: {name} stays as it is");
            return Err(Refusal::conflict(name, "plan_closed", text));
        }
        return Ok(SCHEMA.update(schema::UPDATED, plan, changed));
    }

    let mut drafts = Vec::new();
    let mut before = from;
    // A train that leaves unplanned is planned by leaving.
    if before == "draft" && to == "in_progress" {
        drafts.push(SCHEMA.draft(schema::STATUS_CHANGED, step(&before, "scheduled", reason)));
        before = "scheduled".to_owned();
    }
    lifecycle::check(STEPS, "transfer", &before, &to, reason)?;
    let mut data = step(&before, &to, reason);
    let event_type = match to.as_str() {
        "in_progress" => {
            let departure = taken(&mut changed, plan, "actual_departure_ts", asked);
            data.insert("actual_departure_ts".to_owned(), departure);
            schema::DEPARTED
        }
        "completed" => {
            let arrival = taken(&mut changed, plan, "actual_arrival_ts", asked);
            data.insert("actual_arrival_ts".to_owned(), arrival);
            schema::ARRIVED
        }
        _ => schema::STATUS_CHANGED,
    };
    let mut all = changed.clone();
    all.extend(data.clone());
    check_times(plan, &all)?;
    drafts.splice(0..0, SCHEMA.update(schema::UPDATED, plan, changed));
    drafts.push(SCHEMA.draft(event_type, data));
    Ok(drafts)
}

fn step(from: &str, to: &str, reason: Option<&str>) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("old_status".to_owned(), from.into());
    data.insert("new_status".to_owned(), to.into());
    data.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
    data
}

/// The time under `name` as it is told, as it is held, or now.
fn taken(changed: &mut Map<String, Value>, plan: &Folded, name: &str, asked: Asked<'_>) -> Value {
    let told = changed.remove(name).or(plan.get(name));
    told.filter(|time| !time.is_null())
        .unwrap_or_else(|| asked.time().into())
}

/// Arrivals lie after departures, where both are known.
fn check_times(plan: &Folded, changed: &Map<String, Value>) -> Result<(), Refusal> {
    let moment = |name: &str| {
        let told = match changed.get(name) {
            Some(value) => value.as_str(),
            None => plan.text(name),
        };
        told.and_then(calendar::parse_time)
    };
    let pairs = [
        (
            ["scheduled_departure_ts", "scheduled_arrival_ts"],
            "Scheduled arrival must be after scheduled departure",
        ),
        (
            ["actual_departure_ts", "actual_arrival_ts"],
            "Actual arrival must be after actual departure",
        ),
    ];
    for ([departure, arrival], text) in pairs {
        let is_touched = changed.contains_key(departure) || changed.contains_key(arrival);
        if is_touched
            && let (Some(left), Some(came)) = (moment(departure), moment(arrival))
            && came <= left
        {
            return Err(Refusal::rule(arrival, "end_before_start", text));
        }
    }
    Ok(())
}
