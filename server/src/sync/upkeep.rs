//! Looking after tablets: how far each is, what was refused, and dropping what every one of them knows.

use crdt::DeviceId;
use crdt::sync::DeviceStatus;
use fleet::sync_session::{self, COMPACTIONS};
use serde_json::{Map, Value as Json, json};
use storage::{
    Direction, ExpectedVersion, NewEvent, Query, QueryItem, ReadError, ReadRequest, StreamName,
    Timestamp, Transaction,
};

use super::contact::Contact;
use super::devices::Device;
use super::engine::Fold;
use crate::app::AppState;
use crate::envelope::{USER_PREFIX, tag};
use crate::http::problem::Problem;
use crate::rfc3339;

/// Changed entities that are counted for a device's lag.
const LAG_MAX: usize = 10_000;

/// A clock that is wrong by more is told of, in milliseconds.
const CLOCK_OFF_MS_MAX: i64 = 120_000;

/// How a device stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What the protocol knows.
    pub status: Option<DeviceStatus>,
    /// Entities that changed since its view was last whole, at most [`LAG_MAX`]; `None` before it has asked.
    pub lag: Option<usize>,
    /// When it was last heard of.
    pub contact: Contact,
    /// When it last pushed something new, from the log.
    pub last_session: Option<Timestamp>,
}

/// How a device stands. Blocks.
pub fn standing(state: &AppState, fold: &Fold, device: &Device) -> Standing {
    let number = DeviceId::new(device.number);
    let status = (device.number > 0)
        .then(|| fold.depot.device(number))
        .flatten();
    let lag = status
        .filter(|status| status.acknowledged.get() > 0)
        .map(|status| {
            let changed = fold.depot.store().changed_since(status.acknowledged);
            changed.take(LAG_MAX).count()
        });
    Standing {
        status,
        lag,
        contact: state.sync.contacts.of(&device.id),
        last_session: last_session(state, &device.id),
    }
}

impl Standing {
    /// When it last synced, as far as is known.
    pub fn last_sync(&self) -> Option<Timestamp> {
        self.contact.last().max(self.last_session)
    }

    /// What a device's row is told beside what its events say.
    pub fn put_into(&self, row: &mut Map<String, Json>) {
        let mut put = |name: &str, value: Json| row.insert(name.to_owned(), value);
        let time = |time: Option<Timestamp>| time.map(rfc3339::to_string).into();
        put("lag", self.lag.into());
        if let Some(status) = &self.status {
            put("operations_seen", status.seen.into());
            put("acknowledged_position", status.acknowledged.get().into());
            put("verdicts_waiting", status.verdicts_waiting.into());
            put("is_expired", status.expired.into());
        }
        let off = self.contact.clock_off_ms;
        let told = off.filter(|off| off.abs() > CLOCK_OFF_MS_MAX);
        put("clock_off_seconds", told.map(|off| off / 1_000).into());
        if self.last_sync().is_some() {
            put("last_sync_at", time(self.last_sync()));
        }
        if self.contact.pushed.max(self.last_session).is_some() {
            put(
                "last_push_at",
                time(self.contact.pushed.max(self.last_session)),
            );
        }
        if self.contact.pulled.is_some() {
            put("last_pull_at", time(self.contact.pulled));
        }
    }
}

fn last_session(state: &AppState, device_id: &str) -> Option<Timestamp> {
    let found = events_of(state, device_id, &[sync_session::SYNC_PUSHED], 1, |event| {
        event.recorded_at()
    });
    found.ok()?.into_iter().next()
}

/// The latest events of these types in a device's own stream, newest first.
///
/// # Errors
/// When the log cannot be read.
pub fn events_of<T>(
    state: &AppState,
    device_id: &str,
    types: &[&str],
    limit: usize,
    mut read: impl FnMut(&storage::EventRef<'_>) -> T,
) -> Result<Vec<T>, Problem> {
    let request = ReadRequest {
        query: Query {
            items: vec![QueryItem {
                streams: vec![StreamName::new(sync_session::AGGREGATE_TYPE, device_id)],
                event_types: types.iter().map(|name| Box::from(*name)).collect(),
                ..QueryItem::default()
            }],
        },
        direction: Direction::Backward,
        ..ReadRequest::default()
    };
    let mut reader = state.log.read(&request)?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(event) = reader.next()
    {
        match event {
            Ok(event) => found.push(read(&event)),
            Err(error @ ReadError::Archived { .. }) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// What a compaction came to.
#[derive(Clone, Debug)]
pub struct Compacted {
    /// Whether anything was dropped.
    pub compacted: bool,
    /// Markers at or below this are gone.
    pub floor: u64,
    /// The log's head.
    pub head: u64,
    /// Devices that do not count any more, by their ids.
    pub expired: Vec<String>,
    /// Devices that hold up the next compaction.
    pub waiting_for: Vec<String>,
}

/// Lets devices that are overdue stop counting, then drops the markers of removals that all others have passed. Blocks.
///
/// # Errors
/// When the log cannot be read or written.
pub fn compact(state: &AppState, by: &str) -> Result<Compacted, Problem> {
    let now = state.clock.now();
    let overdue = overdue(state, now)?;
    let mut expired = Vec::new();
    for (id, number) in overdue {
        let data = json!({ "device_number": number, "revoked": false });
        append(state, sync_session::SYNC_DEVICE_EXPIRED, &data, by)?;
        expired.push(id);
    }
    let (stable, floor) = {
        let fold = state.sync.engine.current()?;
        (fold.depot.stable(), fold.depot.floor())
    };
    let compacted = stable > floor;
    if compacted {
        let data = json!({ "horizon": stable.get(), "user_id": by });
        append(state, sync_session::SYNC_COMPACTED, &data, by)?;
    }
    let fold = state.sync.engine.current()?;
    let head = fold.depot.head();
    let holding = |device: &Device| {
        let status = fold.depot.device(DeviceId::new(device.number));
        status.is_some_and(|status| !status.expired && status.acknowledged < head)
    };
    let devices = state.sync.devices.all();
    let waiting_for = devices.iter().filter(|device| holding(device));
    Ok(Compacted {
        compacted,
        floor: fold.depot.floor().get(),
        head: head.get(),
        expired,
        waiting_for: waiting_for.map(|device| device.id.to_string()).collect(),
    })
}

/// Devices that count and were not heard of for too long, or whose token has ended.
fn overdue(state: &AppState, now: Timestamp) -> Result<Vec<(String, u32)>, Problem> {
    let fold = state.sync.engine.current()?;
    let most = i64::try_from(state.config.sync.offline_max.as_micros()).unwrap_or(i64::MAX);
    let mut overdue = Vec::new();
    for device in state.sync.devices.all() {
        let standing = standing(state, &fold, &device);
        if standing.status.is_none_or(|status| status.expired) {
            continue;
        }
        let ended = device
            .grant
            .as_ref()
            .is_none_or(|grant| grant.expires_at <= now);
        let heard = standing.last_sync().or(device.began);
        let silent = heard.is_none_or(|heard| now.micros().saturating_sub(heard.micros()) > most);
        if ended || silent {
            overdue.push((device.id.to_string(), device.number));
        }
    }
    Ok(overdue)
}

fn append(state: &AppState, event_type: &str, data: &Json, by: &str) -> Result<(), Problem> {
    let mut event = NewEvent::new(event_type, data.to_string());
    event.tags.push(tag(USER_PREFIX, by));
    let stream = StreamName::new(sync_session::AGGREGATE_TYPE, COMPACTIONS);
    let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
    state.log.append(transaction)?;
    Ok(())
}
