//! An aggregate folded from its events: the one state that every aggregate has.
//!
//! What an aggregate *is* lies in the table-driven [`State`], merged by the time of each event. What a table cannot say
//! is the aggregate's own step behind it ([`FoldStep`](crate::schema::FoldStep)): it changes the record, or keeps what
//! is no field of a row in a [`Detail`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::EventView;
use crate::fold::{State, fold_known, fold_unknown};
use crate::registry::{KnownEvent, registry};
use crate::schema::canonical_data;
use crate::vehicle::Occurrences;

/// An aggregate as of the events folded, in whatever order they were. Empty before the first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Folded {
    /// What the aggregate is.
    pub record: State,
    /// What is kept beside the record.
    pub detail: Detail,
}

/// What some aggregates keep beside their record.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub enum Detail {
    /// Nothing: most aggregates.
    #[default]
    None,
    /// What befell a vehicle.
    Vehicle(Box<Occurrences>),
}

impl Folded {
    /// Takes in an event. Each must be folded once; in which order does not matter.
    pub fn fold(&mut self, event: &EventView<'_>) {
        match registry().event(event.aggregate_type, event.event_type) {
            Some(known) => self.fold_known(known, event),
            None => fold_unknown(registry(), &mut self.record, event),
        }
    }

    /// The same for an event whose line in its aggregate's table is at hand.
    pub fn fold_known(&mut self, known: KnownEvent, event: &EventView<'_>) {
        let data = canonical_data(known.aggregate, known.event, event.schema, event.data);
        fold_known(&mut self.record, known, event, &data);
        if let Some(step) = known.aggregate.fold {
            step(self, event, &data);
        }
    }

    /// Those of the fields that are not so yet.
    pub fn differing(&self, mut fields: Map<String, Value>) -> Map<String, Value> {
        fields.retain(|name, value| self.get(name).unwrap_or_default() != *value);
        fields
    }

    /// Whether a creation was folded that no deletion follows.
    pub fn exists(&self) -> bool {
        self.record.exists()
    }

    /// The value of `key`; `None` where no event told one.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.record.get(key)
    }

    /// The text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.record.text(key)
    }

    /// The whole number under `key`.
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.record.integer(key)
    }

    /// Whether `key` is true.
    pub fn is_true(&self, key: &str) -> bool {
        self.record.get(key) == Some(Value::Bool(true))
    }
}

/// The state after all of `events`.
pub fn fold_all<'a>(events: impl IntoIterator<Item = EventView<'a>>) -> Folded {
    let mut folded = Folded::default();
    for event in events {
        folded.fold(&event);
    }
    folded
}
