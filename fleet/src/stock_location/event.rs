//! The events of a stock location: names. The fields are in [`super::schema`].

/// Parts may lie there from here on.
pub const STOCK_LOCATION_CREATED: &str = "StockLocationCreated";
/// Some of what describes it changed.
pub const STOCK_LOCATION_UPDATED: &str = "StockLocationUpdated";
/// It is given up.
pub const STOCK_LOCATION_DELETED: &str = "StockLocationDeleted";
