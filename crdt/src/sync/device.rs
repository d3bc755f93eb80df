//! What the depot remembers of a device: a few words for ever, and the verdicts it has not heard yet.

use super::chain::Chain;
use super::verdict::Verdict;
use crate::clock::LogPosition;
use crate::collapsed::Handle;
use crate::replica::DeviceId;
use std::collections::{BTreeMap, VecDeque};

/// One device in the depot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Device {
    /// The last operation admitted. Derived from the log, so a crash cannot part it from the data.
    pub(super) seen: u64,
    /// The chain after it.
    pub(super) chain: Chain,
    /// The operations whose verdicts it has not acknowledged, numbers rising. A device that begins anew may not know that
    /// they came, and sends them again under its new number.
    unheard: VecDeque<Unheard>,
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
    pub(super) fn new(number: DeviceId, registered_ms: u64) -> Self {
        Self {
            seen: 0,
            chain: Chain::of(number),
            unheard: VecDeque::new(),
            acknowledged_verdicts: 0,
            created: BTreeMap::new(),
            registered_ms,
            acknowledged: LogPosition::START,
            expired: false,
        }
    }

    /// Where it stands, so that a trial of new operations can be taken back.
    pub(super) fn place(&self) -> Place {
        Place {
            seen: self.seen,
            chain: self.chain,
            expired: self.expired,
        }
    }

    /// Notes that its operation `seq` was judged: `chain` is the one after it. A device that pushes again counts again.
    pub(super) fn pass(&mut self, seq: u64, chain: Chain) {
        self.seen = self.seen.max(seq);
        self.chain = chain;
        self.expired = false;
    }

    /// Takes back everything admitted since it stood at `place`.
    pub(super) fn put_back(&mut self, place: Place) {
        drop(self.created.split_off(&(place.seen + 1)));
        (self.seen, self.chain) = (place.seen, place.chain);
        self.expired = place.expired;
    }

    /// Forgets the verdicts that the device says it has.
    pub(super) fn acknowledge_verdicts(&mut self, upto: u64) {
        let upto = upto.min(self.seen);
        if upto > self.acknowledged_verdicts {
            self.acknowledged_verdicts = upto;
            let heard = self.unheard.partition_point(|waiting| waiting.seq <= upto);
            drop(self.unheard.drain(..heard));
        }
    }

    /// Keeps what became of an operation until the device says that it has heard of it.
    pub(super) fn keep(&mut self, waiting: Unheard) {
        match self.place_of(waiting.seq) {
            Ok(place) => self.unheard[place] = waiting,
            // Operations come in order.
            Err(place) => self.unheard.insert(place, waiting),
        }
    }

    /// What became of an operation that the device has not heard of.
    pub(super) fn unheard(&self, seq: u64) -> Option<&Unheard> {
        self.unheard.get(self.place_of(seq).ok()?)
    }

    /// The operations that the device has not heard of, numbers rising.
    pub(super) fn all_unheard(&self) -> impl ExactSizeIterator<Item = &Unheard> {
        self.unheard.iter()
    }

    fn place_of(&self, seq: u64) -> Result<usize, usize> {
        match self.unheard.back() {
            Some(last) if last.seq >= seq => self
                .unheard
                .binary_search_by_key(&seq, |waiting| waiting.seq),
            _ => Err(self.unheard.len()),
        }
    }
}

/// An operation whose verdict its device has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unheard {
    pub(super) seq: u64,
    /// The chain after it.
    pub(super) chain: Chain,
    /// What the device is told.
    pub(super) verdict: Verdict,
}

/// See [`Device::place`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    seen: u64,
    chain: Chain,
    expired: bool,
}

/// All devices, found by their dense numbers without a search: every operation asks several times.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Devices(Vec<Device>);

impl Devices {
    /// The number the next device gets: the first is 1, 0 is the server.
    pub(super) fn next(&self) -> DeviceId {
        DeviceId::new(u32::try_from(self.0.len() + 1).unwrap_or(u32::MAX))
    }

    /// Adds the next device. Answers whether `device` was its number.
    pub(super) fn add(&mut self, device: DeviceId, registered_ms: u64) -> bool {
        let is_next = device == self.next();
        if is_next {
            self.0.push(Device::new(device, registered_ms));
        }
        is_next
    }

    /// Adds the next device as it was saved.
    pub(super) fn push(&mut self, device: Device) {
        self.0.push(device);
    }

    pub(super) fn get(&self, device: &DeviceId) -> Option<&Device> {
        self.0.get(index_of(*device)?)
    }

    pub(super) fn get_mut(&mut self, device: &DeviceId) -> Option<&mut Device> {
        self.0.get_mut(index_of(*device)?)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Device> {
        self.0.iter()
    }
}

fn index_of(device: DeviceId) -> Option<usize> {
    usize::try_from(device.get().checked_sub(1)?).ok()
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
    /// The chain after its last operation.
    pub chain: Chain,
}
