//! One event being made: its payload is written field by field, and what JSON cannot hold is set aside into `extra`.

use std::borrow::Cow;

use fleet::imported_log::event::LOG_ROW_IMPORTED;
use storage::{NewEvent, TAG_BYTES_MAX, Timestamp};
use uuid::Uuid;

use super::{Claim, Made};
use crate::cell::{self, Cell};
use crate::finding::{Sample, Treatment};
use crate::ids;
use crate::json;
use crate::mapping::Columns;
use crate::row::Row;

/// What metadata of an imported event begins with.
pub(crate) const SOURCE: &str = "{\"source\":{\"system\":\"postgres\",\"table\":\"";
/// Who did what no row says who did.
pub(crate) const IMPORTER: &str = "user:importer";

/// An event being made. Nothing comes of it until [`Making::done`].
pub(crate) struct Making<'m, 'a> {
    made: &'m mut Made<'a>,
    table: &'static str,
    key: String,
    id: Uuid,
    event_type: Box<str>,
    schema: u16,
    at: i64,
    data: Vec<u8>,
    extra: Vec<u8>,
    actor: Option<Uuid>,
    tags: Vec<Box<str>>,
}

impl<'m, 'a> Making<'m, 'a> {
    /// The event of this kind that the row of `table` with this key causes.
    pub(crate) fn new(
        made: &'m mut Made<'a>,
        table: &'static str,
        key: &str,
        kind: &str,
        event_type: &str,
        at: Option<i64>,
    ) -> Self {
        let id = ids::event_id(table, key, kind);
        if at.is_none() {
            made.findings.note(table, Treatment::TimeMissing, || {
                Sample::of_row(key, event_type)
            });
        }
        let mut data = Vec::with_capacity(400);
        data.push(b'{');
        Making {
            made,
            table,
            key: key.to_owned(),
            id,
            event_type: event_type.into(),
            schema: 1,
            at: at.unwrap_or(0),
            data,
            extra: Vec::new(),
            actor: None,
            tags: Vec::new(),
        }
    }

    /// The number of the schema that the payload follows.
    pub(crate) fn schema(mut self, schema: u16) -> Self {
        self.schema = schema;
        self
    }

    /// All columns of the row but these, under the names of their fields; what a field cannot hold goes into `extra`,
    /// be its column among these or not.
    pub(crate) fn columns(mut self, row: &Row<'_>, but: Columns) -> Self {
        for place in 0..row.layout.table.columns.len() {
            self.take(row, place, row.layout.name(place), but.has(place));
        }
        self.take_extra(row);
        self
    }

    /// One column of the row, under the name of its field. What is not told by [`Making::columns`].
    pub(crate) fn column(mut self, row: &Row<'_>, place: usize) -> Self {
        let start = self.data.len();
        self.begin_field(row.layout.name(place));
        if let Ok(false) = cell::put(&row.cell(place), &mut self.data) {
            self.data.truncate(start);
        }
        self
    }

    /// A column under another name than its own.
    pub(crate) fn column_as(mut self, name: &str, row: &Row<'_>, place: usize) -> Self {
        let start = self.data.len();
        self.begin_named(name);
        if let Ok(false) = cell::put(&row.cell(place), &mut self.data) {
            self.data.truncate(start);
        }
        self
    }

    /// A field with this text.
    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        self.begin_named(name);
        json::put_string(value, &mut self.data);
        self
    }

    /// A field with this number.
    pub(crate) fn number(mut self, name: &str, value: i64) -> Self {
        self.begin_named(name);
        json::put_integer(value, &mut self.data);
        self
    }

    /// A field with this JSON.
    pub(crate) fn raw(mut self, name: &str, value: &str) -> Self {
        self.begin_named(name);
        self.data.extend_from_slice(value.as_bytes());
        self
    }

    /// A field that others set too: the last of them counts, and is held against what is wanted.
    pub(crate) fn claim(self, key: &'static str, name: &str, value: Cow<'static, str>) -> Self {
        let making = self.raw(name, &value);
        making.claims(key, value)
    }

    /// As [`Making::claim`], where the event's type says it and no field does.
    pub(crate) fn claims(self, key: &'static str, value: Cow<'static, str>) -> Self {
        let at = self.at;
        let present = self.made.present();
        let at = (at, present.made > 0, present.made);
        present.claims.push(Claim { key, at, value });
        self
    }

    /// Who did it, if the row says so.
    pub(crate) fn by(mut self, actor: Option<Uuid>) -> Self {
        self.actor = actor;
        self
    }

    /// That the aggregate is found by this business key.
    pub(crate) fn found_by(mut self, field: &str, value: Option<&str>) -> Self {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let tag = format!(
                "key:{}:{field}:{value}",
                self.made.present().mapping.aggregate
            );
            self.tags.push(tag.into());
        }
        self
    }

    /// Another tag.
    pub(crate) fn tag(mut self, tag: Box<str>) -> Self {
        self.tags.push(tag);
        self
    }

    /// Hands the event on.
    pub(crate) fn done(mut self) {
        self.close();
        let mut tags = Vec::with_capacity(1 + self.tags.len());
        tags.push(match self.actor {
            Some(actor) => format!("user:{}", actor.hyphenated()).into(),
            None => Box::from(IMPORTER),
        });
        // What is longer than a tag may be cannot be claimed here by anybody else either.
        tags.extend(
            self.tags
                .into_iter()
                .filter(|tag| tag.len() <= TAG_BYTES_MAX),
        );
        let event = NewEvent {
            id: Some(self.id),
            event_type: self.event_type,
            schema: self.schema,
            occurred_at: Some(Timestamp::from_micros(self.at)),
            data: self.data,
            metadata: metadata(self.table, &self.key),
            tags,
        };
        super::count(&mut self.made.batch.events, self.table);
        let present = self.made.present();
        present.latest = present.latest.max(self.at);
        present.made += 1;
        present.events.push(event);
    }

    /// Ends the object that is being written.
    fn close(&mut self) {
        if !self.extra.is_empty() {
            let extra = std::mem::take(&mut self.extra);
            self.begin_named("extra");
            self.data.push(b'{');
            self.data.extend_from_slice(&extra);
            self.data.push(b'}');
        }
        self.data.push(b'}');
    }

    fn take(&mut self, row: &Row<'_>, place: usize, name: &[u8], is_left_out: bool) {
        let (value, mut note) = row.read(place);
        match &value {
            Cell::Null => return,
            Cell::Odd(text, _) => {
                let text = text.clone();
                self.set_aside(row.layout.table.columns[place].name, &text);
            }
            _ if name.is_empty() || is_left_out => {}
            _ => {
                let start = self.data.len();
                self.begin_field(name);
                match cell::put(&value, &mut self.data) {
                    Ok(true) => {}
                    Ok(false) => self.data.truncate(start),
                    Err(treatment) => note = Some(treatment),
                }
            }
        }
        if let Some(treatment) = note {
            let column = row.layout.table.columns[place].name;
            let shown = shown(&value);
            self.made.findings.note(self.table, treatment, || {
                Sample::of(row.key(), column, &shown)
            });
        }
    }

    fn take_extra(&mut self, row: &Row<'_>) {
        let Some(object) = row.extra() else {
            return;
        };
        let mut members = Vec::with_capacity(object.len());
        if json::put_compact(object, true, &mut members) && members.len() > 2 {
            if !self.extra.is_empty() {
                self.extra.push(b',');
            }
            self.extra.extend_from_slice(&members[1..members.len() - 1]);
        } else if members.is_empty() {
            self.set_aside(UNREADABLE, &String::from_utf8_lossy(object));
        }
    }

    /// Keeps a value that its field cannot hold.
    fn set_aside(&mut self, name: &str, text: &str) {
        if !self.extra.is_empty() {
            self.extra.push(b',');
        }
        json::put_string(name, &mut self.extra);
        self.extra.push(b':');
        json::put_string(text, &mut self.extra);
    }

    fn begin_named(&mut self, name: &str) {
        self.separate();
        json::put_string(name, &mut self.data);
        self.data.push(b':');
    }

    fn begin_field(&mut self, name: &[u8]) {
        self.separate();
        self.data.extend_from_slice(name);
    }

    fn separate(&mut self) {
        if self.data.len() > 1 {
            self.data.push(b',');
        }
    }
}

/// The name in `extra` of unknown columns that no strict reader takes as JSON.
pub(crate) const UNREADABLE: &str = "unreadable";

/// The event that keeps a row as it is, but for one column.
pub(super) fn log_row<'m, 'a>(
    made: &'m mut Made<'a>,
    row: &Row<'_>,
    at: Option<i64>,
    but: Option<&str>,
) -> Making<'m, 'a> {
    let key = row.key();
    let table = row.layout.table;
    let mut making =
        Making::new(made, table.name, &key, "kept", LOG_ROW_IMPORTED, at).text("key", &key);
    let outer = std::mem::replace(&mut making.data, vec![b'{']);
    for (place, column) in table.columns.iter().enumerate() {
        if but == Some(column.name) {
            continue;
        }
        let mut name = Vec::with_capacity(column.name.len() + 3);
        json::put_string(column.name, &mut name);
        name.push(b':');
        making.take(row, place, &name, false);
    }
    making.take_extra(row);
    making.close();
    let object = std::mem::replace(&mut making.data, outer);
    making.begin_named("row");
    making.data.extend_from_slice(&object);
    making
}

/// A row as an object within another row's event.
pub(super) fn line(made: &mut Made<'_>, row: &Row<'_>) -> Vec<u8> {
    let table = row.layout.table.name;
    let mut making =
        Making::new(made, table, &row.key(), "", "", Some(0)).columns(row, Columns::NONE);
    making.close();
    making.data
}

pub(crate) fn metadata(table: &str, key: &str) -> Vec<u8> {
    let mut metadata = Vec::with_capacity(SOURCE.len() + table.len() + key.len() + 20);
    metadata.extend_from_slice(SOURCE.as_bytes());
    metadata.extend_from_slice(table.as_bytes());
    metadata.extend_from_slice(b"\",\"key\":");
    json::put_string(key, &mut metadata);
    metadata.extend_from_slice(b"}}");
    metadata
}

/// A value for a report.
fn shown(value: &Cell<'_>) -> String {
    match value {
        Cell::Odd(text, _) | Cell::Text(text) => text.to_string(),
        Cell::Json(text, _) => String::from_utf8_lossy(text).into_owned(),
        Cell::Time(micros) => fleet::calendar::format_time(*micros),
        _ => String::new(),
    }
}
