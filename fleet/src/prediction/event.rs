//! The events of predictions: names. The fields are in [`super::schema`].

/// A prediction was served.
pub const PREDICTION_MADE: &str = "PredictionMade";
