//! Events lost before anything was known of them: after a restart the index of the segment that was written has only
//! their positions. Every read that one of them may have belonged to names it, and gives all the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::support::*;
use crate::repo::{MemoryRepo, Repo};
use crate::*;

/// What is appended: stream, type and tag by number, and when it happened.
type Sample = (u8, u8, u8, i64);

fn stream(number: u8) -> StreamName {
    StreamName::new(
        ["Vehicle", "Part"][usize::from(number) % 2],
        format!("s{number}"),
    )
}

fn append(log: &Log, (of, event_type, tag, at): Sample) {
    let mut event =
        NewEvent::new(format!("T{event_type}"), "some data").with_tag(format!("tag:{tag}"));
    event.occurred_at = Some(Timestamp::from_micros(at));
    log.append(Transaction::single(stream(of), ExpectedVersion::Any, event))
        .unwrap();
}

/// How the log lay when it was opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// One segment, still written.
    Written,
    /// Several, with their indexes.
    Sealed,
    /// Several, whose indexes and saved tables are gone.
    Bare,
}

fn options(left: Left) -> LogOptions {
    let bytes = if left == Left::Written {
        1 << 20
    } else {
        1_024
    };
    LogOptions {
        segment_bytes_min: bytes,
        segment_bytes_max: bytes,
        ..small()
    }
}

/// Fills a log, flips a bit of each of the `rotten` events (by position), and opens it again.
fn with_rot(samples: &[Sample], rotten: &BTreeSet<u64>, left: Left) -> (Log, Vec<Event>) {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &options(left));
    samples.iter().for_each(|sample| append(&log, *sample));
    let events = all(&log);
    let places: Vec<_> = rotten.iter().map(|at| event_place(&log, *at)).collect();
    log.close();
    for (at, (file, offset)) in places.into_iter().enumerate() {
        let mut bytes = memory.bytes(&file);
        // Another field each time: the stream, the version, when it happened, its data.
        bytes[offset + [16, 20, 24, 31, 80][at % 5]] ^= 1 << (at % 8);
        memory.put(&file, bytes);
    }
    for name in memory.list().unwrap() {
        if left == Left::Bare && !name.ends_with(".log") && name != "watermark" {
            memory.remove(&name).unwrap();
        }
    }
    // The clock went on meanwhile. Were it set back, the time of a lost last event would be known to nobody.
    let later = LogOptions {
        clock: TestClock::at(1_700_003_600_000_000),
        ..options(left)
    };
    (open(&repo, &later), events)
}

/// What a reader gives: positions in its order, and the positions that it names as damaged.
fn read_around(mut reader: Reader<'_>) -> (Vec<u64>, BTreeSet<u64>) {
    let (mut given, mut named) = (Vec::new(), BTreeSet::new());
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => given.push(event.position().get()),
            Err(ReadError::Damaged { first, last, .. }) => {
                named.extend(first.get()..=last.get());
            }
            Err(other) => panic!("{other}"),
        }
    }
    (given, named)
}

/// Holds what was read against the events as they were before the damage.
fn check(
    what: &dyn std::fmt::Debug,
    (given, named): (Vec<u64>, BTreeSet<u64>),
    wanted: &[&Event],
    rotten: &BTreeSet<u64>,
) -> Result<(), TestCaseError> {
    let wanted: Vec<u64> = wanted.iter().map(|event| event.position.get()).collect();
    let (lost, readable): (Vec<u64>, Vec<u64>) = wanted.iter().partition(|at| rotten.contains(at));
    prop_assert_eq!(given, readable, "{:?}", what);
    prop_assert!(
        named.is_subset(rotten),
        "{:?}: {:?} are not damaged",
        what,
        named
    );
    for at in lost {
        prop_assert!(named.contains(&at), "{:?}: {} is not named", what, at);
    }
    Ok(())
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    proptest::collection::vec((0..4_u8, 0..3_u8, 0..3_u8, 0..40_i64), 1..40)
}

fn left() -> impl Strategy<Value = Left> {
    prop_oneof![Just(Left::Written), Just(Left::Sealed), Just(Left::Bare)]
}

fn queries() -> impl Strategy<Value = QueryItem> {
    let maybe = |choice: std::ops::Range<u8>| proptest::option::of(choice);
    (maybe(0..4), maybe(0..3), maybe(0..3), maybe(0..2)).prop_map(|(of, event_type, tag, kind)| {
        QueryItem {
            streams: of.map(stream).into_iter().collect(),
            event_types: event_type
                .map(|number| format!("T{number}").into())
                .into_iter()
                .collect(),
            tags: tag
                .map(|number| format!("tag:{number}").into())
                .into_iter()
                .collect(),
            aggregate_types: kind
                .map(|number| stream(number).aggregate_type)
                .into_iter()
                .collect(),
        }
    })
}

fn is_wanted(item: &QueryItem, event: &Event) -> bool {
    let any = |list: &[Box<str>], name: &str| {
        list.is_empty() || list.iter().any(|wanted| **wanted == *name)
    };
    (item.streams.is_empty() || item.streams.contains(&event.stream))
        && any(&item.event_types, &event.event_type)
        && any(&item.aggregate_types, &event.stream.aggregate_type)
        && item.tags.iter().all(|tag| event.tags.contains(tag))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_read_names_what_it_may_have_lost(
        samples in samples(),
        later in proptest::collection::vec((0..4_u8, 0..3_u8, 0..3_u8, 0..40_i64), 0..6),
        rotten in proptest::collection::btree_set(1..40_u64, 0..5),
        left in left(),
        item in queries(),
        occurred in proptest::option::of((0..40_i64, 0..20_i64)),
        recorded in proptest::option::of((0..40_usize, 0..20_usize)),
        versions in (1..12_u32, 0..12_u32),
    ) {
        let rotten: BTreeSet<u64> =
            rotten.into_iter().filter(|at| *at <= samples.len() as u64).collect();
        let (log, mut events) = with_rot(&samples, &rotten, left);
        // A lost event's version may be given again: what was lost is named all the same.
        later.iter().for_each(|sample| append(&log, *sample));
        let (_, named) = read_around(log.read(&ReadRequest::default()).unwrap());
        prop_assert_eq!(&named, &rotten);
        let from = Position::new(samples.len() as u64 + 1);
        events.extend(collect(&log, &ReadRequest { from, ..ReadRequest::default() }));

        let micros = Timestamp::from_micros;
        let occurred = occurred.map(|(from, length)| TimeRange { from: micros(from), to: micros(from + length) });
        let recorded = recorded.map(|(from, length)| {
            let at = |index: usize| events[index.min(events.len() - 1)].recorded_at;
            TimeRange { from: at(from), to: at(from + length) }
        });
        let within = |range: Option<TimeRange>, at| range.is_none_or(|range| range.contains(at));
        for direction in [Direction::Forward, Direction::Backward] {
            for order in [Order::Position, Order::Occurred] {
                let query = if item == QueryItem::default() { Query::all() } else { Query::from(item.clone()) };
                let request = ReadRequest { query, direction, order, occurred, recorded, ..ReadRequest::default() };
                let mut wanted: Vec<&Event> = events
                    .iter()
                    .filter(|event| is_wanted(&item, event)
                        && within(occurred, event.occurred_at)
                        && within(recorded, event.recorded_at))
                    .collect();
                if order == Order::Occurred {
                    wanted.sort_by_key(|event| (event.occurred_at, event.position));
                }
                if direction == Direction::Backward {
                    wanted.reverse();
                }
                check(&request, read_around(log.read(&request).unwrap()), &wanted, &rotten)?;
            }
            for of in 0..4 {
                let (from, to) = (versions.0, versions.0 + versions.1);
                for (from, to) in [(Version::FIRST, Version::MAX), (Version::new(from), Version::new(to))] {
                    let range = StreamRange { from, to, direction, limit: None };
                    let mut wanted: Vec<&Event> = events
                        .iter()
                        .filter(|event| event.stream == stream(of) && from <= event.version && event.version <= to)
                        .collect();
                    if direction == Direction::Backward {
                        wanted.reverse();
                    }
                    let name = stream(of);
                    check(&(&name, range), read_around(log.read_stream(&name, &range)), &wanted, &rotten)?;
                }
            }
        }
    }
}

/// Six events of two streams in turn, of which the third, the second one of s0, rots.
fn one_of_six() -> Log {
    let samples: Vec<Sample> = (0..6_u8).map(|at| (at % 2, 0, 0, i64::from(at))).collect();
    with_rot(&samples, &[3].into(), Left::Written).0
}

#[test]
fn a_stream_whose_versions_are_whole_is_not_bothered() {
    let log = one_of_six();
    let read = |number| read_around(log.read_stream(&stream(number), &StreamRange::default()));
    assert_eq!(read(0), (vec![1, 5], [3].into()));
    assert_eq!(read(1), (vec![2, 4, 6], [].into()));
}

#[test]
fn a_page_of_a_stream_names_what_may_lie_in_it() {
    let log = one_of_six();
    let page = |from, to| {
        let (from, to) = (Version::new(from), Version::new(to));
        let range = StreamRange {
            from,
            to,
            ..StreamRange::default()
        };
        read_around(log.read_stream(&stream(0), &range))
    };
    assert_eq!(
        page(1, 1),
        (vec![1], [3].into()),
        "what is lost may have any version from the one before it"
    );
    assert_eq!(page(2, 2), (vec![], [3].into()));
    assert_eq!(page(4, 9), (vec![], [].into()));
}

/// The segment is left as evidence, and no version is given again in it.
#[test]
fn a_segment_with_damage_is_not_written_any_more() {
    let log = one_of_six();
    assert_eq!(log.stats().segments, 2);
    append(&log, (0, 0, 0, 9));
    assert_eq!(
        log.shared.segments()[1].place.first_position,
        Position::new(7)
    );
    assert_eq!(log.health().damage.len(), 1);
}

/// A record's fields are believed only once its checksum holds: a flipped bit once asked for a table of 2^31 streams.
#[test]
fn a_rotten_record_moves_no_tip() {
    for bit in 0..64 {
        let memory = MemoryRepo::new();
        let repo: Arc<dyn Repo> = Arc::new(memory.clone());
        let log = open(&repo, &options(Left::Sealed));
        (0..30_u8).for_each(|at| append(&log, (at % 2, 0, 0, 0)));
        let (file, offset) = event_place(&log, 4);
        log.close();
        for name in memory.list().unwrap() {
            if name.ends_with(".state") {
                memory.remove(&name).unwrap();
            }
        }
        let mut bytes = memory.bytes(&file);
        // The stream and the version, eight bytes.
        bytes[offset + 16 + bit / 8] ^= 1 << (bit % 8);
        memory.put(&file, bytes);
        let log = open(&repo, &options(Left::Sealed));
        let tips: Vec<_> = (0..2)
            .map(|of| log.stream(&stream(of)).unwrap().version.get())
            .collect();
        assert_eq!(tips, [15, 15], "bit {bit}");
        assert_eq!(log.stream_count(), 2);
    }
}

/// What became of its record since: the version was given, and the index says so.
#[test]
fn a_stream_that_ends_in_a_rotten_record_has_the_version_that_it_had() {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &options(Left::Sealed));
    (0..3).for_each(|_| append(&log, (0, 0, 0, 0)));
    (0..27).for_each(|_| append(&log, (1, 0, 0, 0)));
    let (file, offset) = event_place(&log, 3);
    log.close();
    for name in memory.list().unwrap() {
        if name.ends_with(".state") {
            memory.remove(&name).unwrap();
        }
    }
    let mut bytes = memory.bytes(&file);
    bytes[offset + 24] ^= 1;
    memory.put(&file, bytes);
    let log = open(&repo, &options(Left::Sealed));
    assert!(log.opened().segments_folded > 0);
    let tips: Vec<_> = (0..2)
        .map(|of| log.stream(&stream(of)).unwrap().version.get())
        .collect();
    assert_eq!(tips, [3, 27]);
}

/// Also where another segment is gone, and names may be lost with it, and where its own is: a version was once given again.
#[test]
fn a_segment_that_is_gone_takes_no_version_back() {
    for gone in [3, 20] {
        let memory = MemoryRepo::new();
        let repo: Arc<dyn Repo> = Arc::new(memory.clone());
        let log = open(&repo, &options(Left::Sealed));
        (0..3).for_each(|_| append(&log, (0, 0, 0, 0)));
        (0..27).for_each(|_| append(&log, (1, 0, 0, 0)));
        let ((file, offset), (gone, _)) = (event_place(&log, 3), event_place(&log, gone));
        log.settle();
        log.close();
        for name in memory.list().unwrap() {
            if name.ends_with(".state") || name == gone {
                memory.remove(&name).unwrap();
            }
        }
        if file != gone {
            let mut bytes = memory.bytes(&file);
            bytes[offset + 24] ^= 1;
            memory.put(&file, bytes);
        }
        let log = open(&repo, &options(Left::Sealed));
        let tips: Vec<_> = (0..2)
            .map(|of| log.stream(&stream(of)).unwrap().version.get())
            .collect();
        assert_eq!(tips, [3, 27], "without {gone}");
    }
}
