//! The events of a stock move: names. The fields are in [`super::schema`].

/// Parts came, went, or were carried from one place to another.
pub const STOCK_MOVE_CREATED: &str = "StockMoveCreated";
