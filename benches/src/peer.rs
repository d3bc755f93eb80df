//! The programs that are measured from outside: the server itself, and what it replaces.

pub mod duckdb;
pub mod fastapi;
pub mod postgres;
pub mod railfleet;
mod service;

pub use service::{Service, free_address};
