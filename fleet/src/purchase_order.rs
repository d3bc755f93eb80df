//! The PurchaseOrder aggregate: parts ordered from a supplier, from the draft to the last delivery.
//!
//! The aggregate id is a UUID; `po_number` is the key that people use. Its lines lie within it. How much of a line came is
//! a sum over its receipts.

mod command;
mod decide;
pub mod event;
mod line;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{
    Delivery, LINES_MAX, PurchaseOrderCommand, change, creation, delivery, notes, order,
};
pub use decide::{APPROVAL_ROLE, covered, decide, moves_of};
pub use line::{Line, line_id, lines};
pub use view::row;

use crate::folded::Folded;

/// The aggregate type of purchase orders.
pub const AGGREGATE_TYPE: &str = "PurchaseOrder";

/// How far the order has come, `DRAFT` where no event told.
pub fn status(state: &Folded) -> &str {
    state.text("status").unwrap_or("DRAFT")
}

/// Whether it stands as one that was approved, and may cost money. Also when it is closed: its invoices may still come.
pub fn is_approved(state: &Folded) -> bool {
    state.exists()
        && matches!(
            status(state),
            "APPROVED" | "ORDERED" | "RECEIVED" | "CLOSED"
        )
}
