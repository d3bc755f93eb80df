//! The StockLocation aggregate: a place where parts lie: a workshop's store, a train, a supplier's consignment.
//!
//! The aggregate id is a UUID; `location_code` is the key that people use.

mod describe;
pub mod event;
pub mod schema;
mod view;

pub use describe::DESCRIBED;
pub use view::row;

/// The aggregate type of stock locations.
pub const AGGREGATE_TYPE: &str = "StockLocation";
