//! A state on the workbench: what its stream's events fold to, but for values that have not been decoded yet.

use fleet::fold::Unread;
use fleet::registry::KnownEvent;
use fleet::{EventView, Folded};

/// See the module.
#[derive(Debug, Default)]
pub(in crate::projection) struct Unsettled {
    folded: Folded,
    unread: Unread,
}

impl Unsettled {
    pub(super) fn of(folded: Folded) -> Self {
        Unsettled {
            folded,
            unread: Unread::default(),
        }
    }

    /// Takes in an event that no table knows, by the texts of its fields. False, and nothing happened, when it has to be
    /// folded with its data decoded.
    pub(super) fn fold_texts(&mut self, event: &EventView<'_>, fields: &[(&str, &str)]) -> bool {
        self.unread.fold(&mut self.folded.record, event, fields)
    }

    /// Takes in any event; `known` is its line in its aggregate's table.
    pub(super) fn fold(&mut self, known: Option<KnownEvent>, event: &EventView<'_>) {
        self.unread.settle_and_forget(&mut self.folded.record);
        match known {
            Some(known) => self.folded.fold_known(known, event),
            None => self.folded.fold(event),
        }
    }

    /// The state with everything in it.
    pub(super) fn settled(&mut self) -> &Folded {
        self.unread.settle(&mut self.folded.record);
        &self.folded
    }
}
