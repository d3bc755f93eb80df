//! The protocol under a hostile world: one seed replays a run byte for byte.
//!
//! [`World`] holds a log, a depot and tablets with clocks of their own, and a network that loses, doubles, delays and
//! reorders. Every step is checked against what the tablets *really* know; at the end everything heals and everyone must
//! agree. [`random_change`] is shared with the other tests.

pub(crate) mod check;
mod generate;
mod host;
mod random;
pub(crate) mod tests;
mod world;

pub(crate) use generate::random_change;
pub(crate) use random::Random;
