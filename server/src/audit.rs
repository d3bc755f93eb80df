//! Proof and trail: what the log's tree signs, who did what, and what looks odd.
//!
//! [`anomaly`] finds what looks odd, [`security`] keeps what was refused. [`note`] is the form in which a checkpoint leaves the house, [`checkpoints`] signs them and keeps them beside the log.

pub mod anomaly;
pub mod checkpoints;
pub mod note;
pub mod security;
#[cfg(test)]
mod tests;

pub use checkpoints::{CheckpointError, Checkpoints, Signed};
pub use note::{Checkpoint, NoteError, Signer, Verifier};
pub use security::SecurityLog;
