//! Which events are meant: the one vocabulary of reads, subscriptions and append conditions.

use crate::event::StreamName;

/// A set of events: those that match at least one item. A query without items matches every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Alternatives.
    pub items: Vec<QueryItem>,
}

/// Events that satisfy every clause that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryItem {
    /// The event is in one of these streams.
    pub streams: Vec<StreamName>,
    /// Its stream is of one of these aggregate types.
    pub aggregate_types: Vec<Box<str>>,
    /// It is of one of these types.
    pub event_types: Vec<Box<str>>,
    /// It carries all of these tags.
    pub tags: Vec<Box<str>>,
}

impl Query {
    /// Every event.
    pub fn all() -> Self {
        Query::default()
    }

    /// The events of one stream.
    pub fn stream(stream: StreamName) -> Self {
        Query::from(QueryItem {
            streams: vec![stream],
            ..QueryItem::default()
        })
    }

    /// The events of these types.
    pub fn event_types<T: Into<Box<str>>>(types: impl IntoIterator<Item = T>) -> Self {
        Query::from(QueryItem {
            event_types: types.into_iter().map(Into::into).collect(),
            ..QueryItem::default()
        })
    }

    /// The events of the streams of these aggregate types.
    pub fn aggregate_types<T: Into<Box<str>>>(types: impl IntoIterator<Item = T>) -> Self {
        Query::from(QueryItem {
            aggregate_types: types.into_iter().map(Into::into).collect(),
            ..QueryItem::default()
        })
    }

    /// The events that carry all of these tags.
    pub fn tags<T: Into<Box<str>>>(tags: impl IntoIterator<Item = T>) -> Self {
        Query::from(QueryItem {
            tags: tags.into_iter().map(Into::into).collect(),
            ..QueryItem::default()
        })
    }

    /// Whether it matches every event.
    pub fn is_all(&self) -> bool {
        self.items.is_empty() || self.items.iter().any(QueryItem::is_all)
    }
}

impl QueryItem {
    /// Whether no clause narrows it.
    pub fn is_all(&self) -> bool {
        self.streams.is_empty()
            && self.aggregate_types.is_empty()
            && self.event_types.is_empty()
            && self.tags.is_empty()
    }
}

impl From<QueryItem> for Query {
    fn from(item: QueryItem) -> Self {
        Query { items: vec![item] }
    }
}
