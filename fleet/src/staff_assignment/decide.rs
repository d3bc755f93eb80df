//! Which commands on a staff assignment become events. What the person does at that time besides is held against it in
//! [`check`](super::check).

use serde_json::{Map, Value};

use super::check::check_target;
use super::command::StaffAssignmentCommand;
use super::schema::{self, SCHEMA};
use super::view::SHAPE;
use crate::calendar::{self, HOUR};
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::lifecycle::{self, Step};
use crate::refusal::Refusal;
use crate::span::Span;

/// The steps of an assignment.
pub const STEPS: &[Step] = &[
    Step::new("scheduled", "confirmed"),
    Step::new("confirmed", "scheduled"),
    Step::new("scheduled", "in_progress"),
    Step::new("confirmed", "in_progress"),
    Step::new("in_progress", "completed"),
    Step::new("scheduled", "cancelled"),
    Step::new("confirmed", "cancelled"),
    Step::new("in_progress", "cancelled"),
    Step::back("cancelled", "scheduled"),
];

/// The events that `command` causes on an assignment, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist, `Rule` for times that run backwards and for anything but one target, `Conflict`
/// for a step that may not be taken and for deleting what is under way.
pub fn decide(
    assignment: &Folded,
    command: &StaffAssignmentCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if let StaffAssignmentCommand::Create(fields) = command {
        return SCHEMA.admit(vec![create(fields, asked)?]);
    }
    if !assignment.exists() {
        let text = "Staff assignment not found";
        return Err(Refusal::missing("assignment_not_found", text));
    }
    let drafts = match command {
        StaffAssignmentCommand::Create(_) => Vec::new(),
        StaffAssignmentCommand::Change(fields) => change(assignment, fields.clone(), asked)?,
        StaffAssignmentCommand::Delete if status(assignment) == "in_progress" => {
            let text = "The assignment is under way; cancel it first";
            return Err(Refusal::conflict("", "assignment_in_progress", text));
        }
        StaffAssignmentCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}

/// Whether it takes the person's time, or took it.
pub fn is_active(assignment: &Folded) -> bool {
    assignment.exists() && status(assignment) != "cancelled"
}

/// The time that it takes: as it was where that is known, else as it is planned. What has begun and has not ended takes
/// it until `now` at least, for [a day](Span::under_way) longer than planned at most.
pub fn span_of(assignment: &Folded, now: i64) -> Option<Span> {
    let moment = |name| assignment.text(name).and_then(calendar::parse_time);
    let (begun, ended) = (moment("actual_start_ts"), moment("actual_end_ts"));
    let has_begun = status(assignment) == "in_progress" || begun.is_some();
    if !has_begun || ended.is_some() || status(assignment) == "completed" {
        return told_span(assignment);
    }
    let planned = moment("scheduled_start_ts").zip(moment("scheduled_end_ts"));
    let planned = planned.and_then(|(start, end)| Span::new(start, end));
    let start = begun.or(moment("scheduled_start_ts"))?;
    Some(Span::under_way(start, planned, now))
}

/// The time that it is told to take, whatever time it is: what an assignment itself is held to. Who begins late says
/// nothing of what is taken besides.
pub(super) fn told_span(assignment: &Folded) -> Option<Span> {
    let moment = |actual, planned| {
        let told = assignment.text(actual).or(assignment.text(planned));
        told.and_then(calendar::parse_time)
    };
    Span::new(
        moment("actual_start_ts", "scheduled_start_ts")?,
        moment("actual_end_ts", "scheduled_end_ts")?,
    )
}

pub(super) fn status(assignment: &Folded) -> &str {
    assignment.text("status").unwrap_or("scheduled")
}

fn create(fields: &Map<String, Value>, asked: Asked<'_>) -> Result<EventDraft, Refusal> {
    check_target(fields)?;
    check_times(&Folded::default(), fields)?;
    let mut fields = SHAPE.created(fields);
    if !matches!(fields["status"].as_str(), Some("scheduled" | "confirmed")) {
        let text = "A new assignment is scheduled or confirmed";
        return Err(Refusal::rule("status", "status_at_start", text));
    }
    fields.insert("created_by".to_owned(), asked.by.into());
    Ok(SCHEMA.draft(schema::CREATED, fields))
}

fn change(
    assignment: &Folded,
    mut fields: Map<String, Value>,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let reason = fields.remove("reason");
    let reason = reason.as_ref().and_then(Value::as_str);
    let from = status(assignment);
    let to = fields.remove("status");
    let to = to.as_ref().and_then(Value::as_str).unwrap_or(from);
    let mut changed = assignment.differing(fields);
    let filled_in = match to {
        "in_progress" => &["actual_start_ts"][..],
        "completed" => &["actual_end_ts", "actual_hours"],
        _ => &[],
    };
    // Nothing told is now, or what follows; told once more it is still that.
    changed.retain(|name, value| !(value.is_null() && filled_in.contains(&name.as_str())));
    check_times(assignment, &changed)?;
    if to == from {
        let plan = ["scheduled_start_ts", "scheduled_end_ts"];
        if matches!(from, "completed" | "cancelled")
            && let Some(name) = plan.iter().find(|name| changed.contains_key(**name))
        {
            let text = format!("The assignment is {from}: {name} stays as it is");
            return Err(Refusal::conflict(name, "assignment_closed", text));
        }
        return Ok(SCHEMA.update(schema::UPDATED, assignment, changed));
    }
    lifecycle::check(STEPS, "staff assignment", from, to, reason)?;

    let mut data = Map::new();
    data.insert("old_status".to_owned(), from.into());
    data.insert("new_status".to_owned(), to.into());
    let event_type = match to {
        "in_progress" => {
            let start = taken(&mut changed, assignment, "actual_start_ts", asked);
            data.insert("actual_start_ts".to_owned(), start);
            schema::STARTED
        }
        "completed" => {
            let end = taken(&mut changed, assignment, "actual_end_ts", asked);
            data.insert("actual_end_ts".to_owned(), end.clone());
            let start = changed.remove("actual_start_ts");
            let start = start.or(assignment.get("actual_start_ts"));
            data.extend(
                start
                    .clone()
                    .map(|start| ("actual_start_ts".to_owned(), start)),
            );
            let told = changed
                .remove("actual_hours")
                .or(assignment.get("actual_hours"));
            let told = told.filter(|hours| !hours.is_null());
            let hours = told.or_else(|| hours_between(&start.unwrap_or_default(), &end));
            data.extend(hours.map(|hours| ("actual_hours".to_owned(), hours)));
            schema::ENDED
        }
        _ => {
            data.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
            schema::STATUS_CHANGED
        }
    };
    let mut all = changed.clone();
    all.extend(data.clone());
    check_times(assignment, &all)?;
    let mut drafts = SCHEMA.update(schema::UPDATED, assignment, changed);
    drafts.push(SCHEMA.draft(event_type, data));
    Ok(drafts)
}

/// The time under `name` as it is told, as it is held, or now.
fn taken(
    changed: &mut Map<String, Value>,
    assignment: &Folded,
    name: &str,
    asked: Asked<'_>,
) -> Value {
    let told = changed.remove(name).or(assignment.get(name));
    told.filter(|time| !time.is_null())
        .unwrap_or_else(|| asked.time().into())
}

/// Hours begun between two times.
fn hours_between(start: &Value, end: &Value) -> Option<Value> {
    let span = Span::of_text(start.as_str(), end.as_str())?;
    Some((span.length().saturating_add(HOUR - 1) / HOUR).into())
}

/// Ends lie after starts, where both are known.
fn check_times(assignment: &Folded, changed: &Map<String, Value>) -> Result<(), Refusal> {
    let moment = |name: &str| {
        let told = match changed.get(name) {
            Some(value) => value.as_str(),
            None => assignment.text(name),
        };
        told.and_then(calendar::parse_time)
    };
    let both = |start: &str, end: &str| {
        let is_touched = changed.contains_key(start) || changed.contains_key(end);
        moment(start).zip(moment(end)).filter(|_| is_touched)
    };
    if both("scheduled_start_ts", "scheduled_end_ts").is_some_and(|(start, end)| end <= start) {
        let text = "Scheduled end must be after scheduled start";
        return Err(Refusal::rule("scheduled_end_ts", "end_before_start", text));
    }
    if both("actual_start_ts", "actual_end_ts").is_some_and(|(start, end)| end < start) {
        let text = "Actual end must not be before actual start";
        return Err(Refusal::rule("actual_end_ts", "end_before_start", text));
    }
    Ok(())
}
