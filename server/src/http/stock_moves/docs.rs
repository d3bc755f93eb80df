//! Stock moves' bodies, as the description shows them. What checks them is `fleet::stock_move`.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// Stock to move.
#[derive(ToSchema)]
pub(crate) struct StockMoveCreate {
    /// By number or UUID.
    part_no: String,
    /// `INCOMING`, `USAGE`, `TRANSFER`, `WRITEOFF` or `ADJUSTMENT`.
    move_type: String,
    /// At least 1.
    quantity: u32,
    /// By UUID or code.
    from_location_id: Option<String>,
    /// By UUID or code.
    to_location_id: Option<String>,
    /// By UUID or order number.
    work_order_id: Option<String>,
    /// At most 255 characters.
    reference_doc: Option<String>,
    /// Text or number, at most two places.
    unit_price: Option<String>,
    /// At most 500 characters.
    notes: Option<String>,
}

/// Parts that came, went, or were carried from place to place.
#[derive(ToSchema)]
pub(crate) struct StockMove {
    id: String,
    part_no: String,
    move_type: Option<String>,
    quantity: i64,
    from_location_id: Option<String>,
    to_location_id: Option<String>,
    work_order_id: Option<String>,
    /// For what was delivered.
    purchase_order_id: Option<String>,
    reference_doc: Option<String>,
    unit_price: Option<String>,
    notes: Option<String>,
    /// The account that moved it.
    performed_by: Option<String>,
    performed_at: String,
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of moves.
#[derive(ToSchema)]
pub(crate) struct StockMoveList {
    /// How many there are in all pages.
    total: u64,
    moves: Vec<StockMove>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}

/// How much of a part lies at a location.
#[derive(ToSchema)]
pub(crate) struct StockItem {
    part_no: String,
    part_name: Option<String>,
    /// `N/A` where nobody said.
    location_code: String,
    location_name: String,
    quantity: i64,
    unit: String,
    railway_class: Option<String>,
}

/// What lies where.
#[derive(ToSchema)]
pub(crate) struct StockOverview {
    items: Vec<StockItem>,
    total_items: u64,
    /// The position of the log that this reflects.
    position: u64,
}
