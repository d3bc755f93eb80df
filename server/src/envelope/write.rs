//! From the log to JSON: known parts are written around stored text.

use fleet::Origin;
use storage::{EventReceipt, EventRef, Position, StreamName, StreamRef, Timestamp, Version};
use uuid::Uuid;

use super::tags::{CORRELATION_PREFIX, FREE_PREFIX, USER_PREFIX};
use crate::json::{put_number, put_string};
use crate::rfc3339;

/// Everything of an event but its payload, metadata and tags.
#[derive(Clone, Copy, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described at the method of EventRef with its name"
)]
pub struct EventHead<'a> {
    pub id: Uuid,
    pub position: Position,
    pub version: Version,
    pub stream: StreamRef<'a>,
    pub event_type: &'a str,
    pub schema: u16,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
}

impl<'a> EventHead<'a> {
    /// The head of an event in the log.
    pub fn of(event: &EventRef<'a>) -> Self {
        EventHead {
            id: event.id(),
            position: event.position(),
            version: event.version(),
            stream: event.stream(),
            event_type: event.event_type(),
            schema: event.schema(),
            occurred_at: event.occurred_at(),
            recorded_at: event.recorded_at(),
        }
    }

    /// The head of an event that was just appended.
    pub fn appended(
        receipt: &EventReceipt,
        stream: &'a StreamName,
        event_type: &'a str,
        schema: u16,
    ) -> Self {
        EventHead {
            id: receipt.id,
            position: receipt.position,
            version: receipt.version,
            stream: stream.borrowed(),
            event_type,
            schema,
            occurred_at: receipt.occurred_at,
            recorded_at: receipt.recorded_at,
        }
    }
}

/// Appends the event as one JSON object.
pub fn write_event_json(event: &EventRef<'_>, out: &mut Vec<u8>) {
    write_head(&EventHead::of(event), out);
    out.push(b',');
    write_tail(event.data(), event.metadata(), || event.tags(), out);
}

/// Appends `{` and the members of the head: what is missing is a comma and the tail, or `}`.
///
/// The names come in pairs where two contracts differ: `id` and `event_id`, `version` and `aggregate_version`, `schema`
/// and `event_version` hold the same.
pub fn write_head(head: &EventHead<'_>, out: &mut Vec<u8>) {
    write_place(head, out);
    write_names(head, out);
    write_times(head.occurred_at, head.recorded_at, out);
}

/// The names of an event's head, kept for the next one: neighbours in a history mostly share them.
#[derive(Debug, Default)]
pub struct KeptNames {
    stream: Option<StreamName>,
    event_type: Box<str>,
    schema: u16,
    text: Vec<u8>,
}

impl KeptNames {
    /// The same as [`write_head`].
    pub fn write_head(&mut self, head: &EventHead<'_>, out: &mut Vec<u8>) {
        let is_kept = self.schema == head.schema
            && *self.event_type == *head.event_type
            && self
                .stream
                .as_ref()
                .is_some_and(|kept| head.stream == *kept);
        if !is_kept {
            self.text.clear();
            write_names(head, &mut self.text);
            self.stream = Some(head.stream.to_name());
            self.event_type = head.event_type.into();
            self.schema = head.schema;
        }
        write_place(head, out);
        out.extend_from_slice(&self.text);
        write_times(head.occurred_at, head.recorded_at, out);
    }
}

fn write_place(head: &EventHead<'_>, out: &mut Vec<u8>) {
    let mut id = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    let id = head.id.hyphenated().encode_lower(&mut id).as_bytes();
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(id);
    out.extend_from_slice(b"\",\"event_id\":\"");
    out.extend_from_slice(id);
    out.extend_from_slice(b"\",\"position\":");
    put_number(head.position.get(), out);
    out.extend_from_slice(b",\"version\":");
    put_number(u64::from(head.version.get()), out);
    out.extend_from_slice(b",\"aggregate_version\":");
    put_number(u64::from(head.version.get()), out);
}

fn write_names(head: &EventHead<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"aggregate_type\":");
    put_string(head.stream.aggregate_type, out);
    out.extend_from_slice(b",\"aggregate_id\":");
    put_string(head.stream.aggregate_id, out);
    out.extend_from_slice(b",\"event_type\":");
    put_string(head.event_type, out);
    out.extend_from_slice(b",\"schema\":");
    put_number(u64::from(head.schema), out);
    out.extend_from_slice(b",\"event_version\":");
    put_number(u64::from(head.schema), out);
}

/// Appends `,"occurred_at":…,"recorded_at":…`. Most events say nothing of when they happened: then both are the same.
pub fn write_times(occurred_at: Timestamp, recorded_at: Timestamp, out: &mut Vec<u8>) {
    let occurred = rfc3339::text(occurred_at);
    let recorded = if recorded_at == occurred_at {
        occurred
    } else {
        rfc3339::text(recorded_at)
    };
    out.extend_from_slice(b",\"occurred_at\":\"");
    out.extend_from_slice(&occurred);
    out.extend_from_slice(b"\",\"recorded_at\":\"");
    out.extend_from_slice(&recorded);
    out.push(b'"');
}

/// Appends `"data":…,"metadata":…}`, with `"tags":[…]` between them where there are free tags, and `"origin":{…}` where another
/// log recorded the event first.
///
/// Bytes that are no JSON object, which only a writer inside the process can have stored, are shown as `null`.
pub fn write_tail<'t, Tags: Iterator<Item = &'t str>>(
    data: &[u8],
    metadata: &[u8],
    tags: impl Fn() -> Tags,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"\"data\":");
    out.extend_from_slice(if is_object(data) { data } else { b"null" });
    write_free_tags(tags(), out);
    write_origin(Origin::of(tags()), out);
    out.extend_from_slice(b",\"metadata\":{");
    let start = out.len();
    for tag in tags() {
        let (name, value) = match (
            tag.strip_prefix(USER_PREFIX),
            tag.strip_prefix(CORRELATION_PREFIX),
        ) {
            (Some(value), _) => (&b"\"user_id\":"[..], value),
            (_, Some(value)) => (&b"\"correlation_id\":"[..], value),
            _ => continue,
        };
        separate(start, out);
        out.extend_from_slice(name);
        put_string(value, out);
    }
    if is_object(metadata) && metadata.len() > 2 {
        separate(start, out);
        out.extend_from_slice(&metadata[1..metadata.len() - 1]);
    }
    out.extend_from_slice(b"}}");
}

fn write_free_tags<'t>(tags: impl Iterator<Item = &'t str>, out: &mut Vec<u8>) {
    let mut any = false;
    for value in tags.filter_map(|tag| tag.strip_prefix(FREE_PREFIX)) {
        out.extend_from_slice(if any { b"," } else { b",\"tags\":[" });
        any = true;
        put_string(value, out);
    }
    if any {
        out.push(b']');
    }
}

fn write_origin(origin: Option<Origin>, out: &mut Vec<u8>) {
    let Some(origin) = origin else { return };
    out.extend_from_slice(b",\"origin\":{\"log_id\":\"");
    let mut id = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    let log = Uuid::from_u128(origin.log);
    out.extend_from_slice(log.hyphenated().encode_lower(&mut id).as_bytes());
    out.extend_from_slice(b"\",\"position\":");
    put_number(origin.position, out);
    out.extend_from_slice(b",\"recorded_at\":\"");
    out.extend_from_slice(&rfc3339::text(Timestamp::from_micros(origin.recorded_at)));
    out.extend_from_slice(b"\"}");
}

fn separate(start: usize, out: &mut Vec<u8>) {
    if out.len() > start {
        out.push(b',');
    }
}

fn is_object(text: &[u8]) -> bool {
    text.first() == Some(&b'{') && text.last() == Some(&b'}')
}
