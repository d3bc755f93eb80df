//! Tracks and teams: what work orders are planned onto. Both are described, are there or not for spans of time
//! ([`availability`]), and have nothing else of their own to decide; what differs is a [`Workplace`].

use serde_json::{Map, Value};

use crate::availability::{self, SPANS};
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::listing::RowShape;
use crate::refusal::Refusal;
use crate::schema::{AggregateSchema, Field};

#[cfg(test)]
mod tests;

/// A kind of workplace.
#[derive(Clone, Copy, Debug)]
pub struct Workplace {
    /// Its events.
    pub schema: &'static AggregateSchema,
    /// Its row, without its spans.
    pub shape: RowShape,
    /// The refusal code of one that does not exist, `track_not_found`.
    pub missing: &'static str,
    /// What is said of one that does not exist, `Track not found`.
    pub not_found: &'static str,
    /// The event type that begins it.
    pub created: &'static str,
    /// The event type that changes it.
    pub updated: &'static str,
    /// The event type that sets a span of time.
    pub availability_set: &'static str,
    /// The event type that takes a span back.
    pub availability_removed: &'static str,
    /// The event type that ends it.
    pub deleted: &'static str,
    /// The body of a command that creates one.
    pub creation: &'static [Field],
    /// The body of a command that changes one; what is absent stays.
    pub change: &'static [Field],
    /// The body of a span of time in which it is there, or is not.
    pub availability: &'static [Field],
}

/// A command on a track or a team.
#[derive(Clone, PartialEq, Debug)]
pub enum WorkplaceCommand {
    /// Come into being, with fields of [`Workplace::creation`].
    Create(Map<String, Value>),
    /// Change fields of [`Workplace::change`].
    Change(Map<String, Value>),
    /// Be there for a span of time, or not.
    SetAvailability {
        /// The span's name; a new one's is the caller's to make.
        availability_id: String,
        /// Of [`Workplace::availability`].
        fields: Map<String, Value>,
    },
    /// Take such a span back.
    RemoveAvailability {
        /// Which.
        availability_id: String,
    },
    /// Be kept no more.
    Delete,
}

impl Workplace {
    /// The events that `command` causes on one, none if it asks for what is already so.
    ///
    /// # Errors
    /// `Missing` for one that does not exist, `Rule` for a span that ends before it starts.
    pub fn decide(
        &self,
        held: &Folded,
        command: &WorkplaceCommand,
    ) -> Result<Vec<EventDraft>, Refusal> {
        let schema = self.schema;
        let drafts = match command {
            WorkplaceCommand::Create(fields) => {
                vec![schema.draft(self.created, self.shape.created(fields))]
            }
            _ if !held.exists() => return Err(Refusal::missing(self.missing, self.not_found)),
            WorkplaceCommand::Change(fields) => schema.update(self.updated, held, fields.clone()),
            WorkplaceCommand::SetAvailability {
                availability_id,
                fields,
            } => {
                let set = self.availability_set;
                let draft = availability::set(schema, set, held, availability_id, fields)?;
                vec![draft]
            }
            WorkplaceCommand::RemoveAvailability { availability_id } => {
                let removed = self.availability_removed;
                let draft = availability::remove(schema, removed, held, availability_id)?;
                vec![draft]
            }
            WorkplaceCommand::Delete => vec![schema.draft(self.deleted, Map::new())],
        };
        schema.admit(drafts)
    }

    /// The row of the one with this id; `None` when there is none, or none any more.
    pub fn row(&self, aggregate_id: &str, held: &Folded) -> Option<Map<String, Value>> {
        let mut row = self.shape.row(aggregate_id, held)?;
        row.insert(SPANS.to_owned(), Value::from_iter(held.record.items(SPANS)));
        Some(row)
    }
}
