//! Projections: read models folded from the log, which queries answer from.
//!
//! On the data path they stand behind the log. A worker ([`worker`]) reads what is durable, folds it batch by batch
//! ([`projector`]) into a read model ([`read_model`]: [`current_state`], [`event_counts`], [`vehicles`]) and tells those
//! who wait ([`status`]). Now and then the changed pages ([`rows`]) are saved with the position that they reflect
//! ([`checkpoint`]) by the one thread ([`keeper`]) that owns the store ([`store`]), so that a start need not fold the
//! whole log. What is saved can be deleted at any time: the same log gives the same answers.

mod checkpoint;
mod current_state;
mod event_counts;
mod keeper;
mod payload;
mod projector;
mod read_model;
mod rows;
mod runner;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod vehicles;
mod workbench;
mod worker;

pub use current_state::{CurrentState, StateFilter, StatePage, StreamState, TypeSummary};
pub use event_counts::{Day, DayCount, EventCounts, TypeCount};
pub use read_model::Answer;
pub use runner::{ProjectionSettings, Projections};
pub use status::{ProjectionState, ProjectionStatus, RebuildError};
pub use vehicles::{VehicleFilter, VehiclePage, Vehicles};
