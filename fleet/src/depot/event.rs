//! The events about other depots: names. The fields are in [`super::schema`].

/// A message of the other depot that this log can never take is passed by.
pub const DEPOT_MESSAGE_QUARANTINED: &str = "DepotMessageQuarantined";
/// The other depot's messages are verified by this key from now on.
pub const DEPOT_KEY_TRUSTED: &str = "DepotKeyTrusted";
