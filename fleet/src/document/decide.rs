//! Which commands on a document become events, and who may read it.

use serde_json::{Map, Value};

use super::command::DocumentCommand;
use super::schema::{self, SCHEMA, VERSIONS};
use super::view::SHAPE;
use crate::calendar;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::policy::Role;
use crate::refusal::Refusal;
use crate::schema::check::integer;

/// Most versions of a document.
pub const VERSIONS_MAX: usize = 1_000;

/// The events that `command` causes on a document, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist, `Rule` for one that expires before it is issued and for a version number that
/// is taken, `Conflict` for a change of what is revoked.
pub fn decide(
    document: &Folded,
    command: &DocumentCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if let DocumentCommand::Create(fields) = command {
        return SCHEMA.admit(vec![create(fields, asked)?]);
    }
    if !document.exists() {
        return Err(Refusal::missing("document_not_found", "Document not found"));
    }
    let drafts = match command {
        DocumentCommand::Create(_) => Vec::new(),
        DocumentCommand::Change(fields) => change(document, fields.clone())?,
        DocumentCommand::AddVersion { version_id, fields } => {
            vec![add_version(document, version_id, fields, asked)?]
        }
        DocumentCommand::NoteAccess {
            access_id,
            access_type,
            ip_address,
            user_agent,
        } => {
            let mut data = Map::new();
            for (name, value) in [
                ("access_id", Some(access_id.as_str())),
                ("accessed_by", Some(asked.by)),
                ("access_type", Some(*access_type)),
                ("ip_address", ip_address.as_deref()),
                ("user_agent", user_agent.as_deref()),
            ] {
                data.extend(value.map(|value| (name.to_owned(), value.into())));
            }
            data.insert("accessed_at".to_owned(), asked.time().into());
            vec![SCHEMA.draft(schema::ACCESSED, data)]
        }
        DocumentCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}

/// The least role that may read a document, beside what lists tell of it.
pub fn role_to_read(document: &Folded) -> Role {
    match document.text("access_level") {
        Some("confidential") => Role::FleetManager,
        Some("restricted") => Role::Dispatcher,
        _ => Role::Viewer,
    }
}

pub(super) fn status(document: &Folded) -> &str {
    document.text("status").unwrap_or("active")
}

fn create(fields: &Map<String, Value>, asked: Asked<'_>) -> Result<EventDraft, Refusal> {
    check_times(&Folded::default(), fields)?;
    let mut fields = SHAPE.created(fields);
    fields.insert("created_by".to_owned(), asked.by.into());
    Ok(SCHEMA.draft(schema::CREATED, fields))
}

fn change(document: &Folded, mut fields: Map<String, Value>) -> Result<Vec<EventDraft>, Refusal> {
    let reason = fields.remove("reason").filter(|reason| !reason.is_null());
    let told = fields.remove("status");
    let told = told.as_ref().and_then(Value::as_str);
    let told = told.filter(|told| *told != status(document));
    let changed = document.differing(fields);
    check_times(document, &changed)?;
    if status(document) == "revoked" && told.is_none() && !changed.is_empty() {
        let text = "The document is revoked; it stays as it was";
        return Err(Refusal::conflict("status", "document_revoked", text));
    }
    let mut drafts = SCHEMA.update(schema::UPDATED, document, changed);
    if let Some(told) = told {
        let mut data = Map::new();
        data.insert("old_status".to_owned(), status(document).into());
        data.insert("new_status".to_owned(), told.into());
        data.extend(reason.map(|reason| ("reason".to_owned(), reason)));
        drafts.push(SCHEMA.draft(schema::STATUS_CHANGED, data));
    }
    Ok(drafts)
}

fn add_version(
    document: &Folded,
    version_id: &str,
    fields: &Map<String, Value>,
    asked: Asked<'_>,
) -> Result<EventDraft, Refusal> {
    let versions = document.record.items(VERSIONS);
    let number = fields.get("version_number").and_then(integer);
    let has_it = |version: &Map<String, Value>| {
        number.is_some() && version.get("version_number").and_then(integer) == number
    };
    if versions.iter().any(has_it) {
        let text = format!("Version {} already exists", number.unwrap_or_default());
        return Err(Refusal::rule("version_number", "already_exists", text));
    }
    if versions.len() >= VERSIONS_MAX {
        let text = format!("A document has at most {VERSIONS_MAX} versions");
        return Err(Refusal::conflict("", "too_many", text));
    }
    let mut data = fields.clone();
    data.retain(|name, value| !value.is_null() && name != "document_link_id");
    data.insert("version_id".to_owned(), version_id.into());
    data.insert("created_at".to_owned(), asked.time().into());
    data.insert("created_by".to_owned(), asked.by.into());
    Ok(SCHEMA.draft(schema::VERSION_ADDED, data))
}

/// What expires was issued before.
fn check_times(document: &Folded, changed: &Map<String, Value>) -> Result<(), Refusal> {
    let moment = |name: &str| {
        let told = match changed.get(name) {
            Some(value) => value.as_str(),
            None => document.text(name),
        };
        told.and_then(calendar::parse_time)
    };
    let is_touched = changed.contains_key("issue_date") || changed.contains_key("expiration_date");
    if is_touched
        && let (Some(issued), Some(expires)) = (moment("issue_date"), moment("expiration_date"))
        && expires <= issued
    {
        let text = "Expiration date must be after issue date";
        return Err(Refusal::rule("expiration_date", "end_before_start", text));
    }
    Ok(())
}
