//! The CostCenter aggregate: what money is planned for and booked on.
//!
//! The aggregate id is its `code`.

mod decide;
mod describe;
pub mod event;
pub mod schema;
mod view;

pub use decide::decide;
pub use describe::DESCRIBED;
pub use view::row;

/// The aggregate type of cost centers.
pub const AGGREGATE_TYPE: &str = "CostCenter";
