//! CloudEvents 1.0 in the JSON event format, one a line.
//!
//! | CloudEvent | event |
//! |---|---|
//! | `type` | `event_type`: what stands behind the last dot; a last part `v2` is the schema number instead |
//! | `aggregatetype`, `aggregateid` (extensions) | the stream |
//! | `subject` | where those are absent: `Type/id`, or the id alone where the event type belongs to one aggregate type |
//! | `source`, `id` | together the event's id, and `metadata.source`, `metadata.cloudevent.id` |
//! | `time` | `occurred_at` |
//! | `data` | `data`, an object; absent means an empty one |
//! | `correlationid`, `causationid`, `userid` (extensions) | `metadata.correlation_id`, `.causation_id`, `.user_id` |
//! | everything else | `metadata.cloudevent`, under its own name |
//!
//! Source: CloudEvents specification 1.0.2, §3 (attributes), and its JSON event format 1.0.2, §2 and §3.

use std::collections::BTreeMap;

use fleet::{alias, registry};

use super::identity;
use crate::envelope::{Envelope, parse_event};
use crate::json::{JsonError, Kind, Scanner, put_string};

/// A CloudEvent as it was read: attributes by name, as JSON texts.
#[derive(Default)]
struct CloudEvent {
    attributes: BTreeMap<String, Attribute>,
    data: Option<Vec<u8>>,
    faults: Vec<String>,
}

struct Attribute {
    /// The text of a string, the JSON of anything else.
    text: String,
    is_string: bool,
}

/// The event that the CloudEvent on this line stands for.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn event_of(line: &[u8]) -> Result<Envelope, String> {
    let mut read = CloudEvent::default();
    let mut scanner = Scanner::new(line).map_err(|error| error.to_string())?;
    scanner
        .object(|scanner, key| read.member(scanner, &key))
        .map_err(|error: JsonError| error.to_string())?;
    scanner.finish().map_err(|error| error.to_string())?;
    if let Some(fault) = read.faults.first() {
        return Err(fault.clone());
    }
    match read.attributes.get("specversion") {
        Some(version) if version.text == "1.0" => {}
        _ => return Err("specversion: only CloudEvents 1.0 are understood".to_owned()),
    }
    let id = identity::of_cloud_event(read.required("source")?, read.required("id")?);
    let mut envelope = parse_event(&read.to_event()?).map_err(|refused| refused.to_string())?;
    envelope.event.id = Some(id);
    Ok(envelope)
}

impl CloudEvent {
    fn member(&mut self, scanner: &mut Scanner<'_>, key: &str) -> Result<(), JsonError> {
        let kind = scanner.kind()?;
        match (key, kind) {
            ("data", Kind::Object) => {
                let mut data = Vec::new();
                scanner.compact(&mut data)?;
                self.data = Some(data);
                return Ok(());
            }
            (_, Kind::Null) => {}
            ("data", _) => self.faults.push("data: must be an object".to_owned()),
            ("data_base64", _) => self
                .faults
                .push("data_base64: binary data is not understood".to_owned()),
            (_, Kind::String) => {
                let text = scanner.string()?.into_owned();
                self.attributes.insert(
                    key.to_owned(),
                    Attribute {
                        text,
                        is_string: true,
                    },
                );
                return Ok(());
            }
            (_, Kind::Number | Kind::Bool) => {
                let mut json = Vec::new();
                scanner.compact(&mut json)?;
                let text = String::from_utf8_lossy(&json).into_owned();
                self.attributes.insert(
                    key.to_owned(),
                    Attribute {
                        text,
                        is_string: false,
                    },
                );
                return Ok(());
            }
            (_, Kind::Object | Kind::Array) => {
                self.faults.push(format!(
                    "{key}: an attribute is a string, a number or a truth value"
                ));
            }
        }
        scanner.skip()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.attributes
            .get(name)
            .map(|attribute| attribute.text.as_str())
            .filter(|text| !text.is_empty())
    }

    fn required(&self, name: &str) -> Result<&str, String> {
        self.text(name)
            .ok_or_else(|| format!("{name}: is required"))
    }

    /// The same as `POST /events` takes it.
    fn to_event(&self) -> Result<Vec<u8>, String> {
        let (event_type, schema) = split_type(self.required("type")?);
        let (aggregate_type, aggregate_id) = self.stream(event_type)?;
        let mut json = Vec::with_capacity(512);
        for (key, value) in [
            ("{\"aggregate_type\":", aggregate_type),
            (",\"aggregate_id\":", aggregate_id),
            (",\"event_type\":", event_type),
        ] {
            json.extend_from_slice(key.as_bytes());
            put_string(value, &mut json);
        }
        if let Some(schema) = schema {
            json.extend_from_slice(format!(",\"schema\":{schema}").as_bytes());
        }
        if let Some(time) = self.text("time") {
            json.extend_from_slice(b",\"occurred_at\":");
            put_string(time, &mut json);
        }
        json.extend_from_slice(b",\"data\":");
        json.extend_from_slice(self.data.as_deref().unwrap_or(b"{}"));
        json.extend_from_slice(b",\"metadata\":");
        self.put_metadata(&mut json);
        json.push(b'}');
        Ok(json)
    }

    fn stream<'a>(&'a self, event_type: &str) -> Result<(&'a str, &'a str), String> {
        let subject = self.text("subject");
        if let Some(aggregate_type) = self.text("aggregatetype") {
            let aggregate_id = self.text("aggregateid").or(subject);
            let aggregate_id =
                aggregate_id.ok_or("aggregateid: is required where there is no subject")?;
            return Ok((aggregate_type, aggregate_id));
        }
        let subject = subject.ok_or("subject: is required where there is no aggregatetype")?;
        if let Some(aggregate_type) = only_aggregate_with(event_type) {
            let own = subject
                .split_once('/')
                .filter(|(before, id)| *before == aggregate_type && !id.is_empty());
            return Ok((aggregate_type, own.map_or(subject, |(_, id)| id)));
        }
        match subject.split_once('/') {
            Some((aggregate_type, id)) if !aggregate_type.is_empty() && !id.is_empty() => {
                Ok((aggregate_type, id))
            }
            _ => Err(
                "subject: is no `Type/id`, and the event type does not tell the aggregate type"
                    .to_owned(),
            ),
        }
    }

    fn put_metadata(&self, json: &mut Vec<u8>) {
        json.push(b'{');
        let named = [
            ("source", "source"),
            ("correlationid", "correlation_id"),
            ("causationid", "causation_id"),
            ("userid", "user_id"),
        ];
        for (attribute, member) in named {
            if let Some(text) = self.text(attribute) {
                put_string(member, json);
                json.push(b':');
                put_string(text, json);
                json.push(b',');
            }
        }
        json.extend_from_slice(b"\"cloudevent\":{");
        let spoken_for = [
            "source",
            "correlationid",
            "causationid",
            "userid",
            "specversion",
            "time",
        ];
        let rest = self
            .attributes
            .iter()
            .filter(|(name, _)| !spoken_for.contains(&name.as_str()));
        for (index, (name, attribute)) in rest.enumerate() {
            if index > 0 {
                json.push(b',');
            }
            put_string(name, json);
            json.push(b':');
            if attribute.is_string {
                put_string(&attribute.text, json);
            } else {
                json.extend_from_slice(attribute.text.as_bytes());
            }
        }
        json.extend_from_slice(b"}}");
    }
}

/// `com.example.VehicleCreated.v2` is `VehicleCreated` of schema 2.
fn split_type(given: &str) -> (&str, Option<u16>) {
    let (stem, schema) = match given.rsplit_once(".v") {
        Some((stem, number)) => match number.parse::<u16>() {
            Ok(schema) => (stem, Some(schema)),
            Err(_) => (given, None),
        },
        None => (given, None),
    };
    let name = stem.rsplit('.').next().filter(|name| !name.is_empty());
    (name.unwrap_or(stem), schema)
}

/// The aggregate type that alone has this event type in its table.
fn only_aggregate_with(event_type: &str) -> Option<&'static str> {
    let canonical = alias::canonical(event_type);
    let tables = registry().aggregates();
    let mut owners = tables.iter().filter(|table| {
        table
            .events
            .iter()
            .any(|event| event.event_type == canonical)
    });
    let first = owners.next()?;
    owners.next().is_none().then_some(first.aggregate_type)
}
