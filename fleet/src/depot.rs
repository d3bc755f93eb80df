//! The FederatedDepot aggregate: what an administrator of this depot decided about another depot of the federation. Only the server
//! writes it, and it stays in this log.
//!
//! The aggregate id is the id of the other depot's log.

pub mod event;
pub mod schema;

/// The aggregate type of other depots.
pub const AGGREGATE_TYPE: &str = "FederatedDepot";
