//! The text of a mapping, as TOML gives it, and what it may not say.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::MappingError;
use super::local_time::LocalTime;

/// A mapping file. A member that is not known is refused by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MappingFile {
    pub(super) name: String,
    #[serde(default)]
    #[expect(dead_code, reason = "for whoever reads the file")]
    pub(super) about: String,
    #[serde(default)]
    pub(super) input: InputTable,
    pub(super) time: TimeTable,
    pub(super) events: Vec<EventTable>,
}

/// `[input]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputTable {
    /// One ASCII character.
    delimiter: Option<char>,
    /// Columns that must not be empty: a row where one is, is a bad one.
    #[serde(default)]
    pub(super) require: Vec<String>,
}

/// `[time]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeTable {
    /// A template, `{date} {time}`.
    pub(super) text: String,
    /// How the text is to be read, in strftime's letters; absent: RFC 3339.
    pub(super) format: Option<String>,
    /// The IANA name of the zone whose clocks the text was read from; absent: UTC.
    pub(super) zone: Option<String>,
}

/// `[[events]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventTable {
    #[serde(default)]
    pub(super) when: When,
    pub(super) only_if: Option<OnlyIf>,
    pub(super) aggregate_type: String,
    /// A template.
    pub(super) aggregate_id: String,
    pub(super) event_type: String,
    pub(super) schema: Option<u16>,
    #[serde(default)]
    pub(super) data: BTreeMap<String, FieldTable>,
}

/// Which rows make the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    /// Every row.
    #[default]
    Always,
    /// The row that names a stream which has no event yet.
    StreamBegins,
}

/// `only_if = { column = "fail", one_of = ["1"] }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyIf {
    pub(super) column: String,
    pub(super) one_of: Vec<String>,
}

/// One field of the payload. Exactly one of `column`, `text` and `value`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldTable {
    pub(super) column: Option<String>,
    /// A template.
    pub(super) text: Option<String>,
    pub(super) value: Option<toml::Value>,
    #[serde(default, rename = "as")]
    pub(super) kind: FieldKind,
    #[serde(default)]
    pub(super) empty: Empty,
    /// What the column's words become; one that is not listed stays as it is.
    #[serde(default)]
    pub(super) words: BTreeMap<String, String>,
    /// Words of the column that mean true, for `as = "flag"`; every other means false.
    #[serde(default)]
    pub(super) true_if: Vec<String>,
}

/// What a column's text is turned into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FieldKind {
    #[default]
    Text,
    Integer,
    Number,
    Flag,
}

/// What an empty column comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Empty {
    /// The payload lacks the field.
    #[default]
    Omit,
    /// The field is null.
    Null,
    /// The row is a bad one.
    Refuse,
}

impl InputTable {
    pub(super) fn delimiter_byte(&self) -> u8 {
        self.delimiter
            .and_then(|delimiter| u8::try_from(delimiter).ok())
            .unwrap_or(b',')
    }
}

impl MappingFile {
    /// What the types do not rule out. Columns are checked against the header later.
    pub(super) fn check(&self) -> Result<(), MappingError> {
        let wrong = |text: String| Err(MappingError::Wrong(text));
        if self.name.is_empty() {
            return wrong("name is empty".to_owned());
        }
        if self.events.is_empty() {
            return wrong("there is no [[events]]".to_owned());
        }
        if let Some(delimiter) = self.input.delimiter
            && (!delimiter.is_ascii() || matches!(delimiter, '"' | '\r' | '\n'))
        {
            return wrong(format!(
                "the delimiter {delimiter:?} is no ASCII character, or a quote or line end"
            ));
        }
        LocalTime::new(self.time.format.as_deref(), self.time.zone.as_deref())
            .map_err(MappingError::Wrong)?;
        for event in &self.events {
            for (field, table) in &event.data {
                table.check().map_err(|fault| {
                    MappingError::Wrong(format!("{}.{field}: {fault}", event.event_type))
                })?;
            }
        }
        Ok(())
    }
}

impl FieldTable {
    fn check(&self) -> Result<(), String> {
        let given = [
            self.column.is_some(),
            self.text.is_some(),
            self.value.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err("exactly one of column, text and value is needed".to_owned());
        }
        if self.value.as_ref().is_some_and(toml::Value::is_datetime) {
            return Err("a time as value is to be written as a string".to_owned());
        }
        if self.column.is_none()
            && (self.kind != FieldKind::Text || !self.words.is_empty() || self.empty != Empty::Omit)
        {
            return Err("as, words and empty go with column".to_owned());
        }
        if (self.kind == FieldKind::Flag) == self.true_if.is_empty() {
            return Err("true_if goes with as = \"flag\", and the other way round".to_owned());
        }
        Ok(())
    }
}
