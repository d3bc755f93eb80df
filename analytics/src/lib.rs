//! What the fleet's history says in numbers: forecasts, trends, rates with their intervals.
//!
//! On the data path this crate stands last: read models and rollups hand it series and sums, routes show what it says.
//! Pure functions: no disk, no clock, no HTTP, no randomness; the same input gives the same bits.
//!
//! Where to look:
//! - [`blocks`]: lists that grow without moving what they hold;
//! - [`facts`]: what figures are taken from, folded event by event;
//! - [`columns`]: every event in packed columns, for counts and sums by anything;
//! - [`rollup`]: facts with their sums by local day;
//! - [`kpi`]: the catalogue of key figures, each with the events behind it;
//! - [`former`]: the six figures of the old interface;
//! - [`forecast`]: the months to come, with intervals and with what the forecast is worth;
//! - [`trend`]: improving, declining or neither, and where a level shifted;
//! - [`sketch`]: quantiles of what is skewed, mergeable;
//! - [`rate`]: mean time between failures, and workshops compared like with like.

#![forbid(unsafe_code)]

pub mod blocks;
pub mod columns;
pub mod facts;
pub mod forecast;
pub mod former;
pub mod kpi;
mod normal;
pub mod rate;
pub mod rollup;
pub mod sketch;
pub mod trend;
