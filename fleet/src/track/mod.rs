//! The Track aggregate: a track of a workshop, and when it can be used.

mod command;
mod decide;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use command::{AVAILABILITY, CHANGE, CREATE, TrackCommand};
pub use decide::decide;
pub use view::row;

/// The aggregate type of tracks.
pub const AGGREGATE_TYPE: &str = "Track";
