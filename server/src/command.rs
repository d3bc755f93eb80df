//! The way of a write: from a request to events, by a decision that the domain makes.
//!
//! A handler reads a [`Write`] out of its request (who, which body, under which condition) and runs a decision on it.
//! The decision ([`Decision`]) looks at aggregates, calls `fleet`'s pure `decide`, and stages events for one or more
//! streams. They are appended as one transaction that holds only if what was looked at is still so; if somebody else was
//! quicker, the decision is made again, on what is then. The answer waits until the read model shows the write.

mod decision;
mod key;
mod numbers;
mod raw_guard;
mod reference;
mod write;
mod writers;

pub use crate::envelope::key_tag;
pub use decision::{Decision, Staged};
pub use key::free_key;
pub use numbers::Numbers;
pub use raw_guard::{append_guarded, is_guarded, refuse_astray};
pub use reference::{Reference, referred_to_as, resolve};
pub use write::{Done, Write};
pub use writers::wrote;
