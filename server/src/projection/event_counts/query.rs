//! Answers from the counts by type and day.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use fleet::alias;
use storage::Timestamp;

use super::{DAY_MICROS, EventCountsModel, Row, day_of};
use crate::projection::projector::read;
use crate::projection::read_model::{Answer, Published};
use crate::rfc3339;

/// Counts of events by type and day. Cheap to clone; every answer says which position it reflects.
#[derive(Clone, Debug, Default)]
pub struct EventCounts {
    pub(in crate::projection) shared: Arc<RwLock<Published<EventCountsModel>>>,
}

/// A UTC day. Shown as `2019-03-10`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day(i32);

impl Day {
    /// The day of this moment.
    pub fn of(time: Timestamp) -> Self {
        Day(day_of(time))
    }

    /// Its first microsecond.
    pub fn start(self) -> Timestamp {
        Timestamp::from_micros(i64::from(self.0).saturating_mul(DAY_MICROS))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = rfc3339::to_string(self.start());
        formatter.write_str(text.split('T').next().unwrap_or_default())
    }
}

/// Events that happened on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCount {
    /// The day on which they happened.
    pub day: Day,
    /// How many.
    pub events: u64,
    /// How many of them were recorded only on a later day.
    pub late: u64,
}

/// Events of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCount {
    /// The type, in its canonical spelling.
    pub event_type: String,
    /// How many.
    pub events: u64,
    /// How many of them were recorded only on a later day than they happened.
    pub late: u64,
    /// The first day on which one happened.
    pub first_day: Day,
    /// The last day on which one happened.
    pub last_day: Day,
}

impl EventCounts {
    /// The days from `from` to `to` (both inclusive, `None` being unbounded) on which an event of this type, in either
    /// spelling, happened; of any type without one. In order; days without an event are not among them.
    pub fn by_day(
        &self,
        event_type: Option<&str>,
        from: Option<Day>,
        to: Option<Day>,
    ) -> Answer<Vec<DayCount>> {
        let shared = read(&self.shared);
        let model = &shared.model;
        let first = from.map_or(i32::MIN, |day| day.0);
        let last = to.map_or(i32::MAX, |day| day.0);
        let mut days: BTreeMap<i32, DayCount> = BTreeMap::new();
        if first <= last {
            let types = match event_type {
                None => 0..model.by_day.len(),
                Some(name) => model
                    .type_names
                    .find(alias::canonical(name))
                    .map_or(0..0, |name| name..name + 1),
            };
            let numbers = model.by_day[types]
                .iter()
                .flat_map(|by_day| by_day.range(first..=last));
            for (day, row) in
                numbers.filter_map(|(day, number)| Some((*day, model.rows.get(*number)?)))
            {
                let count = days.entry(day).or_insert(DayCount {
                    day: Day(day),
                    events: 0,
                    late: 0,
                });
                count.events += row.events;
                count.late += row.late;
            }
        }
        Answer {
            position: shared.position,
            value: days.into_values().collect(),
        }
    }

    /// Every type that occurred, in the order of their names.
    pub fn by_type(&self) -> Answer<Vec<TypeCount>> {
        let shared = read(&self.shared);
        let mut types: BTreeMap<&str, TypeCount> = BTreeMap::new();
        for row in shared.model.rows.iter() {
            let Row {
                event_type,
                day,
                events,
                late,
            } = row;
            let count = types.entry(event_type).or_insert_with(|| TypeCount {
                event_type: event_type.to_string(),
                events: 0,
                late: 0,
                first_day: Day(*day),
                last_day: Day(*day),
            });
            count.events += events;
            count.late += late;
            count.first_day = count.first_day.min(Day(*day));
            count.last_day = count.last_day.max(Day(*day));
        }
        let value = types.into_values().collect();
        Answer {
            position: shared.position,
            value,
        }
    }
}
