//! The events about other depots: names. The fields are in [`super::schema`].

/// A message of the other depot that this log can never take is passed by.
pub const DEPOT_MESSAGE_QUARANTINED: &str = "DepotMessageQuarantined";
/// The other depot's messages are verified by this key from now on.
pub const DEPOT_KEY_TRUSTED: &str = "DepotKeyTrusted";
/// The other depot is gone for good: its vehicles may be taken over here.
pub const DEPOT_DECLARED_GONE: &str = "DepotDeclaredGone";
/// The other depot is not gone, or has come back.
pub const DEPOT_CAME_BACK: &str = "DepotCameBack";
