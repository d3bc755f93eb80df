//! The `railfleet` server.

pub mod app;
pub mod append;
pub mod auth;
pub mod config;
pub mod demo;
pub mod envelope;
pub mod field_error;
pub mod http;
pub mod ingest;
pub mod json;
pub mod metrics;
pub mod projection;
pub mod reads;
pub mod rfc3339;
