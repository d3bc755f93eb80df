//! Purchase orders' bodies, as the description shows them. What checks them is `fleet::purchase_order`.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// A line to order.
#[derive(ToSchema)]
pub(crate) struct PurchaseOrderLineCreate {
    /// From 1, each once.
    line_number: u32,
    /// By number or UUID.
    part_no: String,
    description: Option<String>,
    /// At least 1.
    quantity_ordered: u32,
    /// Text or number, at most two places.
    #[schema(example = "12.50")]
    unit_price: String,
    notes: Option<String>,
}

/// An order to draft.
#[derive(ToSchema)]
pub(crate) struct PurchaseOrderCreate {
    /// The business key; 1 to 50 characters.
    #[schema(example = "PO-2026-0001")]
    po_number: String,
    /// By UUID or code.
    supplier_id: String,
    /// By UUID or order number.
    work_order_id: Option<String>,
    expected_delivery_date: Option<String>,
    /// By UUID or code.
    delivery_location_id: Option<String>,
    /// Default `EUR`.
    currency: Option<String>,
    notes: Option<String>,
    /// At least one.
    lines: Vec<PurchaseOrderLineCreate>,
}

/// What to change of a draft; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct PurchaseOrderUpdate {
    supplier_id: Option<String>,
    work_order_id: Option<String>,
    expected_delivery_date: Option<String>,
    delivery_location_id: Option<String>,
    currency: Option<String>,
    notes: Option<String>,
    lines: Option<Vec<PurchaseOrderLineCreate>>,
}

/// What to add to the notes.
#[derive(ToSchema)]
pub(crate) struct Notes {
    notes: Option<String>,
}

/// When an order went to the supplier.
#[derive(ToSchema)]
pub(crate) struct Sending {
    /// Default now.
    order_date: Option<String>,
    /// What to add to the notes.
    notes: Option<String>,
}

/// How much of a line came.
#[derive(ToSchema)]
pub(crate) struct LineReceived {
    line_id: String,
    /// At least 1, at most what is still to come.
    quantity_received: u32,
}

/// What came.
#[derive(ToSchema)]
pub(crate) struct DeliveryBody {
    /// Default now.
    received_date: Option<String>,
    /// Where it was put, by UUID or code.
    delivery_location_id: String,
    /// At least one.
    lines_received: Vec<LineReceived>,
    /// What to add to the notes.
    notes: Option<String>,
}

/// What a delivery came to.
#[derive(ToSchema)]
pub(crate) struct Received {
    purchase_order_id: String,
    /// `RECEIVED`, or `ORDERED` while more is to come.
    status: String,
    stock_moves_created: u64,
    message: String,
    /// The position of the write.
    position: u64,
}

/// A line of an order.
#[derive(ToSchema)]
pub(crate) struct PurchaseOrderLine {
    id: String,
    purchase_order_id: String,
    line_number: i64,
    part_no: String,
    description: Option<String>,
    quantity_ordered: i64,
    quantity_received: i64,
    unit_price: String,
    line_total: Option<String>,
    notes: Option<String>,
}

/// Parts ordered from a supplier.
#[derive(ToSchema)]
pub(crate) struct PurchaseOrder {
    /// Its UUID; paths take it as well as the number.
    id: String,
    po_number: String,
    supplier_id: Option<String>,
    work_order_id: Option<String>,
    /// `DRAFT`, `APPROVED`, `ORDERED`, `RECEIVED` or `CLOSED`.
    status: String,
    order_date: Option<String>,
    expected_delivery_date: Option<String>,
    received_date: Option<String>,
    delivery_location_id: Option<String>,
    total_amount: Option<String>,
    currency: Option<String>,
    notes: Option<String>,
    created_by: Option<String>,
    approved_by: Option<String>,
    approved_at: Option<String>,
    lines: Vec<PurchaseOrderLine>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of orders.
#[derive(ToSchema)]
pub(crate) struct PurchaseOrderList {
    /// How many there are in all pages.
    total: u64,
    purchase_orders: Vec<PurchaseOrder>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
