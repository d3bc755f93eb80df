//! What else the person does at that time, and whether the target takes people at all: refused where it cannot be, warned
//! of where somebody should know.

use serde_json::{Map, Value};

use super::decide::{is_active, span_of, status, told_span};
use crate::calendar::{self, DAY, HOUR};
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::span::Span;
use crate::{staff, transfer_plan, work_order};

/// What is known around an assignment.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The person.
    pub person: &'a Folded,
    /// The work order, if it is for one.
    pub work_order: Option<&'a Folded>,
    /// The transfer plan, if it is for one.
    pub transfer_plan: Option<&'a Folded>,
    /// The person's other assignments.
    pub others: &'a [Folded],
}

/// Whether the step from one state to the other takes time that was not taken so before.
pub fn needs_check(before: &Folded, after: &Folded) -> bool {
    is_active(after)
        && status(after) != "completed"
        && (!is_active(before) || told_span(before) != told_span(after))
}

/// Refuses anything but exactly one target.
///
/// # Errors
/// `Rule`.
pub fn check_target(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    if has("work_order_id") != has("transfer_plan_id") {
        return Ok(());
    }
    let text = "Exactly one of work_order_id and transfer_plan_id must be given";
    Err(Refusal::rule("work_order_id", "one_target", text))
}

/// Holds an assignment, as it shall be, against what is known around it. What somebody should know comes back as
/// sentences.
///
/// # Errors
/// `Conflict` for a person who is away or busy then, and for a target that is done or called off.
pub fn check(assignment: &Folded, around: &Around<'_>, now: i64) -> Result<Vec<String>, Refusal> {
    staff::check_at_work(around.person, "staff_id")?;
    if let Some(order) = around.work_order
        && let Some(state @ ("completed" | "cancelled")) = order.text("status")
    {
        let text = format!("The work order is {state}; it takes nobody");
        return Err(Refusal::conflict("work_order_id", "order_closed", text));
    }
    if let Some(plan) = around.transfer_plan
        && let Some(state @ ("completed" | "cancelled")) = plan.text("status")
    {
        let text = format!("The transfer plan is {state}; it takes nobody");
        return Err(Refusal::conflict("transfer_plan_id", "plan_closed", text));
    }
    let Some(span) = told_span(assignment) else {
        return Ok(Vec::new());
    };
    let busy = around.others.iter().find(|other| {
        is_active(other) && span_of(other, now).is_some_and(|taken| taken.meets(span))
    });
    if let Some(other) = busy {
        let taken = span_of(other, now).map(Span::shown).unwrap_or_default();
        let name = around.person.text("staff_id").unwrap_or("(unnamed)");
        let text = format!(
            "Staff {name} is assigned elsewhere: {taken}, for {}; end or cancel that assignment, or choose another time",
            target_of(other)
        );
        return Err(Refusal::conflict(
            "scheduled_start_ts",
            "staff_overlap",
            text,
        ));
    }
    let mut warnings = Vec::new();
    warnings.extend(outside_target(span, around, now));
    warnings.extend(missing_skills(around));
    warnings.extend(too_many_hours(span, around, now));
    Ok(warnings)
}

/// What an assignment is for, by which it is found.
fn target_of(assignment: &Folded) -> String {
    let named = |key: &str, what: &str| Some(format!("{what} {}", assignment.text(key)?));
    named("work_order_id", "work order")
        .or_else(|| named("transfer_plan_id", "transfer plan"))
        .unwrap_or_else(|| "something else".to_owned())
}

fn outside_target(span: Span, around: &Around<'_>, now: i64) -> Option<String> {
    let (what, target) = match (around.work_order, around.transfer_plan) {
        (Some(order), _) => ("work order", work_order::span_of(order, now)?),
        (None, Some(plan)) => ("transfer", transfer_plan::span_of(plan, now)?),
        (None, None) => return None,
    };
    let is_within = target.start() <= span.start() && span.end() <= target.end();
    (!is_within).then(|| {
        format!(
            "The assignment, {}, is not within the {what}'s time, {}",
            span.shown(),
            target.shown()
        )
    })
}

fn missing_skills(around: &Around<'_>) -> Option<String> {
    let words = |folded: &Folded, key: &str| -> Vec<String> {
        let list = folded.get(key);
        let list = list.as_ref().and_then(Value::as_array);
        let words = list.into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    let has = words(around.person, "skills_json");
    let mut missing = words(around.work_order?, "required_skills");
    missing.retain(|skill| !has.iter().any(|held| held.eq_ignore_ascii_case(skill)));
    (!missing.is_empty()).then(|| format!("The person lacks skills: {}", missing.join(", ")))
}

/// Hours of each week, Monday to Sunday UTC, against what was agreed.
fn too_many_hours(span: Span, around: &Around<'_>, now: i64) -> Vec<String> {
    let most = around.person.integer("max_weekly_hours").unwrap_or(40);
    let others: Vec<Span> = around
        .others
        .iter()
        .filter(|other| is_active(other))
        .filter_map(|other| span_of(other, now))
        .collect();
    let first_day = calendar::date_of(span.start());
    let mut monday = first_day.micros() - first_day.weekday() * DAY;
    let mut warnings = Vec::new();
    // An assignment of years is a mistake of its own; ten weeks of it suffice to say so.
    for _ in 0..10 {
        let Some(week) = Span::new(monday, monday + 7 * DAY).filter(|week| week.meets(span)) else {
            break;
        };
        let within = |other: &Span| week.intersection(*other).map_or(0, Span::length);
        let worked: i64 = others.iter().map(within).sum::<i64>() + within(&span);
        if worked > most * HOUR {
            let hours = (worked + HOUR - 1) / HOUR;
            let monday = calendar::format_date(calendar::date_of(monday));
            warnings.push(format!(
                "{hours} hours in the week of {monday}, at most {most} are agreed"
            ));
        }
        monday += 7 * DAY;
    }
    warnings
}
