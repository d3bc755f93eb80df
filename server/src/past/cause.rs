//! Which event made a state what it is: its id, its place, when, and by whom.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use storage::{EventRef, Log, Query, ReadError, ReadRequest, StreamName};
use uuid::Uuid;

use super::cache::Past;
use super::diff::diff;
use super::moment::Bounds;
use crate::{envelope, rfc3339};

/// Versions that are looked at together on the way back to what set a field.
const WINDOW: u32 = 64;
/// Windows that are looked at before the search is given up.
const WINDOWS_MAX: usize = 64;

/// An event, as the reason for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its id.
    pub id: Uuid,
    /// Its place in the log.
    pub position: u64,
    /// Its place in its stream.
    pub version: u32,
    /// Its type.
    pub event_type: Box<str>,
    /// When it happened.
    pub occurred_at: storage::Timestamp,
    /// When it was recorded.
    pub recorded_at: storage::Timestamp,
    /// Who caused it, if somebody is named.
    pub user_id: Option<Box<str>>,
}

impl Cause {
    /// An event of the log.
    pub fn of(event: &EventRef<'_>) -> Self {
        Cause {
            id: event.id(),
            position: event.position().get(),
            version: event.version().get(),
            event_type: event.event_type().into(),
            occurred_at: event.occurred_at(),
            recorded_at: event.recorded_at(),
            user_id: envelope::user_id(event.tags()).map(Into::into),
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "event_id": self.id.to_string(),
            "position": self.position,
            "version": self.version,
            "event_type": self.event_type,
            "occurred_at": rfc3339::to_string(self.occurred_at),
            "recorded_at": rfc3339::to_string(self.recorded_at),
            "user_id": self.user_id,
        })
    }
}

impl Past {
    /// For each of these fields, the event within `bounds` that last changed it. A field that nothing changed within the
    /// last few thousand versions is left out.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn causes(
        &self,
        name: &StreamName,
        bounds: &Bounds,
        fields: &[String],
    ) -> Result<BTreeMap<String, Cause>, ReadError> {
        let mut causes = BTreeMap::new();
        let (newest, _) = self.state_within(name, bounds)?;
        let mut end = newest.last.map_or(0, |last| last.version);
        for _ in 0..WINDOWS_MAX {
            if end == 0 || causes.len() == fields.len() {
                break;
            }
            let start = end.saturating_sub(WINDOW);
            self.causes_within(name, bounds, (start, end), fields, &mut causes)?;
            end = start;
        }
        Ok(causes)
    }

    /// Looks at the versions behind `start` up to `end`.
    fn causes_within(
        &self,
        name: &StreamName,
        bounds: &Bounds,
        (start, end): (u32, u32),
        fields: &[String],
        causes: &mut BTreeMap<String, Cause>,
    ) -> Result<(), ReadError> {
        let before = Bounds {
            version: start,
            ..*bounds
        };
        let (mut folded, _) = self.state_within(name, &before)?;
        let mut seen = folded.to_object();
        let mut found = BTreeMap::new();
        each_version(self.log(), name, (start, end), |event| {
            if event.position() > bounds.position || event.occurred_at() > bounds.at {
                return;
            }
            folded.fold(event);
            let now = folded.to_object();
            for difference in diff(&seen, &now) {
                let field = difference.field();
                if fields.iter().any(|wanted| wanted == field) {
                    found.insert(field.to_owned(), Cause::of(event));
                }
            }
            seen = now;
        })?;
        for (field, cause) in found {
            causes.entry(field).or_insert(cause);
        }
        Ok(())
    }
}

/// Gives the versions behind `start` up to `end`, those that can be read.
pub(crate) fn each_version(
    log: &Log,
    name: &StreamName,
    (start, end): (u32, u32),
    mut each: impl FnMut(&EventRef<'_>),
) -> Result<(), ReadError> {
    let range = storage::StreamRange {
        from: storage::Version::new(start.saturating_add(1)),
        to: storage::Version::new(end),
        ..storage::StreamRange::default()
    };
    let mut reader = log.read_stream(name, &range);
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => each(&event),
            Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The request for a stream's events, to be narrowed.
pub(crate) fn stream_request(name: &StreamName) -> ReadRequest {
    ReadRequest {
        query: Query::stream(name.clone()),
        ..ReadRequest::default()
    }
}
