//! Which commands on a person of the staff become events.

use serde_json::{Map, Value};

use super::command::StaffCommand;
use super::schema::{self, SCHEMA};
use super::view::SHAPE;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;

/// The events that `command` causes, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for a person who does not exist.
pub fn decide(person: &Folded, command: &StaffCommand) -> Result<Vec<EventDraft>, Refusal> {
    if let StaffCommand::Create(fields) = command {
        return SCHEMA.admit(vec![SCHEMA.draft(schema::CREATED, created(fields))]);
    }
    if !person.exists() {
        return Err(Refusal::missing("staff_not_found", "Staff not found"));
    }
    let drafts = match command {
        StaffCommand::Create(_) => Vec::new(),
        StaffCommand::Change(fields) => change(person, fields.clone()),
        StaffCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}

/// Refuses somebody who is away, has left, or is not to be planned with.
///
/// # Errors
/// `Conflict` at `field`.
pub fn check_at_work(person: &Folded, field: &'static str) -> Result<(), Refusal> {
    let name = person.text("staff_id").unwrap_or("(unnamed)");
    let text = match status(person) {
        "active" if is_available(person) => return Ok(()),
        "active" => format!("Staff {name} is not available"),
        status => format!("Staff {name} is {}", status.replace('_', " ")),
    };
    Err(Refusal::conflict(field, "staff_unavailable", text))
}

pub(super) fn status(person: &Folded) -> &str {
    person.text("status").unwrap_or("active")
}

pub(super) fn is_available(person: &Folded) -> bool {
    person.get("is_available") != Some(Value::Bool(false))
}

fn created(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = fields.clone();
    let status = fields.get("status").and_then(Value::as_str);
    let at_work = status.is_none_or(|status| status == "active");
    fields
        .entry("is_available")
        .or_insert_with(|| at_work.into());
    SHAPE.created(&fields)
}

/// Who goes away is not available and who comes back is, unless the command says otherwise.
fn change(person: &Folded, mut fields: Map<String, Value>) -> Vec<EventDraft> {
    let reason = fields.remove("reason").filter(|reason| !reason.is_null());
    let told = fields.remove("status");
    let told = told.as_ref().and_then(Value::as_str);
    let told = told.filter(|told| *told != status(person));
    if let Some(told) = told {
        let at_work = told == "active";
        fields
            .entry("is_available")
            .or_insert_with(|| at_work.into());
    }
    let mut drafts = SCHEMA.update(schema::UPDATED, person, fields);
    if let Some(told) = told {
        let mut data = Map::new();
        data.insert("old_status".to_owned(), status(person).into());
        data.insert("new_status".to_owned(), told.into());
        data.extend(reason.map(|reason| ("reason".to_owned(), reason)));
        drafts.push(SCHEMA.draft(schema::STATUS_CHANGED, data));
    }
    drafts
}
