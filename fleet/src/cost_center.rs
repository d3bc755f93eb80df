//! The CostCenter aggregate: what money is planned for and booked on.
//!
//! The aggregate id is the `code` that it began with. Where the code changed since, as it may in a database that an importer
//! follows, the state tells the present one, and so does the row.

mod decide;
mod describe;
pub mod event;
pub mod schema;
#[cfg(test)]
mod tests;
mod view;

pub use decide::decide;
pub use describe::DESCRIBED;
pub use view::row;

/// The aggregate type of cost centers.
pub const AGGREGATE_TYPE: &str = "CostCenter";
