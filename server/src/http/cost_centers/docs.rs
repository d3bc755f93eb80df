//! Cost centers' bodies, as the description shows them. What checks them is `fleet::cost_center`.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// A cost center to create.
#[derive(ToSchema)]
pub(crate) struct CostCenterCreate {
    /// The business key; 1 to 50 characters.
    #[schema(example = "WS-MAINT")]
    code: String,
    /// 1 to 255 characters.
    name: String,
    /// The cost center above it.
    parent_code: Option<String>,
    notes: Option<String>,
    /// Default true.
    is_active: Option<bool>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct CostCenterUpdate {
    name: Option<String>,
    parent_code: Option<String>,
    notes: Option<String>,
    is_active: Option<bool>,
}

/// What costs are planned for and booked on.
#[derive(ToSchema)]
pub(crate) struct CostCenter {
    /// Its UUID; paths take it as well as the code.
    id: String,
    code: String,
    name: Option<String>,
    parent_code: Option<String>,
    notes: Option<String>,
    is_active: bool,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of cost centers.
#[derive(ToSchema)]
pub(crate) struct CostCenterList {
    /// How many there are in all pages.
    total: u64,
    cost_centers: Vec<CostCenter>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
