//! Which commands on a track become events.

use serde_json::Map;

use super::command::TrackCommand;
use super::schema::{self, SCHEMA};
use super::view::SHAPE;
use crate::availability;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;

/// The events that `command` causes on a track, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for one that does not exist, `Rule` for a span that ends before it starts.
pub fn decide(track: &Folded, command: &TrackCommand) -> Result<Vec<EventDraft>, Refusal> {
    if let TrackCommand::Create(fields) = command {
        return SCHEMA.admit(vec![SCHEMA.draft(schema::CREATED, SHAPE.created(fields))]);
    }
    if !track.exists() {
        return Err(Refusal::missing("track_not_found", "Track not found"));
    }
    let drafts = match command {
        TrackCommand::Create(_) => Vec::new(),
        TrackCommand::Change(fields) => SCHEMA.update(schema::UPDATED, track, fields.clone()),
        TrackCommand::SetAvailability {
            availability_id,
            fields,
        } => {
            let set = schema::AVAILABILITY_SET;
            vec![availability::set(
                &SCHEMA,
                set,
                track,
                availability_id,
                fields,
            )?]
        }
        TrackCommand::RemoveAvailability { availability_id } => {
            let removed = schema::AVAILABILITY_REMOVED;
            vec![availability::remove(
                &SCHEMA,
                removed,
                track,
                availability_id,
            )?]
        }
        TrackCommand::Delete => vec![SCHEMA.draft(schema::DELETED, Map::new())],
    };
    SCHEMA.admit(drafts)
}
