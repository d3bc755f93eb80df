//! What the log holds of the streams of a batch: each folded, by the same rules as everywhere.
//!
//! An import writes the streams of a batch one behind the other. So what a batch is compared with lies together in the log,
//! mostly, and is read in one go; streams that were written to later are read by themselves.

use std::borrow::Cow;
use std::collections::HashMap;

use fleet::listing::row_uuid;
use fleet::user::{self, UserState, events};
use fleet::{EventView, Folded};
use serde_json::{Map, Value};
use storage::{
    EventRef, Log, Position, ReadError, ReadRequest, StreamName, StreamRange, StreamRef, StreamTip,
};
use uuid::Uuid;

use crate::depot::Depot;
use crate::ids;
use crate::made::{Expected, Portion, SOURCE, Standing};
use crate::mapping::Seen;

/// Events read beside those that are asked for, at most, for each of those.
const BESIDE_FACTOR: u64 = 2;
/// Events read in one go in any case.
const TOGETHER_MIN: u64 = 2_000;

/// A stream as it is in the log.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// What the events fold to that count here.
    pub(crate) state: Folded,
    pub(crate) account: Option<UserState>,
    /// The events of imports, and their payloads where those are asked for.
    pub(crate) imported: HashMap<Uuid, Vec<u8>>,
    /// The row as clients see it, where no import wrote any of it.
    pub(crate) row: Map<String, Value>,
    /// Reports that no import made, by the keys of their rows.
    pub(crate) reports: HashMap<String, Map<String, Value>>,
    /// Whether any of the events was made of a row, and not of an event that the old system had stored itself.
    has_rows: bool,
    /// Events that no import made.
    pub(crate) native: u32,
    /// What events told of an account beside what it is: its row's own times.
    pub(crate) told: Map<String, Value>,
    /// How many events were read.
    count: u32,
    /// The version of its last event.
    pub(crate) version: u32,
    /// When the latest of them happened.
    pub(crate) latest: Option<i64>,
}

/// Which events count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counting {
    /// All up to a position.
    UpTo(Position),
    /// Those of imports, where there are any.
    Imported,
}

/// What the log holds of the streams of these portions, in their order.
///
/// # Errors
/// When the log cannot be read, or an event of these streams is damaged.
pub(crate) fn held(
    depot: &dyn Depot,
    portions: &[&Portion],
    counting: Counting,
) -> Result<Vec<Held>, ReadError> {
    let log = depot.log();
    let mut places: HashMap<StreamRef<'_>, usize> = HashMap::with_capacity(portions.len());
    let mut tips = Vec::with_capacity(portions.len());
    for (place, portion) in portions.iter().enumerate() {
        let tip = log.stream(&portion.stream).unwrap_or_default();
        tips.push(tip);
        if portion.standing != Standing::Log && tip.version.get() > 0 {
            places.insert(portion.stream.borrowed(), place);
        }
    }
    let mut held: Vec<Held> = portions.iter().map(|_| Held::default()).collect();
    if let Some(within) = Within::of(places.values().map(|place| tips[*place])) {
        let mut reader = log.read(&ReadRequest {
            from: within.first,
            to: within.last,
            ..ReadRequest::default()
        })?;
        while let Some(event) = reader.next() {
            let event = event?;
            if let Some(&place) = places.get(&event.stream())
                && counting.counts(&event)
            {
                held[place].take(depot, &event, counting, keeps(portions[place]));
            }
        }
    }
    for (place, portion) in portions.iter().enumerate() {
        match portion.standing {
            Standing::Log => take_log_rows(depot, portion, &mut held[place])?,
            _ if held[place].count == tips[place].version.get() => {}
            _ => held[place] = read_stream(depot, portion, counting)?,
        }
        let none_imported = counting == Counting::Imported && held[place].imported.is_empty();
        if none_imported && held[place].native > 0 {
            held[place] = read_stream(depot, portion, Counting::UpTo(Position::MAX))?;
        } else if matches!(counting, Counting::UpTo(_)) {
            held[place].see_native(&portion.stream);
        }
    }
    Ok(held)
}

/// The part of the log where all events of some streams lie, and little else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within {
    pub(crate) first: Position,
    pub(crate) last: Position,
}

impl Within {
    /// Where streams with these last events lie, as far as that tells; `None` where they lie far apart.
    pub(crate) fn of(tips: impl Iterator<Item = StreamTip>) -> Option<Self> {
        let (mut first, mut last, mut wanted) = (u64::MAX, 0, 0_u64);
        for tip in tips.filter(|tip| tip.version.get() > 0) {
            let version = u64::from(tip.version.get());
            wanted += version;
            last = last.max(tip.position.get());
            first = first.min((tip.position.get() + 1).saturating_sub(version));
        }
        let together = (wanted * BESIDE_FACTOR).max(TOGETHER_MIN);
        (first <= last && last - first < together).then_some(Within {
            first: Position::new(first),
            last: Position::new(last),
        })
    }
}

/// Is told of an event: the row that an import made it of, its type, and its payload.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Option<RowName>, &str, &Map<String, Value>);

/// A table and the key of a row in it.
pub(crate) type RowName = (String, String);

/// What the log holds of a stream up to a position. `each` is told of every event.
///
/// # Errors
/// As [`held`].
pub(crate) fn of_stream(
    depot: &dyn Depot,
    stream: &StreamName,
    position: Position,
    each: Each<'_>,
) -> Result<Held, ReadError> {
    let mut held = Held::default();
    let mut reader = depot.log().read_stream(stream, &StreamRange::default());
    while let Some(event) = reader.next() {
        let event = event?;
        if event.position() > position {
            break;
        }
        held.count(&event);
        if let Some(data) = payload(depot, &event) {
            each(source_of(event.metadata()), event.event_type(), &data);
            held.fold_event(&event, &data);
        }
    }
    held.see_native(stream);
    Ok(held)
}

/// The table and the key of the row that an import made an event of.
pub(crate) fn source_of(metadata: &[u8]) -> Option<RowName> {
    if !metadata.starts_with(SOURCE.as_bytes()) {
        return None;
    }
    let metadata: Value = serde_json::from_slice(metadata).ok()?;
    let text = |name: &str| Some(metadata["source"][name].as_str()?.to_owned());
    Some((text("table")?, text("key")?))
}

fn payload(depot: &dyn Depot, event: &EventRef<'_>) -> Option<Map<String, Value>> {
    let data = serde_json::from_slice(event.data()).ok()?;
    Some(depot.opened(event, data))
}

fn read_stream(
    depot: &dyn Depot,
    portion: &Portion,
    counting: Counting,
) -> Result<Held, ReadError> {
    let mut held = Held::default();
    let mut reader = depot
        .log()
        .read_stream(&portion.stream, &StreamRange::default());
    while let Some(event) = reader.next() {
        let event = event?;
        if counting.counts(&event) {
            held.take(depot, &event, counting, keeps(portion));
        }
    }
    Ok(held)
}

/// Whether payloads are asked for: to be compared with those that were made, or because a row is seen in one.
fn keeps(portion: &Portion) -> bool {
    let seen_in_event = |seen: Seen| matches!(seen, Seen::Event(_) | Seen::LogRow);
    !portion.events.is_empty()
        || portion
            .expected
            .iter()
            .any(|expected| seen_in_event(expected.seen))
}

/// The events that are asked for of a stream that is too long to be read whole.
fn take_log_rows(depot: &dyn Depot, portion: &Portion, held: &mut Held) -> Result<(), ReadError> {
    let log = depot.log();
    for id in portion.events.iter().filter_map(|event| event.id) {
        held.take_by_id(log, id)?;
    }
    for expected in &portion.expected {
        let first = expected.event_id();
        if !held.take_by_id(log, first)? {
            continue;
        }
        held.take_by_id(log, expected.restated_id())?;
        let mut number = 1;
        while held.take_by_id(log, ids::again_id(first, &portion.stream, number))? {
            number += 1;
        }
    }
    Ok(())
}

impl Counting {
    fn counts(self, event: &EventRef<'_>) -> bool {
        match self {
            Counting::UpTo(position) => event.position() <= position,
            Counting::Imported => true,
        }
    }
}

/// Whether an import made the event.
pub(crate) fn is_imported(event: &EventRef<'_>) -> bool {
    event.metadata().starts_with(SOURCE.as_bytes())
}

/// Whether an import made the event of a row, and did not take it from the old system's own event store.
pub(crate) fn is_of_row(event: &EventRef<'_>) -> bool {
    let table = event.metadata().strip_prefix(SOURCE.as_bytes());
    table.is_some_and(|table| !table.starts_with(b"events\""))
}

impl Held {
    fn take(&mut self, depot: &dyn Depot, event: &EventRef<'_>, counting: Counting, keep: bool) {
        let imported = self.count(event);
        if imported && keep {
            self.imported.insert(event.id(), event.data().to_vec());
        }
        if !imported && counting == Counting::Imported {
            return;
        }
        let Some(data) = payload(depot, event) else {
            return;
        };
        self.fold_event(event, &data);
        if !imported
            && keep
            && let Some(key) = data.get("access_id").and_then(Value::as_str)
        {
            self.reports.insert(key.to_owned(), data);
        }
    }

    /// Takes the payload of the event with this id; whether there is one.
    fn take_by_id(&mut self, log: &Log, id: Uuid) -> Result<bool, ReadError> {
        if self.imported.contains_key(&id) {
            return Ok(true);
        }
        let Some(position) = log.position_of(id)? else {
            return Ok(false);
        };
        let mut reader = log.read(&ReadRequest::at(position))?;
        let Some(event) = reader.next() else {
            return Ok(false);
        };
        self.imported.insert(id, event?.data().to_vec());
        Ok(true)
    }

    /// The number of the next event in this stream that tells a row anew.
    pub(crate) fn next_number(&self, stream: &StreamName, expected: &Expected) -> u32 {
        let first = expected.event_id();
        let mut number = 1;
        while self
            .imported
            .contains_key(&ids::again_id(first, stream, number))
        {
            number += 1;
        }
        number
    }

    /// What was told last of a row that is seen in an event: by the last that told it anew, else by the first.
    pub(crate) fn told_last(&self, stream: &StreamName, expected: &Expected) -> Option<&[u8]> {
        let first = expected.event_id();
        let told = match self.next_number(stream, expected) {
            1 => {
                let moved = ids::moved_id(first, stream);
                let earlier = [expected.restated_id(), first, moved];
                earlier.iter().find_map(|id| self.imported.get(id))
            }
            next => self.imported.get(&ids::again_id(first, stream, next - 1)),
        };
        told.map(Vec::as_slice)
    }

    /// Counts an event; whether an import made it.
    fn count(&mut self, event: &EventRef<'_>) -> bool {
        self.count += 1;
        self.version = event.version().get();
        self.latest = self.latest.max(Some(event.occurred_at().micros()));
        let imported = is_imported(event);
        match imported {
            true => {
                self.has_rows |= is_of_row(event);
                self.imported.insert(event.id(), Vec::new());
            }
            false => self.native += 1,
        }
        imported
    }

    fn fold_event(&mut self, event: &EventRef<'_>, data: &Map<String, Value>) {
        let stream = event.stream();
        self.fold(&EventView {
            aggregate_type: stream.aggregate_type,
            aggregate_id: stream.aggregate_id,
            event_type: event.event_type(),
            schema: event.schema(),
            version: event.version().get(),
            position: event.position().get(),
            occurred_at: event.occurred_at().micros(),
            recorded_at: event.recorded_at().micros(),
            order: fleet::order(
                event.recorded_at().micros(),
                event.id().as_u128(),
                fleet::Origin::of(event.tags()),
            ),
            data,
        });
    }

    /// Takes the row of an aggregate that no import wrote: what no event told of it stands there too.
    fn see_native(&mut self, stream: &StreamName) {
        if self.has_rows || self.count == 0 {
            return;
        }
        let aggregate = fleet::registry().aggregate(&stream.aggregate_type);
        let row = aggregate.and_then(|aggregate| {
            let row = aggregate.listing.row;
            row(&stream.aggregate_id, &self.state)
        });
        self.row = row.unwrap_or_default();
    }

    /// The value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.seen(name).map(Cow::into_owned)
    }

    /// The value of a field, borrowed where it can be.
    pub(crate) fn seen(&self, name: &str) -> Option<Cow<'_, Value>> {
        let seen = self.state.record.seen(name);
        let value = seen.filter(|value| !value.is_null());
        value.or_else(|| self.row.get(name).map(Cow::Borrowed))
    }

    /// The UUID by which rows refer to it.
    pub(crate) fn uuid(&self, stream: &StreamName) -> Uuid {
        row_uuid(&stream.aggregate_type, &stream.aggregate_id, &self.state)
    }

    /// Folds an event that is in the log, or will be.
    pub(crate) fn fold(&mut self, event: &EventView<'_>) {
        if event.aggregate_type == user::AGGREGATE_TYPE {
            if matches!(
                event.event_type,
                events::USER_REGISTERED | events::USER_UPDATED
            ) {
                self.told.extend(event.data.clone());
            }
            self.account = user::fold(self.account.take(), event);
        } else {
            self.state.fold(event);
        }
    }
}
