//! Names that are lost: what an event is called stands in a record in front of it, and that has rotted. Such events are whole, and are
//! given to nobody: what they belong to, and who may see them, hangs on their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pieces::Saved;
use super::{Verifier, Where};
use crate::names::{Name, Names};
use crate::open::{Listing, salvage_names};
use crate::segment::segment_file;

/// The names that no record has said, each with the first event that needs it.
#[derive(Debug)]
pub(super) struct Unnamed {
    first: BTreeMap<Name, Where>,
    /// Those in saved tables.
    saved: Vec<Arc<Names>>,
}

impl Unnamed {
    /// None yet.
    pub(super) fn beside(saved: &[Saved]) -> Self {
        Unnamed {
            first: BTreeMap::new(),
            saved: saved
                .iter()
                .map(|saved| saved.tables.names.clone())
                .collect(),
        }
    }

    /// Notes that an event at this place needs a name that no record before it has said.
    pub(super) fn note(&mut self, name: Name, at: Where) {
        self.first.entry(name).or_insert(at);
    }
}

impl Verifier {
    /// Tells of each lost name, unless an index or saved tables have it: then it is known when the log is opened.
    pub(super) fn tell_unnamed(&mut self, listing: &Listing) {
        let first = std::mem::take(&mut self.unnamed.first);
        if first.is_empty() {
            return;
        }
        salvage_names(listing, &self.names);
        for (name, at) in first {
            let is_saved = self.unnamed.saved.iter().any(|names| names.knows(name));
            if !is_saved && !self.names.knows(name) {
                let (segment, position) = at;
                let what = format!(
                    "{name} is lost: the events that need it, the first at position {position}, cannot be read"
                );
                self.problem(at, segment_file(segment), what);
            }
        }
    }
}
