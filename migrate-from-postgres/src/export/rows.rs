//! The rows of a table as the log has them now, some streams at a time.

use std::collections::HashMap;

use serde_json::{Map, Value};
use storage::{Position, StreamName};

use crate::compare::account;
use crate::depot::Depot;
use crate::error::ImportError;
use crate::held::{Held, RowName, of_stream};
use crate::mapping::{Family, Mapping, Seen, mapping_of};
use crate::tables::Table;

/// Streams that are folded at once.
const STREAMS_AT_ONCE: usize = 500;

/// A row, by the names of its columns.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Its key.
    pub(super) key: String,
    pub(super) values: Map<String, Value>,
    /// What its columns could not hold, and columns that Phase 2 does not have.
    pub(super) extra: Map<String, Value>,
    /// When what it belongs to last changed.
    pub(super) changed_at: i64,
    /// Whether it was kept as it was, in the imported log of its table.
    pub(super) is_kept: bool,
}

/// See the module.
pub(super) struct Rows<'a> {
    depot: &'a dyn Depot,
    position: Position,
    table: &'static Table,
    family: &'static Family,
    mapping: Mapping,
    /// Rows of this table that were kept as they were come first: what an aggregate says of the same row goes before.
    kept: Option<StreamName>,
    streams: Vec<StreamName>,
    done: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn of(
        depot: &'a dyn Depot,
        table: &'static Table,
        position: Position,
    ) -> Result<Self, ImportError> {
        let (family, mapping) =
            mapping_of(table.name).expect("every table belongs to a family, which a test sees to");
        let log = depot.log();
        let kept = StreamName::new(fleet::imported_log::AGGREGATE_TYPE, table.name);
        let streams = match mapping.seen {
            Seen::LogRow => Vec::new(),
            _ => log.streams_of_type(mapping.aggregate),
        };
        Ok(Rows {
            depot,
            position,
            table,
            family,
            mapping,
            kept: log.stream(&kept).is_some().then_some(kept),
            streams,
            done: 0,
        })
    }

    /// Streams that are looked through.
    pub(super) fn total(&self) -> u64 {
        self.streams.len() as u64
    }

    /// Streams that were.
    pub(super) fn done(&self) -> u64 {
        self.done as u64
    }

    /// The next rows; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Row>>, ImportError> {
        if let Some(kept) = self.kept.take() {
            return self.kept_rows(&kept).map(Some);
        }
        let streams = self.streams.iter().skip(self.done).take(STREAMS_AT_ONCE);
        let mut rows = Vec::new();
        let mut count = 0;
        for stream in streams {
            count += 1;
            self.rows_of(stream, &mut rows)?;
        }
        self.done += count;
        Ok((count > 0).then_some(rows))
    }

    fn kept_rows(&self, stream: &StreamName) -> Result<Vec<Row>, ImportError> {
        let mut rows = Vec::new();
        let mut take = |_: Option<RowName>, _: &str, data: &Map<String, Value>| {
            let Some(Value::Object(row)) = data.get("row") else {
                return;
            };
            let mut values = row.clone();
            let extra = values.remove("extra");
            rows.push(Row {
                key: data
                    .get("key")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                values,
                extra: object(extra),
                changed_at: 0,
                is_kept: true,
            });
        };
        of_stream(self.depot, stream, self.position, &mut take).map_err(ImportError::Read)?;
        Ok(rows)
    }

    fn rows_of(&self, stream: &StreamName, rows: &mut Vec<Row>) -> Result<(), ImportError> {
        let mut origin = None;
        let mut accesses: Vec<Map<String, Value>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let wants_events = matches!(self.mapping.seen, Seen::Event(_));
        let mut take = |source: Option<RowName>, event_type: &str, data: &Map<String, Value>| {
            if wants_events && event_type == fleet::document::schema::ACCESSED {
                let native = data.get("access_id").and_then(Value::as_str);
                let Some(key) = source.map(|(_, key)| key).or(native.map(str::to_owned)) else {
                    return;
                };
                let mut access = data.clone();
                access.insert("access_id".to_owned(), key.as_str().into());
                match places.get(&key) {
                    // Told anew: the last counts.
                    Some(place) => accesses[*place] = access,
                    None => {
                        places.insert(key, accesses.len());
                        accesses.push(access);
                    }
                }
            } else if origin.is_none() {
                origin = source.map(|(table, _)| table);
            }
        };
        let held =
            of_stream(self.depot, stream, self.position, &mut take).map_err(ImportError::Read)?;
        if !held.state.exists() && held.account.is_none() {
            return Ok(());
        }
        match self.mapping.seen {
            Seen::State => {
                // Moves came from two tables, and go back to theirs.
                let is_move = self.mapping.aggregate == fleet::stock_move::AGGREGATE_TYPE;
                let was_used = origin.as_deref() == Some("used_parts");
                if !is_move || was_used == (self.table.name == "used_parts") {
                    rows.push(self.row(stream, &held, |name| held.value(name)));
                }
            }
            Seen::Account => {
                let members = account(&held).unwrap_or_default();
                rows.push(self.row(stream, &held, |name| members.get(name).cloned()));
            }
            Seen::Item(list, _) => {
                for item in held.state.record.items(list) {
                    rows.push(self.row(stream, &held, |name| item.get(name).cloned()));
                }
            }
            Seen::Line(list) => {
                let lines = held.state.get(list);
                for line in lines
                    .as_ref()
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    rows.push(self.row(stream, &held, |name| line.get(name).cloned()));
                }
            }
            Seen::Event(_) => {
                for access in accesses {
                    rows.push(self.row(stream, &held, |name| access.get(name).cloned()));
                }
            }
            Seen::LogRow => {}
        }
        Ok(())
    }

    fn row(&self, stream: &StreamName, held: &Held, value: impl Fn(&str) -> Option<Value>) -> Row {
        let mut row = Row {
            extra: object(value("extra")),
            changed_at: held.latest.unwrap_or(0),
            ..Row::default()
        };
        for column in self.table.columns {
            let field = self.mapping.field_name(column.name);
            let value = match field {
                "" => self.implied(column.name, stream, held),
                field => value(field),
            };
            if let Some(value) = value.filter(|value| !value.is_null()) {
                row.values.insert(column.name.to_owned(), value);
            }
        }
        let key = row.values.get(self.table.key);
        row.key = key.and_then(Value::as_str).unwrap_or_default().to_owned();
        row
    }

    /// What the stream's own name says: the row's id, or the parent's in a row that belongs to it.
    fn implied(&self, column: &str, stream: &StreamName, held: &Held) -> Option<Value> {
        let mut children = self.family.children.iter();
        let is_reference = children
            .find(|child| child.mapping.table.name == self.table.name)
            .is_some_and(|child| child.refers_by == column);
        match is_reference && self.family.key != self.family.parent.table.key {
            true => held
                .value(self.family.key)
                .or_else(|| Some((*stream.aggregate_id).into())),
            false => Some(held.uuid(stream).to_string().into()),
        }
    }
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
