//! Where an operation comes from, and what it had therefore seen.

use crate::clock::LogPosition;
use crate::replica::DeviceId;

/// The author of what the server writes itself: HTTP requests, approvals, corrections.
pub const SERVER: DeviceId = DeviceId::new(0);

/// The causal place of one operation in the log.
///
/// For a record `o1` at a lower position than `o2`: `o1` happened before `o2` exactly when both are of one device, or
/// `o1.position <= o2.base`. A record at a higher position never happened before one at a lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whose operation.
    pub device: DeviceId,
    /// The log head at which the device's view was whole when it wrote.
    pub base: LogPosition,
    /// Where the log put it.
    pub position: LogPosition,
}

impl Origin {
    /// Whether the writer had seen the earlier record that `device` has at `position`.
    ///
    /// The server is many people, so its records know each other only by `base`.
    #[inline]
    pub fn saw(&self, device: DeviceId, position: LogPosition) -> bool {
        position <= self.base || (device == self.device && device != SERVER)
    }
}
