//! Invoices' bodies, as the description shows them. What checks them is `fleet::invoice`.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// A line of an invoice to take in.
#[derive(ToSchema)]
pub(crate) struct InvoiceLineCreate {
    /// From 1, each once.
    line_number: u32,
    description: String,
    /// By number or UUID.
    part_no: Option<String>,
    /// At least 1; without one the line counts as one piece.
    quantity: Option<u32>,
    /// Text or number, at most two places.
    unit_price: String,
    /// Default 0.
    tax_amount: Option<String>,
    cost_center: Option<String>,
    cost_bearer: Option<String>,
    account_code: Option<String>,
    notes: Option<String>,
}

/// An invoice to take in.
#[derive(ToSchema)]
pub(crate) struct InvoiceCreate {
    /// The business key; 1 to 100 characters.
    #[schema(example = "R 2026/117")]
    invoice_number: String,
    /// By UUID or code.
    supplier_id: String,
    /// By UUID or number.
    purchase_order_id: Option<String>,
    /// By UUID or order number.
    work_order_id: Option<String>,
    invoice_date: String,
    due_date: Option<String>,
    /// Default `EUR`.
    currency: Option<String>,
    attachment_url: Option<String>,
    notes: Option<String>,
    /// At least one.
    lines: Vec<InvoiceLineCreate>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct InvoiceUpdate {
    supplier_id: Option<String>,
    purchase_order_id: Option<String>,
    work_order_id: Option<String>,
    invoice_date: Option<String>,
    due_date: Option<String>,
    /// Once it is approved.
    payment_date: Option<String>,
    currency: Option<String>,
    attachment_url: Option<String>,
    notes: Option<String>,
    lines: Option<Vec<InvoiceLineCreate>>,
}

/// What to add to the notes.
#[derive(ToSchema)]
#[schema(as = InvoiceNotes)]
pub(crate) struct Notes {
    notes: Option<String>,
}

/// What to hold an invoice against.
#[derive(ToSchema)]
pub(crate) struct MatchBody {
    /// Default the invoice's own order; by UUID or number.
    purchase_order_id: Option<String>,
    /// Not used: the order says what it is for.
    work_order_id: Option<String>,
    /// Whether matched lines get the cost center of maintenance; default true.
    auto_allocate_cost: Option<bool>,
}

/// What a match came to.
#[derive(ToSchema)]
pub(crate) struct Matched {
    invoice_id: String,
    matched_lines: u64,
    unmatched_lines: u64,
    /// What matched lines cost more than ordered.
    total_variance: String,
    message: String,
    /// The position of the write.
    position: u64,
}

/// A line of an invoice.
#[derive(ToSchema)]
pub(crate) struct InvoiceLine {
    id: String,
    invoice_id: String,
    line_number: i64,
    description: Option<String>,
    part_no: Option<String>,
    purchase_order_line_id: Option<String>,
    quantity: Option<i64>,
    unit_price: Option<String>,
    line_total: Option<String>,
    tax_amount: Option<String>,
    cost_center: Option<String>,
    cost_bearer: Option<String>,
    account_code: Option<String>,
    variance: Option<String>,
    notes: Option<String>,
}

/// What a supplier wants to be paid.
#[derive(ToSchema)]
pub(crate) struct Invoice {
    /// Its UUID; paths take it as well as the number.
    id: String,
    invoice_number: String,
    supplier_id: Option<String>,
    purchase_order_id: Option<String>,
    work_order_id: Option<String>,
    invoice_date: Option<String>,
    due_date: Option<String>,
    payment_date: Option<String>,
    /// `DRAFT`, `REVIEWED`, `APPROVED` or `EXPORTED`.
    status: String,
    /// Without tax.
    total_amount: Option<String>,
    tax_amount: Option<String>,
    currency: Option<String>,
    notes: Option<String>,
    attachment_url: Option<String>,
    created_by: Option<String>,
    reviewed_by: Option<String>,
    reviewed_at: Option<String>,
    approved_by: Option<String>,
    approved_at: Option<String>,
    lines: Vec<InvoiceLine>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of invoices.
#[derive(ToSchema)]
pub(crate) struct InvoiceList {
    /// How many there are in all pages.
    total: u64,
    invoices: Vec<Invoice>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
