//! A report lies in the data folder for years and has no key that could be destroyed: what is personal or secret does not
//! get into it.

use std::collections::HashSet;
use std::sync::OnceLock;

use migrate_from_postgres::finding::Treatment;
use migrate_from_postgres::report::Report;
use serde_json::Value;

use crate::privacy::subject::METADATA_FIELDS;

/// What stands in place of a personal value, or of a secret one.
const HIDDEN: &str = "[personal]";
/// Names that no schema has: the old system's own for the hash of a password, and that of a text which nobody can look into
/// because it is no JSON.
const NAMES_OF_NO_SCHEMA: &[&str] = &["hashed_password", "unreadable"];
/// Tables whose rows are people, or name one.
const PEOPLE: &[&str] = &["users", "staff", "suppliers", "workshops"];
/// What is said of a whole row and shows no value of it.
const WITHOUT_VALUE: &[Treatment] = &[Treatment::UnknownColumns, Treatment::TimeMissing];

/// Takes personal and secret values out of what a report shows of single rows.
pub(super) fn hide_personal(report: &mut Report) {
    for table in &mut report.tables {
        let is_of_people = PEOPLE.contains(&table.table);
        for finding in &mut table.findings {
            let shows_values = !WITHOUT_VALUE.contains(&finding.treatment);
            for sample in &mut finding.samples {
                let is_hidden = match &sample.column {
                    Some(column) => hidden_names().contains(column.as_str()),
                    None => is_of_people && shows_values,
                };
                if is_hidden && !sample.value.is_empty() {
                    HIDDEN.clone_into(&mut sample.value);
                }
            }
        }
        let rows = table.mismatched.iter_mut();
        for difference in rows.flat_map(|row| &mut row.columns) {
            hide_in(&difference.column, &mut difference.there);
            hide_in(&difference.column, &mut difference.here);
        }
    }
}

/// Hides a value of this name, or what has such a name within it.
fn hide_in(name: &str, value: &mut Value) {
    match value {
        Value::Null => {}
        value if hidden_names().contains(name) => *value = HIDDEN.into(),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(name, value)| hide_in(name, value)),
        Value::Array(values) => values.iter_mut().for_each(|value| hide_in(name, value)),
        Value::String(text) => {
            // JSON kept as text.
            if let Ok(mut within @ (Value::Object(_) | Value::Array(_))) =
                serde_json::from_str(text)
            {
                hide_in(name, &mut within);
                *text = within.to_string();
            }
        }
        Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The names of all fields that event schemas and metadata mark as personal or secret, in any aggregate: Phase 2 calls its
/// columns the same, but for those of [`NAMES_OF_NO_SCHEMA`].
fn hidden_names() -> &'static HashSet<&'static str> {
    static NAMES: OnceLock<HashSet<&'static str>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let tables = fleet::registry::AGGREGATES.iter();
        let events = tables.flat_map(|table| table.events);
        let marked = events.flat_map(|event| event.sensitive_fields());
        let others = METADATA_FIELDS.iter().chain(NAMES_OF_NO_SCHEMA);
        marked
            .map(|field| field.name)
            .chain(others.copied())
            .collect()
    })
}

#[cfg(test)]
mod tests;
