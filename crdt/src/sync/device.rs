//! What the depot remembers of a device: a few words for ever, and the verdicts it has not heard yet.

use super::chain::Chain;
use super::verdict::Verdict;
use crate::clock::LogPosition;
use crate::collapsed::Handle;
use std::collections::BTreeMap;

/// One device in the depot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Device {
    /// The last operation admitted. Derived from the log, so a crash cannot part it from the data.
    pub(super) seen: u64,
    /// The chain after it.
    pub(super) chain: Chain,
    /// The verdicts the device has not acknowledged.
    pub(super) verdicts: BTreeMap<u64, Verdict>,
    /// The device has heard every verdict up to here.
    pub(super) acknowledged_verdicts: u64,
    /// What it created, by operation: it may refer to it in this way for ever.
    pub(super) created: BTreeMap<u64, Handle>,
    /// The server's time of the registration: the earliest an operation without base can be.
    pub(super) registered_ms: u64,
    /// The complete point it last asked from. Not in the log: after a restart it counts as 0 until the device asks.
    pub(super) acknowledged: LogPosition,
    /// Whether it stopped counting for compaction.
    pub(super) expired: bool,
}

impl Device {
    pub(super) fn new(registered_ms: u64) -> Self {
        Self {
            seen: 0,
            chain: Chain::default(),
            verdicts: BTreeMap::new(),
            acknowledged_verdicts: 0,
            created: BTreeMap::new(),
            registered_ms,
            acknowledged: LogPosition::START,
            expired: false,
        }
    }

    /// Forgets the verdicts that the device says it has.
    pub(super) fn acknowledge_verdicts(&mut self, upto: u64) {
        let upto = upto.min(self.seen);
        if upto > self.acknowledged_verdicts {
            self.acknowledged_verdicts = upto;
            self.verdicts = self.verdicts.split_off(&(upto + 1));
        }
    }
}

/// What a depot says of a device, for the status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceStatus {
    /// The last operation admitted.
    pub seen: u64,
    /// The complete point it last asked from.
    pub acknowledged: LogPosition,
    /// Verdicts waiting for it.
    pub verdicts_waiting: usize,
    /// Whether it stopped counting for compaction.
    pub expired: bool,
}
