//! Two people see what money goes out for, also where one of them sends raw events.
//!
//! Who wrote what an approval is given for does not give it, by whatever event the order or invoice would stand as approved,
//! nor does who may not approve. What was approved stays as it was: who changed it behind the approval would have approved
//! it alone. And what is approved is written in one's own name: of who sends an event in another's the log knows nothing.

use fleet::policy::Role;
use fleet::step::{Covers, Writers, refuse_own};
use fleet::{EventView, Folded, Refusal, invoice, purchase_order};
use storage::StreamName;

use crate::app::AppState;
use crate::auth::Caller;
use crate::command::writers::writers_of;
use crate::http::problem::Problem;

/// A kind of aggregate that is approved.
#[derive(Debug)]
struct Kind {
    aggregate_type: &'static str,
    /// Its name with an article.
    what: &'static str,
    /// The event that approves it.
    approval: &'static str,
    /// The least role that may approve it.
    least: Role,
    covers: Covers,
    is_approved: fn(&Folded) -> bool,
}

const KINDS: &[Kind] = &[
    Kind {
        aggregate_type: purchase_order::AGGREGATE_TYPE,
        what: "a purchase order",
        approval: purchase_order::event::PURCHASE_ORDER_APPROVED,
        least: purchase_order::APPROVAL_ROLE,
        covers: purchase_order::covered,
        is_approved: purchase_order::is_approved,
    },
    Kind {
        aggregate_type: invoice::AGGREGATE_TYPE,
        what: "an invoice",
        approval: invoice::event::INVOICE_APPROVED,
        least: invoice::APPROVAL_ROLE,
        covers: invoice::covered,
        is_approved: invoice::is_approved,
    },
];

fn kind_of(aggregate_type: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .find(|kind| kind.aggregate_type == aggregate_type)
}

/// Whether aggregates of this type are approved.
pub(super) fn is_approved(aggregate_type: &str) -> bool {
    kind_of(aggregate_type).is_some()
}

/// An order or an invoice, and who wrote it, as events are taken in.
#[derive(Debug)]
pub(super) struct Approving {
    kind: &'static Kind,
    writers: Writers,
    is_approved: bool,
}

impl Approving {
    /// The aggregate of this stream, which is so far as `held` has it. `None` where nobody approves, and for a SUPER_ADMIN, who
    /// may everything. Touches the disk.
    ///
    /// # Errors
    /// Those of reading the log.
    pub(super) fn of(
        state: &AppState,
        caller: &Caller,
        stream: &StreamName,
        held: &Folded,
    ) -> Result<Option<Self>, Problem> {
        let kind = kind_of(&stream.aggregate_type);
        let Some(kind) = kind.filter(|_| caller.role() != Role::SuperAdmin) else {
            return Ok(None);
        };
        Ok(Some(Approving {
            kind,
            writers: writers_of(state, stream, kind.covers)?,
            is_approved: (kind.is_approved)(held),
        }))
    }

    /// Takes in the next event, which the caller sends in the name of `by`, and after which the aggregate is `after`.
    ///
    /// # Errors
    /// `Forbidden` for what is approved, written in another's name; for an approval, or the end of one, by who may not
    /// approve; and for an approval of one's own work, the caller's or that of whom it would name. `Conflict` for a change of
    /// what was approved.
    pub(super) fn take_in(
        &mut self,
        event: &EventView<'_>,
        caller: &Caller,
        by: Option<&str>,
        after: &Folded,
    ) -> Result<(), Refusal> {
        let Kind { what, least, .. } = *self.kind;
        let writes = self.writers.take_in(event, by);
        let is_approved = (self.kind.is_approved)(after);
        let was_approved = std::mem::replace(&mut self.is_approved, is_approved);
        if writes && by.is_some_and(|by| !caller.is(by)) {
            let text = format!(
                "What is approved of {what} (its supplier, lines or amounts) is written in one's own name: leave metadata.user_id \
                 out, or ask a SUPER_ADMIN to record it for others"
            );
            return Err(Refusal::forbidden("metadata.user_id", "other_name", text));
        }
        if was_approved && writes {
            let text = format!(
                "What was approved of {what} (its supplier, lines or amounts) stays as it is; draft another one, or ask a SUPER_ADMIN"
            );
            return Err(Refusal::conflict("", "approved", text));
        }
        let approves = event.canonical_type() == self.kind.approval;
        if !approves && was_approved == is_approved {
            return Ok(());
        }
        // Events imply a status that their sender might not set.
        if !caller.role().reaches(least) {
            let text = format!(
                "By this event {what} would come to stand as approved, or no longer: that takes the role {least}"
            );
            return Err(Refusal::forbidden("", "role_too_low", text));
        }
        if !approves && was_approved {
            return Ok(());
        }
        let is_writer = |name: &str| caller.is(name) || by == Some(name);
        let wrote_it = self.writers.include(is_writer);
        refuse_own(after, caller.role(), caller.id_text(), wrote_it, what)
    }
}
