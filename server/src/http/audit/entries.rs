//! Lists of events as auditors read them: a page of JSON, or all of it as CSV, JSON Lines or a page to print.
//!
//! Text is spliced, chunk by chunk ([`reads::body`]): a list of any length costs two chunks of memory.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde_json::{Map, Value, json};
use storage::{Direction, EventRef, Log, Position, ReadError, ReadRequest};

use super::table::{self, Table};
use crate::app::AppState;
use crate::envelope;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::time_travel::difference_json;
use crate::http::visible::Sight;
use crate::json::{put_number, put_string};
use crate::past::{Steps, diff};
use crate::reads::{self, CHUNK_BYTES, Producer, Progress};
use crate::rfc3339;

/// Entries of a page.
const ENTRIES_MAX: u64 = 10_000;
/// Entries of a page that asks for no number.
const ENTRIES_DEFAULT: u64 = 100;
/// Columns of a table of entries.
const COLUMNS: &[&str] = &[
    "position",
    "recorded_at",
    "occurred_at",
    "aggregate_type",
    "aggregate_id",
    "version",
    "event_type",
    "user_id",
    "event_id",
    "data",
    "metadata",
];

/// How a list is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Format {
    /// A page, with the cursor of the next one.
    #[default]
    Json,
    /// All of it, a JSON object a line.
    JsonLines,
    /// All of it, as RFC 4180 has it.
    Csv,
    /// All of it, as a page to print.
    Html,
}

impl Format {
    /// Reads `format`.
    fn read(query: &mut Query<'_>) -> Self {
        match query.one_of("format", &["json", "jsonl", "csv", "html"]) {
            Some(1) => Format::JsonLines,
            Some(2) => Format::Csv,
            Some(3) => Format::Html,
            _ => Format::Json,
        }
    }

    /// The media type of the answer.
    fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::JsonLines => "application/jsonl",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Html => "text/html; charset=utf-8",
        }
    }

    /// What the file is called when it is saved; `None` for what is shown.
    fn file_name(self) -> Option<&'static str> {
        match self {
            Format::Json | Format::Html => None,
            Format::JsonLines => Some("attachment; filename=\"audit.jsonl\""),
            Format::Csv => Some("attachment; filename=\"audit.csv\""),
        }
    }

    /// The answer with this body.
    fn response(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.media_type()),
        );
        if let Some(name) = self.file_name() {
            headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
        }
        response
    }
}

/// Which part of a list is wanted, and how.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) format: Format,
    /// At most so many; all in formats that have no pages.
    pub(super) limit: u64,
    /// Behind this position, in the order of the list.
    pub(super) after: Option<Position>,
    pub(super) newest_first: bool,
    /// Also what each event changed.
    pub(super) with_changes: bool,
}

impl Wanted {
    /// Reads `format`, `limit`, `cursor`, `order` and `changes`.
    pub(super) fn read(query: &mut Query<'_>, newest_first: bool) -> Self {
        let format = Format::read(query);
        let limit = query.number("limit", 1..=ENTRIES_MAX);
        let limit = match format {
            Format::Json => limit.unwrap_or(ENTRIES_DEFAULT),
            _ => limit.unwrap_or(u64::MAX),
        };
        let order = query.one_of("order", &["asc", "desc"]);
        Wanted {
            format,
            limit,
            after: query.position("cursor"),
            newest_first: order.map_or(newest_first, |order| order == 1),
            with_changes: query.flag("changes").unwrap_or(false),
        }
    }
}

/// A list of events.
#[derive(Debug)]
pub(super) struct Entries {
    /// Which events.
    pub(super) request: ReadRequest,
    pub(super) sight: Sight,
    pub(super) wanted: Wanted,
    /// What stands in front of the entries in JSON.
    pub(super) head: Map<String, Value>,
    /// What the printed page is called.
    pub(super) title: String,
}

/// The list as an answer.
pub(super) async fn answer(state: &AppState, entries: Entries) -> Result<Response<Body>, Problem> {
    let format = entries.wanted.format;
    let footer = match format {
        Format::Html => Some(footer(state).await?),
        _ => None,
    };
    let mut writer = Writer::new(state.clone(), entries, footer);
    let producer: Producer = Box::new(move |log, out| writer.chunk(log, out));
    Ok(format.response(reads::body(state, producer).await?))
}

/// What makes a printed page provable: the log as it was then, signed.
async fn footer(state: &AppState) -> Result<String, Problem> {
    let now = rfc3339::to_string(state.clock.now());
    let signed = reads::run(state, |state| {
        Ok(state
            .checkpoints
            .sign(&state.log, state.log.durable_position())?)
    })
    .await?;
    Ok(format!(
        "Printed {now} from the log as of this checkpoint:\n\n{}",
        signed.note
    ))
}

/// Writes a list, chunk by chunk.
struct Writer {
    state: AppState,
    entries: Entries,
    footer: Option<String>,
    begun: bool,
    written: u64,
    last: Option<Position>,
}

impl Writer {
    fn new(state: AppState, entries: Entries, footer: Option<String>) -> Self {
        let last = entries.wanted.after;
        Writer {
            state,
            entries,
            footer,
            begun: false,
            written: 0,
            last,
        }
    }

    fn chunk(&mut self, log: &Log, out: &mut Vec<u8>) -> Result<Progress, ReadError> {
        if !self.begun {
            self.begun = true;
            self.begin(out);
        }
        let request = self.rest();
        let state = self.state.clone();
        let mut steps = Steps::new(&state.past);
        let mut reader = log.read(&request)?;
        while let Some(event) = reader.next() {
            let event = match event {
                Ok(event) => event,
                Err(ReadError::Damaged { first, last, .. }) => {
                    self.damaged(first, last, out);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !self.entries.sight.covers(event.stream().aggregate_type) {
                continue;
            }
            if self.written == self.entries.wanted.limit {
                self.end(true, out);
                return Ok(Progress::Done);
            }
            self.entry(&event, &mut steps, out)?;
            self.written += 1;
            self.last = Some(event.position());
            if out.len() >= CHUNK_BYTES {
                return Ok(Progress::More);
            }
        }
        self.end(false, out);
        Ok(Progress::Done)
    }

    /// What lies behind the last entry.
    fn rest(&self) -> ReadRequest {
        let mut request = self.entries.request.clone();
        if self.entries.wanted.newest_first {
            request.direction = Direction::Backward;
            if let Some(last) = self.last {
                request.to = request.to.min(last.previous());
            }
        } else if let Some(last) = self.last {
            request.from = request.from.max(last.next());
        }
        request
    }

    fn begin(&self, out: &mut Vec<u8>) {
        match self.entries.wanted.format {
            Format::Json => {
                out.push(b'{');
                for (name, value) in &self.entries.head {
                    put_string(name, out);
                    out.push(b':');
                    out.extend_from_slice(value.to_string().as_bytes());
                    out.push(b',');
                }
                out.extend_from_slice(b"\"entries\":[");
            }
            Format::JsonLines => {}
            Format::Csv => table::csv_row(COLUMNS.iter().copied(), out),
            Format::Html => table::html_head(&self.entries.title, COLUMNS, out),
        }
    }

    fn entry(
        &self,
        event: &EventRef<'_>,
        steps: &mut Steps<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        match self.entries.wanted.format {
            Format::Json => {
                if self.written > 0 {
                    out.push(b',');
                }
                self.entry_json(event, steps, out)?;
            }
            Format::JsonLines => {
                self.entry_json(event, steps, out)?;
                out.push(b'\n');
            }
            Format::Csv => self.entry_row(event, Table::Csv, out),
            Format::Html => self.entry_row(event, Table::Html, out),
        }
        Ok(())
    }

    fn entry_json(
        &self,
        event: &EventRef<'_>,
        steps: &mut Steps<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        write_entry(self.entries.sight, event, out);
        if self.entries.wanted.with_changes {
            let (before, after) = steps.around(event)?;
            let aggregate_type = event.stream().aggregate_type;
            let sight = self.entries.sight;
            let seen =
                |folded: &crate::past::Folded| sight.state(aggregate_type, folded.to_object());
            let changes: Vec<Value> = diff(&seen(&before), &seen(&after))
                .iter()
                .map(|difference| difference_json(difference, None))
                .collect();
            out.extend_from_slice(b",\"field_changes\":");
            out.extend_from_slice(json!(changes).to_string().as_bytes());
        }
        out.push(b'}');
        Ok(())
    }

    fn entry_row(&self, event: &EventRef<'_>, table: Table, out: &mut Vec<u8>) {
        let stream = event.stream();
        let (data, metadata) = self.entries.sight.texts(event);
        let cells: [Cow<'_, str>; 11] = [
            event.position().to_string().into(),
            rfc3339::to_string(event.recorded_at()).into(),
            rfc3339::to_string(event.occurred_at()).into(),
            stream.aggregate_type.into(),
            stream.aggregate_id.into(),
            event.version().to_string().into(),
            event.event_type().into(),
            envelope::user_id(event.tags()).unwrap_or_default().into(),
            event.id().to_string().into(),
            String::from_utf8_lossy(&data),
            String::from_utf8_lossy(&metadata),
        ];
        table.row(cells.iter().map(|cell| &**cell), out);
    }

    /// A hole in the list says so, in every format.
    fn damaged(&mut self, first: Position, last: Position, out: &mut Vec<u8>) {
        let text =
            format!("the events at positions {first} to {last} are damaged and cannot be read");
        match self.entries.wanted.format {
            Format::Json | Format::JsonLines => {
                if self.entries.wanted.format == Format::Json && self.written > 0 {
                    out.push(b',');
                }
                let mark = json!({"damaged": {"first": first.get(), "last": last.get()}});
                out.extend_from_slice(mark.to_string().as_bytes());
                if self.entries.wanted.format == Format::JsonLines {
                    out.push(b'\n');
                }
                self.written += 1;
            }
            format => {
                let first = first.to_string();
                let cells = [&*first, "", "", "", "", "", "DAMAGED", "", "", &text, ""];
                let table = match format {
                    Format::Html => Table::Html,
                    _ => Table::Csv,
                };
                table.row(cells.into_iter(), out);
            }
        }
    }

    fn end(&self, has_more: bool, out: &mut Vec<u8>) {
        match self.entries.wanted.format {
            Format::Json => {
                out.extend_from_slice(b"],\"count\":");
                put_number(self.written, out);
                out.extend_from_slice(b",\"next_cursor\":");
                match self.last.filter(|_| has_more) {
                    Some(last) => put_string(&last.to_string(), out),
                    None => out.extend_from_slice(b"null"),
                }
                out.push(b'}');
            }
            Format::JsonLines | Format::Csv => {}
            Format::Html => table::html_foot(self.footer.as_deref().unwrap_or_default(), out),
        }
    }
}

/// Appends an entry as a JSON object without its closing brace.
pub(in crate::http) fn write_entry(sight: Sight, event: &EventRef<'_>, out: &mut Vec<u8>) {
    let stream = event.stream();
    let user = envelope::user_id(event.tags());
    out.extend_from_slice(b"{\"timestamp\":\"");
    rfc3339::write(event.occurred_at(), out);
    out.extend_from_slice(b"\",\"recorded_at\":\"");
    rfc3339::write(event.recorded_at(), out);
    out.extend_from_slice(b"\",\"position\":");
    put_number(event.position().get(), out);
    out.extend_from_slice(b",\"event_id\":\"");
    let mut id = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    out.extend_from_slice(event.id().hyphenated().encode_lower(&mut id).as_bytes());
    out.extend_from_slice(b"\",\"aggregate_type\":");
    put_string(stream.aggregate_type, out);
    out.extend_from_slice(b",\"aggregate_id\":");
    put_string(stream.aggregate_id, out);
    out.extend_from_slice(b",\"event_type\":");
    put_string(event.event_type(), out);
    for name in [&b",\"version\":"[..], b",\"event_version\":"] {
        out.extend_from_slice(name);
        put_number(u64::from(event.version().get()), out);
    }
    out.extend_from_slice(b",\"user_id\":");
    match user {
        Some(user) => put_string(user, out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"summary\":");
    let summary = format!(
        "{} by {}",
        event.event_type(),
        user.unwrap_or("nobody named")
    );
    put_string(&summary, out);
    let (data, metadata) = sight.texts(event);
    out.extend_from_slice(b",\"changes\":");
    out.extend_from_slice(&data);
    out.extend_from_slice(b",\"metadata\":");
    out.extend_from_slice(&metadata);
}
