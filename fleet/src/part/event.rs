//! The events of a part: names. The fields are in [`super::schema`].

/// The part is kept from here on.
pub const PART_CREATED: &str = "PartCreated";
/// Some of what describes it changed; its level is not among that.
pub const PART_UPDATED: &str = "PartUpdated";
/// It is kept no more.
pub const PART_DELETED: &str = "PartDeleted";
/// Some of it came, went or was counted.
pub const STOCK_LEVEL_CHANGED: &str = "StockLevelChanged";
/// A reported fact left less of it than nothing: somebody must count.
pub const STOCK_DISCREPANCY_DETECTED: &str = "StockDiscrepancyDetected";
/// Its level fell to its least or below. The old documents name it without the aggregate in front.
pub const INVENTORY_LOW_STOCK_ALERT: &str = "InventoryLowStockAlert";
/// Some of it was used, as the old documents report it. The level changes by [`STOCK_LEVEL_CHANGED`] alone.
pub const INVENTORY_ITEM_USED: &str = "InventoryItemUsed";
/// Some of it will be available from a time on.
pub const PART_AVAILABILITY_ANNOUNCED: &str = "PartAvailabilityAnnounced";
/// What was announced will not come.
pub const PART_AVAILABILITY_WITHDRAWN: &str = "PartAvailabilityWithdrawn";
