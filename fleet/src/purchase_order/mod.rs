//! The PurchaseOrder aggregate: parts ordered from a supplier, from the draft to the last delivery.
//!
//! The aggregate id is a UUID; `po_number` is the key that people use. Its lines lie within it. How much of a line came is
//! a sum over its receipts.

pub mod event;
pub mod schema;

/// The aggregate type of purchase orders.
pub const AGGREGATE_TYPE: &str = "PurchaseOrder";
