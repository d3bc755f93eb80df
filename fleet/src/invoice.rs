//! The Invoice aggregate: what a supplier wants to be paid, held against the order and booked on budgets.
//!
//! The aggregate id is a UUID; `invoice_number` is the key that people use. Its lines lie within it.

mod command;
mod decide;
pub mod event;
mod line;
mod matching;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{InvoiceCommand, LINES_MAX, change, creation};
pub use decide::{APPROVAL_ROLE, Cost, costs, covered, decide, not_found, period};
pub use line::{Line, line_id, lines};
pub use matching::{MAINTENANCE_COST_CENTER, Matching, match_with};
pub use view::row;

use crate::folded::Folded;

/// The aggregate type of invoices.
pub const AGGREGATE_TYPE: &str = "Invoice";

/// How far the invoice has come, `DRAFT` where no event told.
pub fn status(state: &Folded) -> &str {
    state.text("status").unwrap_or("DRAFT")
}

/// Whether it stands as one that was approved, and is paid or may be. (`POSTED` is an imported one's.)
pub fn is_approved(state: &Folded) -> bool {
    state.exists() && matches!(status(state), "APPROVED" | "EXPORTED" | "POSTED")
}
