//! A report lies in the data folder for years and has no key that could be destroyed: what is personal does not get into it.

use std::collections::HashSet;
use std::sync::OnceLock;

use fleet::schema::Sensitivity;
use migrate_from_postgres::finding::Treatment;
use migrate_from_postgres::report::Report;
use serde_json::Value;

use crate::privacy::subject::METADATA_FIELDS;

/// What stands in place of a personal value.
const HIDDEN: &str = "[personal]";
/// Tables whose rows are people, or name one.
const PEOPLE: &[&str] = &["users", "staff", "suppliers", "workshops"];
/// What is said of a whole row and shows no value of it.
const WITHOUT_VALUE: &[Treatment] = &[Treatment::UnknownColumns, Treatment::TimeMissing];

/// Takes personal values out of what a report shows of single rows.
pub(super) fn hide_personal(report: &mut Report) {
    for table in &mut report.tables {
        let is_of_people = PEOPLE.contains(&table.table);
        for finding in &mut table.findings {
            let shows_values = !WITHOUT_VALUE.contains(&finding.treatment);
            for sample in &mut finding.samples {
                let is_personal = match &sample.column {
                    Some(column) => personal().contains(column.as_str()),
                    None => is_of_people && shows_values,
                };
                if is_personal && !sample.value.is_empty() {
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
        value if personal().contains(name) => *value = HIDDEN.into(),
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

/// The names of all fields that event schemas and metadata mark personal, in any aggregate: Phase 2 calls its columns the same.
fn personal() -> &'static HashSet<&'static str> {
    static NAMES: OnceLock<HashSet<&'static str>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let tables = fleet::registry::AGGREGATES.iter();
        let events = tables.flat_map(|table| table.events);
        let fields = events.flat_map(|event| event.fields);
        let marked = fields.filter(|field| field.sensitivity == Sensitivity::Personal);
        let marked = marked.map(|field| field.name);
        marked.chain(METADATA_FIELDS.iter().copied()).collect()
    })
}

#[cfg(test)]
mod tests;
