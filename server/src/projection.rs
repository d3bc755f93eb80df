//! Projections: read models folded from the log, which queries answer from.
//!
//! On the data path they stand behind the log. A worker ([`worker`]) reads what is durable, folds it batch by batch
//! ([`projector`]) into a read model ([`read_model`]: [`catalog`], [`event_counts`]) and tells those
//! who wait ([`status`]). A rebuild folds the whole log at once ([`whole`]) where the model knows how. Now and then the changed pages ([`rows`]) are saved with the position that they reflect
//! ([`checkpoint`]) by the one thread ([`keeper`]) that owns the store ([`store`]), so that a start need not fold the
//! whole log. What is saved can be deleted at any time: the same log gives the same answers.

mod catalog;
mod checkpoint;
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
mod whole;
mod workbench;
mod worker;

/// The name of the read model of all streams and rows.
pub const CATALOG: &str = "current_state";

pub use catalog::{
    Ask, BadCursor, Catalog, Entry, Page, StateFilter, StatePage, StreamState, TypeSummary,
};
pub use event_counts::{Day, DayCount, EventCounts, TypeCount};
pub(crate) use payload::{field_texts, order_of, view};
pub use read_model::Answer;
pub use runner::{ProjectionSettings, Projections};
pub use status::{ProjectionState, ProjectionStatus, RebuildError};
