//! An event as the domain sees it: [`EventView`] on its way from the log into a fold, [`EventDraft`] on its way from
//! `decide` to the log.

use serde_json::{Map, Value};

use crate::alias;

#[cfg(test)]
mod tests;

/// A stored event, borrowed from whoever read it.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The aggregate's type, `Vehicle`.
    pub aggregate_type: &'a str,
    /// The aggregate's id within its type.
    pub aggregate_id: &'a str,
    /// What happened, in either spelling ([`alias`]).
    pub event_type: &'a str,
    /// The number of the schema that `data` follows.
    pub schema: u16,
    /// The place in the stream, first is 1.
    pub version: u32,
    /// The place in the whole log, first is 1.
    pub position: u64,
    /// When it happened: microseconds since 1970-01-01T00:00:00Z.
    pub occurred_at: i64,
    /// When the log accepted it: microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at: i64,
    /// What orders it among those that happened in the same microsecond: [`order`], or [`order_of_next`].
    pub order: u64,
    /// The payload as it was stored.
    pub data: &'a Map<String, Value>,
}

impl EventView<'_> {
    /// The event type in its canonical spelling.
    pub fn canonical_type(&self) -> &str {
        alias::canonical(self.event_type)
    }

    /// What folds order by when two events set the same field.
    pub const fn stamp(&self) -> Stamp {
        Stamp {
            occurred_at: self.occurred_at,
            order: self.order,
        }
    }
}

/// Bits of an [`order`] that tell the ids of events apart; the others are the time, which fits until 2112.
const ID_BITS: u32 = 12;

/// What orders a stored event among those that happened in the same microsecond: when the log that first had it recorded it,
/// then its id. So every log that has two events orders them alike, and one that has its own only orders them as their
/// positions do.
pub fn order(recorded_at: i64, id: u128, origin: Option<Origin>) -> u64 {
    let recorded_at = origin.map_or(recorded_at, |origin| origin.recorded_at);
    let id = u64::try_from(id & ((1 << ID_BITS) - 1)).unwrap_or(0);
    u64::try_from(recorded_at).unwrap_or(0) << ID_BITS | id
}

/// The order of an event that no log has yet, the `place`th of several: behind all that is in a log.
pub fn order_of_next(place: u32) -> u64 {
    u64::MAX - u64::from(u32::MAX - place)
}

/// Which log recorded an event first, where that is another than the one it was read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// That log's id.
    pub log: u128,
    /// The event's place there.
    pub position: u64,
    /// When it was recorded there: microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at: i64,
}

impl Origin {
    /// Before the origin in an event's tag.
    pub const PREFIX: &str = "origin:";

    /// The tag that tells it.
    pub fn tag(self) -> Box<str> {
        let Origin {
            log,
            position,
            recorded_at,
        } = self;
        format!("{}{log:032x}:{position}:{recorded_at}", Self::PREFIX).into()
    }

    /// What an event's tags tell of it; `None` for an event that its log recorded first.
    pub fn of<'a>(tags: impl IntoIterator<Item = &'a str>) -> Option<Origin> {
        let text = tags
            .into_iter()
            .find_map(|tag| tag.strip_prefix(Self::PREFIX))?;
        let mut parts = text.split(':');
        let mut part = || parts.next();
        Some(Origin {
            log: u128::from_str_radix(part()?, 16).ok()?,
            position: part()?.parse().ok()?,
            recorded_at: part()?.parse().ok()?,
        })
    }
}

/// The order in which events count, whatever the order they arrived in: by when they happened, and among those of
/// the same microsecond by their [`order`].
///
/// A tablet that was offline reports yesterday's status today. With a stamp beside each field, a fold keeps today's
/// status; without one, yesterday's would overwrite it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
pub struct Stamp {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub occurred_at: i64,
    /// Breaks ties.
    pub order: u64,
}

impl Stamp {
    /// Before every event.
    pub const NEVER: Stamp = Stamp {
        occurred_at: i64::MIN,
        order: 0,
    };

    /// After every event.
    pub const LAST: Stamp = Stamp {
        occurred_at: i64::MAX,
        order: u64::MAX,
    };
}

/// An event that `decide` wants appended. Id, times, metadata and stream are the caller's to add.
#[derive(Clone, PartialEq, Debug)]
pub struct EventDraft {
    /// What happened, in the canonical spelling.
    pub event_type: &'static str,
    /// The number of the schema that `data` follows; always the current one.
    pub schema: u16,
    /// The payload, a JSON object.
    pub data: Value,
}

impl EventDraft {
    /// An event of this type with this payload, following schema 1.
    pub fn new(event_type: &'static str, data: Value) -> Self {
        debug_assert!(data.is_object(), "an event's data is an object");
        EventDraft {
            event_type,
            schema: 1,
            data,
        }
    }

    /// The same event, following another schema.
    #[must_use]
    pub fn with_schema(mut self, schema: u16) -> Self {
        self.schema = schema;
        self
    }
}
