//! Which commands on a part become events.

use super::describe::DESCRIBED;
use super::level;
use super::schema::STOCK_KEY;
use crate::described::Describe;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::schema::check::integer;

/// The events that `command` causes on the part `part_no`, none if it asks for what is already so.
///
/// # Errors
/// `Rule` for a part that exists already and for a level that would change without a move, `Missing` for one that does
/// not exist.
pub fn decide(
    state: &Folded,
    part_no: &str,
    command: &Describe,
) -> Result<Vec<EventDraft>, Refusal> {
    let Describe::Change(fields) = command else {
        if state.exists() {
            return Err(DESCRIBED.already_exists("part_no", part_no));
        }
        return DESCRIBED.decide(state, command);
    };
    let mut fields = fields.clone();
    if let Some(given) = fields.remove(STOCK_KEY)
        && state.exists()
        && integer(&given) != Some(level(state))
    {
        return Err(Refusal::rule(
            STOCK_KEY,
            "stock_changes_by_moves",
            "The stock of a part changes by stock moves: POST /stock/moves",
        ));
    }
    DESCRIBED.decide(state, &Describe::Change(fields))
}
