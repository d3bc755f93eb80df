//! Gradient boosting and its companions, by hand.
//!
//! The path of the data: [`Dataset`] → bins → histograms → splits → trees → [`Fit`] → [`Model`].

#![forbid(unsafe_code)]

pub mod binning;
pub mod boost;
pub mod calibrate;
pub mod conformal;
mod crew;
pub mod dataset;
pub mod elementary;
pub mod explain;
mod flat;
pub mod frame;
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
pub mod tree;

pub use boost::{Fit, FitError, Progress};
pub use dataset::{Dataset, DatasetError, Feature, FeatureKind, Monotone};
pub use explain::Explainer;
pub use frame::{ReadError, WriteError};
pub use loss::{Loss, LossError};
pub use model::{Model, PredictError, Scratch};
pub use params::Params;
pub use split::CategoryRules;
