//! Aggregates that are only described: they come into being with fields, and some of the fields change. What their
//! commands may bring are tables; the steps are the same for all of them.

use serde_json::{Map, Value};

use crate::event::EventDraft;
use crate::folded::Folded;
use crate::listing::row_of;
use crate::refusal::Refusal;
use crate::schema::{AggregateSchema, Constant, Field, FieldError, body};

#[cfg(test)]
mod tests;

/// How an aggregate is described.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its events.
    pub schema: &'static AggregateSchema,
    /// Its name in sentences, `Stock location`.
    pub name: &'static str,
    /// The refusal code of one that does not exist, `stock_location_not_found`.
    pub missing: &'static str,
    /// The event type that begins it.
    pub created: &'static str,
    /// The event type that changes it.
    pub updated: &'static str,
    /// The body of a command that creates one.
    pub creation: &'static [Field],
    /// What a creation that leaves these out means.
    pub defaults: &'static [(&'static str, Constant)],
    /// The body of a command that changes one.
    pub change: &'static [Field],
}

/// A command on an aggregate that is only described.
#[derive(Clone, PartialEq, Debug)]
pub enum Describe {
    /// Come into being with these fields, as [`Described::parse_creation`] gave them.
    Create(Map<String, Value>),
    /// Have these fields from now on, as [`Described::parse_change`] gave them.
    Change(Map<String, Value>),
}

impl Described {
    /// Checks the body of a request that creates one, and fills in what it leaves to its defaults.
    ///
    /// # Errors
    /// All faults; never an empty list.
    pub fn parse_creation(
        &self,
        body: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<FieldError>> {
        let mut fields = body::parse(self.creation, body)?;
        fields.retain(|_, value| !value.is_null());
        for (name, constant) in self.defaults {
            fields.entry(*name).or_insert_with(|| constant.value());
        }
        Ok(fields)
    }

    /// Checks the body of a request that changes one.
    ///
    /// # Errors
    /// All faults; never an empty list.
    pub fn parse_change(
        &self,
        body: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<FieldError>> {
        body::parse(self.change, body)
    }

    /// The refusal of a command on one that does not exist.
    pub fn not_found(&self) -> Refusal {
        Refusal::missing(self.missing, format!("{} not found", self.name))
    }

    /// The refusal of a second one under the same key.
    pub fn already_exists(&self, field: &'static str, key: &str) -> Refusal {
        let message = format!("{} with {field} '{key}' already exists", self.name);
        Refusal::rule(field, "already_exists", message)
    }

    /// The events that `command` causes, none if it asks for what is already so.
    ///
    /// # Errors
    /// `Rule` for one that exists already, `Missing` for one that does not exist.
    pub fn decide(&self, state: &Folded, command: &Describe) -> Result<Vec<EventDraft>, Refusal> {
        let drafts = match command {
            Describe::Create(_) if state.exists() => {
                let message = format!("{} already exists", self.name);
                return Err(Refusal::rule("", "already_exists", message));
            }
            Describe::Create(fields) => vec![self.schema.draft(self.created, fields.clone())],
            Describe::Change(_) if !state.exists() => return Err(self.not_found()),
            Describe::Change(fields) => {
                let changed = state.differing(fields.clone());
                if changed.is_empty() {
                    return Ok(Vec::new());
                }
                vec![self.schema.draft(self.updated, changed)]
            }
        };
        self.schema.admit(drafts)
    }
}

/// The row of one that has an `is_active`.
pub fn row(id: impl Into<Value>, fields: &[&str], state: &Folded) -> Option<Map<String, Value>> {
    let mut row = row_of(id, fields, state)?;
    row.insert("is_active".to_owned(), is_active(state).into());
    Some(row)
}

/// Whether it is in use: until somebody says that it is not.
pub fn is_active(state: &Folded) -> bool {
    state.get("is_active") != Some(Value::Bool(false))
}

/// What lists are narrowed by: `true` for what is in use.
pub fn listed_is_active(state: &Folded) -> Option<String> {
    Some(is_active(state).to_string())
}
