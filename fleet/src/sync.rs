//! What tablets hold: which aggregates, field by field and how each merges ([`tables`]); what an event changes there
//! ([`told`], and [`readings`] of what only rises); which events a tablet's change becomes ([`drafts`]); who may change what ([`authority`]).
//!
//! A new aggregate on tablets is a table, and a line for its fields in the policy. Field names are keys of the folded
//! state, so both ways between events and fields follow from the aggregate's own tables.

pub mod authority;
pub mod drafts;
pub mod readings;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod told;

pub use authority::{Line, line_of, rank_of};
pub use drafts::{Plan, plan};
pub use readings::{Readings, has_readings};
pub use tables::{IS_DELETED, TABLES, table_of};
pub use told::{Told, stamp_of, told};
