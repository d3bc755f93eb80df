//! The list of all aggregates: the one place that knows which there are.
//!
//! A new aggregate is a folder beside `vehicle/` and a line in [`AGGREGATES`]. A pair of aggregate type and event type
//! that stands in no table is *unknown*: accepted without validation, and folded by the general rules alone.

use std::sync::OnceLock;

use hashbrown::HashMap;
use serde_json::{Map, Value};

use crate::alias;
use crate::schema::{AggregateSchema, EventSchema, FieldError, check};
use crate::{
    budget, cost_center, depot, device, document, erasure, import, imported_log, invoice,
    maintenance_task, model, part, policy_bundle, prediction, purchase_order, security, staff,
    staff_assignment, stock_location, stock_move, supplier, sync_conflict, sync_session, team,
    track, transfer_assignment, transfer_plan, user, vehicle, work_order, workshop,
};

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

/// Every aggregate there is.
pub const AGGREGATES: &[&AggregateSchema] = &[
    &vehicle::schema::SCHEMA,
    &maintenance_task::schema::SCHEMA,
    &work_order::schema::SCHEMA,
    &workshop::schema::SCHEMA,
    &track::schema::SCHEMA,
    &team::schema::SCHEMA,
    &transfer_plan::schema::SCHEMA,
    &transfer_assignment::schema::SCHEMA,
    &staff::schema::SCHEMA,
    &staff_assignment::schema::SCHEMA,
    &document::schema::SCHEMA,
    &part::schema::SCHEMA,
    &stock_location::schema::SCHEMA,
    &stock_move::schema::SCHEMA,
    &supplier::schema::SCHEMA,
    &purchase_order::schema::SCHEMA,
    &invoice::schema::SCHEMA,
    &budget::schema::SCHEMA,
    &cost_center::schema::SCHEMA,
    &user::schema::SCHEMA,
    &device::schema::SCHEMA,
    &model::schema::SCHEMA,
    &import::schema::SCHEMA,
    &sync_conflict::schema::SCHEMA,
    &sync_session::SCHEMA,
    &imported_log::schema::SCHEMA,
    &prediction::schema::SCHEMA,
    &policy_bundle::schema::SCHEMA,
    &security::schema::SCHEMA,
    &depot::schema::SCHEMA,
    &erasure::schema::SCHEMA,
];

/// The tables, findable by name.
#[derive(Debug)]
pub struct Registry {
    aggregates: HashMap<&'static str, &'static AggregateSchema>,
    events: HashMap<(&'static str, &'static str), KnownEvent>,
}

/// An event type that stands in a table.
#[derive(Clone, Copy, Debug)]
pub struct KnownEvent {
    /// The table of its aggregate.
    pub aggregate: &'static AggregateSchema,
    /// Its line there.
    pub event: &'static EventSchema,
}

impl KnownEvent {
    /// Whether the public append must refuse it.
    pub fn is_internal(&self) -> bool {
        self.aggregate.internal
    }

    /// Checks a payload that follows schema number `schema`.
    ///
    /// # Errors
    /// All faults; never an empty list.
    pub fn check(&self, schema: u16, data: &Map<String, Value>) -> Result<(), Vec<FieldError>> {
        check(self.aggregate, self.event, schema, data)
    }
}

/// The registry of [`AGGREGATES`].
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::new(AGGREGATES))
}

impl Registry {
    /// A registry of these tables.
    ///
    /// # Panics
    /// If two tables define the same aggregate or event type, or a name is not in its canonical spelling.
    pub fn new(tables: &[&'static AggregateSchema]) -> Self {
        let mut aggregates = HashMap::new();
        let mut events = HashMap::new();
        for aggregate in tables {
            let earlier = aggregates.insert(aggregate.aggregate_type, *aggregate);
            assert!(
                earlier.is_none(),
                "{} is registered twice",
                aggregate.aggregate_type
            );
            for event in aggregate.events {
                assert_eq!(
                    event.event_type,
                    alias::canonical(event.event_type),
                    "names are canonical"
                );
                let key = (aggregate.aggregate_type, event.event_type);
                let earlier = events.insert(key, KnownEvent { aggregate, event });
                assert!(
                    earlier.is_none(),
                    "{} is registered twice",
                    event.event_type
                );
            }
        }
        Registry { aggregates, events }
    }

    /// The schema number of an event whose writer named none: the first. Writers that know no numbers are the old ones.
    pub const SCHEMA_IF_ABSENT: u16 = 1;

    /// The table of an aggregate type.
    pub fn aggregate(&self, aggregate_type: &str) -> Option<&'static AggregateSchema> {
        self.aggregates.get(aggregate_type).copied()
    }

    /// The table line of an event type, in either spelling, within an aggregate type.
    pub fn event(&self, aggregate_type: &str, event_type: &str) -> Option<KnownEvent> {
        self.events
            .get(&(aggregate_type, alias::canonical(event_type)))
            .copied()
    }

    /// Whether only the server may write streams of this aggregate type.
    pub fn is_internal(&self, aggregate_type: &str) -> bool {
        self.aggregate(aggregate_type)
            .is_some_and(|aggregate| aggregate.internal)
    }

    /// Checks a payload if its event type is known; an unknown one passes.
    ///
    /// # Errors
    /// All faults; never an empty list.
    pub fn check(
        &self,
        aggregate_type: &str,
        event_type: &str,
        schema: u16,
        data: &Map<String, Value>,
    ) -> Result<(), Vec<FieldError>> {
        match self.event(aggregate_type, event_type) {
            Some(known) => known.check(schema, data),
            None => Ok(()),
        }
    }

    /// All tables, by name.
    pub fn aggregates(&self) -> Vec<&'static AggregateSchema> {
        let mut tables: Vec<_> = self.aggregates.values().copied().collect();
        tables.sort_by_key(|table| table.aggregate_type);
        tables
    }
}
