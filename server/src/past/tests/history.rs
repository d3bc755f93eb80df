//! Whatever is asked, the answer is the plain fold of the events that satisfy the bounds: for histories in order, with
//! late events, and imported behind what they precede; for every aggregate that there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use fleet::schema::{AggregateSchema, EventSchema, Field, Kind};
use serde_json::{Map, Value, json};
use storage::{
    Clock, ExpectedVersion, Log, LogOptions, NewEvent, Position, ReadRequest, StreamName,
    StreamRange, Timestamp, Transaction,
};
use tempfile::TempDir;

use crate::past::{Folded, Moment, Past};

/// Advances by a second for each event.
#[derive(Debug, Default)]
struct SteadyClock(AtomicI64);

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1_000_000, Ordering::SeqCst))
    }
}

/// Chance from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound.max(1))).unwrap()
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(u32::try_from(items.len()).unwrap()) as usize]
    }
}

/// How the times of happening lie in a history.
#[derive(Clone, Copy, Debug)]
enum Shape {
    InOrder,
    /// One in ten is late by up to a fifth of the history.
    SomeLate,
    /// Any time at any place.
    Shuffled,
    /// A history that was appended behind what it precedes.
    Imported,
}

struct Site {
    _folder: TempDir,
    log: Arc<Log>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LogOptions {
            clock: Arc::new(SteadyClock::default()),
            ..LogOptions::default()
        };
        let log = Arc::new(Log::open(folder.path(), options).unwrap());
        Site {
            _folder: folder,
            log,
        }
    }

    /// Appends a history of this shape, some events of others in between.
    fn fill(&self, name: &StreamName, events: u32, shape: Shape, chance: &mut Chance) {
        let table = fleet::registry().aggregate(&name.aggregate_type);
        let mut appended = Vec::new();
        for number in 0..events {
            let span = events * 10;
            let here = i64::from(number * 10 + chance.below(10));
            let occurred = match shape {
                Shape::InOrder => i64::from(number) * 10,
                Shape::SomeLate if chance.below(10) == 0 => {
                    here - i64::from(chance.below(span / 5))
                }
                Shape::SomeLate => here,
                Shape::Shuffled => i64::from(chance.below(span)),
                Shape::Imported if number < events / 4 => i64::from(span) + here,
                Shape::Imported => here,
            };
            let event = random_event(table, chance).at(Timestamp::from_micros(occurred));
            appended.push(event);
            if appended.len() == 50 || number + 1 == events {
                self.append(name.clone(), std::mem::take(&mut appended));
                let other = StreamName::new("Other", chance.below(3).to_string());
                self.append(other, vec![NewEvent::new("Passed", "{}")]);
            }
        }
    }

    fn append(&self, name: StreamName, events: Vec<NewEvent>) {
        self.log
            .append(Transaction::stream(name, ExpectedVersion::Any, events))
            .unwrap();
    }

    /// The plain way.
    fn naive(&self, name: &StreamName, moment: Moment) -> Folded {
        let mut folded = Folded::default();
        let mut reader = self.log.read_stream(name, &StreamRange::default());
        while let Some(event) = reader.next() {
            let event = event.unwrap();
            if moment
                .version
                .is_none_or(|last| event.version().get() <= last)
                && moment.position.is_none_or(|last| event.position() <= last)
                && moment.at.is_none_or(|last| event.occurred_at() <= last)
                && moment.as_of.is_none_or(|last| event.recorded_at() <= last)
            {
                folded.fold(&event);
            }
        }
        folded
    }

    /// The first and the last position of a stream's events, and when these were recorded, in microseconds.
    fn extent(&self, name: &StreamName) -> ((u64, u64), (u64, u64)) {
        let mut reader = self.log.read_stream(name, &StreamRange::default());
        let (mut positions, mut recorded) = ((u64::MAX, 0), (u64::MAX, 0));
        while let Some(event) = reader.next() {
            let event = event.unwrap();
            let micros = u64::try_from(event.recorded_at().micros()).unwrap();
            positions = (
                positions.0.min(event.position().get()),
                event.position().get(),
            );
            recorded = (recorded.0.min(micros), micros);
        }
        (positions, recorded)
    }

    /// Compares `count` answers at chance moments, singly and combined.
    #[track_caller]
    fn compare(&self, past: &Past, name: &StreamName, count: u32, chance: &mut Chance) {
        let tip = self.log.stream(name).unwrap();
        let events = tip.version.get();
        let mut amid = 0;
        // Of its own time: a stream that was written late has no state at most moments of the log.
        let (positions, recorded) = self.extent(name);
        let within = |from: u64, to: u64, chance: &mut Chance| {
            from + u64::from(chance.below(u32::try_from(to - from).unwrap() + 2))
        };
        for _ in 0..count {
            let which = chance.below(16);
            let moment = Moment {
                at: (which & 1 > 0)
                    .then(|| Timestamp::from_micros(chance.below(events * 12).into())),
                as_of: (which & 2 > 0).then(|| {
                    let (from, to) = (recorded.0 / 1_000_000, recorded.1 / 1_000_000);
                    let second = i64::try_from(within(from, to, chance)).unwrap();
                    Timestamp::from_micros(second * 1_000_000)
                }),
                version: (which & 4 > 0).then(|| chance.below(events + 2)),
                position: (which & 8 > 0)
                    .then(|| Position::new(within(positions.0, positions.1, chance))),
            };
            let (found, damaged) = past.state(name, moment).unwrap();
            let expected = self.naive(name, moment);
            assert_eq!(found, expected, "{name} {}", moment.described());
            assert_eq!(damaged, 0);
            amid += u32::from(0 < expected.events && expected.events < u64::from(events));
        }
        // Not the beginning and the present alone, whose states anybody could tell.
        assert!(amid >= count / 4, "{amid} of {count} moments amid {name}");
    }
}

/// An event that the table knows, or one that nobody does.
fn random_event(table: Option<&AggregateSchema>, chance: &mut Chance) -> NewEvent {
    let known = table.filter(|_| chance.below(8) > 0);
    let Some(event) = known.map(|table| chance.pick(table.events)) else {
        let (reading, note) = (chance.below(1_000), chance.below(9));
        // A pair is folded at once, a plain report waits until somebody looks; some keys are those of tables.
        let data = match chance.below(3) {
            0 => json!({ "old_x": 1, "new_x": chance.below(5), "note": note }),
            1 => {
                json!({ "x": reading, "note": note, "celsius": [71.5, reading], "status": "in_service" })
            }
            _ => json!({ "note": note, "current_mileage_km": reading, "quantity": note }),
        };
        return NewEvent::new("SomethingElse", data.to_string());
    };
    NewEvent::new(event.event_type, random_data(event, chance).to_string())
}

fn random_data(event: &EventSchema, chance: &mut Chance) -> Value {
    random_record(event.fields, chance)
}

fn random_record(fields: &[Field], chance: &mut Chance) -> Value {
    let mut data = Map::new();
    for field in fields {
        if field.required || chance.below(3) == 0 {
            data.insert(field.name.to_owned(), random_value(&field.kind, chance));
        }
    }
    Value::Object(data)
}

fn random_value(kind: &Kind, chance: &mut Chance) -> Value {
    match kind {
        Kind::OneOf(words) => json!(chance.pick(words)),
        Kind::Integer { .. } => json!(chance.below(1_000)),
        Kind::Number { .. } => json!(f64::from(chance.below(1_000)) / 4.0),
        Kind::Boolean => json!(chance.below(2) == 0),
        Kind::Time => json!(format!("2026-01-{:02}T08:00:00Z", 1 + chance.below(28))),
        Kind::Object => json!({ "a": chance.below(4) }),
        Kind::Record(fields) => random_record(fields, chance),
        Kind::List(kind) => {
            let items = chance.below(3);
            (0..items).map(|_| random_value(kind, chance)).collect()
        }
        _ => json!(format!("{}", chance.below(20))),
    }
}

#[test]
fn any_moment_of_a_long_stream_is_the_plain_fold() {
    for (seed, shape) in [
        (1, Shape::InOrder),
        (2, Shape::SomeLate),
        (3, Shape::Shuffled),
        (4, Shape::Imported),
    ] {
        let (site, mut chance) = (Site::new(), Chance(seed));
        let name = StreamName::new("Vehicle", "5110");
        site.fill(&name, 1_500, shape, &mut chance);
        let past = Past::new(site.log.clone());
        site.compare(&past, &name, 40, &mut chance);
        // It grows, and goes on being right.
        site.fill(&name, 150, shape, &mut chance);
        site.compare(&past, &name, 20, &mut chance);
        // A restart reads what was saved, and comes to the same.
        let restarted = Past::new(site.log.clone());
        site.compare(&restarted, &name, 20, &mut chance);
        assert!(site.log.snapshots().stats().found > 0, "{shape:?}");
    }
}

/// All that the registry knows: a new aggregate is asked about without a word here.
#[test]
fn any_moment_of_every_aggregate_is_the_plain_fold() {
    let (site, mut chance) = (Site::new(), Chance(5));
    let past = Past::new(site.log.clone());
    let types = fleet::registry().aggregates();
    assert_eq!(types.len(), fleet::registry::AGGREGATES.len());
    let known = types.iter().map(|table| table.aggregate_type);
    for aggregate_type in known.chain(["NobodyKnows"]) {
        for (id, shape) in [
            ("1", Shape::SomeLate),
            ("2", Shape::Shuffled),
            ("3", Shape::Imported),
        ] {
            let name = StreamName::new(aggregate_type, id);
            site.fill(&name, 150, shape, &mut chance);
            site.compare(&past, &name, 24, &mut chance);
        }
    }
}

#[test]
fn a_saved_timeline_of_other_events_is_not_used() {
    let (site, mut chance) = (Site::new(), Chance(6));
    let name = StreamName::new("Vehicle", "1");
    site.fill(&name, 1_300, Shape::InOrder, &mut chance);
    let other = StreamName::new("Vehicle", "2");
    site.fill(&other, 1_300, Shape::InOrder, &mut chance);
    let past = Past::new(site.log.clone());
    past.state(&other, Moment::default()).unwrap();
    // The other stream's states under this stream's name: sound bytes, another history.
    let snapshots = site.log.snapshots();
    let durable = site.log.durable_position();
    let saved = snapshots
        .load(&other, storage::Version::MAX, durable)
        .unwrap();
    snapshots
        .save(&name, saved.version, saved.position, &saved.state)
        .unwrap();
    let restarted = Past::new(site.log.clone());
    site.compare(&restarted, &name, 10, &mut chance);
}

#[test]
fn an_event_of_no_object_is_counted_and_left_out() {
    let site = Site::new();
    let name = StreamName::new("Crane", "1");
    for number in 0..200 {
        let data = if number % 50 == 49 {
            "[]".to_owned()
        } else {
            json!({ "n": number }).to_string()
        };
        let event = NewEvent::new("Moved", data).at(Timestamp::from_micros(number));
        site.append(name.clone(), vec![event]);
    }
    let past = Past::new(site.log.clone());
    let (all, damaged) = past.state(&name, Moment::default()).unwrap();
    assert_eq!((all.events, damaged), (196, 4));
    let (some, damaged) = past.state(&name, Moment::version(120)).unwrap();
    assert_eq!((some.events, damaged), (118, 2));
    assert_eq!(some.to_object()["n"], 119);
    let (none, damaged) = past.state(&name, Moment::version(0)).unwrap();
    assert_eq!((none, damaged), (Folded::default(), 0));
}

#[test]
fn a_stream_that_nobody_wrote_has_no_state() {
    let site = Site::new();
    let past = Past::new(site.log.clone());
    let (folded, _) = past
        .state(&StreamName::new("Crane", "none"), Moment::default())
        .unwrap();
    assert_eq!(folded, Folded::default());
    assert!(
        site.log
            .read(&ReadRequest::default())
            .unwrap()
            .next()
            .is_none()
    );
}
