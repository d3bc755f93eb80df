//! Events on their way out of `decide`: in the current schema of their type, and held against the table that will judge
//! them on append, so that no decision is refused there.

use serde_json::{Map, Value};

use super::{AggregateSchema, EventSchema, check};
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;

/// The members of an object that was written with `json!`; anything else has none.
pub fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

impl AggregateSchema {
    /// The table line of one of this aggregate's event types, by its canonical name.
    pub fn event(&self, event_type: &str) -> Option<&'static EventSchema> {
        self.events
            .iter()
            .find(|event| event.event_type == event_type)
    }

    /// An event of this type in its current schema.
    pub fn draft(&self, event_type: &'static str, data: Map<String, Value>) -> EventDraft {
        let schema = self.event(event_type).map_or(1, |event| event.schema);
        EventDraft::new(event_type, Value::Object(data)).with_schema(schema)
    }

    /// The event of this type that makes `held` have these fields; none if it has them.
    pub fn update(
        &self,
        event_type: &'static str,
        held: &Folded,
        fields: Map<String, Value>,
    ) -> Vec<EventDraft> {
        let changed = held.differing(fields);
        if changed.is_empty() {
            return Vec::new();
        }
        vec![self.draft(event_type, changed)]
    }

    /// The drafts, if the table takes each of them.
    ///
    /// # Errors
    /// `Invalid`, with all faults of the first that it does not take.
    pub fn admit(&self, drafts: Vec<EventDraft>) -> Result<Vec<EventDraft>, Refusal> {
        for draft in &drafts {
            if let (Some(event), Some(data)) =
                (self.event(draft.event_type), draft.data.as_object())
            {
                check(self, event, draft.schema, data)
                    .map_err(|faults| Refusal::out_of_limits(&faults))?;
            }
        }
        Ok(drafts)
    }
}
