//! From a command's body to the fields of its event: checked by the command's own table, every value in the one form that
//! events have.
//!
//! A command's table is tighter than its event's: it holds the contract's limits. A field that the table marks as setting
//! nothing is one that only the system sets: a client that reads a row, changes it and sends it back sends it too, and it
//! is passed over. Any other unknown name is refused, so that no misspelt one goes without effect.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::check::{FIELD_ERRORS_MAX, FieldError, check_fields, integer};
use super::{Field, Kind, Sets};
use crate::calendar;
use crate::money::Money;

#[cfg(test)]
mod tests;

/// A field of a row that only the system sets.
pub const fn read_only(name: &'static str) -> Field {
    Field::optional(name, Kind::Any).setting_nothing()
}

/// The fields of `body` that `table` lets a client set, in the form that events have: times as RFC 3339 with `Z`, UUIDs
/// in lower case with hyphens, money as text with two places, whole numbers without a point.
///
/// # Errors
/// All faults, at most [`FIELD_ERRORS_MAX`]; never an empty list.
pub fn parse(
    table: &'static [Field],
    body: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<FieldError>> {
    let mut faults = check_fields(table, body, &str::to_owned)
        .err()
        .unwrap_or_default();
    find_unknown(table, body, &mut Vec::new(), &mut faults);
    faults.truncate(FIELD_ERRORS_MAX);
    if faults.is_empty() {
        Ok(canonical_object(table, body))
    } else {
        Err(faults)
    }
}

/// Names every member that no table has, also those of records in lists.
fn find_unknown(
    table: &'static [Field],
    object: &Map<String, Value>,
    path: &mut Vec<String>,
    faults: &mut Vec<FieldError>,
) {
    for (name, value) in object {
        if faults.len() >= FIELD_ERRORS_MAX {
            return;
        }
        path.push(name.clone());
        match table.iter().find(|field| field.name == name) {
            None => faults.push(FieldError {
                path: path.clone(),
                message: "Extra inputs are not permitted".to_owned(),
                kind: "extra_forbidden",
            }),
            Some(field) => find_unknown_within(&field.kind, value, path, faults),
        }
        path.pop();
    }
}

fn find_unknown_within(
    kind: &Kind,
    value: &Value,
    path: &mut Vec<String>,
    faults: &mut Vec<FieldError>,
) {
    match (kind, value) {
        (Kind::Record(members), Value::Object(object)) => {
            find_unknown(members, object, path, faults);
        }
        (Kind::List(kind), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                find_unknown_within(kind, item, path, faults);
                path.pop();
            }
        }
        _ => {}
    }
}

fn canonical_object(table: &[Field], object: &Map<String, Value>) -> Map<String, Value> {
    let fields = table
        .iter()
        .filter(|field| field.sets != Sets::Nothing)
        .filter_map(|field| {
            let value = object.get(field.name)?;
            Some((field.name.to_owned(), canonical_value(&field.kind, value)))
        });
    fields.collect()
}

/// A checked value in the form that events have; what has no other form stays as it is.
fn canonical_value(kind: &Kind, value: &Value) -> Value {
    let canonical = match (kind, value) {
        (Kind::Time, Value::String(text)) => {
            calendar::parse_time(text).map(|time| calendar::format_time(time).into())
        }
        (Kind::Uuid, Value::String(text)) => {
            Uuid::try_parse(text).ok().map(|id| id.to_string().into())
        }
        (Kind::Integer { .. }, Value::Number(_)) => integer(value).map(Value::from),
        (Kind::Money | Kind::Amount { .. }, _) => Money::of_json(value).map(Money::to_json),
        (Kind::List(kind), Value::Array(items)) => Some(
            items
                .iter()
                .map(|item| canonical_value(kind, item))
                .collect(),
        ),
        (Kind::Record(members), Value::Object(object)) => {
            Some(Value::Object(canonical_object(members, object)))
        }
        _ => None,
    };
    canonical.unwrap_or_else(|| value.clone())
}
