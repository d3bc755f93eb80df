//! What is known of devices beside the log: when each was heard of (kept by [`super::heard`]), and what it was refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fleet::sync_session;
use serde_json::json;
use storage::{ExpectedVersion, NewEvent, StreamName, Timestamp, Transaction};

use crate::app::AppState;

/// Devices and codes that are remembered; beyond, refusals are counted and no more told in the log.
const REMEMBERED_MAX: usize = 10_000;
/// How often one kind of refusal of one device is told in the log.
const TOLD_EVERY_MICROS: i64 = 3_600 * 1_000_000;

/// When devices were last heard of.
#[derive(Debug, Default)]
pub struct Contacts(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    devices: HashMap<Box<str>, Contact>,
    /// Whether something came since it was last kept.
    is_new: bool,
}

/// When a device was last heard of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contact {
    /// It pushed.
    pub pushed: Option<Timestamp>,
    /// It pulled.
    pub pulled: Option<Timestamp>,
    /// By how much its last push that told a wrong time was wrong, in milliseconds: above 0 where it was ahead.
    pub clock_off_ms: Option<i64>,
}

impl Contact {
    /// The later of both.
    pub fn last(&self) -> Option<Timestamp> {
        self.pushed.max(self.pulled)
    }
}

impl Contacts {
    /// What was kept of devices before.
    pub(super) fn of_before(devices: impl Iterator<Item = (Box<str>, Contact)>) -> Self {
        Contacts(Mutex::new(Heard {
            devices: devices.collect(),
            is_new: false,
        }))
    }

    /// Notes that a device pushed, pulled, or did both.
    pub fn note(&self, device_id: &str, now: Timestamp, pushed: bool, pulled: bool) {
        self.change(device_id, |contact| {
            if pushed {
                contact.pushed = Some(now);
            }
            if pulled {
                contact.pulled = Some(now);
            }
        });
    }

    /// Notes how wrong a device's clock was in a push that was taken in; `None` where it was right.
    pub fn note_clock(&self, device_id: &str, off_ms: Option<i64>) {
        self.change(device_id, |contact| contact.clock_off_ms = off_ms);
    }

    fn change(&self, device_id: &str, change: impl FnOnce(&mut Contact)) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(heard.devices.entry(device_id.into()).or_default());
        heard.is_new = true;
    }

    /// When a device was last heard of.
    pub fn of(&self, device_id: &str) -> Contact {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.devices.get(device_id).copied().unwrap_or_default()
    }

    /// Whether something came since this was last asked.
    pub(super) fn take_new(&self) -> bool {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut heard.is_new)
    }
}

/// What was refused that no honest device sends: told in the log once an hour for each device and code, with the count.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<(Box<str>, &'static str), Refused>>);

#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    told: Option<Timestamp>,
    since: u64,
}

impl Refusals {
    /// How many there were since it was told; `None` while it need not be told again.
    fn due(&self, device_id: &str, code: &'static str, now: Timestamp) -> Option<u64> {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Box::from(device_id), code);
        if refusals.len() >= REMEMBERED_MAX && !refusals.contains_key(&key) {
            return None;
        }
        let refused = refusals.entry(key).or_default();
        refused.since += 1;
        let silent = refused
            .told
            .is_some_and(|told| now.micros() - told.micros() < TOLD_EVERY_MICROS);
        if silent {
            return None;
        }
        refused.told = Some(now);
        Some(std::mem::take(&mut refused.since))
    }
}

/// Counts a refusal, and tells of it in the log where that is due. Does not wait for the log.
pub fn refused(state: &AppState, device_id: &str, code: &'static str, detail: &str) {
    state.metrics.count_refusal(code);
    let now = state.clock.now();
    let Some(count) = state.sync.refusals.due(device_id, code, now) else {
        return;
    };
    let data = json!({ "code": code, "detail": detail, "count": count });
    let event = NewEvent::new(sync_session::SYNC_REFUSED, data.to_string());
    let stream = StreamName::new(sync_session::AGGREGATE_TYPE, device_id);
    let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
    crate::append::submit(&state.log, transaction, |_, result| {
        if let Err(error) = result {
            tracing::warn!(%error, "a refusal of a device could not be told in the log");
        }
    });
}
