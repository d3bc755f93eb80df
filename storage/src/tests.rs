//! The log as a whole: against a model, through crashes, faults and damage.

mod appending;
mod archive;
mod backup;
mod basics;
mod concurrency;
mod crashes;
mod damage;
mod forged;
mod golden;
mod groups;
mod limits;
mod lost;
mod model;
mod named;
mod nameless;
mod opening;
mod reading;
mod scrub;
pub(crate) mod support;
mod tampered;
mod tiered;
mod unreadable;
mod veiled;
