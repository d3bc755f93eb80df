//! Which events a reader wants, as query parameters say it and as the log understands it.

use storage::{
    Log, Position, Query as LogQuery, QueryItem, ReadRequest, StreamName, TimeRange, Timestamp,
};

use crate::app::AppState;
use crate::envelope::{CORRELATION_PREFIX, FREE_PREFIX, USER_PREFIX, tag};
use crate::http::query::Query;

/// Which events a reader wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    event_type: Option<String>,
    tags: Vec<Box<str>>,
    occurred: Option<(Option<Timestamp>, Option<Timestamp>)>,
    recorded: Option<(Option<Timestamp>, Option<Timestamp>)>,
    from: Option<Position>,
    to: Option<Position>,
}

impl Filter {
    /// Reads what every list of events understands.
    pub(crate) fn read(query: &mut Query<'_>) -> Self {
        let mut filter = Filter::of_kind(query);
        filter.occurred = span(query.time("since"), query.time("until"));
        filter.recorded = span(query.time("recorded_since"), query.time("recorded_until"));
        filter.from = query.position("from_position");
        filter.to = query.position("to_position");
        filter
    }

    /// Reads which kind of events, without when and where.
    pub(crate) fn of_kind(query: &mut Query<'_>) -> Self {
        let mut tags: Vec<Box<str>> = query
            .all("tag")
            .iter()
            .map(|value| tag(FREE_PREFIX, value))
            .collect();
        tags.extend(query.text("user_id").map(|user| tag(USER_PREFIX, &user)));
        tags.extend(
            query
                .text("correlation_id")
                .map(|id| tag(CORRELATION_PREFIX, &id)),
        );
        Filter {
            aggregate_type: query.text("aggregate_type"),
            aggregate_id: query.text("aggregate_id"),
            event_type: query.text("event_type"),
            tags,
            ..Filter::default()
        }
    }

    /// The same, of the stream that is [meant](stream_meant).
    pub(super) fn resolved(mut self, state: &AppState) -> Self {
        if let (Some(kind), Some(id)) = (&self.aggregate_type, &self.aggregate_id) {
            let name = StreamName::new(kind.as_str(), id.as_str());
            self.aggregate_id = Some(stream_meant(state, name).aggregate_id.into());
        }
        self
    }

    /// The same, of one event type.
    pub(crate) fn with_event_type(mut self, event_type: String) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// Whether every event is wanted.
    pub(crate) fn is_all(&self) -> bool {
        self.is_every_kind()
            && self.occurred.is_none()
            && self.recorded.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }

    fn is_every_kind(&self) -> bool {
        self.aggregate_type.is_none()
            && self.aggregate_id.is_none()
            && self.event_type.is_none()
            && self.tags.is_empty()
    }

    /// A number that another filter most likely does not have: a cursor belongs to one filter.
    pub(crate) fn fingerprint(&self) -> u32 {
        crc32fast::hash(format!("{self:?}").as_bytes())
    }

    /// The request to the log, up to `durable`.
    pub(crate) fn request(&self, log: &Log, durable: Position) -> ReadRequest {
        let range = |span: (Option<Timestamp>, Option<Timestamp>)| TimeRange {
            from: span.0.unwrap_or(Timestamp::MIN),
            to: span.1.unwrap_or(Timestamp::MAX),
        };
        ReadRequest {
            query: self.query(log),
            from: self.from.unwrap_or(Position::FIRST).max(Position::FIRST),
            to: self.to.unwrap_or(Position::MAX).min(durable),
            occurred: self.occurred.map(range),
            recorded: self.recorded.map(range),
            ..ReadRequest::default()
        }
    }

    /// The kinds of events.
    pub(crate) fn query(&self, log: &Log) -> LogQuery {
        if self.is_every_kind() {
            return LogQuery::all();
        }
        let mut item = QueryItem {
            event_types: self
                .event_type
                .iter()
                .flat_map(|name| fleet::alias::spellings(name))
                .map(Into::into)
                .collect(),
            tags: self.tags.clone(),
            ..QueryItem::default()
        };
        match (&self.aggregate_type, &self.aggregate_id) {
            (Some(kind), Some(id)) => {
                item.streams = vec![StreamName::new(kind.as_str(), id.as_str())]
            }
            (None, Some(id)) => {
                item.streams = log.streams_of_id(id);
                if item.streams.is_empty() {
                    // No stream has a type without a name: nothing is found, though lost events may have been of this id.
                    item.streams = vec![StreamName::new("", id.as_str())];
                }
            }
            (Some(kind), None) => item.aggregate_types = vec![kind.as_str().into()],
            (None, None) => {}
        }
        LogQuery::from(item)
    }
}

/// The stream of this name; where there is none, that of the aggregate which goes by this business key and began under another.
pub(super) fn stream_meant(state: &AppState, mut name: StreamName) -> StreamName {
    if state.log.stream(&name).is_none() {
        let catalog = state.projections.catalog();
        if let Some(id) = catalog.id_behind(&name.aggregate_type, &name.aggregate_id) {
            name.aggregate_id = (&*id).into();
        }
    }
    name
}

fn span(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
    (from.is_some() || to.is_some()).then_some((from, to))
}
