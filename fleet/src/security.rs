//! The Security aggregate: what was refused. Only the server writes it; logins and changes of accounts stand in the accounts'
//! own streams.
//!
//! The aggregate id is the day, `2026-11-28`. What repeats itself is one event with a count, so that a flood of refusals does
//! not fill the log. Nothing is folded from it.

pub mod event;
pub mod schema;

/// The aggregate type of security events.
pub const AGGREGATE_TYPE: &str = "Security";
