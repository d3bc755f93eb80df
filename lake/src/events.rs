//! A range of the log into files: events by aggregate type and by the month in which they happened.

use std::collections::BTreeSet;
use std::sync::Arc;

use fleet::calendar;
use fleet::registry;
use fleet::registry::KnownEvent;
use fleet::schema::canon::meant_field;
use fleet::schema::canonical_data;
use hashbrown::HashMap;
use serde_json::Value;
use storage::{COVERED_PREFIX, EventRef, Log, Position, ReadError, ReadRequest};

use crate::column::{ColumnKind, Columns};
use crate::error::LakeError;
use crate::export::Sink;
use crate::manifest::{Gap, Span};
use crate::payload::Fields;
use crate::plan::Range;
use crate::table::{Head, Layout, Table};

/// About how many bytes of rows are held before files are written: what one thread needs.
const HELD_BYTES_MAX: usize = 256 << 20;
/// Before the id of who caused an event, of what it belongs to, and a tag that a client chose: as the server writes tags.
const USER_PREFIX: &str = "user:";
const CORRELATION_PREFIX: &str = "correlation:";
const FREE_PREFIX: &str = "tag:";

/// The columns that every event has.
const HEADS: [Head; 12] = [
    Head::new("position", ColumnKind::Integer),
    Head::new("aggregate_id", ColumnKind::Text),
    Head::new("version", ColumnKind::Integer),
    Head::new("event_id", ColumnKind::Text),
    Head::new("event_type", ColumnKind::Text),
    Head::new("schema", ColumnKind::Integer),
    Head::new("occurred_at", ColumnKind::Time),
    Head::new("recorded_at", ColumnKind::Time),
    Head::new("user_id", ColumnKind::Text),
    Head::new("correlation_id", ColumnKind::Text),
    Head::new("tags", ColumnKind::Json),
    Head::new("metadata", ColumnKind::Json),
];
const AGGREGATE_ID: usize = 1;
const VERSION: usize = 2;

/// The tables of a range that are being filled.
#[derive(Default)]
struct Tables {
    of_types: HashMap<Box<str>, OfType>,
    bytes: usize,
}

struct OfType {
    layout: Arc<Layout>,
    events: HashMap<Box<str>, Known>,
    /// By year and month: `2026 * 12 + 10` is November 2026.
    months: HashMap<i64, Table>,
}

/// Writes the files of a range.
pub(crate) fn export_range(
    log: &Log,
    range: Range,
    is_erased: &(dyn Fn(&str) -> bool + Sync),
    sink: &Sink<'_>,
) -> Result<Span, LakeError> {
    let mut reader = log.read(&ReadRequest {
        from: Position::new(range.from),
        to: Position::new(range.to),
        ..ReadRequest::default()
    })?;
    let mut span = Span {
        from: range.from,
        to: range.to,
        unreadable: 0,
        people: Vec::new(),
        last_id: None,
        files: Vec::new(),
    };
    let mut people = BTreeSet::new();
    let mut tables = Tables::default();
    let mut part = 0;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => {
                for person in event
                    .tags()
                    .filter_map(|tag| tag.strip_prefix(COVERED_PREFIX))
                {
                    if !people.contains(person) && !is_erased(person) {
                        people.insert(person.to_owned());
                    }
                }
                if event.position().get() == range.to {
                    span.last_id = Some(event.id());
                }
                tables.take(&event)?;
            }
            Err(ReadError::Damaged { first, last, .. }) => {
                let gap = Gap::within(range, first.get(), last.get());
                span.unreadable += gap.positions();
                sink.lacks(gap);
            }
            Err(error) => return Err(error.into()),
        }
        if tables.bytes > HELD_BYTES_MAX {
            tables.flush(range, part, &mut span, sink)?;
            part += 1;
        }
        sink.check()?;
    }
    tables.flush(range, part, &mut span, sink)?;
    span.people = people.into_iter().collect();
    Ok(span)
}

impl Tables {
    fn take(&mut self, event: &EventRef<'_>) -> Result<(), LakeError> {
        let stream = event.stream();
        let of_type = match self.of_types.get_mut(stream.aggregate_type) {
            Some(of_type) => of_type,
            None => {
                let made = OfType::of(stream.aggregate_type)?;
                self.of_types
                    .entry(stream.aggregate_type.into())
                    .or_insert(made)
            }
        };
        let known = match of_type.events.get(event.event_type()) {
            Some(known) => known,
            None => {
                let known = Known::of(stream.aggregate_type, event.event_type());
                let name = event.event_type().into();
                of_type.events.entry(name).or_insert(known)
            }
        };
        let layout = &of_type.layout;
        let table = of_type
            .months
            .entry(month_number(event.occurred_at().micros()))
            .or_insert_with(|| Table::new(layout.clone()));
        let before = table.bytes();
        take_into(table, event, known);
        self.bytes += table.bytes() - before;
        Ok(())
    }

    fn flush(
        &mut self,
        range: Range,
        part: u32,
        span: &mut Span,
        sink: &Sink<'_>,
    ) -> Result<(), LakeError> {
        self.bytes = 0;
        for (aggregate_type, of_type) in &mut self.of_types {
            for (month, table) in of_type.months.drain() {
                let folder = format!(
                    "events/aggregate_type={}/month={:04}-{:02}",
                    escaped(aggregate_type),
                    month.div_euclid(12),
                    month.rem_euclid(12) + 1
                );
                let name = format!("{:012}-{:012}-{part}", range.from, range.to);
                span.files
                    .push(sink.write(&folder, &name, aggregate_type, table)?);
            }
        }
        span.files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(())
    }
}

/// What the tables say of an event type; nothing of an unknown one.
struct Known {
    tables: Option<KnownEvent>,
    /// Old names of its fields.
    old: Vec<&'static str>,
}

impl Known {
    fn of(aggregate_type: &str, event_type: &str) -> Self {
        let tables = registry().event(aggregate_type, event_type);
        let old = tables.iter().flat_map(|known| {
            let all = known
                .event
                .spellings
                .iter()
                .chain(known.aggregate.spellings);
            all.map(|spelling| spelling.given)
                .filter(|given| meant_field(known.aggregate, known.event, given).is_some())
        });
        Known {
            old: old.collect(),
            tables,
        }
    }

    /// Whether the payload is in the current schema as it stands.
    fn is_current(&self, schema: u16, fields: &Fields<'_>) -> bool {
        let newest = self.tables.is_none_or(|known| {
            let steps = known.event.upcasters.len();
            usize::from(schema.max(1) - 1) >= steps
        });
        newest && fields.are_plain(&self.old)
    }
}

impl OfType {
    fn of(aggregate_type: &str) -> Result<Self, LakeError> {
        let taken: Vec<&str> = HEADS.iter().map(|head| head.name).chain(["rest"]).collect();
        let columns = registry()
            .aggregate(aggregate_type)
            .map_or_else(Columns::default, |aggregate| {
                Columns::of_events(aggregate, &taken)
            });
        Ok(OfType {
            layout: Arc::new(Layout::new(&HEADS, columns, [AGGREGATE_ID, VERSION])?),
            events: HashMap::new(),
            months: HashMap::new(),
        })
    }
}

fn take_into(table: &mut Table, event: &EventRef<'_>, known: &Known) {
    let stream = event.stream();
    table.integer(0, integer(event.position().get()));
    table.text(AGGREGATE_ID, stream.aggregate_id);
    table.integer(VERSION, i64::from(event.version().get()));
    table.text(3, event.id().hyphenated().encode_lower(&mut [0; 36]));
    table.text(4, event.event_type());
    table.integer(5, i64::from(event.schema()));
    table.time(6, event.occurred_at().micros());
    table.time(7, event.recorded_at().micros());
    let mut free = Vec::new();
    let (mut has_user, mut has_correlation) = (false, false);
    for tag in event.tags() {
        if let Some(user) = tag.strip_prefix(USER_PREFIX).filter(|_| !has_user) {
            table.text(8, user);
            has_user = true;
        } else if let Some(id) = tag
            .strip_prefix(CORRELATION_PREFIX)
            .filter(|_| !has_correlation)
        {
            table.text(9, id);
            has_correlation = true;
        } else if let Some(tag) = tag.strip_prefix(FREE_PREFIX) {
            free.push(Value::from(tag));
        }
    }
    if !free.is_empty() {
        table.text(10, &Value::Array(free).to_string());
    }
    if event.metadata().len() > 2 {
        table.text(11, &String::from_utf8_lossy(event.metadata()));
    }
    match Fields::parse(event.data()) {
        Some(fields) if known.is_current(event.schema(), &fields) => {
            for (name, item) in fields.0 {
                table.field(name, item);
            }
        }
        Some(fields) => {
            let given = fields.into_map();
            let data = match known.tables {
                Some(known) => canonical_data(known.aggregate, known.event, event.schema(), &given)
                    .into_owned(),
                None => given,
            };
            for (name, value) in data {
                table.field(name.into(), value.into());
            }
        }
        None => table.foreign(&String::from_utf8_lossy(event.data())),
    }
    table.end_row();
}

fn month_number(micros: i64) -> i64 {
    let date = calendar::date_of(micros);
    date.year * 12 + date.month - 1
}

/// A position or a count as Parquet holds it.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A name as part of a path, as Hive escapes it: engines take `%20` for a blank again.
pub(crate) fn escaped(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}
