//! The Budget aggregate: what a cost center may spend on a category in a month, and what it has spent.
//!
//! The aggregate id is a UUID; there is one budget for each period, cost center and category. What was spent is a sum of
//! bookings: two invoices approved at once both count. All its amounts are in its one currency.

mod booking;
mod describe;
pub mod event;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use booking::{AUTO_CATEGORY, book, budget_of, category_of, unplanned};
pub use describe::{DESCRIBED, creation, decide, refuse_other_currency};
pub use view::{Amounts, amounts, place, row, unique_key};

/// The aggregate type of budgets.
pub const AGGREGATE_TYPE: &str = "Budget";
