//! The events of a purchase order: names. The fields are in [`super::schema`].

/// Somebody wants to order.
pub const PURCHASE_ORDER_CREATED: &str = "PurchaseOrderCreated";
/// Some of the order changed.
pub const PURCHASE_ORDER_UPDATED: &str = "PurchaseOrderUpdated";
/// The order is dropped.
pub const PURCHASE_ORDER_DELETED: &str = "PurchaseOrderDeleted";
/// Somebody who may has approved it.
pub const PURCHASE_ORDER_APPROVED: &str = "PurchaseOrderApproved";
/// It went to the supplier.
pub const PURCHASE_ORDER_ORDERED: &str = "PurchaseOrderOrdered";
/// A delivery came; the status says whether more is to come.
pub const PURCHASE_ORDER_RECEIVED: &str = "PurchaseOrderReceived";
/// Nothing more is to come.
pub const PURCHASE_ORDER_CLOSED: &str = "PurchaseOrderClosed";
