//! A state on its way through many events: values of events that no table knows are read when the state is looked at, and
//! not where the next event replaces them ([`fleet::fold::Unread`]). What comes out is the fold of each event by itself.

use fleet::fold::Unread;
use fleet::registry;
use serde_json::Map;
use storage::EventRef;

use super::folded::{Folded, payload};
use crate::projection::{field_texts, view};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Folding {
    folded: Folded,
    unread: Unread,
}

impl Folding {
    /// Goes on from this state.
    pub(super) fn of(folded: Folded) -> Self {
        Folding {
            folded,
            unread: Unread::default(),
        }
    }

    /// Folds an event. `false`: its data is no JSON object, and nothing changed.
    pub(super) fn fold(&mut self, event: &EventRef<'_>) -> bool {
        let aggregate_type = event.stream().aggregate_type;
        let is_known = registry()
            .event(aggregate_type, event.event_type())
            .is_some();
        if !is_known && let Some(fields) = field_texts(event) {
            let state = &mut self.folded.subject.record;
            if self.unread.fold(state, &view(event, &Map::new()), &fields) {
                self.folded.count(event);
                return true;
            }
        }
        let Some(data) = payload(event) else {
            return false;
        };
        self.unread
            .settle_and_forget(&mut self.folded.subject.record);
        self.folded.take(event, &data);
        true
    }

    /// Events folded so far.
    pub(super) fn events(&self) -> u64 {
        self.folded.events
    }

    /// The state with everything in it.
    pub(super) fn settled(&mut self) -> &Folded {
        self.unread.settle(&mut self.folded.subject.record);
        &self.folded
    }

    /// The same, at the end.
    pub(super) fn into_settled(mut self) -> Folded {
        self.settled();
        self.folded
    }
}
