//! When devices were last heard of, and where each last asked from, kept over a restart: no event tells it, since a pull
//! writes none.
//!
//! One small file of JSON beside the saved state, written at most once a minute and at the end. It is a help for whoever
//! looks after tablets and may be deleted: until each has asked again their lag is unknown then, and markers of removals
//! wait. It counts only over the log and the history that it was written of.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crdt::DeviceId;
use serde::{Deserialize, Serialize};
use storage::{Log, Position, Timestamp};

use super::checkpoint::{CheckpointError, anchor, write_durably};
use super::contact::{Contact, Contacts};
use super::engine::Fold;

const FILE: &str = "heard";

/// The file.
#[derive(Serialize, Deserialize)]
struct File {
    /// Which history it is of: the log, and an event at a position.
    log: String,
    position: u64,
    event: String,
    devices: BTreeMap<Box<str>, Heard>,
}

/// What is kept of one device. Times are microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Heard {
    /// The number under which it asked.
    pub(super) number: u32,
    /// The position that it had received everything up to.
    pub(super) acknowledged: u64,
    pushed: Option<i64>,
    pulled: Option<i64>,
    clock_off_ms: Option<i64>,
}

impl Heard {
    fn of(number: u32, acknowledged: u64, contact: Contact) -> Self {
        Heard {
            number,
            acknowledged,
            pushed: contact.pushed.map(Timestamp::micros),
            pulled: contact.pulled.map(Timestamp::micros),
            clock_off_ms: contact.clock_off_ms,
        }
    }

    pub(super) fn contact(&self) -> Contact {
        Contact {
            pushed: self.pushed.map(Timestamp::from_micros),
            pulled: self.pulled.map(Timestamp::from_micros),
            clock_off_ms: self.clock_off_ms,
        }
    }
}

/// What was kept; nothing where there is no file, or where it is none of this log and history.
pub(super) fn load(folder: &Path, log: &Log) -> BTreeMap<Box<str>, Heard> {
    let bytes = match fs::read(folder.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(error) => {
            tracing::warn!(%error, "when tablets were last heard of cannot be read");
            return BTreeMap::new();
        }
    };
    let Ok(file) = serde_json::from_slice::<File>(&bytes) else {
        tracing::warn!("when tablets were last heard of is damaged, and is passed over");
        return BTreeMap::new();
    };
    let event = anchor(log, Position::new(file.position)).map(|(id, _)| id.to_string());
    if file.log != log.log_id().to_string() || event != Some(file.event) {
        return BTreeMap::new();
    }
    file.devices
}

/// Keeps when devices were last heard of, if one was since it was last kept.
pub(super) fn keep(contacts: &Contacts, fold: &Mutex<Fold>, folder: &Path, log: &Log) {
    if !contacts.take_new() {
        return;
    }
    let (position, devices) = {
        let fold = fold.lock().unwrap_or_else(PoisonError::into_inner);
        let devices = fold.numbers.iter().map(|(id, number)| {
            let status = fold.depot.device(DeviceId::new(*number));
            let acknowledged = status.map_or(0, |status| status.acknowledged.get());
            let heard = Heard::of(*number, acknowledged, contacts.of(id));
            (id.clone(), heard)
        });
        (fold.position, devices.collect())
    };
    if let Err(error) = save(folder, log, position, devices) {
        tracing::warn!(%error, "when tablets were last heard of was not kept");
    }
}

fn save(
    folder: &Path,
    log: &Log,
    position: Position,
    devices: BTreeMap<Box<str>, Heard>,
) -> Result<(), CheckpointError> {
    let Some((event, _)) = anchor(log, position) else {
        return Ok(());
    };
    let file = File {
        log: log.log_id().to_string(),
        position: position.get(),
        event: event.to_string(),
        devices,
    };
    let text = serde_json::to_vec(&file).map_err(io::Error::other)?;
    write_durably(folder, FILE, &text)
}
