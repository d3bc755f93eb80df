//! A row as it comes, by the places of its table's columns.

use std::borrow::Cow;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::cell::{self, Cell, Read};
use crate::json;
use crate::made::UNREADABLE;
use crate::mapping::Mapping;
use crate::shape::{Found, Wire};
use crate::source::RowStream;
use crate::tables::Table;
use crate::zone::Zone;

/// How a table's rows lie in what the server sends, and what their columns are called in events.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) table: &'static Table,
    /// By place in the table: the field's place in the row, and how it comes. `None`: the column is not there.
    fields: Vec<Option<(usize, Wire)>>,
    /// By place: `"name":`, or nothing where the stream's own id says it.
    names: Vec<Box<[u8]>>,
    /// The place in the row of what nobody knows.
    extra: Option<usize>,
    zone: Zone,
}

impl Layout {
    pub(crate) fn new(found: &Found, mapping: &Mapping, zone: Zone) -> Self {
        let table = found.table;
        let mut fields = vec![None; table.columns.len()];
        for (field, column) in found.columns.iter().enumerate() {
            fields[column.place] = Some((field, column.wire));
        }
        let names = table.columns.iter();
        let names = names.map(|column| match mapping.field_name(column.name) {
            "" => Box::default(),
            name => format!("\"{name}\":").into_bytes().into_boxed_slice(),
        });
        Layout {
            table,
            fields,
            names: names.collect(),
            extra: (!found.extra.is_empty()).then_some(found.columns.len()),
            zone,
        }
    }

    /// `"name":` of the column at this place; empty where no field carries it.
    pub(crate) fn name(&self, place: usize) -> &[u8] {
        &self.names[place]
    }
}

/// The row that a stream has reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) stream: &'a RowStream,
}

impl<'a> Row<'a> {
    /// A column's value and what there is to say about it.
    pub(crate) fn read(&self, place: usize) -> Read<'a> {
        let Some((field, wire)) = self.layout.fields[place] else {
            return (Cell::Null, None);
        };
        match self.stream.field(field) {
            None => (Cell::Null, None),
            Some(bytes) => cell::read(
                self.layout.table.columns[place].kind,
                wire,
                bytes,
                self.layout.zone,
            ),
        }
    }

    /// A column's value.
    pub(crate) fn cell(&self, place: usize) -> Cell<'a> {
        self.read(place).0
    }

    /// A column's text, if it has one.
    pub(crate) fn text(&self, place: usize) -> Option<Cow<'a, str>> {
        match self.cell(place) {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A column's moment, if it has one.
    pub(crate) fn time(&self, place: usize) -> Option<i64> {
        match self.cell(place) {
            Cell::Time(micros) => Some(micros),
            _ => None,
        }
    }

    /// A column's whole number, if it has one.
    pub(crate) fn whole(&self, place: usize) -> Option<i64> {
        match self.cell(place) {
            Cell::Whole(number) => Some(number),
            _ => None,
        }
    }

    /// A column's UUID, if it has one.
    pub(crate) fn uuid(&self, place: usize) -> Option<Uuid> {
        match self.cell(place) {
            Cell::Uuid(bytes) => Some(Uuid::from_bytes(bytes)),
            _ => None,
        }
    }

    /// Whether a column is true.
    pub(crate) fn is_true(&self, place: usize) -> bool {
        self.cell(place) == Cell::Truth(true)
    }

    /// Whether a column has any value, be it one that a field cannot hold.
    pub(crate) fn has(&self, place: usize) -> bool {
        self.layout.fields[place].is_some_and(|(field, _)| self.stream.field(field).is_some())
    }

    /// What names the row: its key, as text.
    pub(crate) fn key(&self) -> String {
        match self.cell(0) {
            Cell::Uuid(bytes) => Uuid::from_bytes(bytes).hyphenated().to_string(),
            Cell::Whole(number) => number.to_string(),
            Cell::Text(text) => text.into_owned(),
            _ => String::new(),
        }
    }

    /// The bytes of a column as they came, to be compared with others of the same order.
    pub(crate) fn bytes(&self, place: usize) -> Option<&'a [u8]> {
        let (field, _) = self.layout.fields[place]?;
        self.stream.field(field)
    }

    /// A JSON object of the columns that nobody knows.
    pub(crate) fn extra(&self) -> Option<&'a [u8]> {
        self.stream.field(self.layout.extra?)
    }
}

impl Row<'_> {
    /// Appends the row as a reader of the folded state sees it: a JSON object of the columns in their order, each under its
    /// field's name, without what is null; then `extra`. A row that is kept as it is (`kept`) has its columns' own names,
    /// and all of them.
    pub(crate) fn put_seen(&self, kept: bool, out: &mut Vec<u8>) {
        let mut aside = Map::new();
        out.push(b'{');
        for (place, column) in self.layout.table.columns.iter().enumerate() {
            let value = self.cell(place);
            if let Cell::Odd(text, _) = &value {
                aside.insert(column.name.to_owned(), Value::from(text.as_ref()));
                continue;
            }
            let start = out.len();
            if start > 1 {
                out.push(b',');
            }
            match kept {
                true => put_name(column.name, out),
                false if self.layout.names[place].is_empty() => {
                    out.truncate(start);
                    continue;
                }
                false => out.extend_from_slice(&self.layout.names[place]),
            }
            if !cell::put_seen(&value, out) {
                out.truncate(start);
            }
        }
        if let Some(object) = self.extra() {
            take_unknown(object, &mut aside);
        }
        if !aside.is_empty() {
            if out.len() > 1 {
                out.push(b',');
            }
            put_name("extra", out);
            json::put_value(&Value::Object(aside), out);
        }
        out.push(b'}');
    }
}

fn put_name(name: &str, out: &mut Vec<u8>) {
    json::put_string(name, out);
    out.push(b':');
}

/// The columns that nobody knows, as they will be read again.
fn take_unknown(object: &[u8], aside: &mut Map<String, Value>) {
    let mut compact = Vec::with_capacity(object.len());
    let members = match json::put_compact(object, true, &mut compact) {
        true => serde_json::from_slice::<Map<String, Value>>(&compact).ok(),
        false => None,
    };
    match members {
        Some(members) => aside.extend(members),
        None => {
            let text = String::from_utf8_lossy(object);
            aside.insert(UNREADABLE.to_owned(), Value::from(text.as_ref()));
        }
    }
}
