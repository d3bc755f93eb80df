//! Brings a Phase 2 PostgreSQL database over into the event log.
//!
//! - [`source`] connects, takes one snapshot, and gives rows as they come over the wire;
//! - [`tables`] says what is known of the 33 tables, [`shape`] what a database really has of them.
//!
//! What is read is never written to: every session is read-only. Not this crate's business: HTTP, and what the events
//! mean, which is `fleet`'s.

#![forbid(unsafe_code)]

pub mod shape;
pub mod source;
pub mod tables;
