//! The `railfleet` server.

pub mod append;
pub mod auth;
pub mod config;
pub mod envelope;
pub mod field_error;
pub mod http;
pub mod ingest;
pub mod json;
pub mod metrics;
pub mod projection;
pub mod rfc3339;
