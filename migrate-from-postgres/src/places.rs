//! Rows that do not go by the business key that they have now: the log has their history under another, or the key's history
//! is another row's. A history is not told twice, and no two rows share one.
//!
//! Every row is looked for by the id of the event that began it, wherever that lies, and before that by the id with which
//! imports of earlier versions began it anew under another key. What is left to the key, and to [`crate::mapping`], are rows
//! that are not in the log.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use storage::{Log, ReadError, ReadRequest, StreamName, StreamRange};
use uuid::Uuid;

use crate::checks::{BUSINESS_KEYS, SharedKeys};
use crate::depot::Depot;
use crate::error::ImportError;
use crate::finding::Treatment;
use crate::gone::absent_of;
use crate::held::source_of;
use crate::ids;
use crate::mapping::mapping_of;
use crate::read::narrowed;
use crate::run::OnlyKeys;
use crate::shape::{FoundColumn, Shape, quoted};
use crate::source::Source;

/// Where a row goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The id of its aggregate.
    pub(crate) id: String,
    /// What is to be said of it.
    pub(crate) why: Treatment,
}

/// Places by the table and the key of the row.
pub(crate) type Places = HashMap<(&'static str, String), Place>;

/// Finds the places of the rows that do not go by their business key, among those that `only_keys` narrows to, or all.
///
/// # Errors
/// Those of the source; `Read`; `Stopped`.
pub(crate) async fn look(
    source: &mut Source,
    shape: &Shape,
    depot: &dyn Depot,
    only_keys: Option<OnlyKeys<'_>>,
    shared_keys: &SharedKeys,
    stop: &AtomicBool,
) -> Result<Places, ImportError> {
    let log = depot.log();
    let mut places = Places::new();
    if !may_have_rows(log) {
        return Ok(places);
    }
    for (table, column) in BUSINESS_KEYS {
        let (Some(found), Some((family, mapping))) = (shape.get(table), mapping_of(table)) else {
            continue;
        };
        let keys = match only_keys {
            None => None,
            Some(only) => match only(shape, family) {
                // None of its rows is asked for.
                None => continue,
                keys => keys,
            },
        };
        let condition = match narrowed(family.key, keys.as_deref()) {
            condition if condition.is_empty() => condition,
            condition => format!(" WHERE {condition}"),
        };
        // As the row itself is read: a cast would cut the blanks that a column of a fixed width ends with.
        let is_cast = |place: &FoundColumn| place.column.name == column && place.as_text;
        let cast = match found.columns.iter().any(is_cast) {
            true => "::text",
            false => "",
        };
        let statement = format!(
            "SELECT t.{}::text, t.{}{cast} FROM public.{} t{condition}",
            quoted(found.table.key),
            quoted(column),
            quoted(table)
        );
        let mut looking = Looking {
            log,
            table,
            aggregate: mapping.aggregate,
            shared_keys,
            places: &mut places,
            owned: Vec::new(),
        };
        let what = format!("looking what the log has of {table}");
        let mut rows = source.copy(&statement, &what).await?;
        while rows.advance().await? {
            // For a row that is new, the whole history of its key may have to be read.
            if stop.load(Ordering::Relaxed) {
                return Err(ImportError::Stopped);
            }
            let (row, key) = (key_text(rows.field(0)), text(rows.field(1)));
            looking.take(row, &key).map_err(ImportError::Read)?;
        }
        source.reuse(rows);
        let owners = looking.owned.iter().map(|(_, owner)| owner.clone());
        let owners: Vec<String> = owners.collect();
        let gone = absent_of(source, shape, table, &owners).await?;
        looking.leave_to_owners(&gone);
    }
    Ok(places)
}

/// The rows of a table being looked for in the log.
struct Looking<'a> {
    log: &'a Log,
    table: &'static str,
    aggregate: &'static str,
    shared_keys: &'a SharedKeys,
    places: &'a mut Places,
    /// Rows whose key is that of a history which another row began, and that row.
    owned: Vec<(String, String)>,
}

impl Looking<'_> {
    /// Looks for a row with this business key, which is empty where it has none.
    fn take(&mut self, row: String, key: &str) -> Result<(), ReadError> {
        let key = Some(key).filter(|key| is_usable(key));
        if let Some(id) = self.kept_at(&row, key)? {
            let is_shared = |key: &str| {
                let named = (self.table, key.to_owned());
                self.shared_keys.contains_key(&named)
            };
            if let Some(why) = reason(&id, &row, key, is_shared) {
                self.places.insert((self.table, row), Place { id, why });
            }
            return Ok(());
        }
        let Some(key) = key else {
            return Ok(());
        };
        let stream = StreamName::new(self.aggregate, key);
        if let Some(owner) = owner_of(self.log, &stream, self.table)?
            && owner != row
        {
            self.owned.push((row, owner));
        }
        Ok(())
    }

    /// The id of the aggregate that has the row's history and was kept up to date; `None` where the row is not in the log.
    ///
    /// Imports of earlier versions began a row whose key had changed once more, under the new one, or under its UUID where
    /// another row had that, and went on there. This version moves no creation.
    fn kept_at(&self, row: &str, key: Option<&str>) -> Result<Option<String>, ReadError> {
        let Some(begun) = begun_by(self.log, self.aggregate, self.table, row)? else {
            return Ok(None);
        };
        let first = ids::event_id(self.table, row, "created");
        for id in key.into_iter().chain([row]) {
            let moved = ids::moved_id(first, &StreamName::new(self.aggregate, id));
            if self.log.position_of(moved)?.is_some() {
                return Ok(Some(id.to_owned()));
            }
        }
        Ok(Some(begun))
    }

    /// Rows whose key is another's go by their own UUIDs. Who is gone there leaves its history to whoever has the key now.
    fn leave_to_owners(self, gone: &HashSet<String>) {
        for (row, owner) in self.owned {
            if gone.contains(&owner) {
                continue;
            }
            let place = Place {
                id: row.clone(),
                why: Treatment::KeyTaken,
            };
            self.places.insert((self.table, row), place);
        }
    }
}

/// Why a row goes by this id; `None` where that is just what it goes by without anything in the log. `key` is the business
/// key that it could go by.
fn reason(
    id: &str,
    row: &str,
    key: Option<&str>,
    is_shared: impl Fn(&str) -> bool,
) -> Option<Treatment> {
    match key {
        Some(key) if key == id => None,
        Some(key) if id == row && is_shared(key) => Some(Treatment::KeyTaken),
        None if id == row => None,
        _ => Some(Treatment::KeyChanged),
    }
}

/// Whether an aggregate can go by this key.
pub(crate) fn is_usable(key: &str) -> bool {
    !key.is_empty() && key.len() <= storage::AGGREGATE_ID_BYTES_MAX
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

/// What names a row, as [`Row::key`](crate::row::Row::key) spells it.
fn key_text(bytes: Option<&[u8]>) -> String {
    let text = text(bytes);
    match Uuid::try_parse(&text) {
        Ok(uuid) => uuid.hyphenated().to_string(),
        Err(_) => text,
    }
}

/// Whether the log may have rows: an import says that it began before it appends any. Where none did, what the old system's own
/// events tell of a key is no row's history, however long it is.
fn may_have_rows(log: &Log) -> bool {
    let imports = log.streams_of_type(fleet::import::AGGREGATE_TYPE);
    !imports.is_empty()
}

/// The id of the aggregate that an import began with this row first.
fn begun_by(
    log: &Log,
    aggregate: &str,
    table: &str,
    row: &str,
) -> Result<Option<String>, ReadError> {
    let Some(position) = log.position_of(ids::event_id(table, row, "created"))? else {
        return Ok(None);
    };
    let mut reader = log.read(&ReadRequest::at(position))?;
    let event = reader.next().transpose()?;
    let stream = event.map(|event| event.stream().to_name());
    let stream = stream.filter(|stream| *stream.aggregate_type == *aggregate);
    Ok(stream.map(|stream| stream.aggregate_id.into_string()))
}

/// The key of the row of this table that an import made the first such event of a stream of.
fn owner_of(log: &Log, stream: &StreamName, table: &str) -> Result<Option<String>, ReadError> {
    let mut reader = log.read_stream(stream, &StreamRange::default());
    while let Some(event) = reader.next() {
        if let Some((of, key)) = source_of(event?.metadata())
            && of == table
        {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
