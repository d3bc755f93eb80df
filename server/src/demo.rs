//! The demo depot: a history to look at on a machine that has none.
//!
//! `railfleet demo` appends what [`Simulation`] yields: three years of 150 vehicles with their mileage, incidents, work
//! orders, parts and costs. How often things go wrong, when, and how badly is measured from eleven years of a real metro
//! ([`rates`]); why they go wrong is a hidden wear process ([`wear`]) that no event tells and that a predictor can learn.
//!
//! It is pure: no clock, no file, no randomness but its own. The same seed and options give the same events, ids
//! included, on every machine, so that a demo filled twice is filled once.
//!
//! A day at a time ([`world`]): workshops take vehicles in, the others run and some of them fail ([`service`]),
//! workshops give vehicles back and plan what came up ([`workshop`], [`order`]), the store keeps up with what was used
//! ([`stock`], [`parts`]).
//! Everything leaves through [`outbox`], in the order in which it would have arrived.

mod order;
mod outbox;
mod parts;
mod random;
mod rates;
mod rolling_stock;
mod service;
mod stock;
mod wear;
mod workshop;
mod world;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use fleet::calendar::Date;
use serde_json::Value;
use uuid::Uuid;

use world::World;

/// The seed under which everybody sees the same depot.
pub const DEFAULT_SEED: u64 = 2026;

/// One event of the demo's history.
#[derive(Clone, PartialEq, Debug)]
pub struct DemoEvent {
    /// The same in every run under the same seed and options.
    pub id: Uuid,
    /// The aggregate's type, `Vehicle`.
    pub aggregate_type: &'static str,
    /// The aggregate's id within its type.
    pub aggregate_id: String,
    /// What happened, in the canonical spelling.
    pub event_type: &'static str,
    /// The number of the schema that `data` follows.
    pub schema: u16,
    /// When it happened: microseconds since 1970-01-01T00:00:00Z.
    pub occurred_at: i64,
    /// When it would have reached the server; not before `occurred_at`, never less than the event before. A log opened
    /// with a clock that tells these times can be asked what was known when.
    pub arrived_at: i64,
    /// The payload, an object.
    pub data: Value,
    /// Who, on which device, in which connection: an object.
    pub metadata: Value,
}

/// What the demo's history covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// How many vehicles; at least 1.
    pub vehicles: usize,
    /// How many days; at least 1.
    pub days: i64,
    /// The last day.
    pub end: Date,
}

impl Default for Options {
    /// 150 vehicles over the three years that end with 2026-10-31.
    fn default() -> Self {
        Options {
            vehicles: 150,
            days: 1_096,
            end: Date {
                year: 2026,
                month: 10,
                day: 31,
            },
        }
    }
}

/// The demo's history, event by event, in the order of arrival.
///
/// What happened in the last days and had not arrived by the end of the last day is not part of it. Memory is that of
/// the depot's state and a few days of events, however long the history.
#[derive(Debug)]
pub struct Simulation {
    world: World,
    arrived: VecDeque<DemoEvent>,
}

impl Simulation {
    /// The history under this seed.
    pub fn new(seed: u64, options: Options) -> Self {
        Simulation {
            world: World::new(seed, options),
            arrived: VecDeque::new(),
        }
    }
}

impl Iterator for Simulation {
    type Item = DemoEvent;

    fn next(&mut self) -> Option<DemoEvent> {
        while self.arrived.is_empty() {
            self.arrived.extend(self.world.next_day()?);
        }
        self.arrived.pop_front()
    }
}
