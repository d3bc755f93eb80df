//! The Workshop aggregate: a place with tracks where vehicles are maintained.
//!
//! Its `available_tracks` are those in working order; the row shows how many of them are free, that is without an order
//! in work.

mod command;
mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{CHANGE, CREATE, WorkshopCommand};
pub use decide::decide;
pub use view::row;

/// The aggregate type of workshops.
pub const AGGREGATE_TYPE: &str = "Workshop";
