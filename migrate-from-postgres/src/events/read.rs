//! The table `events` as it really is, and its rows as events.

use serde_json::{Map, Value};
use storage::{
    AGGREGATE_ID_BYTES_MAX, METADATA_BYTES_MAX, NewEvent, StreamName, TAG_BYTES_MAX,
    TYPE_NAME_BYTES_MAX, Timestamp,
};
use uuid::Uuid;

use super::EVENTS;
use crate::cell;
use crate::finding::{Findings, Sample, Treatment};
use crate::ids;
use crate::json;
use crate::made::{IMPORTER, SOURCE, UNREADABLE};
use crate::shape::{self, ShapeError, quoted};
use crate::source::value::{self, Moment};
use crate::source::{RowStream, Source, SourceError};

/// Columns without which an event is none.
const NEEDED: [&str; 7] = [
    "event_id",
    "event_type",
    "aggregate_id",
    "aggregate_type",
    "aggregate_version",
    "occurred_at",
    "data",
];

/// What is there of the table.
pub(super) struct Table {
    /// SQL for the schema number, and for the metadata, under whichever name it stands.
    event_version: String,
    metadata: String,
    recorded: String,
    pub(super) rows: u64,
}

impl Table {
    /// # Errors
    /// `MissingTable` and `MissingColumn`; those of the source.
    pub(super) async fn look(source: &Source) -> Result<Self, crate::ImportError> {
        let catalogue = shape::catalogue(source).await?;
        let columns = catalogue.get(EVENTS).ok_or(ShapeError::MissingEvents)?;
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        if let Some(column) = NEEDED.into_iter().find(|name| !has(name)) {
            return Err(ShapeError::MissingColumn {
                table: EVENTS.to_owned(),
                column: column.to_owned(),
            }
            .into());
        }
        if columns.iter().any(|column| !column.readable) {
            return Err(ShapeError::Privilege {
                user: source.facts().user.clone(),
                table: EVENTS.to_owned(),
            }
            .into());
        }
        let first = |names: &[&str], otherwise: &str| {
            let found = names.iter().find(|name| has(name));
            found.map_or_else(
                || otherwise.to_owned(),
                |name| format!("e.{}", quoted(name)),
            )
        };
        let rows = source.query(
            "SELECT count(*) FROM public.events",
            "counting the rows of events",
        );
        let count = rows.await?.into_iter().flatten().flatten().next();
        Ok(Table {
            event_version: first(&["event_version"], "1"),
            metadata: first(&["metadata", "event_metadata"], "NULL"),
            recorded: first(&["created_at", "recorded_at"], "e.occurred_at"),
            rows: count.and_then(|text| text.parse().ok()).unwrap_or(0),
        })
    }

    /// The events in the order in which they were written; never one before its predecessor in the stream, though the
    /// old system's clock may have gone back between the two.
    pub(super) fn select(&self) -> String {
        let Table {
            event_version,
            metadata,
            recorded,
            ..
        } = self;
        format!(
            "SELECT s.event_id, s.event_type, s.schema, s.aggregate_type, s.aggregate_id, s.version, s.at, s.data, s.metadata FROM \
             (SELECT e.event_id::text AS event_id, e.event_type::text AS event_type, ({event_version})::int8 AS schema, \
             e.aggregate_type::text AS aggregate_type, e.aggregate_id::text AS aggregate_id, e.aggregate_version::int8 AS version, \
             e.occurred_at::timestamp AS at, e.data::text AS data, ({metadata})::text AS metadata, \
             max({recorded}) OVER (PARTITION BY e.aggregate_type, e.aggregate_id ORDER BY e.aggregate_version, e.event_id) AS written \
             FROM public.events e) s \
             ORDER BY s.written, s.aggregate_type COLLATE \"C\", s.aggregate_id COLLATE \"C\", s.version, s.event_id COLLATE \"C\""
        )
    }
}

/// A row as an event.
pub(super) struct Stored {
    /// What it is called there.
    pub(super) key: String,
    pub(super) stream: StreamName,
    pub(super) event: NewEvent,
}

impl Stored {
    pub(super) fn read(row: &RowStream, findings: &mut Findings) -> Result<Self, SourceError> {
        let text = |place: usize| {
            let bytes = row.field(place).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let whole = |place: usize| row.field(place).and_then(value::integer);
        let key = text(0);
        let mut note = |treatment, shown: &str| {
            findings.note(EVENTS, treatment, || Sample::of_row(key.as_str(), shown));
        };
        let at = match row.field(6).and_then(value::timestamp) {
            Some(Moment::At(micros)) => micros,
            _ => {
                note(Treatment::TimeMissing, "occurred_at");
                0
            }
        };
        let (data, is_whole) = object(row.field(7).unwrap_or(b"{}"));
        if !is_whole {
            note(Treatment::JsonUnreadable, "data");
        }
        let (event_type, aggregate_type, aggregate_id) = (text(1), text(3), text(4));
        let own = fleet::registry()
            .aggregate(&aggregate_type)
            .is_some_and(|aggregate| aggregate.internal);
        let fits = |name: &str, most: usize| !name.is_empty() && name.len() <= most;
        let is_named = fits(&event_type, TYPE_NAME_BYTES_MAX)
            && fits(&aggregate_type, TYPE_NAME_BYTES_MAX)
            && fits(&aggregate_id, AGGREGATE_ID_BYTES_MAX);
        let (metadata, tags) = metadata(&key, whole(5).unwrap_or(0), row.field(8), &mut note);
        let id = Uuid::try_parse(&key).unwrap_or_else(|_| ids::event_id(EVENTS, &key, "stored"));
        let mut event = NewEvent {
            id: Some(id),
            event_type: event_type.as_str().into(),
            schema: whole(2)
                .and_then(|number| u16::try_from(number).ok())
                .unwrap_or(1),
            occurred_at: Some(Timestamp::from_micros(at)),
            data,
            metadata,
            tags,
        };
        let mut stream = StreamName::new(aggregate_type.as_str(), aggregate_id.as_str());
        if own || !is_named {
            note(Treatment::EventNotOurs, &aggregate_type);
            let row = [
                ("event_type", event_type),
                ("aggregate_type", aggregate_type),
                ("aggregate_id", aggregate_id),
            ];
            let mut row: Map<String, Value> = row
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            row.insert(
                "data".to_owned(),
                serde_json::from_slice(&event.data).unwrap_or_default(),
            );
            event.data = serde_json::json!({ "key": key, "row": row })
                .to_string()
                .into_bytes();
            event.event_type = fleet::imported_log::event::LOG_ROW_IMPORTED.into();
            event.schema = 1;
            stream = StreamName::new(fleet::imported_log::AGGREGATE_TYPE, EVENTS);
        }
        Ok(Stored { key, stream, event })
    }
}

/// A payload as it is, but for its blanks; what is no object, or no JSON to a strict reader, stands as a text in one.
fn object(text: &[u8]) -> (Vec<u8>, bool) {
    let mut compact = Vec::with_capacity(text.len());
    if json::put_compact(text, true, &mut compact) && compact.starts_with(b"{") {
        return (compact, true);
    }
    compact.clear();
    compact.push(b'{');
    json::put_string(UNREADABLE, &mut compact);
    compact.push(b':');
    json::put_string(&String::from_utf8_lossy(text), &mut compact);
    compact.push(b'}');
    (compact, false)
}

/// The metadata with where the event comes from before it, and the tags that stand for parts of it.
fn metadata(
    key: &str,
    version: i64,
    text: Option<&[u8]>,
    note: &mut impl FnMut(Treatment, &str),
) -> (Vec<u8>, Vec<Box<str>>) {
    let mut members: Map<String, Value> = match text {
        None => Map::new(),
        Some(text) if cell::is_null(text) => Map::new(),
        Some(text) => serde_json::from_slice(text).unwrap_or_else(|_| {
            note(Treatment::JsonUnreadable, "metadata");
            let text = String::from_utf8_lossy(text).into_owned();
            Map::from_iter([(UNREADABLE.to_owned(), text.into())])
        }),
    };
    let mut tags = vec![Box::from(IMPORTER)];
    for (name, prefix) in [("user_id", "user:"), ("correlation_id", "correlation:")] {
        let Some(Value::String(value)) = members.get(name) else {
            continue;
        };
        let tag = format!("{prefix}{value}");
        if value.is_empty() || tag.len() > TAG_BYTES_MAX {
            continue;
        }
        match name {
            "user_id" => tags[0] = tag.into(),
            _ => tags.push(tag.into()),
        }
        members.remove(name);
    }
    if let Some(source) = members.remove("source") {
        members.insert("original_source".to_owned(), source);
    }
    let mut metadata = SOURCE.as_bytes().to_vec();
    metadata.extend_from_slice(EVENTS.as_bytes());
    metadata.extend_from_slice(b"\",\"key\":");
    json::put_string(key, &mut metadata);
    metadata.extend_from_slice(format!(",\"aggregate_version\":{version}}}").as_bytes());
    let bare = metadata.len();
    for (name, value) in &members {
        metadata.push(b',');
        json::put_string(name, &mut metadata);
        metadata.push(b':');
        json::put_value(value, &mut metadata);
    }
    if metadata.len() >= METADATA_BYTES_MAX {
        note(Treatment::MetadataTooLong, "");
        metadata.truncate(bare);
    }
    metadata.push(b'}');
    (metadata, tags)
}
