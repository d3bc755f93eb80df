//! The Model aggregate: a predictor, from its training to its retirement. Only the server writes it.
//!
//! The aggregate id is the `model_id`. The model file lies beside the log, named by its digest.

mod decide;
pub mod event;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use decide::{ModelCommand, decide, status};
pub use view::row;

/// The aggregate type of models.
pub const AGGREGATE_TYPE: &str = "Model";
