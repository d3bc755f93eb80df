//! The StockMove aggregate: parts that came, went, or were carried from one place to another.
//!
//! The aggregate id is a UUID. A move is told once and never changed. What it does to levels is told on the part's stream,
//! in the same transaction.

pub mod event;
pub mod schema;

/// The aggregate type of stock moves.
pub const AGGREGATE_TYPE: &str = "StockMove";
