//! Brings a Phase 2 PostgreSQL database over into the event log.
//!
//! ```text
//! source (one snapshot) ─rows─▶ read ─▶ mapping ─▶ made ─batches─▶ append ─▶ the log
//!                                          │                         │ what is there already
//!                                          └──what the rows say──▶ verify ◀─ held (folded from the log)
//! ```
//!
//! - [`source`] connects, takes one snapshot, and gives rows as they come over the wire; `cell` and `row` decode them;
//! - [`tables`] says what is known of the 33 tables, [`shape`] what a database really has of them;
//! - `mapping` turns rows into events, family by family; `made` sorts them and cuts batches; `places` finds the rows whose
//!   history does not go by the business key that they have now;
//! - `append` takes batches into the log, `settle` brings what is there up to date, `agree`, `compare` and `verify` hold
//!   every row against what the log folds to, `stale` and `gone` find what was moved and deleted;
//! - `events` takes the old system's own event store over as it is, where that is asked for;
//! - `export` is the way back: states become rows of an empty Phase 2 schema;
//! - [`report`] is what a run came to, [`finding`] what was noticed on the way and what was done about it.
//!
//! What is read is never written to: every session is read-only. What is written goes through the depot's own append
//! ([`Depot`]). Not this crate's business: HTTP, and what the events mean, which is `fleet`'s.

#![forbid(unsafe_code)]

mod accounts;
mod agree;
mod append;
mod cell;
mod checks;
mod chronicle;
mod compare;
mod depot;
mod error;
mod events;
mod export;
pub mod finding;
pub mod follow;
mod gone;
mod held;
mod ids;
mod import;
mod json;
mod made;
mod mapping;
mod places;
mod read;
pub mod report;
mod row;
mod run;
mod settle;
pub mod shape;
pub mod source;
mod stale;
pub mod tables;
mod verify;
pub mod zone;

pub use append::StoreError;
pub use compare::Difference;
pub use depot::{Depot, Done};
pub use error::ImportError;
pub use export::export;
pub use import::{Progress, Step, Watch, dry_run, import};
pub use run::Wanted;
pub use verify::verify;
