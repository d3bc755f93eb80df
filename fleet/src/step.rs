//! Steps on the way of an order or an invoice: from which status they start, and the remark that they may leave.

use serde_json::{Map, Value};

use crate::folded::Folded;
use crate::policy::Role;
use crate::refusal::Refusal;

#[cfg(test)]
mod tests;

/// Refuses a step that the present status does not allow, in the old system's words: "Cannot approve purchase order with
/// status 'ORDERED'. Must be DRAFT."
///
/// # Errors
/// `Rule` when `status` is none of `allowed`.
pub fn starts_from(allowed: &[&str], status: &str, verb: &str, noun: &str) -> Result<(), Refusal> {
    if allowed.contains(&status) {
        return Ok(());
    }
    let message = format!(
        "Cannot {verb} {noun} with status '{status}'. Must be {}.",
        allowed.join(" or ")
    );
    Err(Refusal::rule("status", "wrong_status", message))
}

/// Refuses that somebody approves what they created themselves: two people see what money goes out for. A SUPER_ADMIN
/// may, because a depot of one person has nobody else; the audit shows it.
///
/// # Errors
/// `Forbidden` when `by` created it. `what` is its name with an article, `a purchase order`.
pub fn refuse_own(state: &Folded, role: Role, by: &str, what: &str) -> Result<(), Refusal> {
    if role == Role::SuperAdmin || state.text("created_by") != Some(by) {
        return Ok(());
    }
    let message =
        format!("Who created {what} may not approve it; somebody else with the role has to");
    Err(Refusal::forbidden("", "own_work", message))
}

/// Puts `[tag] note` on a line of its own behind the notes that the state has, into `data`. No note adds nothing.
pub fn add_remark(data: &mut Map<String, Value>, state: &Folded, tag: &str, note: Option<&str>) {
    let Some(note) = note.filter(|note| !note.is_empty()) else {
        return;
    };
    let line = format!("[{tag}] {note}");
    let notes = match state.text("notes").filter(|held| !held.is_empty()) {
        Some(held) => format!("{held}\n{line}"),
        None => line,
    };
    data.insert("notes".to_owned(), notes.into());
}
