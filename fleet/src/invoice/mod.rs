//! The Invoice aggregate: what a supplier wants to be paid, held against the order and booked on budgets.
//!
//! The aggregate id is a UUID; `invoice_number` is the key that people use. Its lines lie within it.

pub mod event;
pub mod schema;

/// The aggregate type of invoices.
pub const AGGREGATE_TYPE: &str = "Invoice";
