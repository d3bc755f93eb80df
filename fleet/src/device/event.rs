//! The events of a device: names. The fields are in [`super::schema`].

/// The device may sync from here on; also when it comes back.
pub const DEVICE_REGISTERED: &str = "DeviceRegistered";
/// Some of what describes it changed.
pub const DEVICE_UPDATED: &str = "DeviceUpdated";
/// It said that it goes offline, or is back.
pub const DEVICE_STATUS_CHANGED: &str = "DeviceStatusChanged";
/// It pushed, pulled, or did both.
pub const DEVICE_SYNCED: &str = "DeviceSynced";
/// It may sync no more.
pub const DEVICE_DEACTIVATED: &str = "DeviceDeactivated";
/// It got a token; the one it had before is void.
pub const DEVICE_TOKEN_ISSUED: &str = "DeviceTokenIssued";
