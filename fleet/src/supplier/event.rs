//! The events of a supplier: names. The fields are in [`super::schema`].

/// The supplier is known from here on.
pub const SUPPLIER_CREATED: &str = "SupplierCreated";
/// Some of what describes it changed.
pub const SUPPLIER_UPDATED: &str = "SupplierUpdated";
/// It is known no more.
pub const SUPPLIER_DELETED: &str = "SupplierDeleted";
