//! The projections as a whole: over real logs, with every way in which what is beside the log can be lost.

mod checkpoints;
mod faults;
mod formats;
pub(super) mod harness;
mod histories;
mod keeper;
mod lifecycle;
mod rows;
mod store_damage;
mod traps;
