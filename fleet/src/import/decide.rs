//! Which commands on an import become events: it runs, is interrupted and runs again, finishes, is reconciled, and at
//! last the old database is followed no more.

use serde_json::{Map, Value, json};

use super::event;
use super::schema::SCHEMA;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::schema::draft::members;

/// A command on an import.
#[derive(Clone, PartialEq, Debug)]
pub enum ImportCommand {
    /// Run, for the first time or again, with these fields of `ImportStarted`.
    Start(Map<String, Value>),
    /// Have a table in the log, with these fields of `ImportTableFinished`.
    FinishTable(Map<String, Value>),
    /// End before the end.
    Interrupt {
        /// What went wrong.
        reason: String,
    },
    /// Have all rows in the log, with these fields of `ImportFinished`.
    Finish(Map<String, Value>),
    /// Have every row held against its events, with these fields of `ImportReconciled`.
    Reconcile(Map<String, Value>),
    /// Follow the old database no more.
    CutOver,
}

/// The events that `command` causes on an import.
///
/// # Errors
/// `Missing` for an import that never started, `Conflict` for a status that does not allow it, and for a cut-over that
/// no reconciliation without mismatches came before.
pub fn decide(state: &Folded, command: &ImportCommand) -> Result<Vec<EventDraft>, Refusal> {
    let draft = match command {
        ImportCommand::Start(fields) => {
            if status(state) == Some("cut_over") {
                let message = "This import was cut over; a new one begins under another id";
                return Err(Refusal::conflict("status", "cut_over", message));
            }
            SCHEMA.draft(event::IMPORT_STARTED, fields.clone())
        }
        _ if !state.exists() => {
            return Err(Refusal::missing("import_not_found", "Import not found"));
        }
        ImportCommand::FinishTable(fields) => {
            must_be(state, &["running"])?;
            SCHEMA.draft(event::IMPORT_TABLE_FINISHED, fields.clone())
        }
        ImportCommand::Interrupt { reason } => {
            must_be(state, &["running"])?;
            SCHEMA.draft(
                event::IMPORT_INTERRUPTED,
                members(json!({ "reason": reason })),
            )
        }
        ImportCommand::Finish(fields) => {
            must_be(state, &["running"])?;
            SCHEMA.draft(event::IMPORT_FINISHED, fields.clone())
        }
        ImportCommand::Reconcile(fields) => {
            must_be(state, &["finished", "cut_over"])?;
            SCHEMA.draft(event::IMPORT_RECONCILED, fields.clone())
        }
        ImportCommand::CutOver => {
            must_be(state, &["finished"])?;
            if state.integer("mismatches") != Some(0) {
                let message = "Cut over only what was reconciled without a mismatch";
                return Err(Refusal::conflict("mismatches", "not_reconciled", message));
            }
            SCHEMA.draft(event::IMPORT_CUT_OVER, Map::new())
        }
    };
    SCHEMA.admit(vec![draft])
}

/// How far it has come; `None` before it started.
pub fn status(state: &Folded) -> Option<&str> {
    state.text("status")
}

fn must_be(state: &Folded, allowed: &[&str]) -> Result<(), Refusal> {
    let status = status(state).unwrap_or_default();
    if allowed.contains(&status) {
        return Ok(());
    }
    let message = format!(
        "This import has the status '{status}', not {}",
        allowed.join(" or ")
    );
    Err(Refusal::conflict("status", "wrong_status", message))
}
