//! `crdt-parity`: holds the crate `crdt` against automerge, loro, yrs and crdts, in one process and one run.
//!
//! Each peer is one module of [`peer`], each workload one of [`workload`]; [`goals`] says which figure is held against
//! which and where the bar is, [`report`] prints it. Times are of the thread's processor, taken by turns, so a busy
//! machine disturbs all alike.

pub mod clock;
pub mod figures;
pub mod goals;
pub mod peer;
pub mod report;
pub mod seed;
pub mod workload;
