//! The fleet domain: which events exist, what they mean, and which commands may cause them.
//!
//! On the data path this crate stands twice: a command goes through `decide` and becomes events, before the append; a
//! stored event goes through `fold` and becomes state, behind it. Both are pure functions: this crate reads no clock,
//! file or socket, makes no ids, and knows neither HTTP nor the log. Times, positions and ids are handed in.
//!
//! Where to look:
//! - [`event`]: an event as a fold sees it, and as `decide` hands it out;
//! - [`alias`]: why `VehicleCreated` and `VehicleCreatedEvent` are one type;
//! - [`schema`]: field tables, validation, upcasting;
//! - [`registry`]: the list of all aggregates, the one line that a new aggregate adds;
//! - [`fold`]: the table-driven fold that works for every stream, known or not;
//! - [`money`]: amounts in hundredths, summed exactly;
//! - [`folded`]: the state of an aggregate, the fold with the aggregate's own step behind it;
//! - [`listing`]: what rows are found by, as data;
//! - [`command`], [`lifecycle`], [`span`], [`availability`], [`workplace`]: what decisions of several aggregates share;
//! - [`policy`]: roles, and which role owns which field;
//! - [`vehicle`], [`work_order`], [`user`] and so on: one folder per aggregate.

#![forbid(unsafe_code)]

pub mod alias;
pub mod availability;
pub mod budget;
pub mod calendar;
pub mod command;
pub mod cost_center;
pub mod depot;
pub mod described;
pub mod device;
pub mod document;
pub mod erasure;
pub mod event;
pub mod fold;
pub mod folded;
pub mod import;
pub mod imported_log;
pub mod invoice;
pub mod lifecycle;
pub mod listing;
pub mod maintenance_task;
pub mod model;
pub mod money;
pub mod part;
pub mod policy;
pub mod policy_bundle;
pub mod prediction;
pub mod purchase_order;
pub mod refusal;
pub mod registry;
pub mod schema;
pub mod security;
pub mod span;
pub mod staff;
pub mod staff_assignment;
pub mod step;
pub mod stock_location;
pub mod stock_move;
pub mod supplier;
pub mod sync;
pub mod sync_conflict;
pub mod sync_session;
pub mod team;
#[cfg(test)]
mod testing;
pub mod track;
pub mod transfer_assignment;
pub mod transfer_plan;
pub mod user;
pub mod vehicle;
pub mod work_order;
pub mod workplace;
pub mod workshop;

pub use event::{EventDraft, EventView, Origin, Stamp, order, order_of_next};
pub use folded::Folded;
pub use refusal::{Refusal, RefusalKind};
pub use registry::{Registry, registry};
