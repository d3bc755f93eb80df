//! Which commands on a work order become events.

use serde_json::{Map, Value};

use super::command::WorkOrderCommand;
use super::schema::{self, CHECKLIST, FINDING_ITEMS, NOTE_ITEMS, SCHEMA, USED_PARTS};
use super::view::SHAPE;
use crate::calendar;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::lifecycle::{self, Step};
use crate::refusal::Refusal;

/// Most items that commands bring into one list of an order. (Facts that tablets report are not refused.)
pub const ITEMS_MAX: usize = 1_000;

/// The steps of an order.
pub const STEPS: &[Step] = &[
    Step::new("draft", "scheduled"),
    Step::new("scheduled", "draft"),
    Step::new("scheduled", "in_progress"),
    Step::new("in_progress", "completed"),
    Step::new("draft", "cancelled"),
    Step::new("scheduled", "cancelled"),
    Step::new("in_progress", "cancelled"),
    Step::back("completed", "in_progress"),
    Step::back("cancelled", "draft"),
];

/// Fields that say what shall be. They mean nothing any more once the work is done or called off.
const PLAN: &[&str] = &[
    "workshop_id",
    "priority",
    "scheduled_start",
    "scheduled_end",
    "assigned_track",
    "assigned_team",
    "assigned_staff",
    "earliest_start_ts",
    "latest_end_ts",
    "hard_deadline_ts",
    "requires_release",
];

/// Fields that the event of a completion carries.
const OF_COMPLETION: &[&str] = &[
    "actual_start",
    "actual_cost",
    "actual_hours",
    "work_performed",
    "findings",
    "completion_notes",
];

/// The events that `command` causes on an order, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for an order that does not exist, `Rule` for times that run backwards, `Conflict` for a step that may not be
/// taken and for a change of what is closed, `Invalid` for a field that breaks a limit.
pub fn decide(
    order: &Folded,
    command: &WorkOrderCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if let WorkOrderCommand::Create {
        order_number,
        fields,
    } = command
    {
        return SCHEMA.admit(vec![create(order, order_number, fields)?]);
    }
    if !order.exists() {
        return Err(Refusal::missing("order_not_found", "Work order not found"));
    }
    let drafts = match command {
        WorkOrderCommand::Create { .. } => Vec::new(),
        WorkOrderCommand::Change { fields } => change(order, fields.clone(), asked)?,
        WorkOrderCommand::Release { fields } => vec![release(order, fields, asked)?],
        WorkOrderCommand::SetChecklistItem { item_id, fields } => {
            set_checklist_item(order, item_id, fields, asked)?
        }
        WorkOrderCommand::RemoveChecklistItem { item_id } => {
            refuse_closed(order)?;
            item(order, CHECKLIST, item_id, "checklist item")?;
            let fields = named("item_id", item_id, &Map::new());
            vec![SCHEMA.draft(schema::CHECKLIST_ITEM_REMOVED, fields)]
        }
        WorkOrderCommand::RecordFinding { finding_id, fields } => {
            refuse_released(order)?;
            refuse_more(order, FINDING_ITEMS)?;
            let mut fields = named("finding_id", finding_id, fields);
            fields.entry("severity").or_insert_with(|| "medium".into());
            stamp(&mut fields, "found_at", "found_by", asked);
            vec![SCHEMA.draft(schema::FINDING_RECORDED, fields)]
        }
        WorkOrderCommand::ResolveFinding { finding_id, fields } => {
            refuse_released(order)?;
            item(order, FINDING_ITEMS, finding_id, "finding")?;
            let mut fields = named("finding_id", finding_id, fields);
            stamp(&mut fields, "resolved_at", "resolved_by", asked);
            vec![SCHEMA.draft(schema::FINDING_RESOLVED, fields)]
        }
        WorkOrderCommand::AddNote { note_id, fields } => {
            refuse_more(order, NOTE_ITEMS)?;
            let mut fields = named("note_id", note_id, fields);
            stamp(&mut fields, "noted_at", "noted_by", asked);
            vec![SCHEMA.draft(schema::NOTE_ADDED, fields)]
        }
        WorkOrderCommand::UsePart { usage_id, fields } => {
            refuse_closed(order)?;
            refuse_more(order, USED_PARTS)?;
            let mut fields = named("usage_id", usage_id, fields);
            stamp(&mut fields, "used_at", "recorded_by", asked);
            vec![SCHEMA.draft(schema::PART_USED, fields)]
        }
    };
    SCHEMA.admit(drafts)
}

/// The status; an order of which no event told one is a draft.
pub(super) fn status(order: &Folded) -> &str {
    order.text("status").unwrap_or("draft")
}

/// The first open finding with which the vehicle does not run: one of the last two [`SEVERITIES`](super::SEVERITIES) of
/// which neither what became of it nor when is told.
pub(super) fn grave_finding(order: &Folded) -> Option<Map<String, Value>> {
    let findings = order.record.items(FINDING_ITEMS);
    findings.into_iter().find(|finding| {
        let text_of = |field: &str| finding.get(field).and_then(Value::as_str);
        matches!(text_of("severity"), Some("high" | "critical"))
            && text_of("resolution").is_none()
            && text_of("resolved_at").is_none()
    })
}

/// Whether a change spares work that has begun the release that it was to wait for: who does so lets the vehicle run
/// again, as by releasing it, so it takes the same role. Taking its beginning back is the same: work that was called off
/// and planned anew has begun by nothing else, and the next change could spare it the release.
pub fn waives_release(order: &Folded, fields: &Map<String, Value>) -> bool {
    let started = order.text("actual_start").is_some();
    let has_begun = started || matches!(status(order), "in_progress" | "completed");
    let is_spared = fields.get("requires_release") == Some(&Value::Bool(false));
    let is_unbegun = started && fields.get("actual_start") == Some(&Value::Null);
    order.is_true("requires_release") && ((has_begun && is_spared) || is_unbegun)
}

/// Refuses a report that takes the beginning of this order away. Work that is under way has begun, and so has work that waits
/// for its release, also where it was called off since ([`waives_release`]): who is to take that back asks for a change.
///
/// # Errors
/// `Conflict` for an order in progress, and for one that has begun and is still to be released.
pub fn refuse_unbegun(order: &Folded) -> Result<(), Refusal> {
    let has_begun = order.exists() && order.text("actual_start").is_some();
    let is_unreleased = order.is_true("requires_release") && order.text("released_at").is_none();
    let state = match status(order) {
        _ if !has_begun => return Ok(()),
        "in_progress" => "is in progress",
        _ if is_unreleased => "has begun and waits for its release",
        _ => return Ok(()),
    };
    let text = format!("The work order {state}: actual_start may be set right, not taken away");
    Err(Refusal::conflict("actual_start", "work_begun", text))
}

fn create(
    order: &Folded,
    order_number: &str,
    fields: &Map<String, Value>,
) -> Result<EventDraft, Refusal> {
    if order.exists() {
        let text = format!("Work order with order_number '{order_number}' already exists");
        return Err(Refusal::rule("order_number", "already_exists", text));
    }
    check_times(&Folded::default(), fields)?;
    let mut fields = SHAPE.created(fields);
    if !matches!(fields["status"].as_str(), Some("draft" | "scheduled")) {
        return Err(Refusal::rule(
            "status",
            "status_at_start",
            "A new work order is draft or scheduled",
        ));
    }
    fields.insert("order_number".to_owned(), order_number.into());
    Ok(SCHEMA.draft(schema::CREATED, fields))
}

fn change(
    order: &Folded,
    mut fields: Map<String, Value>,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let reason = taken_text(&mut fields, "reason");
    let mileage = fields.remove("mileage_km").filter(|value| !value.is_null());
    let from = status(order).to_owned();
    let to = taken_text(&mut fields, "status").unwrap_or_else(|| from.clone());
    let mut changed = order.differing(fields);
    let path = steps_to(&from, &to, reason.as_deref())?;
    refuse_change_of_closed(order, &from, &to, &changed)?;
    if path.is_empty() {
        check_times(order, &changed)?;
        return Ok(updated(changed));
    }

    let mut last = Map::new();
    match to.as_str() {
        "in_progress" => {
            if from == "completed" {
                changed.remove("actual_end");
                last.insert("actual_end".to_owned(), Value::Null);
            } else if !is_told(order, &changed, "actual_start") {
                last.insert("actual_start".to_owned(), asked.time().into());
            }
        }
        "completed" => {
            refuse_open_checklist(order)?;
            // The vehicle waits for a release, which is refused while the finding is open. It is decided here and kept, so
            // that nothing that is told of a completed order, by whatever way, takes its vehicle or lets it go.
            if grave_finding(order).is_some() {
                changed.remove("requires_release");
                if !order.is_true("requires_release") {
                    changed.insert("requires_release".to_owned(), true.into());
                }
            }
            for name in OF_COMPLETION {
                last.extend(changed.remove_entry(*name));
            }
            let end = changed.remove("actual_end");
            last.insert(
                "actual_end".to_owned(),
                end.unwrap_or_else(|| asked.time().into()),
            );
        }
        _ => {}
    }
    let mut all = changed.clone();
    all.extend(last.clone());
    check_times(order, &all)?;
    last.extend(mileage.map(|mileage| ("mileage_km".to_owned(), mileage)));

    let mut drafts = updated(changed);
    let mut before = from;
    for (index, step) in path.iter().enumerate() {
        let mut data = if index + 1 == path.len() {
            std::mem::take(&mut last)
        } else {
            Map::new()
        };
        data.insert("old_status".to_owned(), before.into());
        data.insert("new_status".to_owned(), (*step).into());
        if let Some(reason) = reason.as_deref().filter(|_| *step != "completed") {
            data.insert("reason".to_owned(), reason.into());
        }
        let event_type = match *step {
            "completed" => schema::COMPLETED,
            _ => schema::STATUS_CHANGED,
        };
        drafts.push(SCHEMA.draft(event_type, data));
        before = (*step).to_owned();
    }
    Ok(drafts)
}

/// The statuses through which an order comes from one to the other; none where it is there already. Work that begins
/// unplanned is planned by beginning.
fn steps_to(from: &str, to: &str, reason: Option<&str>) -> Result<Vec<&'static str>, Refusal> {
    if from == to {
        return Ok(Vec::new());
    }
    let to = super::STATUSES
        .iter()
        .find(|status| **status == to)
        .copied()
        .unwrap_or_default();
    if (from, to) == ("draft", "in_progress") {
        return Ok(vec!["scheduled", to]);
    }
    lifecycle::check(STEPS, "work order", from, to, reason)?;
    Ok(vec![to])
}

/// What is done, called off or released keeps what it was planned as.
fn refuse_change_of_closed(
    order: &Folded,
    from: &str,
    to: &str,
    changed: &Map<String, Value>,
) -> Result<(), Refusal> {
    let is_released = order.text("released_at").is_some();
    if is_released && from != to {
        return Err(Refusal::conflict(
            "status",
            "order_released",
            "The work order is released; further work is another order",
        ));
    }
    let closed = |name: &str| match from {
        _ if from != to || name == "notes" => false,
        _ if is_released => true,
        "completed" => PLAN.contains(&name),
        "cancelled" => true,
        _ => false,
    };
    match changed.keys().find(|name| closed(name)) {
        Some(name) => {
            let state = if is_released { "released" } else { from };
            let text = format!("The work order is {state}: {name} stays as it is");
            Err(Refusal::conflict("", "order_closed", text))
        }
        None => Ok(()),
    }
}

/// Ends lie after starts, where both are known.
fn check_times(order: &Folded, changed: &Map<String, Value>) -> Result<(), Refusal> {
    let moment = |name: &str| {
        let told = match changed.get(name) {
            Some(value) => value.as_str(),
            None => order.text(name),
        };
        told.and_then(calendar::parse_time)
    };
    let touches = |names: [&str; 2]| names.iter().any(|name| changed.contains_key(*name));
    if touches(["scheduled_start", "scheduled_end"])
        && let (Some(start), Some(end)) = (moment("scheduled_start"), moment("scheduled_end"))
        && end <= start
    {
        return Err(Refusal::rule(
            "scheduled_end",
            "end_before_start",
            "Scheduled end must be after scheduled start",
        ));
    }
    if touches(["actual_start", "actual_end"])
        && let (Some(start), Some(end)) = (moment("actual_start"), moment("actual_end"))
        && end < start
    {
        return Err(Refusal::rule(
            "actual_end",
            "end_before_start",
            "Actual end must not be before actual start",
        ));
    }
    Ok(())
}

fn refuse_open_checklist(order: &Folded) -> Result<(), Refusal> {
    let items = order.record.items(CHECKLIST);
    let open = items
        .iter()
        .filter(|item| item.get("done") != Some(&Value::Bool(true)))
        .count();
    if open == 0 {
        return Ok(());
    }
    let text = format!("{open} of {} checklist items are open", items.len());
    Err(Refusal::conflict("status", "checklist_open", text))
}

fn release(
    order: &Folded,
    fields: &Map<String, Value>,
    asked: Asked<'_>,
) -> Result<EventDraft, Refusal> {
    if status(order) != "completed" {
        let text = format!(
            "Only a completed work order is released; this one is {}",
            status(order)
        );
        return Err(Refusal::conflict("", "order_not_completed", text));
    }
    refuse_released(order)?;
    refuse_open_checklist(order)?;
    if let Some(finding) = grave_finding(order) {
        let told = finding.get("text").and_then(Value::as_str);
        let text = format!("A finding is open: {}", told.unwrap_or_default());
        return Err(Refusal::conflict("", "finding_open", text));
    }
    let mut data = Map::new();
    let notes = fields.get("notes").filter(|notes| !notes.is_null());
    data.extend(notes.map(|notes| ("release_notes".to_owned(), notes.clone())));
    let at = fields.get("released_at").filter(|at| !at.is_null());
    data.extend(at.map(|at| ("released_at".to_owned(), at.clone())));
    stamp(&mut data, "released_at", "released_by", asked);
    Ok(SCHEMA.draft(schema::RELEASED, data))
}

fn set_checklist_item(
    order: &Folded,
    item_id: &str,
    fields: &Map<String, Value>,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    refuse_closed(order)?;
    let held = order.record.item(CHECKLIST, item_id);
    if held.is_none() {
        refuse_more(order, CHECKLIST)?;
        if !fields.contains_key("text") {
            return Err(Refusal::invalid("text", "missing", "text: Field required"));
        }
    }
    let held = held.unwrap_or_default();
    let mut changed = fields.clone();
    changed.retain(|name, value| held.get(name).unwrap_or(&Value::Null) != value);
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    match changed.get("done") {
        Some(Value::Bool(true)) => stamp(&mut changed, "done_at", "done_by", asked),
        Some(Value::Bool(false)) if !held.is_empty() => {
            changed.insert("done_at".to_owned(), Value::Null);
            changed.insert("done_by".to_owned(), Value::Null);
        }
        _ => {}
    }
    let fields = named("item_id", item_id, &changed);
    Ok(vec![SCHEMA.draft(schema::CHECKLIST_ITEM_SET, fields)])
}

/// What is done or called off takes no more work.
fn refuse_closed(order: &Folded) -> Result<(), Refusal> {
    match status(order) {
        state @ ("completed" | "cancelled") => Err(Refusal::conflict(
            "",
            "order_closed",
            format!("The work order is {state}"),
        )),
        _ => Ok(()),
    }
}

fn refuse_released(order: &Folded) -> Result<(), Refusal> {
    match order.text("released_at") {
        Some(_) => Err(Refusal::conflict(
            "",
            "order_released",
            "The work order is released; further work is another order",
        )),
        None => Ok(()),
    }
}

fn refuse_more(order: &Folded, list: &str) -> Result<(), Refusal> {
    if order.record.item_count(list) < ITEMS_MAX {
        return Ok(());
    }
    let text = format!("A work order has at most {ITEMS_MAX} of them");
    Err(Refusal::conflict("", "too_many", text))
}

fn item(order: &Folded, list: &str, name: &str, what: &str) -> Result<Map<String, Value>, Refusal> {
    let missing = || Refusal::missing("item_not_found", format!("The order has no such {what}"));
    order.record.item(list, name).ok_or_else(missing)
}

fn named(key: &str, name: &str, fields: &Map<String, Value>) -> Map<String, Value> {
    let mut named = fields.clone();
    named.insert(key.to_owned(), name.into());
    named
}

/// Notes when, unless that is told, and by whom.
fn stamp(fields: &mut Map<String, Value>, at: &str, by: &str, asked: Asked<'_>) {
    fields.entry(at).or_insert_with(|| asked.time().into());
    fields.insert(by.to_owned(), asked.by.into());
}

fn updated(changed: Map<String, Value>) -> Vec<EventDraft> {
    if changed.is_empty() {
        return Vec::new();
    }
    vec![SCHEMA.draft(schema::UPDATED, changed)]
}

fn is_told(order: &Folded, changed: &Map<String, Value>, name: &str) -> bool {
    match changed.get(name) {
        Some(value) => !value.is_null(),
        None => order.text(name).is_some(),
    }
}

fn taken_text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
