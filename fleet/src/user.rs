//! The User aggregate: accounts are streams like everything else, so who could log in, and as what, can be asked of any
//! moment in the past.
//!
//! The aggregate id is a UUID; username and e-mail are unique keys beside it ([`key`]), which the caller holds with an
//! append condition. Only the server writes these streams: their events are refused at the public append
//! ([`crate::schema::AggregateSchema::internal`]), or any writer could make itself an administrator. So their version
//! order is the truth, and this fold, unlike a vehicle's, needs no merging by time.
//!
//! No secret passes through here save the password's hash, marked [`crate::schema::Sensitivity::Secret`]: readers of
//! events outside the account service never see it. Refresh tokens are named by their ids, which open nothing.

mod decide;
pub mod events;
mod fold;
pub mod schema;
#[cfg(test)]
mod tests;

pub use decide::{
    EMAIL_BYTES_MAX, RefreshRefusal, USERNAME_CHARS_MAX, USERNAME_CHARS_MIN, UserCommand, decide,
    decide_refresh, key,
};
pub use fold::{RefreshFamily, UserState, fold};

/// The aggregate type of accounts.
pub const AGGREGATE_TYPE: &str = "User";
