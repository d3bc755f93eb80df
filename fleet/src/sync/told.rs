//! What an event of the log changes in what tablets hold.
//!
//! The same event always tells the same against the same state, so a replay of the log makes the same entities. An event
//! that is late (it happened before the write that stands) changes nothing, as in the fold of the read models.
//!
//! A field that only rises is what its readings come to, which are kept beside the entity ([`Readings`]). Where that falls,
//! because a reading was corrected or the entity lives anew, an epoch is told of.

use std::collections::BTreeSet;

use crdt::collapsed::{CollapsedEntity, CollapsedField, CollapsedRegister};
use crdt::json::value_from_json;
use crdt::{Change, EntityTable, FieldRow, Kind, Stamp, Value};
use serde_json::Value as Json;

use super::readings::{Readings, only_rises};
use super::tables::IS_DELETED;
use crate::event::EventView;
use crate::fold::{Effect, effects};
use crate::registry::{KnownEvent, registry};
use crate::schema::check::integer;
use crate::schema::{Sets, canonical_data};

/// The changes that an event tells, field numbers with them.
pub type Told = Vec<(u16, Change)>;

/// A time of the log as a stamp: its microseconds below the millisecond are the counter.
pub fn stamp_of(micros: i64) -> Stamp {
    let Ok(micros) = u64::try_from(micros) else {
        return Stamp::ZERO;
    };
    let millis = (micros / 1_000).min(Stamp::MILLIS_MAX);
    Stamp::new(millis, u16::try_from(micros % 1_000).unwrap_or(0))
}

/// What `event` tells of the entity, as it is now. Keys that the table lacks and values that do not fit tell nothing.
///
/// `readings` are the entity's, this event included; of a table that has none any will do.
pub fn told(
    table: &'static EntityTable,
    entity: &CollapsedEntity,
    event: &EventView<'_>,
    readings: &Readings,
) -> Told {
    let known = registry().event(event.aggregate_type, event.event_type);
    let mut teller = Teller {
        table,
        entity,
        known,
        stamp: stamp_of(event.occurred_at),
        told: Vec::new(),
    };
    match known {
        Some(known) => {
            let data = canonical_data(known.aggregate, known.event, event.schema, event.data);
            effects(known, &data, &mut |effect| teller.tell(&effect));
            teller.tell_life(event, known.event.begins);
        }
        None => {
            let aggregate = registry().aggregate(event.aggregate_type);
            let event_type = event.canonical_type();
            for (key, value) in event.data {
                if aggregate.is_none_or(|aggregate| !aggregate.is_reserved(event_type, key)) {
                    teller.set(key, value);
                }
            }
            teller.tell_life(event, false);
        }
    }
    teller.tell_readings(readings);
    teller.told
}

/// Whether the aggregate's life ends with the event, or begins; `None` where it does neither.
pub(super) fn ends_life(event: &EventView<'_>, begins: bool) -> Option<bool> {
    match event.canonical_type().strip_prefix(event.aggregate_type) {
        Some("Created") => Some(false),
        Some("Deleted") => Some(true),
        _ => begins.then_some(false),
    }
}

/// Whether events of this type correct the field.
fn corrects(known: KnownEvent, row: &FieldRow) -> bool {
    let mut fields = known.event.fields.iter();
    fields.any(|field| matches!(field.sets, Sets::Corrects(key) if key == row.name))
}

/// The correction epoch and the reading of a field that only rises.
fn reading(entity: &CollapsedEntity, row: &FieldRow) -> (u32, Option<i64>) {
    match entity.field(row.number) {
        Some(CollapsedField::Max(reading, _)) => (reading.epoch(), reading.value()),
        _ => (0, None),
    }
}

struct Teller<'a> {
    table: &'static EntityTable,
    entity: &'a CollapsedEntity,
    known: Option<KnownEvent>,
    stamp: Stamp,
    told: Told,
}

impl Teller<'_> {
    fn tell(&mut self, effect: &Effect<'_>) {
        match effect {
            Effect::Set(key, value) => self.set(key, value),
            // See `tell_readings`.
            Effect::Correct(..) => {}
            Effect::Add { total, delta, .. } => {
                let row = self.table.field_named(total.key);
                if let (Some(row), Some(delta)) = (row, integer(delta))
                    && matches!(row.kind, Kind::Counter)
                {
                    self.told.push((row.number, Change::Add(delta)));
                }
            }
            Effect::AddEach(..) => {}
            Effect::Put { list, name, fields } => self.put(list, name, fields),
            Effect::Remove { list, name } => {
                let row = self.table.field_named(list);
                if let Some(row) = row.filter(|row| matches!(row.kind, Kind::Map { .. })) {
                    let key = Value::text(name);
                    self.told.push((row.number, Change::Drop { key }));
                }
            }
        }
    }

    fn set(&mut self, key: &str, json: &Json) {
        let Some(row) = self.table.field_named(key) else {
            return;
        };
        match row.kind {
            Kind::Lww(of) | Kind::MultiValue(of) => {
                if let Ok(value) = value_from_json(json, &of)
                    && !self.is_late(self.register(row))
                {
                    self.push(row, Change::Set(value));
                }
            }
            // See `tell_readings`.
            Kind::Max => {}
            Kind::Counter | Kind::GrowCounter => {
                let held = match self.entity.field(row.number) {
                    Some(CollapsedField::Counter(sum, _)) => *sum,
                    _ => 0,
                };
                if let Some(amount) = integer(json).and_then(|to| to.checked_sub(held)) {
                    self.push(row, Change::Add(amount));
                }
            }
            Kind::Flag => match json {
                Json::Bool(true) => self.push(row, Change::Enable),
                Json::Bool(false) => self.push(row, Change::Disable),
                _ => {}
            },
            Kind::Set(of) => {
                let wanted: BTreeSet<Value> = json
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|item| value_from_json(item, &of).ok())
                    .filter(|value| !value.is_null())
                    .collect();
                let held: BTreeSet<Value> = match self.entity.field(row.number) {
                    Some(CollapsedField::Set(set)) => set.members().cloned().collect(),
                    _ => BTreeSet::new(),
                };
                for gone in held.difference(&wanted) {
                    self.push(row, Change::Remove(gone.clone()));
                }
                for new in wanted.difference(&held) {
                    self.push(row, Change::Insert(new.clone()));
                }
            }
            Kind::Map { .. } => {}
        }
    }

    fn put(&mut self, list: &str, name: &str, fields: &[(&str, &Json)]) {
        let Some(row) = self.table.field_named(list) else {
            return;
        };
        let Kind::Map { items, .. } = row.kind else {
            return;
        };
        let key = Value::text(name);
        for (field, json) in fields {
            let Some(item) = items.iter().find(|item| item.name == *field) else {
                continue;
            };
            let Kind::MultiValue(of) = item.kind else {
                continue;
            };
            let held = match self.entity.field(row.number) {
                Some(CollapsedField::Map(map)) => map.get(&key),
                _ => None,
            };
            let held = held.and_then(|held| held.field(item.number));
            if let Ok(value) = value_from_json(json, &of)
                && !self.is_late(held)
            {
                let (key, field) = (key.clone(), item.number);
                self.push(row, Change::Put { key, field, value });
            }
        }
    }

    fn tell_life(&mut self, event: &EventView<'_>, begins: bool) {
        let Some(row) = self.table.field_named(IS_DELETED) else {
            return;
        };
        let is_deleted = self
            .register(row)
            .and_then(CollapsedRegister::winner)
            .is_some_and(|write| write.value == Value::Bool(true));
        let Some(ends) = ends_life(event, begins) else {
            return;
        };
        if ends != is_deleted && !self.is_late(self.register(row)) {
            self.push(row, Change::Set(Value::Bool(ends)));
        }
    }

    /// What readings come to. One that does not count, because it is late or others are higher, tells nothing.
    fn tell_readings(&mut self, readings: &Readings) {
        for row in self.table.fields.iter().filter(|row| only_rises(row)) {
            let Some(value) = readings.value(row) else {
                continue;
            };
            let (epoch, held) = reading(self.entity, row);
            let is_first_correction =
                epoch == 0 && self.known.is_some_and(|known| corrects(known, row));
            let epoch = match held {
                Some(held) if held > value => epoch.saturating_add(1),
                // Also where the reading stays as it is.
                _ if is_first_correction => 1,
                Some(held) if held == value => continue,
                _ => epoch,
            };
            self.push(row, Change::Raise { epoch, value });
        }
    }

    fn push(&mut self, row: &FieldRow, change: Change) {
        if change.check(row).is_ok() {
            self.told.push((row.number, change));
        }
    }

    fn register(&self, row: &FieldRow) -> Option<&CollapsedRegister> {
        match self.entity.field(row.number) {
            Some(CollapsedField::Register(register)) => Some(register),
            _ => None,
        }
    }

    fn is_late(&self, register: Option<&CollapsedRegister>) -> bool {
        let winner = register.and_then(CollapsedRegister::winner);
        winner.is_some_and(|winner| winner.stamp > self.stamp)
    }
}
