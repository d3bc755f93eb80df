//! The StockMove aggregate: parts that came, went, or were carried from one place to another.
//!
//! The aggregate id is a UUID. A move is told once and never changed. What it does to levels is told on the part's stream,
//! in the same transaction.

mod command;
mod decide;
pub mod event;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{MOVE_TYPES, MoveType, StockMove, movement};
pub use decide::{Levels, Moved, Standing, decide};
pub use view::{performed_at, row};

/// The aggregate type of stock moves.
pub const AGGREGATE_TYPE: &str = "StockMove";
