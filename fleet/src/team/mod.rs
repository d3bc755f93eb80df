//! The Team aggregate: people of a workshop who work together, and when they are there.

mod command;
mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{AVAILABILITY, CHANGE, CREATE, TeamCommand};
pub use decide::decide;
pub use view::row;

/// The aggregate type of teams.
pub const AGGREGATE_TYPE: &str = "Team";
