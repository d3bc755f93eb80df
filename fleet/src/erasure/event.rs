//! The events of erasures: names. The fields are in [`super::schema`].

/// Somebody asked to be erased.
pub const ERASURE_REQUESTED: &str = "ErasureRequested";
/// Their keys were destroyed.
pub const SUBJECT_ERASED: &str = "SubjectErased";
