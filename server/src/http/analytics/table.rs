//! Tables to take along: one iterator of rows, written as CSV, as CSV that German spreadsheets open, as lines of JSON or
//! as an Excel workbook. All formats are fed by the same rows, so they cannot differ.

mod comma;
mod excel;
mod lines;
#[cfg(test)]
mod tests;

use axum::http::HeaderValue;
use serde_json::Value;
use storage::Timestamp;

use super::reply::Reply;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::rfc3339;

/// Rows of one table at most.
pub(crate) const ROWS_MAX: usize = 100_000;
/// The words for formats; the first is that of an answer and no table.
const FORMATS: &[&str] = &["json", "csv", "csv-de", "jsonl", "xlsx"];

/// How a table is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// RFC 4180: commas, points in numbers.
    Csv,
    /// Semicolons, commas in numbers, and a mark that it is UTF-8.
    GermanCsv,
    /// An object a row.
    Lines,
    /// A workbook with a second sheet that says what the numbers mean.
    Excel,
}

impl Format {
    /// Reads `format`; `None` for an answer in JSON.
    pub(crate) fn read(query: &mut Query<'_>) -> Option<Self> {
        match query.one_of("format", FORMATS)? {
            1 => Some(Format::Csv),
            2 => Some(Format::GermanCsv),
            3 => Some(Format::Lines),
            4 => Some(Format::Excel),
            _ => None,
        }
    }
}

/// What stands in a row under a column.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Cell {
    /// Nothing.
    Empty,
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// A moment.
    Time(Timestamp),
}

impl From<&Value> for Cell {
    /// Texts that are a time become one.
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Cell::Empty,
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Cell::Whole(whole),
                (None, Some(number)) => Cell::Number(number),
                _ => Cell::Text(number.to_string()),
            },
            Value::String(text) => match rfc3339::parse(text) {
                Ok(time) if text.ends_with('Z') => Cell::Time(time),
                _ => Cell::Text(text.clone()),
            },
            other => Cell::Text(other.to_string()),
        }
    }
}

type Rows = Box<dyn Iterator<Item = Result<Vec<Cell>, Problem>>>;

/// A table: its name, its columns, its rows, and what is to be known about them.
pub(crate) struct Table {
    name: String,
    columns: Vec<String>,
    rows: Rows,
    /// What stands on the second sheet: a name and a text each.
    notes: Vec<(String, String)>,
}

impl Table {
    /// A table of these rows, each with a cell for each column.
    pub(crate) fn new(
        name: impl Into<String>,
        columns: impl IntoIterator<Item = impl Into<String>>,
        rows: impl Iterator<Item = Result<Vec<Cell>, Problem>> + 'static,
    ) -> Self {
        Table {
            name: name.into(),
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Box::new(rows),
            notes: Vec::new(),
        }
    }

    /// A table of objects: the values under these keys.
    pub(crate) fn of_objects(
        name: impl Into<String>,
        keys: &'static [&'static str],
        objects: &Value,
    ) -> Self {
        let objects: Vec<Value> = objects.as_array().cloned().unwrap_or_default();
        let rows = objects
            .into_iter()
            .map(|object| Ok(keys.iter().map(|key| Cell::from(&object[*key])).collect()));
        Table::new(name, keys.iter().copied(), rows)
    }

    /// Says something about the table.
    pub(crate) fn note(mut self, name: impl Into<String>, text: impl ToString) -> Self {
        self.notes.push((name.into(), text.to_string()));
        self
    }

    /// The table in a format, as a file to save.
    ///
    /// # Errors
    /// Those of the rows; when a workbook cannot be written.
    pub(crate) fn reply(self, format: Format) -> Result<Reply, Problem> {
        let name = self.name.clone();
        let (media_type, ending, body) = match format {
            Format::Csv => (
                "text/csv; charset=utf-8",
                "csv",
                comma::written(self, false)?,
            ),
            Format::GermanCsv => (
                "text/csv; charset=utf-8",
                "csv",
                comma::written(self, true)?,
            ),
            Format::Lines => ("application/x-ndjson", "jsonl", lines::written(self)?),
            Format::Excel => (excel::MEDIA_TYPE, "xlsx", excel::written(self)?),
        };
        let file = format!("attachment; filename=\"{name}.{ending}\"");
        let file = HeaderValue::from_str(&file).map_err(|error| Problem::internal(&error))?;
        Ok(Reply::of(media_type, body).saved_as(file))
    }
}
