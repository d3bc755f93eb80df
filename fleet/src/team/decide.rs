//! Which commands on a team become events.

use serde_json::Map;

use super::command::TeamCommand;
use super::schema::{self, SCHEMA};
use super::view::SHAPE;
use crate::availability;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;

/// The events that `command` causes on a team, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist, `Rule` for a span that ends before it starts.
pub fn decide(team: &Folded, command: &TeamCommand) -> Result<Vec<EventDraft>, Refusal> {
    if let TeamCommand::Create(fields) = command {
        return SCHEMA.admit(vec![SCHEMA.draft(schema::CREATED, SHAPE.created(fields))]);
    }
    if !team.exists() {
        return Err(Refusal::missing("team_not_found", "Team not found"));
    }
    let drafts = match command {
        TeamCommand::Create(_) => Vec::new(),
        TeamCommand::Change(fields) => SCHEMA.update(schema::UPDATED, team, fields.clone()),
        TeamCommand::SetAvailability {
            availability_id,
            fields,
        } => {
            let set = schema::AVAILABILITY_SET;
            vec![availability::set(
                &SCHEMA,
                set,
                team,
                availability_id,
                fields,
            )?]
        }
        TeamCommand::RemoveAvailability { availability_id } => {
            let removed = schema::AVAILABILITY_REMOVED;
            vec![availability::remove(
                &SCHEMA,
                removed,
                team,
                availability_id,
            )?]
        }
        TeamCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}
