//! How many events of each type happened on each UTC day, and how many of them were recorded only after that day.
//!
//! Needs no payload: type and both times stand in the record. A type has one spelling here, the canonical one.

mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use fleet::alias;
use hashbrown::HashMap;
use storage::{EventRef, Timestamp};

pub use query::{Day, DayCount, EventCounts, TypeCount};

use super::payload::NameList;
use super::read_model::{FoldError, ReadModel};
use super::rows::{RowNumber, Rows};

const DAY_MICROS: i64 = 86_400_000_000;

/// One type on one day.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Row {
    event_type: Arc<str>,
    /// Days since 1970-01-01, UTC.
    day: i32,
    events: u64,
    /// Recorded on a later day than they happened.
    late: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct EventCountsModel {
    rows: Rows<Row>,
    type_names: NameList,
    /// By the number of the type's name: the row of each day.
    by_day: Vec<BTreeMap<i32, RowNumber>>,
}

/// Counts of the current batch.
#[derive(Default)]
pub(super) struct Draft {
    type_names: NameList,
    /// By (number of the type's name in this draft, day): where in `counts`.
    places: HashMap<(usize, i32), usize>,
    /// In order of first appearance: new rows are numbered in it.
    counts: Vec<Row>,
    /// Where the last event was counted: the next one is mostly of the same type and day.
    latest: Option<usize>,
}

impl Default for EventCountsModel {
    fn default() -> Self {
        Self::from_rows(Rows::new(Self::ROWS_PER_PAGE))
    }
}

impl ReadModel for EventCountsModel {
    const NAME: &'static str = "event_counts";
    const ALIASES: &'static [&'static str] = &["EventCountsProjection", "event_counts_projection"];
    const FORMAT: u16 = 1;
    const ROWS_PER_PAGE: usize = 256;

    type Row = Row;
    type Draft = Draft;
    type Patch = Vec<Row>;

    fn handled_event_types() -> Vec<String> {
        vec!["*".to_owned()]
    }

    fn fold(&self, draft: &mut Draft, event: &EventRef<'_>) -> Result<bool, FoldError> {
        let event_type = alias::canonical(event.event_type());
        let day = day_of(event.occurred_at());
        let place = draft.place(event_type, day);
        let row = &mut draft.counts[place];
        row.events += 1;
        row.late += u64::from(day_of(event.recorded_at()) > day);
        Ok(true)
    }

    fn changed(draft: &Draft) -> usize {
        draft.counts.len()
    }

    fn seal(draft: &mut Draft) -> Vec<Row> {
        draft.places.clear();
        draft.latest = None;
        std::mem::take(&mut draft.counts)
    }

    fn publish(&mut self, patch: Vec<Row>) {
        for counted in patch {
            let name = self.type_names.find(&counted.event_type);
            let known = name.and_then(|name| self.by_day.get(name)?.get(&counted.day).copied());
            match known.and_then(|number| self.rows.get_mut(number)) {
                Some(row) => {
                    row.events += counted.events;
                    row.late += counted.late;
                }
                None => {
                    let number = self.rows.push(counted);
                    self.index(number);
                }
            }
        }
    }

    fn rows(&self) -> &Rows<Row> {
        &self.rows
    }

    fn rows_mut(&mut self) -> &mut Rows<Row> {
        &mut self.rows
    }

    fn from_rows(rows: Rows<Row>) -> Self {
        let mut model = EventCountsModel {
            rows,
            type_names: NameList::default(),
            by_day: Vec::new(),
        };
        for number in model.rows.numbers() {
            model.index(number);
        }
        model
    }

    fn is_sound(_: &Row) -> bool {
        true
    }
}

impl Draft {
    /// Where this type is counted on this day.
    fn place(&mut self, event_type: &str, day: i32) -> usize {
        if let Some(latest) = self.latest
            && let Some(row) = self.counts.get(latest)
            && row.day == day
            && *row.event_type == *event_type
        {
            return latest;
        }
        let number = self.type_names.number(event_type);
        let counts = &mut self.counts;
        let place = *self.places.entry((number, day)).or_insert_with(|| {
            let event_type = self
                .type_names
                .get(number)
                .map_or_else(|| "".into(), Arc::clone);
            counts.push(Row {
                event_type,
                day,
                events: 0,
                late: 0,
            });
            counts.len() - 1
        });
        self.latest = Some(place);
        place
    }
}

impl EventCountsModel {
    /// Makes a row findable that is not yet.
    fn index(&mut self, number: RowNumber) {
        let Some(row) = self.rows.get_unmarked_mut(number) else {
            return;
        };
        row.event_type = self.type_names.shared(&row.event_type);
        let name = self.type_names.number(&row.event_type);
        if self.by_day.len() <= name {
            self.by_day.resize_with(name + 1, BTreeMap::new);
        }
        self.by_day[name].insert(row.day, number);
    }
}

/// The UTC day, as days since 1970-01-01.
fn day_of(time: Timestamp) -> i32 {
    // 292,000 years of microseconds are 107 million days.
    i32::try_from(time.micros().div_euclid(DAY_MICROS)).unwrap_or(i32::MAX)
}
