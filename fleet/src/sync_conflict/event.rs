//! The events of a sync conflict: names. The fields are in [`super::schema`].

/// An offline edit met a value that it may not overwrite.
pub const SYNC_CONFLICT_DETECTED: &str = "SyncConflictDetected";
/// Somebody decided which value stands.
pub const SYNC_CONFLICT_RESOLVED: &str = "SyncConflictResolved";
