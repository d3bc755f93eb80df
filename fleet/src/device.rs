//! The Device aggregate: a tablet or terminal that works offline and syncs. Only the server writes it.
//!
//! The aggregate id is the `device_id` that the device names itself by.

mod decide;
pub mod event;
pub mod schema;
mod view;

#[cfg(test)]
mod tests;

pub use decide::{DeviceCommand, TokenGrant, decide, is_active, registration};
pub use view::row;

/// The aggregate type of devices.
pub const AGGREGATE_TYPE: &str = "Device";
