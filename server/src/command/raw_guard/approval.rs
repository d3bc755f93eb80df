//! Two people see what money goes out for, also where one of them sends raw events.
//!
//! Who wrote what an approval is given for does not give it, by whatever event the order or invoice would stand as approved,
//! nor does who may not approve. What was approved stays as it was: who changed it behind the approval would have approved
//! it alone. And what is approved is written in one's own name: of who sends an event in another's the log knows nothing.

use std::collections::BTreeSet;

use fleet::policy::Role;
use fleet::step::{Covered, Covers, Writers, refuse_own};
use fleet::{EventView, Folded, Refusal, invoice, purchase_order};

use crate::auth::Caller;
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
    /// Whether its approval books costs, by its command: taken back and given again it would book them twice.
    books: bool,
    covers: Covers,
    is_approved: fn(&Folded) -> bool,
}

const KINDS: &[Kind] = &[
    Kind {
        aggregate_type: purchase_order::AGGREGATE_TYPE,
        what: "a purchase order",
        approval: purchase_order::event::PURCHASE_ORDER_APPROVED,
        least: purchase_order::APPROVAL_ROLE,
        books: false,
        covers: purchase_order::covered,
        is_approved: purchase_order::is_approved,
    },
    Kind {
        aggregate_type: invoice::AGGREGATE_TYPE,
        what: "an invoice",
        approval: invoice::event::INVOICE_APPROVED,
        least: invoice::APPROVAL_ROLE,
        books: true,
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

/// An order or an invoice as events are taken in.
#[derive(Debug)]
pub(super) struct Approving {
    kind: &'static Kind,
    /// Whom the events that were taken in name as having written some of it.
    writers: BTreeSet<String>,
    is_approved: bool,
}

impl Approving {
    /// The aggregate of this type, which is so far as `held` has it. `None` where nobody approves, and for a SUPER_ADMIN, who
    /// may everything.
    pub(super) fn of(aggregate_type: &str, role: Role, held: &Folded) -> Option<Self> {
        let kind = kind_of(aggregate_type).filter(|_| role != Role::SuperAdmin)?;
        Some(Approving {
            kind,
            writers: BTreeSet::new(),
            is_approved: (kind.is_approved)(held),
        })
    }

    /// What an approval is given for, before an event of this canonical type.
    pub(super) fn covered<'a>(&self, state: &Folded, event_type: &'a str) -> Covered<'a> {
        Covered::before(self.kind.covers, state, event_type)
    }

    /// Takes in the next event, which the caller sends in the name of `by`, before which `covered` was what is approved, and
    /// after which the aggregate is `after`. Only where it approves is `earlier` asked for who wrote what the log has: that
    /// reads the whole stream.
    ///
    /// # Errors
    /// `Forbidden` for what is approved, written in another's name; for an approval, or the end of one, by who may not
    /// approve; and for an approval of one's own work, the caller's or that of whom it would name. `Conflict` for a change of
    /// what was approved, and for the end of an approval that may have booked. Those of `earlier`.
    pub(super) fn take_in(
        &mut self,
        event: &EventView<'_>,
        caller: &Caller,
        by: Option<&str>,
        covered: &Covered<'_>,
        after: &Folded,
        earlier: impl FnOnce(Covers) -> Result<Writers, Problem>,
    ) -> Result<(), Problem> {
        let Kind { what, least, .. } = *self.kind;
        let writes = covered.is_written(after);
        let is_approved = (self.kind.is_approved)(after);
        let was_approved = std::mem::replace(&mut self.is_approved, is_approved);
        if writes && by.is_some_and(|by| !caller.is(by)) {
            let text = format!(
                "What is approved of {what} (its supplier, lines or amounts) is written in one's own name: leave metadata.user_id \
                 out, or ask a SUPER_ADMIN to record it for others"
            );
            return Err(Refusal::forbidden("metadata.user_id", "other_name", text).into());
        }
        if was_approved && writes {
            let text = format!(
                "What was approved of {what} (its supplier, lines or amounts) stays as it is; draft another one, or ask a SUPER_ADMIN"
            );
            return Err(Refusal::conflict("", "approved", text).into());
        }
        if writes && let Some(by) = by {
            self.writers.insert(by.to_owned());
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
            return Err(Refusal::forbidden("", "role_too_low", text).into());
        }
        if was_approved && !is_approved && self.kind.books {
            let text = format!(
                "The approval of {what} booked its costs, and is not taken back: the next one would book them again. Book what is \
                 wrong back on the budgets, or ask a SUPER_ADMIN"
            );
            return Err(Refusal::conflict("", "approved", text).into());
        }
        if !approves && was_approved {
            return Ok(());
        }
        let is_writer = |name: &str| caller.is(name) || by == Some(name);
        let wrote_it = self.writers.iter().any(|name| is_writer(name))
            || earlier(self.kind.covers)?.include(is_writer);
        refuse_own(after, caller.role(), caller.id_text(), wrote_it, what)?;
        Ok(())
    }
}
