//! The events of a model: names. The fields are in [`super::schema`].

/// The model is known from here on.
pub const MODEL_REGISTERED: &str = "ModelRegistered";
/// Its training ended well.
pub const MODEL_TRAINED: &str = "ModelTrained";
/// Predictions are made by it from here on.
pub const MODEL_DEPLOYED: &str = "ModelDeployed";
/// No predictions are made by it any more.
pub const MODEL_ARCHIVED: &str = "ModelArchived";
/// Its training ended without a model.
pub const MODEL_FAILED: &str = "ModelFailed";
