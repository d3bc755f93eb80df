//! Which commands on a sync conflict become events.

use serde_json::{Map, Value};

use super::event;
use super::schema::SCHEMA;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;

/// Which value stands.
#[derive(Clone, PartialEq, Debug)]
pub enum Resolution {
    /// The one that the server has.
    Server,
    /// The one that the client sent.
    Client,
    /// Another one.
    Custom(Value),
}

impl Resolution {
    /// The word in JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            Resolution::Server => "server",
            Resolution::Client => "client",
            Resolution::Custom(_) => "custom",
        }
    }
}

/// A command on a sync conflict.
#[derive(Clone, PartialEq, Debug)]
pub enum SyncConflictCommand {
    /// Be known, with these fields of `SyncConflictDetected`.
    Detect(Map<String, Value>),
    /// Be settled.
    Resolve(Resolution),
}

/// The events that `command` causes on a conflict; none for one that was detected before.
///
/// # Errors
/// `Missing` for a conflict that does not exist, `Conflict` for one that is settled already in another way.
pub fn decide(
    state: &Folded,
    command: &SyncConflictCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let drafts = match command {
        SyncConflictCommand::Detect(_) if state.exists() => Vec::new(),
        SyncConflictCommand::Detect(fields) => {
            let mut data = fields.clone();
            data.insert("is_resolved".to_owned(), false.into());
            vec![SCHEMA.draft(event::SYNC_CONFLICT_DETECTED, data)]
        }
        SyncConflictCommand::Resolve(_) if !state.exists() => {
            return Err(Refusal::missing(
                "sync_conflict_not_found",
                "Conflict not found",
            ));
        }
        SyncConflictCommand::Resolve(resolution) => resolve(state, resolution, asked)?,
    };
    SCHEMA.admit(drafts)
}

/// Whether it is settled.
pub fn is_resolved(state: &Folded) -> bool {
    state.get("is_resolved") == Some(Value::Bool(true))
}

/// The value that stands after `resolution`. Both sides are kept as `{value, type}`, as the old system showed them.
pub fn resolved_value(state: &Folded, resolution: &Resolution) -> Value {
    match resolution {
        Resolution::Server => state.get("server_value").unwrap_or_default(),
        Resolution::Client => state.get("client_value").unwrap_or_default(),
        Resolution::Custom(value) => value.clone(),
    }
}

fn resolve(
    state: &Folded,
    resolution: &Resolution,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let value = resolved_value(state, resolution);
    if is_resolved(state) {
        if state.get("resolved_value").as_ref() == Some(&value) {
            return Ok(Vec::new());
        }
        let message = "This conflict was settled in another way";
        return Err(Refusal::conflict("resolution", "already_resolved", message));
    }
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("resolution", resolution.word().into());
    put("is_resolved", true.into());
    put("resolved_value", value);
    put("resolved_at", asked.time().into());
    put("resolved_by", asked.by.into());
    Ok(vec![SCHEMA.draft(event::SYNC_CONFLICT_RESOLVED, data)])
}
