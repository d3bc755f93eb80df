//! A mapping that knows where each column is, and what it makes of a row.

use csv::StringRecord;
use storage::StreamName;

use super::MappingError;
use super::file::{Empty, EventTable, FieldKind, FieldTable, MappingFile, When};
use super::local_time::LocalTime;
use crate::envelope::{Envelope, parse_event};
use crate::ingest::identity;
use crate::json::put_string;
use crate::rfc3339;

/// See the module.
#[derive(Debug)]
pub(in crate::ingest) struct BoundMapping {
    name: String,
    source_name: String,
    width: usize,
    require: Vec<(String, usize)>,
    time_text: Template,
    time: LocalTime,
    events: Vec<BoundEvent>,
}

#[derive(Debug)]
struct BoundEvent {
    when: When,
    only_if: Option<(usize, Vec<String>)>,
    aggregate_type: String,
    aggregate_id: Template,
    event_type: String,
    schema: Option<u16>,
    data: Vec<(String, BoundField)>,
}

#[derive(Debug)]
enum BoundField {
    /// The same in every event: JSON.
    Fixed(Vec<u8>),
    Text(Template),
    Column {
        at: usize,
        kind: FieldKind,
        empty: Empty,
        words: Vec<(String, String)>,
        true_if: Vec<String>,
    },
}

/// Text with columns in it.
#[derive(Debug)]
struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Column(usize),
}

impl BoundMapping {
    pub(super) fn new(
        file: &MappingFile,
        header: &[String],
        source_name: &str,
    ) -> Result<Self, MappingError> {
        let columns = Columns(header);
        let require = file
            .input
            .require
            .iter()
            .map(|name| Ok((name.clone(), columns.find(name)?)));
        let time = LocalTime::new(file.time.format.as_deref(), file.time.zone.as_deref());
        Ok(BoundMapping {
            name: file.name.clone(),
            source_name: source_name.to_owned(),
            width: header.len(),
            require: require.collect::<Result<_, MappingError>>()?,
            time_text: columns.template(&file.time.text)?,
            time: time.map_err(MappingError::Wrong)?,
            events: file
                .events
                .iter()
                .map(|event| columns.event(event))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The events of the row on line `line`. `begins` says whether a stream has no event yet.
    ///
    /// # Errors
    /// What is wrong with the row, in a sentence.
    pub(in crate::ingest) fn events_of(
        &self,
        row: &StringRecord,
        line: u64,
        mut begins: impl FnMut(&StreamName) -> bool,
    ) -> Result<Vec<Envelope>, String> {
        if row.len() != self.width {
            return Err(format!("{} fields in place of {}", row.len(), self.width));
        }
        for (name, at) in &self.require {
            if field(row, *at).is_empty() {
                return Err(format!("column {name:?} is empty"));
            }
        }
        let occurred_at = rfc3339::to_string(self.time.parse(&self.time_text.fill(row))?);
        let mut events = Vec::with_capacity(self.events.len());
        for (index, table) in (0_u32..).zip(&self.events) {
            if let Some((at, one_of)) = &table.only_if
                && !one_of.iter().any(|word| word == field(row, *at))
            {
                continue;
            }
            let stream =
                StreamName::new(table.aggregate_type.as_str(), table.aggregate_id.fill(row));
            if table.when == When::StreamBegins && !begins(&stream) {
                continue;
            }
            let json = table.to_json(&stream, row, &occurred_at, &self.name)?;
            let mut envelope = parse_event(&json).map_err(|refused| refused.to_string())?;
            envelope.event.id = Some(match table.when {
                When::StreamBegins => identity::of_beginning(&table.event_type, &stream),
                When::Always => {
                    identity::of_record(&self.source_name, line, index, &content_of(row))
                }
            });
            events.push(envelope);
        }
        Ok(events)
    }
}

impl BoundEvent {
    /// The event as `POST /events` takes it.
    fn to_json(
        &self,
        stream: &StreamName,
        row: &StringRecord,
        occurred_at: &str,
        mapping: &str,
    ) -> Result<Vec<u8>, String> {
        let mut json = Vec::with_capacity(512);
        let members: [(&str, &str); 4] = [
            ("{\"aggregate_type\":", &stream.aggregate_type),
            (",\"aggregate_id\":", &stream.aggregate_id),
            (",\"event_type\":", &self.event_type),
            (",\"occurred_at\":", occurred_at),
        ];
        for (key, value) in members {
            json.extend_from_slice(key.as_bytes());
            put_string(value, &mut json);
        }
        if let Some(schema) = self.schema {
            json.extend_from_slice(format!(",\"schema\":{schema}").as_bytes());
        }
        json.extend_from_slice(b",\"data\":{");
        let mut first = true;
        for (name, bound) in &self.data {
            let Some(value) = bound
                .value(row)
                .map_err(|fault| format!("{name}: {fault}"))?
            else {
                continue;
            };
            if !first {
                json.push(b',');
            }
            first = false;
            put_string(name, &mut json);
            json.push(b':');
            json.extend_from_slice(&value);
        }
        json.extend_from_slice(b"},\"metadata\":{\"source\":");
        put_string(mapping, &mut json);
        json.extend_from_slice(b"}}");
        Ok(json)
    }
}

impl BoundField {
    /// The field's JSON; `None` when the payload lacks it.
    fn value(&self, row: &StringRecord) -> Result<Option<Vec<u8>>, String> {
        let (at, kind, empty, words, true_if) = match self {
            BoundField::Fixed(json) => return Ok(Some(json.clone())),
            BoundField::Text(template) => return Ok(Some(string(&template.fill(row)))),
            BoundField::Column {
                at,
                kind,
                empty,
                words,
                true_if,
            } => (*at, *kind, *empty, words, true_if),
        };
        let given = field(row, at);
        if given.is_empty() {
            return match empty {
                Empty::Omit => Ok(None),
                Empty::Null => Ok(Some(b"null".to_vec())),
                Empty::Refuse => Err("is empty".to_owned()),
            };
        }
        let text = words
            .iter()
            .find(|(word, _)| word == given)
            .map_or(given, |(_, meant)| meant);
        match kind {
            FieldKind::Text => Ok(Some(string(text))),
            FieldKind::Flag => {
                let truth = true_if.iter().any(|word| word == text);
                Ok(Some(truth.to_string().into_bytes()))
            }
            FieldKind::Integer => match text.parse::<i64>() {
                Ok(number) => Ok(Some(number.to_string().into_bytes())),
                Err(_) => Err(format!("{text:?} is no whole number")),
            },
            FieldKind::Number => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Some(
                    serde_json::Value::from(number).to_string().into_bytes(),
                )),
                _ => Err(format!("{text:?} is no number")),
            },
        }
    }
}

impl Template {
    fn fill(&self, row: &StringRecord) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Column(at) => field(row, *at),
        });
        parts.collect()
    }
}

/// The columns of a file by name.
struct Columns<'a>(&'a [String]);

impl Columns<'_> {
    fn find(&self, column: &str) -> Result<usize, MappingError> {
        self.0
            .iter()
            .position(|known| known == column)
            .ok_or_else(|| MappingError::Column {
                column: column.to_owned(),
                header: self.0.join(", "),
            })
    }

    /// `{unit}` is a column; `{{` and `}}` are braces.
    fn template(&self, text: &str) -> Result<Template, MappingError> {
        let wrong = || MappingError::Wrong(format!("the braces in {text:?} do not match"));
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '{' | '}' if characters.peek() == Some(&character) => {
                    characters.next();
                    plain.push(character);
                }
                '{' => {
                    let mut column = String::new();
                    loop {
                        match characters.next() {
                            Some('}') => break,
                            Some('{') | None => return Err(wrong()),
                            Some(other) => column.push(other),
                        }
                    }
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Column(self.find(&column)?));
                }
                '}' => return Err(wrong()),
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template(parts))
    }

    fn event(&self, table: &EventTable) -> Result<BoundEvent, MappingError> {
        let only_if = match &table.only_if {
            Some(only_if) => Some((self.find(&only_if.column)?, only_if.one_of.clone())),
            None => None,
        };
        let data = table
            .data
            .iter()
            .map(|(name, field)| Ok((name.clone(), self.field(name, field)?)));
        Ok(BoundEvent {
            when: table.when,
            only_if,
            aggregate_type: table.aggregate_type.clone(),
            aggregate_id: self.template(&table.aggregate_id)?,
            event_type: table.event_type.clone(),
            schema: table.schema,
            data: data.collect::<Result<_, MappingError>>()?,
        })
    }

    fn field(&self, name: &str, table: &FieldTable) -> Result<BoundField, MappingError> {
        if let Some(text) = &table.text {
            return Ok(BoundField::Text(self.template(text)?));
        }
        if let Some(value) = &table.value {
            let json = serde_json::to_vec(value);
            return json
                .map(BoundField::Fixed)
                .map_err(|error| MappingError::Wrong(format!("{name}: {error}")));
        }
        Ok(BoundField::Column {
            at: self.find(table.column.as_deref().unwrap_or_default())?,
            kind: table.kind,
            empty: table.empty,
            words: table
                .words
                .iter()
                .map(|(word, meant)| (word.clone(), meant.clone()))
                .collect(),
            true_if: table.true_if.clone(),
        })
    }
}

/// The row's bytes, as an id depends on them: fields with their lengths.
fn content_of(row: &StringRecord) -> Vec<u8> {
    let mut content = Vec::with_capacity(row.as_slice().len() + 4 * row.len());
    for field in row {
        content.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes());
        content.extend_from_slice(field.as_bytes());
    }
    content
}

fn field(row: &StringRecord, at: usize) -> &str {
    row.get(at).unwrap_or_default()
}

fn string(text: &str) -> Vec<u8> {
    let mut json = Vec::with_capacity(text.len() + 2);
    put_string(text, &mut json);
    json
}
