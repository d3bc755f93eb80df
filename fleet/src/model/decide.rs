//! Which commands on a model become events: training → trained → deployed → archived; an archived model may be deployed
//! again, a failed training ends there.

use serde_json::{Map, Value, json};

use super::event;
use super::schema::SCHEMA;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::schema::draft::members;

/// A command on a model.
#[derive(Clone, PartialEq, Debug)]
pub enum ModelCommand {
    /// Be known, with these fields of `ModelRegistered`; its training begins unless they say that it is done.
    Register(Map<String, Value>),
    /// Be trained, with these fields of `ModelTrained`.
    Train(Map<String, Value>),
    /// Predict from here on.
    Deploy,
    /// Predict no more.
    Archive {
        /// Why, for the trail.
        reason: Option<String>,
    },
    /// Have failed to be trained.
    Fail {
        /// What went wrong.
        error: String,
    },
}

/// The events that `command` causes on a model, none if it asks for what is already so.
///
/// # Errors
/// `Conflict` for a model that is registered already and for a status that does not allow it, `Missing` for one that
/// does not exist.
pub fn decide(
    state: &Folded,
    command: &ModelCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let drafts = match command {
        ModelCommand::Register(_) if state.exists() => {
            let message = "A model of this id is registered already";
            return Err(Refusal::conflict("model_id", "model_exists", message));
        }
        ModelCommand::Register(fields) => {
            let mut data = fields.clone();
            data.entry("status").or_insert("training".into());
            data.entry("created_by").or_insert(asked.by.into());
            vec![SCHEMA.draft(event::MODEL_REGISTERED, data)]
        }
        _ if !state.exists() => return Err(Refusal::missing("model_not_found", "Model not found")),
        ModelCommand::Train(fields) => {
            must_be(state, "trained", &["training"])?;
            let mut data = fields.clone();
            let now = asked.time();
            data.entry("trained_at").or_insert(now.into());
            vec![SCHEMA.draft(event::MODEL_TRAINED, data)]
        }
        ModelCommand::Deploy if status(state) == "deployed" => Vec::new(),
        ModelCommand::Deploy => {
            must_be(state, "deployed", &["trained", "archived"])?;
            let data = members(json!({ "deployed_at": asked.time() }));
            vec![SCHEMA.draft(event::MODEL_DEPLOYED, data)]
        }
        ModelCommand::Archive { .. } if status(state) == "archived" => Vec::new(),
        ModelCommand::Archive { reason } => {
            must_be(state, "archived", &["trained", "deployed"])?;
            let data = members(json!({ "reason": reason }));
            vec![SCHEMA.draft(event::MODEL_ARCHIVED, data)]
        }
        ModelCommand::Fail { error } => {
            must_be(state, "failed", &["training"])?;
            vec![SCHEMA.draft(event::MODEL_FAILED, members(json!({ "error": error })))]
        }
    };
    SCHEMA.admit(drafts)
}

/// How far it has come.
pub fn status(state: &Folded) -> &str {
    state.text("status").unwrap_or("training")
}

fn must_be(state: &Folded, becoming: &str, allowed: &[&str]) -> Result<(), Refusal> {
    let status = status(state);
    if allowed.contains(&status) {
        return Ok(());
    }
    let message = format!(
        "A model with status '{status}' cannot be {becoming}; it must be {}",
        allowed.join(" or ")
    );
    Err(Refusal::conflict("status", "wrong_status", message))
}
