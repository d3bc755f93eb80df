//! Gradient boosting and its companions, by hand: training, prediction, explanation, calibration, anomalies, demand.
//!
//! # The path of the data
//!
//! ```text
//! Dataset ─▶ binning ─▶ matrix ─▶ histogram ─▶ split ─▶ grow ─▶ boost (Fit) ─▶ Model ─▶ prediction
//!                                                                          │    ├─▶ explain, importance
//!                                                                          │    ├─▶ calibrate, conformal
//!                                                                          │    └─▶ model_file (bytes)
//!                                                                          └─▶ hazard: when will it fail
//! readings ─▶ anomaly       monthly demand ─▶ demand
//! ```
//!
//! # What holds everywhere
//!
//! * The same input and settings give the same bytes for any number of threads: gradient sums are integers, and
//!   random numbers and elementary functions are spelled out here.
//! * Input never panics: tables, settings and model bytes are checked once, with an error that names what is wrong.
//! * The crate reads no clock, no file and no environment; progress and cancellation go through a callback, rows that do
//!   not fit in memory through [`streamed`]'s traits.
//!
//! # Not here
//!
//! Features from the log, training jobs and the registry of models belong to the server.

#![forbid(unsafe_code)]

pub mod anomaly;
pub mod binning;
pub mod boost;
pub mod calibrate;
pub mod conformal;
mod crew;
pub mod dataset;
pub mod demand;
pub mod elementary;
pub mod explain;
mod flat;
pub mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod grow;
pub mod hazard;
mod histogram;
pub mod importance;
pub mod loss;
mod matrix;
pub mod metric;
pub mod model;
pub mod model_file;
pub mod params;
mod random;
pub mod split;
pub mod streamed;
pub mod tree;

pub use boost::{Fit, FitError, Progress};
pub use dataset::{Dataset, DatasetError, Feature, FeatureKind, Monotone};
pub use explain::Explainer;
pub use frame::{ReadError, WriteError};
pub use loss::{Loss, LossError};
pub use model::{Model, PredictError, Scratch};
pub use params::Params;
pub use split::CategoryRules;
