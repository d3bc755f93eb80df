//! The Prediction aggregate: what models said about one vehicle, order or part, one event a prediction served. Only the
//! server writes it.
//!
//! The aggregate id is `<aggregate type>/<aggregate id>` of what the prediction is about. Nothing is folded from it.

pub mod event;
pub mod schema;

/// The aggregate type of predictions.
pub const AGGREGATE_TYPE: &str = "Prediction";
