//! HTTP.
pub mod access;
pub mod body;
pub mod edge;
pub mod guard;
pub mod problem;
pub mod query;
