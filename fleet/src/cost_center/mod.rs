//! The CostCenter aggregate: what money is planned for and booked on.
//!
//! The aggregate id is its `code`.

pub mod event;
pub mod schema;

/// The aggregate type of cost centers.
pub const AGGREGATE_TYPE: &str = "CostCenter";
