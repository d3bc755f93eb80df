//! Which commands on a cost center become events.

use super::DESCRIBED;
use super::schema::SCHEMA;
use crate::described::Describe;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;

/// The events that `command` causes on the cost center `code`, none if it asks for what is already so.
///
/// # Errors
/// `Rule` for one that exists already or would be its own parent, `Missing` for one that does not exist.
pub fn decide(state: &Folded, code: &str, command: &Describe) -> Result<Vec<EventDraft>, Refusal> {
    let (Describe::Create(fields) | Describe::Change(fields)) = command;
    // A parent is named by the code that it goes by now.
    let own = SCHEMA.name_of(code, state);
    if fields.get("parent_code").and_then(|parent| parent.as_str()) == Some(own) {
        return Err(Refusal::rule(
            "parent_code",
            "own_parent",
            "A cost center cannot be its own parent",
        ));
    }
    if matches!(command, Describe::Create(_)) && state.exists() {
        return Err(DESCRIBED.already_exists("code", code));
    }
    DESCRIBED.decide(state, command)
}
