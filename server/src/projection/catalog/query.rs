//! Answers from the present state of every stream: one by its name, and streams in the order in which they began. Lists
//! of an aggregate type's rows are in [`page`].

use std::sync::{Arc, RwLock};

use fleet::listing::row_uuid;
use fleet::schema::{Sensitivity, Sets};
use fleet::{Folded, registry};
use serde_json::{Map, Value};
use storage::{Position, Timestamp, Version};
use uuid::Uuid;

use super::{CatalogModel, Row};
use crate::projection::projector::read;
use crate::projection::read_model::{Answer, Published};
use crate::projection::rows::RowNumber;
use crate::projection::workbench::unpack;

/// The present state of every stream. Cheap to clone; every answer says which position it reflects.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub(in crate::projection) shared: Arc<RwLock<Published<CatalogModel>>>,
}

/// An aggregate as the domain folds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its type.
    pub aggregate_type: Arc<str>,
    /// Its id within its type.
    pub aggregate_id: Arc<str>,
    /// Of its last event.
    pub version: Version,
    /// What its events fold to.
    pub folded: Folded,
}

impl Entry {
    /// The UUID of its row.
    pub fn uuid(&self) -> Uuid {
        row_uuid(&self.aggregate_type, &self.aggregate_id, &self.folded)
    }

    /// What it goes by: its business key as its events tell it now, where its id is the key under which it began; else its
    /// id.
    pub fn key(&self) -> &str {
        match registry().aggregate(&self.aggregate_type) {
            Some(aggregate) => aggregate.name_of(&self.aggregate_id, &self.folded),
            None => &self.aggregate_id,
        }
    }

    /// Its row as clients see it, with its `version`. `None` when it was never created, or deleted.
    pub fn row(&self) -> Option<Map<String, Value>> {
        let aggregate = registry().aggregate(&self.aggregate_type)?;
        let mut row = (aggregate.listing.row)(&self.aggregate_id, &self.folded)?;
        row.insert("version".to_owned(), self.version.get().into());
        Some(row)
    }

    pub(super) fn of(row: &Row) -> Option<Self> {
        Some(Entry {
            aggregate_type: Arc::clone(&row.aggregate_type),
            aggregate_id: Arc::clone(&row.aggregate_id),
            version: Version::new(row.last.version),
            folded: unpack(&row.state)?,
        })
    }
}

/// A stream's state.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamState {
    /// The aggregate's type.
    pub aggregate_type: String,
    /// The aggregate's id within its type.
    pub aggregate_id: String,
    /// Of its last event; versions are dense, so this is how many events the stream has.
    pub version: Version,
    /// Of its last event.
    pub position: Position,
    /// When the event at `position` happened. Earlier ones may have happened later: they arrived in another order.
    pub occurred_at: Timestamp,
    /// When the event at `position` was recorded.
    pub recorded_at: Timestamp,
    /// Whether it is deleted; its last known values stay.
    pub deleted: bool,
    /// What its events fold to. Fields that are secret (password hashes) are not among them.
    pub state: Map<String, Value>,
}

/// Which streams are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateFilter {
    /// Of this aggregate type only.
    pub aggregate_type: Option<String>,
    /// With this text in their id, in any case.
    pub search: Option<String>,
    /// Deleted ones as well.
    pub include_deleted: bool,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatePage {
    /// In the order in which the streams began.
    pub streams: Vec<StreamState>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<u64>,
}

/// An aggregate type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSummary {
    /// Its name.
    pub aggregate_type: String,
    /// Its streams, deleted ones among them.
    pub streams: u64,
    /// Its deleted streams.
    pub deleted: u64,
    /// Its events.
    pub events: u64,
}

impl Catalog {
    /// What answers reflect now.
    pub fn position(&self) -> Position {
        read(&self.shared).position
    }

    /// One aggregate as the domain folds it, whether it exists or not.
    pub fn entry(&self, aggregate_type: &str, aggregate_id: &str) -> Answer<Option<Entry>> {
        self.row(|model| model.row_of(aggregate_type, aggregate_id))
    }

    /// The aggregate that exists with this id, UUID or business key, tried in this order. An id that is a business key names
    /// whoever goes by it now, before the one that began under it and has another since.
    pub fn find(&self, aggregate_type: &str, id: &str) -> Answer<Option<Entry>> {
        self.row(|model| {
            let of_type = model.of_type(aggregate_type)?;
            let table = of_type.table.as_ref()?;
            let by_id = |id: &str| {
                let number = model.find(aggregate_type, id)?;
                let ordinal = model.ordinals[number as usize];
                table.is_listed(ordinal).then_some(ordinal)
            };
            let uuid = Uuid::try_parse(id).ok();
            let by_uuid = || {
                let uuid = uuid?;
                table
                    .by_alias(uuid.as_u128())
                    .or_else(|| by_id(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer())))
            };
            let by_key = || (0..table.listing.keys.len()).find_map(|key| table.by_key(key, id));
            let own = by_id(id);
            let ordinal = own
                .filter(|own| uuid.is_some() || !table.is_renamed(*own))
                .or_else(by_uuid)
                .or_else(|| table.by_new_key(id))
                .or(own)
                .or_else(by_key)?;
            model.rows.get(of_type.rows[ordinal as usize])
        })
    }

    /// The id of the aggregate that goes by this business key and began under another.
    pub fn id_behind(&self, aggregate_type: &str, key: &str) -> Option<Arc<str>> {
        let entry = self.find(aggregate_type, key).value?;
        let is_behind = *entry.aggregate_id != *key && entry.key() == key;
        is_behind.then_some(entry.aggregate_id)
    }

    /// The names by which others may refer to this aggregate: its present key, and the one under which it began, as what was
    /// recorded before it got another says; not where another goes by that one now.
    pub fn names_of(&self, entry: &Entry) -> Vec<String> {
        let mut names = vec![entry.key().to_owned()];
        if *entry.key() != *entry.aggregate_id {
            let found = self.find(&entry.aggregate_type, &entry.aggregate_id);
            let is_its = |found: &Entry| found.aggregate_id == entry.aggregate_id;
            if found.value.as_ref().is_some_and(is_its) {
                names.push(entry.aggregate_id.to_string());
            }
        }
        names
    }

    /// The aggregate that exists with this value under one of its listing's keys.
    pub fn by_key(&self, aggregate_type: &str, key: &str, value: &str) -> Answer<Option<Entry>> {
        self.row(|model| {
            let of_type = model.of_type(aggregate_type)?;
            let table = of_type.table.as_ref()?;
            let key = table.listing.keys.iter().position(|known| *known == key)?;
            let ordinal = table.by_key(key, value)?;
            model.rows.get(of_type.rows[ordinal as usize])
        })
    }

    /// The highest number that ever stood behind `prefix` under this key, 0 when there was none.
    pub fn highest_number(&self, aggregate_type: &str, key: &str, prefix: &str) -> Answer<u64> {
        let shared = read(&self.shared);
        let highest = || {
            let table = shared.model.of_type(aggregate_type)?.table.as_ref()?;
            let key = table.listing.keys.iter().position(|known| *known == key)?;
            Some(table.highest_number(key, prefix))
        };
        Answer {
            position: shared.position,
            value: highest().unwrap_or(0),
        }
    }

    /// Unpacks one row, outside the lock.
    fn row(&self, find: impl FnOnce(&CatalogModel) -> Option<&Row>) -> Answer<Option<Entry>> {
        let (position, row) = {
            let shared = read(&self.shared);
            (shared.position, find(&shared.model).cloned())
        };
        Answer {
            position,
            value: row.and_then(|row| Entry::of(&row)),
        }
    }

    /// The state of one stream.
    pub fn get(&self, aggregate_type: &str, aggregate_id: &str) -> Answer<Option<StreamState>> {
        let (position, row) = {
            let shared = read(&self.shared);
            (
                shared.position,
                shared.model.row_of(aggregate_type, aggregate_id).cloned(),
            )
        };
        Answer {
            position,
            value: row.and_then(|row| answer(&row)),
        }
    }

    /// At most `limit` streams, from `cursor` on (the `next` of the part before). New streams come at the end, so that
    /// going from part to part neither misses nor repeats one.
    pub fn list(
        &self,
        filter: &StateFilter,
        cursor: Option<u64>,
        limit: usize,
    ) -> Answer<StatePage> {
        let from = RowNumber::try_from(cursor.unwrap_or(0)).unwrap_or(RowNumber::MAX);
        let (position, mut found) = {
            let shared = read(&self.shared);
            // One more than asked for tells whether there is a next part.
            (
                shared.position,
                shared
                    .model
                    .rows_from(filter, from, limit.saturating_add(1)),
            )
        };
        let next = found.get(limit).map(|(number, _)| u64::from(*number));
        found.truncate(limit);
        let streams = found.iter().filter_map(|(_, row)| answer(row)).collect();
        Answer {
            position,
            value: StatePage { streams, next },
        }
    }

    /// The aggregate types, in the order of their names.
    pub fn types(&self) -> Answer<Vec<TypeSummary>> {
        let shared = read(&self.shared);
        let model = &shared.model;
        let named = model
            .types
            .iter()
            .enumerate()
            .filter_map(|(name, of_type)| Some((model.type_names.get(name)?, of_type)));
        let mut types: Vec<TypeSummary> = named
            .map(|(name, of_type)| TypeSummary {
                aggregate_type: name.to_string(),
                streams: of_type.rows.len() as u64,
                deleted: of_type.deleted as u64,
                events: of_type.events,
            })
            .collect();
        types.sort_by(|left, right| left.aggregate_type.cmp(&right.aggregate_type));
        Answer {
            position: shared.position,
            value: types,
        }
    }

    /// The streams of a type by how many events they have, most first (then by id), `limit` of them: (id, events).
    pub fn busiest(&self, aggregate_type: &str, limit: usize) -> Answer<Vec<(String, u64)>> {
        let shared = read(&self.shared);
        let rows = &shared.model.rows;
        let numbers = shared.model.rows_of(aggregate_type);
        let mut found: Vec<&Row> = numbers
            .iter()
            .filter_map(|number| rows.get(*number))
            .collect();
        found.sort_by(|left, right| {
            right
                .last
                .version
                .cmp(&left.last.version)
                .then_with(|| left.aggregate_id.cmp(&right.aggregate_id))
        });
        let counted = found
            .iter()
            .take(limit)
            .map(|row| (row.aggregate_id.to_string(), u64::from(row.last.version)));
        Answer {
            position: shared.position,
            value: counted.collect(),
        }
    }
}

impl CatalogModel {
    fn rows_of(&self, aggregate_type: &str) -> &[RowNumber] {
        let name = self.type_names.find(aggregate_type);
        name.and_then(|name| self.types.get(name))
            .map_or(&[], |of_type| &of_type.rows)
    }

    fn rows_from(
        &self,
        filter: &StateFilter,
        from: RowNumber,
        limit: usize,
    ) -> Vec<(RowNumber, Row)> {
        let search = filter.search.as_ref().map(|text| text.to_lowercase());
        let wanted = |number: RowNumber| {
            let row = self.rows.get(number)?;
            let meant = (filter.include_deleted || !row.deleted)
                && search
                    .as_ref()
                    .is_none_or(|text| row.aggregate_id.to_lowercase().contains(text));
            meant.then(|| (number, row.clone()))
        };
        match &filter.aggregate_type {
            Some(aggregate_type) => {
                let rows = self.rows_of(aggregate_type);
                let first = rows.partition_point(|number| *number < from);
                rows[first..]
                    .iter()
                    .filter_map(|number| wanted(*number))
                    .take(limit)
                    .collect()
            }
            None => (from..self.rows.numbers().end)
                .filter_map(wanted)
                .take(limit)
                .collect(),
        }
    }
}

/// The row as it is answered; `None` when it cannot be unpacked, which loading rules out.
fn answer(row: &Row) -> Option<StreamState> {
    let mut state = unpack::<Folded>(&row.state)?.record.to_object();
    remove_secrets(&row.aggregate_type, &mut state);
    Some(StreamState {
        aggregate_type: row.aggregate_type.to_string(),
        aggregate_id: row.aggregate_id.to_string(),
        version: Version::new(row.last.version),
        position: Position::new(row.last.position),
        occurred_at: Timestamp::from_micros(row.last.occurred_at),
        recorded_at: Timestamp::from_micros(row.last.recorded_at),
        deleted: row.deleted,
        state,
    })
}

/// Takes out what nobody outside the service that wrote it may read.
fn remove_secrets(aggregate_type: &str, state: &mut Map<String, Value>) {
    let Some(aggregate) = registry().aggregate(aggregate_type) else {
        return;
    };
    for event in aggregate.events {
        for field in event
            .sensitive_fields()
            .filter(|field| field.sensitivity == Sensitivity::Secret)
        {
            state.remove(field.name);
            if let Sets::Key(key) = field.sets {
                state.remove(key);
            }
            for spelling in aggregate.spellings.iter().chain(event.spellings) {
                if spelling.meant == field.name {
                    state.remove(spelling.given);
                }
            }
        }
    }
}
