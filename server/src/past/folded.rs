//! What a stream's events fold to, with what an answer says of the fold.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::{EventRef, Timestamp};

/// A fold of some of a stream's events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Folded {
    /// The state.
    pub subject: fleet::Folded,
    /// How many events are in it.
    pub events: u64,
    /// The event of the highest version in it.
    pub last: Option<Last>,
}

/// An event that was folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Its place in the stream.
    pub version: u32,
    /// Its place in the log.
    pub position: u64,
    occurred_at: i64,
    recorded_at: i64,
}

impl Last {
    /// When it happened.
    pub fn occurred_at(&self) -> Timestamp {
        Timestamp::from_micros(self.occurred_at)
    }

    /// When it was recorded.
    pub fn recorded_at(&self) -> Timestamp {
        Timestamp::from_micros(self.recorded_at)
    }
}

impl Folded {
    /// The state as an object.
    pub fn to_object(&self) -> Map<String, Value> {
        self.subject.record.to_object()
    }

    /// Folds an event. `false`: its data is no JSON object, and nothing changed.
    pub fn fold(&mut self, event: &EventRef<'_>) -> bool {
        let Some(data) = payload(event) else {
            return false;
        };
        self.take(event, &data);
        true
    }

    /// Folds an event whose data was read.
    pub(super) fn take(&mut self, event: &EventRef<'_>, data: &Map<String, Value>) {
        self.subject.fold(&crate::projection::view(event, data));
        self.count(event);
    }

    /// Notes an event that the subject has taken in.
    pub(super) fn count(&mut self, event: &EventRef<'_>) {
        self.events += 1;
        let version = event.version().get();
        if self.last.is_none_or(|last| last.version < version) {
            self.last = Some(Last {
                version,
                position: event.position().get(),
                occurred_at: event.occurred_at().micros(),
                recorded_at: event.recorded_at().micros(),
            });
        }
    }

    /// The bytes of a saved state. MessagePack, because a state holds free JSON.
    pub(super) fn pack(&self) -> Box<[u8]> {
        rmp_serde::to_vec(self)
            .expect("a state in memory always encodes")
            .into_boxed_slice()
    }

    /// The state that was packed. No bytes are the state before the first event; so are bytes that are none, which the
    /// checksum around what was saved rules out.
    pub(super) fn unpack(bytes: &[u8]) -> Self {
        rmp_serde::from_slice(bytes).unwrap_or_default()
    }
}

/// The event's data as an object; an event without any has an empty one.
pub(crate) fn payload(event: &EventRef<'_>) -> Option<Map<String, Value>> {
    if event.data().is_empty() {
        return Some(Map::new());
    }
    serde_json::from_slice(event.data()).ok()
}
