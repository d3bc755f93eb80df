//! Steps on the way of an order or an invoice: from which status they start, who may take them, and the remark that they
//! may leave.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::event::EventView;
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

/// What an approval is given for, as the state has it: two that differ say that the event between them, which is of this
/// type, changed it.
pub type Covers = fn(&Folded, &str) -> Value;

/// What an approval is given for, before an event: what tells whether the event writes some of it.
#[derive(Debug)]
pub struct Covered<'a> {
    covers: Covers,
    event_type: &'a str,
    is_there: bool,
    told: Value,
}

impl<'a> Covered<'a> {
    /// As `state` has it before an event of this canonical type.
    pub fn before(covers: Covers, state: &Folded, event_type: &'a str) -> Self {
        Covered {
            covers,
            event_type,
            is_there: state.exists(),
            told: covers(state, event_type),
        }
    }

    /// Whether the event wrote some of it, behind which the state is `after`. What begins an order or invoice does.
    pub fn is_written(&self, after: &Folded) -> bool {
        let begins = !self.is_there && after.exists();
        begins || (self.covers)(after, self.event_type) != self.told
    }
}

/// Who wrote what an approval is given for, told by the events of the order or invoice in the order of its stream.
///
/// The events and not the state: every event says who caused it, by whatever route it came, while a raw event's fields
/// say what its sender wrote into them.
#[derive(Debug)]
pub struct Writers {
    covers: Covers,
    state: Folded,
    names: BTreeSet<String>,
}

impl Writers {
    /// Of a stream of which no event was taken in yet.
    pub fn of(covers: Covers) -> Self {
        Writers {
            covers,
            state: Folded::default(),
            names: BTreeSet::new(),
        }
    }

    /// Takes in the next event, which `user_id` caused. Whom an event does not name (an imported row's) wrote nothing.
    pub fn take_in(&mut self, event: &EventView<'_>, user_id: Option<&str>) {
        let covered = Covered::before(self.covers, &self.state, event.canonical_type());
        self.state.fold(event);
        if covered.is_written(&self.state)
            && let Some(user_id) = user_id
        {
            self.names.insert(user_id.to_owned());
        }
    }

    /// Whether one of them is who `is_asker` knows.
    pub fn include(&self, is_asker: impl Fn(&str) -> bool) -> bool {
        self.names.iter().any(|name| is_asker(name))
    }
}

/// Refuses that somebody approves their own work, what they created or have changed since: two people see what money goes
/// out for. A SUPER_ADMIN may, because a depot of one person has nobody else; the audit shows it.
///
/// `wrote_it` says whether `by` is one of its [`Writers`]; `what` is its name with an article, `a purchase order`.
///
/// # Errors
/// `Forbidden` when `by` created it, or wrote some of it.
pub fn refuse_own(
    state: &Folded,
    role: Role,
    by: &str,
    wrote_it: bool,
    what: &str,
) -> Result<(), Refusal> {
    // An imported row says who created it, and its event names nobody.
    let created_it = state.text("created_by") == Some(by);
    if role == Role::SuperAdmin || !(created_it || wrote_it) {
        return Ok(());
    }
    let did = if created_it {
        format!("created {what}")
    } else {
        format!("wrote some of what is approved of {what} (its supplier, lines or amounts)")
    };
    let message = format!("Who {did} may not approve it; somebody else with the role has to");
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
