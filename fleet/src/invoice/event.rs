//! The events of an invoice: names. The fields are in [`super::schema`].

/// An invoice came.
pub const INVOICE_CREATED: &str = "InvoiceCreated";
/// Some of the invoice changed.
pub const INVOICE_UPDATED: &str = "InvoiceUpdated";
/// It was dropped.
pub const INVOICE_DELETED: &str = "InvoiceDeleted";
/// It was held against an order.
pub const INVOICE_REVIEWED: &str = "InvoiceReviewed";
/// Somebody who may has approved it; its costs are booked.
pub const INVOICE_APPROVED: &str = "InvoiceApproved";
/// It went to the bookkeeping.
pub const INVOICE_EXPORTED: &str = "InvoiceExported";
/// It was paid.
pub const INVOICE_PAID: &str = "InvoicePaid";
