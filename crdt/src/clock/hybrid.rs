//! The clock of one replica: it hands out stamps that rise, whatever the wall clock does.

use super::Stamp;

/// A hybrid logical clock. It never reads the time: the caller passes the device's milliseconds.
///
/// `offset_ms` is how far the server's clock is ahead of the device's, measured at the last exchange; with it a tablet
/// whose clock is hours wrong still stamps in the server's time. Keep `last` with the device's store: after a restart
/// with an older wall clock the stamps must still rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HybridClock {
    last: Stamp,
    offset_ms: i64,
}

impl HybridClock {
    /// A clock that goes on after `last`.
    pub const fn resumed(last: Stamp, offset_ms: i64) -> Self {
        Self { last, offset_ms }
    }

    /// The highest stamp given or observed.
    pub const fn last(&self) -> Stamp {
        self.last
    }

    /// Server time minus device time, in milliseconds.
    pub const fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// Takes a new measurement of server time minus device time.
    pub fn set_offset_ms(&mut self, offset_ms: i64) {
        self.offset_ms = offset_ms;
    }

    /// The stamp of a write made when the device's clock shows `device_now_ms`: later than every stamp given or observed.
    pub fn tick(&mut self, device_now_ms: u64) -> Stamp {
        let server_now_ms = device_now_ms.saturating_add_signed(self.offset_ms);
        self.last = Stamp::new(server_now_ms, 0).max(self.last.next());
        self.last
    }

    /// Notes a stamp made elsewhere, so that the next write here is later.
    pub fn observe(&mut self, stamp: Stamp) {
        self.last = self.last.max(stamp);
    }
}
