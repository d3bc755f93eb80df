//! Time and causality without a clock: stamps that order writes, vectors and dots that say who had seen what.

mod context;
mod dot;
mod hybrid;
mod position;
mod stamp;
mod vector;

pub use context::{DotContext, Run};
pub use dot::Dot;
pub use hybrid::HybridClock;
pub use position::LogPosition;
pub use stamp::Stamp;
pub use vector::{Causality, VectorClock};

#[cfg(test)]
mod tests;
