//! The Supplier aggregate: who delivers parts and sends invoices.
//!
//! The aggregate id is a UUID; `supplier_code` is the key that people use.

pub mod event;
pub mod schema;

/// The aggregate type of suppliers.
pub const AGGREGATE_TYPE: &str = "Supplier";
