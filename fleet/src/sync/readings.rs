//! What fields come to that only rise ([`Kind::Max`]).
//!
//! Which of the readings counts is told by when they were read: a correction makes void what was read before it, and a new life
//! what was read in an earlier one, in whatever order the two arrive. An entity keeps no times of readings, so they are kept
//! beside it from its first event on, as few as [`Highest`] needs: one, as long as readings rise.
//!
//! Whatever the order of the events, a field comes to what they fold to for the read models.

use crdt::{EntityTable, FieldRow, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::told::ends_life;
use crate::event::{EventView, Stamp};
use crate::fold::{Effect, Highest, State, effects, fold};
use crate::registry::registry;
use crate::schema::canonical_data;
use crate::schema::check::integer;

/// The readings of one entity.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Readings {
    /// By the numbers of the fields.
    rows: Vec<(u16, Highest)>,
    last_created: Option<Stamp>,
    last_deleted: Option<Stamp>,
}

/// Whether entities of this table have fields that only rise.
pub fn has_readings(table: &EntityTable) -> bool {
    table.fields.iter().any(only_rises)
}

/// Whether the field only rises.
pub(super) fn only_rises(row: &FieldRow) -> bool {
    matches!(row.kind, Kind::Max)
}

impl Readings {
    /// Takes in an event of the entity. Each must be taken in once; in which order does not matter.
    pub fn take(&mut self, table: &EntityTable, event: &EventView<'_>) {
        let stamp = event.stamp();
        let begins = match registry().event(event.aggregate_type, event.event_type) {
            Some(known) => {
                let data = canonical_data(known.aggregate, known.event, event.schema, event.data);
                effects(known, &data, &mut |effect| match effect {
                    Effect::Set(key, value) => {
                        if let Some((highest, value)) = self.said(table, key, value) {
                            highest.read(value, stamp);
                        }
                    }
                    Effect::Correct(key, value) => {
                        if let Some((highest, value)) = self.said(table, key, value) {
                            highest.correct(value, stamp);
                        }
                    }
                    Effect::Add { .. }
                    | Effect::AddEach(..)
                    | Effect::Put { .. }
                    | Effect::Remove { .. } => {}
                });
                known.event.begins
            }
            None => {
                let alone = fold(State::default(), event);
                for row in table.fields.iter().filter(|row| only_rises(row)) {
                    if let Some(value) = alone.integer(row.name) {
                        self.of(row.number).read(value, stamp);
                    }
                }
                false
            }
        };
        match ends_life(event, begins) {
            Some(false) => self.last_created = self.last_created.max(Some(stamp)),
            Some(true) => self.last_deleted = self.last_deleted.max(Some(stamp)),
            None => {}
        }
    }

    /// What the field comes to; `None` where nothing was read in this life.
    pub fn value(&self, row: &FieldRow) -> Option<i64> {
        let mut rows = self.rows.iter();
        let (_, highest) = rows.find(|(number, _)| *number == row.number)?;
        highest.value_since(self.seen_from())
    }

    /// What was read at or before this stamp belongs to an earlier life.
    fn seen_from(&self) -> Stamp {
        match (self.last_deleted, self.last_created) {
            (Some(deleted), Some(created)) if created >= deleted => deleted,
            _ => Stamp::NEVER,
        }
    }

    /// The field that a key is, and what it is said to be; `None` where that is no such field, or no whole number.
    fn said(
        &mut self,
        table: &EntityTable,
        key: &str,
        value: &Json,
    ) -> Option<(&mut Highest, i64)> {
        let row = table.field_named(key).filter(|row| only_rises(row))?;
        let value = integer(value)?;
        Some((self.of(row.number), value))
    }

    fn of(&mut self, row: u16) -> &mut Highest {
        let place = self.rows.iter().position(|(number, _)| *number == row);
        let place = place.unwrap_or_else(|| {
            // A table has one of them, if any.
            self.rows.reserve_exact(1);
            self.rows.push((row, Highest::default()));
            self.rows.len() - 1
        });
        &mut self.rows[place].1
    }
}
