//! The Supplier aggregate: who delivers parts and sends invoices.
//!
//! The aggregate id is a UUID; `supplier_code` is the key that people use.

mod describe;
pub mod event;
pub mod schema;
mod view;

pub use describe::DESCRIBED;
pub use view::row;

/// The aggregate type of suppliers.
pub const AGGREGATE_TYPE: &str = "Supplier";
