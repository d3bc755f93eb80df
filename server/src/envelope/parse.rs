//! From JSON to the log: one event.

use std::borrow::Cow;
use std::fmt;

use storage::{
    AGGREGATE_ID_BYTES_MAX, METADATA_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX, TYPE_NAME_BYTES_MAX,
};
use storage::{ExpectedVersion, NewEvent, StreamName, StreamWrite, Timestamp};
use uuid::Uuid;

use super::fields::{self, Faults};
use super::tags::{CORRELATION_PREFIX, FREE_PREFIX, USER_PREFIX, keys_of, tag};
use crate::field_error::{FieldError, Place};
use crate::json::{JsonError, Kind, Scanner, put_string};

/// Tags that are set beside the free ones: user, correlation, business keys.
const OWN_TAGS_MAX: usize = 2 + KEYS_MAX;
/// Business keys of one aggregate. None has more, which a test holds the registry to.
pub(super) const KEYS_MAX: usize = 2;

/// An event as a client sent it, ready to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The stream it is for.
    pub stream: StreamName,
    /// What the client expects of that stream, if it said so.
    pub expected: Option<ExpectedVersion>,
    /// The event itself, its type in the canonical spelling, its payload checked if the type is known.
    pub event: NewEvent,
}

/// The same, with the stream's names as they stand in the text: most events of a batch are for the stream of the one
/// before, and need no names of their own.
#[derive(Debug)]
pub(super) struct Sent<'a> {
    aggregate_type: Cow<'a, str>,
    aggregate_id: Cow<'a, str>,
    expected: Option<ExpectedVersion>,
    pub(super) event: NewEvent,
}

impl Sent<'_> {
    /// Whether the event belongs behind those of this write: to the same stream, whatever its version is by then.
    pub(super) fn follows(&self, write: &StreamWrite) -> bool {
        self.expected.is_none()
            && *write.stream.aggregate_id == *self.aggregate_id
            && *write.stream.aggregate_type == *self.aggregate_type
    }

    pub(super) fn into_envelope(self) -> Envelope {
        Envelope {
            stream: StreamName {
                aggregate_type: self.aggregate_type.into(),
                aggregate_id: self.aggregate_id.into(),
            },
            expected: self.expected,
            event: self.event,
        }
    }
}

/// Everything that is wrong with what was sent; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused(pub Vec<FieldError>);

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            fault.fmt(formatter)?;
        }
        Ok(())
    }
}

impl From<JsonError> for Refused {
    fn from(error: JsonError) -> Self {
        let loc: [Place; 2] = ["body".into(), error.offset.into()];
        Refused(vec![FieldError::new(
            loc,
            "json_invalid",
            error.to_string(),
        )])
    }
}

/// Reads one event: a JSON object with
///
/// - `aggregate_type`, `aggregate_id`, `event_type`: required strings;
/// - `data`: a required object;
/// - `metadata`: an object; its `user_id` and `correlation_id`, if any, are strings;
/// - `id` or `event_id`: a UUID that makes the append idempotent;
/// - `occurred_at`: a time as [`crate::rfc3339::parse`] reads it; absent means when it is recorded;
/// - `schema` or `event_version`: the number of the schema that `data` follows, 1 if absent;
/// - `expected_version`: a number, `"any"`, `"no_stream"` or `"exists"`;
/// - `tags`: strings to find the event by.
///
/// Nothing else: a member that is not known is refused by name, lest a misspelled `occured_at` be lost for ever.
///
/// # Errors
/// Every fault at once, each with its place; broken JSON alone, with the byte.
pub fn parse_event(body: &[u8]) -> Result<Envelope, Refused> {
    let mut scanner = Scanner::new(body)?;
    let envelope = read_event(&mut scanner)?;
    scanner.finish()?;
    envelope
}

/// Reads one event at the scanner's place. The outer error is broken JSON; after an inner one, reading can go on.
///
/// # Errors
/// As [`parse_event`].
pub fn read_event(scanner: &mut Scanner<'_>) -> Result<Result<Envelope, Refused>, JsonError> {
    Ok(read_sent(scanner)?.map(Sent::into_envelope))
}

/// Reads one event at the scanner's place, as [`read_event`] does.
pub(super) fn read_sent<'a>(
    scanner: &mut Scanner<'a>,
) -> Result<Result<Sent<'a>, Refused>, JsonError> {
    if scanner.kind()? != Kind::Object {
        scanner.skip()?;
        return Ok(Err(Refused(vec![FieldError::new(
            ["body".into()],
            "dict_type",
            "must be an object",
        )])));
    }
    let mut members = Members::default();
    scanner.object(|scanner, key| members.read(scanner, &key))?;
    Ok(members.finish())
}

/// What has been read of an event so far.
#[derive(Debug, Default)]
struct Members<'a> {
    aggregate_type: Option<Cow<'a, str>>,
    aggregate_id: Option<Cow<'a, str>>,
    event_type: Option<Box<str>>,
    id: Option<Uuid>,
    occurred_at: Option<Timestamp>,
    schema: Option<u16>,
    expected: Option<ExpectedVersion>,
    data: Option<Vec<u8>>,
    metadata: Vec<u8>,
    tags: Vec<Box<str>>,
    faults: Faults,
}

impl<'a> Members<'a> {
    fn read(&mut self, scanner: &mut Scanner<'a>, key: &str) -> Result<(), JsonError> {
        let faults = &mut self.faults;
        match key {
            "aggregate_type" => {
                let name = fields::name(scanner, TYPE_NAME_BYTES_MAX)?;
                self.aggregate_type = faults.take("aggregate_type", name);
            }
            "aggregate_id" => {
                let id = fields::identifier(scanner, AGGREGATE_ID_BYTES_MAX)?;
                self.aggregate_id = faults.take("aggregate_id", id);
            }
            "event_type" => {
                let name = fields::name(scanner, TYPE_NAME_BYTES_MAX)?;
                self.event_type = faults
                    .take("event_type", name)
                    .map(|name| fleet::alias::canonical(&name).into());
            }
            "data" => self.data = self.read_data(scanner)?,
            "metadata" => self.read_metadata(scanner)?,
            "tags" => self.read_tags(scanner)?,
            "id" | "event_id" => {
                self.read_id(scanner, if key == "id" { "id" } else { "event_id" })?
            }
            "occurred_at" => {
                self.occurred_at = faults.take("occurred_at", fields::time(scanner)?).flatten()
            }
            "schema" | "event_version" => {
                self.read_schema(
                    scanner,
                    if key == "schema" {
                        "schema"
                    } else {
                        "event_version"
                    },
                )?;
            }
            "expected_version" => {
                self.expected = faults
                    .take("expected_version", fields::expected_version(scanner)?)
                    .flatten();
            }
            unknown => {
                scanner.skip()?;
                let loc = ["body".into(), Place::from(unknown.to_owned())];
                faults.push(FieldError::new(
                    loc,
                    "extra_forbidden",
                    "is not a member of an event",
                ));
            }
        }
        Ok(())
    }

    fn read_data(&mut self, scanner: &mut Scanner<'_>) -> Result<Option<Vec<u8>>, JsonError> {
        let found = scanner.kind()?;
        if found != Kind::Object {
            let fault = fields::wrong_type::<()>(scanner, found, "dict_type", "must be an object")?;
            self.faults.take("data", fault);
            return Ok(None);
        }
        // Compact text comes in one piece, which takes exactly the room that it needs.
        let mut data = Vec::new();
        scanner.compact(&mut data)?;
        Ok(Some(data))
    }

    /// Compacts the metadata without its user and correlation, which become tags.
    fn read_metadata(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Null => return scanner.skip(),
            Kind::Object => {}
            other => {
                let fault =
                    fields::wrong_type::<()>(scanner, other, "dict_type", "must be an object")?;
                self.faults.take("metadata", fault);
                return Ok(());
            }
        }
        let mut text = vec![b'{'];
        scanner.object(|scanner, key| {
            let prefix = match &*key {
                "user_id" => USER_PREFIX,
                "correlation_id" => CORRELATION_PREFIX,
                _ => {
                    if text.len() > 1 {
                        text.push(b',');
                    }
                    put_string(&key, &mut text);
                    text.push(b':');
                    return scanner.compact(&mut text);
                }
            };
            if !fields::null(scanner)? {
                match fields::name(scanner, TAG_BYTES_MAX - prefix.len())? {
                    Ok(value) => self.tags.push(tag(prefix, &value)),
                    Err((kind, msg)) => {
                        let loc = [
                            "body".into(),
                            "metadata".into(),
                            Place::from(key.into_owned()),
                        ];
                        self.faults.push(FieldError::new(loc, kind, msg));
                    }
                }
            }
            Ok(())
        })?;
        text.push(b'}');
        if text.len() > METADATA_BYTES_MAX {
            let msg = format!("has {} bytes, {METADATA_BYTES_MAX} are allowed", text.len());
            self.faults
                .push(FieldError::body("metadata", "too_long", msg));
        } else if text.len() > 2 {
            self.metadata = text;
        }
        Ok(())
    }

    fn read_tags(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Null => return scanner.skip(),
            Kind::Array => {}
            other => {
                let fault =
                    fields::wrong_type::<()>(scanner, other, "list_type", "must be an array")?;
                self.faults.take("tags", fault);
                return Ok(());
            }
        }
        let mut free = 0_usize;
        scanner.array(|scanner, index| {
            free += 1;
            if free > TAGS_MAX - OWN_TAGS_MAX {
                return scanner.skip();
            }
            match fields::name(scanner, TAG_BYTES_MAX - FREE_PREFIX.len())? {
                Ok(value) => self.tags.push(tag(FREE_PREFIX, &value)),
                Err((kind, msg)) => {
                    let loc = ["body".into(), "tags".into(), Place::from(index)];
                    self.faults.push(FieldError::new(loc, kind, msg));
                }
            }
            Ok::<_, JsonError>(())
        })?;
        if free > TAGS_MAX - OWN_TAGS_MAX {
            let msg = format!("has {free} tags, {} are allowed", TAGS_MAX - OWN_TAGS_MAX);
            self.faults.push(FieldError::body("tags", "too_long", msg));
        }
        Ok(())
    }

    fn read_id(&mut self, scanner: &mut Scanner<'_>, field: &'static str) -> Result<(), JsonError> {
        if fields::null(scanner)? {
            return Ok(());
        }
        let id = self.faults.take(field, fields::uuid(scanner)?);
        if let (Some(first), Some(second)) = (self.id, id)
            && first != second
        {
            self.faults.push(FieldError::body(
                field,
                "value_error",
                "`id` and `event_id` differ",
            ));
        }
        self.id = self.id.or(id);
        Ok(())
    }

    fn read_schema(
        &mut self,
        scanner: &mut Scanner<'_>,
        field: &'static str,
    ) -> Result<(), JsonError> {
        if fields::null(scanner)? {
            return Ok(());
        }
        let schema = self.faults.take(field, fields::schema(scanner)?);
        if let (Some(first), Some(second)) = (self.schema, schema)
            && first != second
        {
            self.faults.push(FieldError::body(
                field,
                "value_error",
                "`schema` and `event_version` differ",
            ));
        }
        self.schema = self.schema.or(schema);
        Ok(())
    }

    /// The event, if nothing is wrong and nothing is missing.
    fn finish(mut self) -> Result<Sent<'a>, Refused> {
        for (field, missing) in [
            ("aggregate_type", self.aggregate_type.is_none()),
            ("aggregate_id", self.aggregate_id.is_none()),
            ("event_type", self.event_type.is_none()),
            ("data", self.data.is_none()),
        ] {
            let refused = || {
                self.faults
                    .found()
                    .iter()
                    .any(|fault| fault.loc.get(1) == Some(&Place::from(field)))
            };
            if missing && !refused() {
                self.faults
                    .push(FieldError::body(field, "missing", "is required"));
            }
        }
        let (Some(aggregate_type), Some(aggregate_id), Some(event_type), Some(data)) = (
            self.aggregate_type,
            self.aggregate_id,
            self.event_type,
            self.data,
        ) else {
            return Err(Refused(self.faults.into_found()));
        };
        let schema = self.schema.unwrap_or(fleet::Registry::SCHEMA_IF_ABSENT);
        let keys = check_payload(
            &aggregate_type,
            &event_type,
            schema,
            &data,
            &mut self.faults,
        );
        self.tags.extend(keys);
        if !self.faults.found().is_empty() {
            return Err(Refused(self.faults.into_found()));
        }
        Ok(Sent {
            aggregate_type,
            aggregate_id,
            expected: self.expected,
            event: NewEvent {
                id: self.id,
                event_type,
                schema,
                occurred_at: self.occurred_at,
                data,
                metadata: self.metadata,
                tags: self.tags,
            },
        })
    }
}

/// Holds a payload against the domain's tables, and gives the tags of the business keys that it sets. An event type that
/// stands in none is free.
fn check_payload(
    aggregate_type: &str,
    event_type: &str,
    schema: u16,
    data: &[u8],
    found: &mut Faults,
) -> Vec<Box<str>> {
    let registry = fleet::registry();
    if registry.is_internal(aggregate_type) {
        let msg = format!(
            "{aggregate_type} streams are written by the server alone, through their own routes"
        );
        found.push(FieldError::body("aggregate_type", "internal_stream", msg));
        return Vec::new();
    }
    let Some(known) = registry.event(aggregate_type, event_type) else {
        return Vec::new();
    };
    let data = match serde_json::from_slice(data) {
        Ok(data) => data,
        Err(error) => {
            // The scanner is the stricter reader, so this is out of reach; refusing is right all the same.
            found.push(FieldError::body("data", "json_invalid", error.to_string()));
            return Vec::new();
        }
    };
    let Err(faults) = known.check(schema, &data) else {
        return keys_of(&known, schema, &data);
    };
    for fault in faults {
        let loc = ["body".into(), "data".into()]
            .into_iter()
            .chain(fault.path.into_iter().map(Place::from));
        found.push(FieldError::new(loc, fault.kind, fault.message));
    }
    Vec::new()
}
