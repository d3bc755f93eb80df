//! Stock locations' bodies, as the description shows them. What checks them is `fleet::stock_location`.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// A stock location to create.
#[derive(ToSchema)]
pub(crate) struct StockLocationCreate {
    /// The business key; 1 to 50 characters.
    #[schema(example = "WS-NORTH")]
    location_code: String,
    /// 1 to 255 characters.
    name: String,
    /// `WORKSHOP`, `CENTRAL`, `TRAIN`, `CONSIGNMENT` or a word of your own.
    location_type: String,
    /// By UUID or code.
    workshop_id: Option<String>,
    address: Option<String>,
    /// Default true.
    is_active: Option<bool>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct StockLocationUpdate {
    name: Option<String>,
    location_type: Option<String>,
    workshop_id: Option<String>,
    address: Option<String>,
    is_active: Option<bool>,
}

/// A place where parts lie.
#[derive(ToSchema)]
pub(crate) struct StockLocation {
    /// Its UUID; paths take it as well as the code.
    id: String,
    location_code: String,
    name: Option<String>,
    location_type: Option<String>,
    workshop_id: Option<String>,
    address: Option<String>,
    is_active: bool,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of stock locations.
#[derive(ToSchema)]
pub(crate) struct StockLocationList {
    /// How many there are in all pages.
    total: u64,
    locations: Vec<StockLocation>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
