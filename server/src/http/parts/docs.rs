//! Parts' bodies, as the description shows them. What checks them is `fleet::part`.
#![expect(dead_code, reason = "only their schemas are used")]

use serde_json::Value;
use utoipa::ToSchema;

/// A part to create.
#[derive(ToSchema)]
pub(crate) struct PartCreate {
    /// The business key; 1 to 100 characters.
    #[schema(example = "BRK-200/A")]
    part_no: String,
    /// 1 to 255 characters.
    name: String,
    /// `CRITICAL`, `STANDARD`, `WEAR_PART` or a word of your own.
    railway_class: Option<String>,
    /// Default `pc`.
    unit: Option<String>,
    /// Default 0.
    min_stock: Option<u32>,
    /// Text or number, at most two places.
    #[schema(example = "218.00")]
    unit_price: Option<String>,
    /// By UUID or code.
    preferred_supplier_id: Option<String>,
    /// What is there already, at no location; default 0. Later it changes by stock moves.
    current_stock: Option<u32>,
    /// Default true.
    is_active: Option<bool>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct PartUpdate {
    name: Option<String>,
    railway_class: Option<String>,
    unit: Option<String>,
    min_stock: Option<u32>,
    unit_price: Option<String>,
    preferred_supplier_id: Option<String>,
    is_active: Option<bool>,
}

/// A part.
#[derive(ToSchema)]
pub(crate) struct Part {
    /// Its UUID; paths take it as well as the part number.
    id: String,
    part_no: String,
    name: Option<String>,
    railway_class: Option<String>,
    unit: String,
    min_stock: i64,
    /// How much there is on the whole.
    current_stock: i64,
    /// How much lies at each location, by its id.
    stock_by_location: Value,
    unit_price: Option<String>,
    preferred_supplier_id: Option<String>,
    is_active: bool,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of parts.
#[derive(ToSchema)]
pub(crate) struct PartList {
    /// How many there are in all pages.
    total: u64,
    parts: Vec<Part>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
