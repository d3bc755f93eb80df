//! Suppliers' bodies, as the description shows them. What checks them is `fleet::supplier`.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// A supplier to create.
#[derive(ToSchema)]
pub(crate) struct SupplierCreate {
    /// The business key; 1 to 50 characters.
    #[schema(example = "SUP-01")]
    supplier_code: String,
    /// 1 to 255 characters.
    name: String,
    contact_person: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    vat_id: Option<String>,
    payment_terms: Option<String>,
    /// Default `EUR`.
    currency: Option<String>,
    notes: Option<String>,
    /// Default true.
    is_active: Option<bool>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct SupplierUpdate {
    name: Option<String>,
    contact_person: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    vat_id: Option<String>,
    payment_terms: Option<String>,
    currency: Option<String>,
    notes: Option<String>,
    is_active: Option<bool>,
}

/// Somebody who delivers.
#[derive(ToSchema)]
pub(crate) struct Supplier {
    /// Its UUID; paths take it as well as the code.
    id: String,
    supplier_code: String,
    name: Option<String>,
    contact_person: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    vat_id: Option<String>,
    payment_terms: Option<String>,
    currency: Option<String>,
    notes: Option<String>,
    is_active: bool,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of suppliers.
#[derive(ToSchema)]
pub(crate) struct SupplierList {
    /// How many there are in all pages.
    total: u64,
    suppliers: Vec<Supplier>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
