//! A row held against what the log says, column by column. Pure.
//!
//! Both sides are written as JSON in the same order and form; where the bytes are equal all columns are.

use std::borrow::Cow;
use std::collections::HashMap;

use fleet::calendar;
use serde::Serialize;
use serde_json::{Map, Value};
use storage::StreamName;

use crate::held::Held;
use crate::json;
use crate::made::Expected;
use crate::mapping::{Seen, mapping_of};
use crate::tables::{Kind, Table};

/// A column that is not as its row says.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// The column.
    pub column: String,
    /// What the row says.
    pub there: Value,
    /// What the log says.
    pub here: Value,
}

/// Where the columns of each table are found again.
#[derive(Debug, Default)]
pub(crate) struct Comparer {
    names: HashMap<&'static str, Vec<&'static str>>,
}

/// What came of a comparison.
#[derive(Debug)]
pub(crate) struct Compared {
    /// What the log says, in the row's form.
    pub(crate) here: Vec<u8>,
    /// Whether the log says anything.
    pub(crate) found: bool,
    pub(crate) differences: Vec<Difference>,
}

impl Comparer {
    /// Compares a row with what the log holds of its stream.
    pub(crate) fn compare(
        &mut self,
        stream: &StreamName,
        expected: &Expected,
        held: &Held,
    ) -> Compared {
        let mut here = Vec::with_capacity(expected.row.len() + 16);
        let found = self.put_seen(stream, expected, held, &mut here);
        let differences = match here == expected.row {
            true => Vec::new(),
            false => differences(&expected.row, &here),
        };
        Compared {
            here,
            found,
            differences,
        }
    }

    fn put_seen(
        &mut self,
        stream: &StreamName,
        expected: &Expected,
        held: &Held,
        out: &mut Vec<u8>,
    ) -> bool {
        let table = expected.table;
        if expected.seen == Seen::LogRow {
            let data = event_data(stream, expected, held);
            let row = data.and_then(|mut data| match data.remove("row") {
                Some(Value::Object(row)) => Some(row),
                _ => None,
            });
            let found = row.is_some();
            let row = row.unwrap_or_default();
            put_columns(
                table,
                table.columns.iter().map(|column| column.name),
                |name| row.get(name).map(Cow::Borrowed),
                out,
            );
            return found;
        }
        let names = self
            .names
            .entry(table.name)
            .or_insert_with(|| field_names(table));
        let names = names.iter().copied();
        match expected.seen {
            Seen::State => {
                put_columns(table, names, |name| held.seen(name), out);
                held.state.exists()
            }
            Seen::Item(list, _) => {
                let item = held.state.record.item(list, &expected.key);
                let found = item.is_some();
                let item = item.unwrap_or_default();
                put_columns(table, names, |name| item.get(name).map(Cow::Borrowed), out);
                found
            }
            Seen::Line(list) => {
                let lines = held.state.record.seen(list);
                let line = line(lines.as_deref(), &expected.key);
                let value = |name: &str| line?.get(name).map(Cow::Borrowed);
                put_columns(table, names, value, out);
                line.is_some()
            }
            Seen::Event(_) => {
                let data = event_data(stream, expected, held);
                let found = data.is_some();
                let data = data.unwrap_or_default();
                put_columns(table, names, |name| data.get(name).map(Cow::Borrowed), out);
                found
            }
            Seen::Account => {
                let account = account(held);
                let found = account.is_some();
                let account = account.unwrap_or_default();
                put_columns(
                    table,
                    names,
                    |name| account.get(name).map(Cow::Borrowed),
                    out,
                );
                found
            }
            Seen::LogRow => unreachable!("answered above"),
        }
    }
}

/// The names of the fields that carry a table's columns, in their order; empty where none does.
pub(crate) fn field_names(table: &'static Table) -> Vec<&'static str> {
    let mapping = mapping_of(table.name).map(|(_, mapping)| mapping);
    let name = |column: &'static str| mapping.map_or(column, |mapping| mapping.field_name(column));
    table
        .columns
        .iter()
        .map(|column| name(column.name))
        .collect()
}

/// Writes the columns in their order, then `extra`.
fn put_columns<'v>(
    table: &Table,
    names: impl Iterator<Item = &'static str>,
    value: impl Fn(&str) -> Option<Cow<'v, Value>>,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    for (column, name) in table.columns.iter().zip(names) {
        if name.is_empty() {
            continue;
        }
        if let Some(value) = value(name).filter(|value| !value.is_null()) {
            put_member(name, out);
            put_as(column.kind, &value, out);
        }
    }
    if let Some(extra) = value("extra").filter(|extra| !extra.is_null()) {
        put_member("extra", out);
        json::put_value(&extra, out);
    }
    out.push(b'}');
}

fn put_member(name: &str, out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.push(b',');
    }
    json::put_string(name, out);
    out.push(b':');
}

/// A value as a row of this kind of column would have it: 84 and 84.0 are one measurement.
fn put_as(kind: Kind, value: &Value, out: &mut Vec<u8>) {
    match (kind, value.as_f64()) {
        (Kind::Real, Some(number)) => json::put_real(number, out),
        _ => json::put_value(value, out),
    }
}

fn line<'v>(lines: Option<&'v Value>, key: &str) -> Option<&'v Map<String, Value>> {
    let mut lines = lines?.as_array()?.iter().filter_map(Value::as_object);
    lines.find(|line| line.get("id").and_then(Value::as_str) == Some(key))
}

fn event_data(stream: &StreamName, expected: &Expected, held: &Held) -> Option<Map<String, Value>> {
    if let Some(report) = held.reports.get(&expected.key) {
        return Some(report.clone());
    }
    serde_json::from_slice(held.told_last(stream, expected)?).ok()
}

/// An account's fields: those that its state has, and those that its events only tell.
pub(crate) fn account(held: &Held) -> Option<Map<String, Value>> {
    let state = held.account.as_ref()?;
    let mut fields = held.told.clone();
    if held.imported.is_empty() {
        for (name, time) in [
            ("created_at", state.created_at),
            ("updated_at", state.updated_at),
        ] {
            fields.insert(name.to_owned(), calendar::format_time(time).into());
        }
    }
    // What an account has without having been told is not what a row says.
    let was_told = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let (has_role, has_hash) = (was_told("role"), was_told("password_hash"));
    let is_open_by_default = fields.get("is_active") == Some(&Value::Null);
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("username", state.username.as_str().into());
    set("email", state.email.as_str().into());
    if has_role || state.role != fleet::policy::Role::default() {
        set("role", state.role.name().into());
    }
    if has_hash || !state.password_hash.is_empty() {
        set("password_hash", state.password_hash.as_str().into());
    }
    if !is_open_by_default || state.is_active {
        set("is_active", state.is_active.into());
    }
    set(
        "last_login",
        state.last_login.map(calendar::format_time).into(),
    );
    Some(fields)
}

/// The columns that two rows say otherwise.
fn differences(there: &[u8], here: &[u8]) -> Vec<Difference> {
    let read = |row: &[u8]| serde_json::from_slice::<Map<String, Value>>(row).unwrap_or_default();
    let (there, here) = (read(there), read(here));
    let mut columns: Vec<&String> = there.keys().chain(here.keys()).collect();
    columns.sort_unstable();
    columns.dedup();
    let differing = columns
        .into_iter()
        .filter(|column| there.get(*column) != here.get(*column));
    differing
        .map(|column| Difference {
            column: column.clone(),
            there: there.get(column).cloned().unwrap_or_default(),
            here: here.get(column).cloned().unwrap_or_default(),
        })
        .collect()
}
