//! The `railfleet` server.

pub mod envelope;
pub mod field_error;
pub mod json;
pub mod rfc3339;
