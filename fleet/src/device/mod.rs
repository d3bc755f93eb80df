//! The Device aggregate: a tablet or terminal that works offline and syncs. Only the server writes it.
//!
//! The aggregate id is the `device_id` that the device names itself by.

pub mod event;
pub mod schema;

/// The aggregate type of devices.
pub const AGGREGATE_TYPE: &str = "Device";
