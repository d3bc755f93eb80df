//! KPIs, series, trends and forecasts over the fleet's history: not built yet.
//!
//! This crate will hold pure functions only. It exists so that the workspace's map is whole; it offers nothing, and
//! nothing depends on it.
