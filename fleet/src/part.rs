//! The Part aggregate: what lies in the stores, how much of it, and where.
//!
//! The aggregate id is the `part_no` that it began with; a row UUID stands beside it. Where the number changed since, as it
//! may in a database that an importer follows, the state tells the present one, and so does the row.
//!
//! The level is a sum of differences: each stock move adds one, on the whole and at its location, whatever order the events
//! arrive in. What a part was created with is the opening value, at no location.

mod decide;
mod describe;
pub mod event;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use decide::decide;
pub use describe::DESCRIBED;
pub use view::row;

use crate::folded::Folded;
use schema::{STOCK_BY_LOCATION_KEY, STOCK_KEY};

/// The aggregate type of parts.
pub const AGGREGATE_TYPE: &str = "Part";

/// How much of it there is on the whole. Below 0 only where facts were reported that cannot all be true.
pub fn level(state: &Folded) -> i64 {
    state.integer(STOCK_KEY).unwrap_or(0)
}

/// How much of it lies at no known location: what it was created with, and what was moved without saying where.
pub fn level_at_no_location(state: &Folded) -> i64 {
    let located = state
        .record
        .sums(STOCK_BY_LOCATION_KEY)
        .fold(0_i64, |sum, (_, level)| sum.saturating_add(level));
    level(state).saturating_sub(located)
}

/// The least level; at it or below, more must be bought.
pub fn least_level(state: &Folded) -> i64 {
    state.integer("min_stock").unwrap_or(0)
}

/// Whether too little of it is there.
pub fn is_low(state: &Folded) -> bool {
    level(state) <= least_level(state)
}

/// What it is counted in.
pub fn unit(state: &Folded) -> &str {
    state.text("unit").unwrap_or("pc")
}
