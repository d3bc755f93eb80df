//! Reads with bounds, limits and damage, times found by search, and reading while the writer goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::support::*;
use crate::repo::{MemoryRepo, Repo};
use crate::*;

fn positions(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.position.get()).collect()
}

/// Sixty events over several segments, on streams a, b and c in turn.
fn sixty(repo: &Arc<dyn Repo>) -> Log {
    let log = open(repo, &small());
    for number in 0..60 {
        let stream = ["a", "b", "c"][number % 3];
        log.append(one(stream, "T", &format!("{number}"))).unwrap();
    }
    assert!(log.stats().segments > 3);
    log
}

#[test]
fn bounds_and_limits_hold_in_both_directions() {
    let log = sixty(&memory());
    for direction in [Direction::Forward, Direction::Backward] {
        for order in [Order::Position, Order::Occurred] {
            for (from, to) in [
                (0, 5),
                (1, 60),
                (13, 41),
                (20, 20),
                (30, 29),
                (50, 900),
                (70, 90),
            ] {
                for limit in [None, Some(0), Some(1), Some(7), Some(1_000)] {
                    let request = ReadRequest {
                        from: Position::new(from),
                        to: Position::new(to),
                        direction,
                        order,
                        limit,
                        ..ReadRequest::default()
                    };
                    let mut expected: Vec<u64> = (from.max(1)..=to.min(60)).collect();
                    if direction == Direction::Backward {
                        expected.reverse();
                    }
                    expected.truncate(usize::try_from(limit.unwrap_or(100)).unwrap());
                    assert_eq!(positions(&collect(&log, &request)), expected, "{request:?}");
                }
            }
        }
    }
}

#[test]
fn a_stream_is_read_by_version_in_both_directions() {
    let log = sixty(&memory());
    let name = StreamName::new("Vehicle", "b");
    for direction in [Direction::Forward, Direction::Backward] {
        for (from, to) in [(0, 4), (1, 20), (5, 13), (9, 9), (9, 8), (15, 90), (21, 30)] {
            for limit in [None, Some(0), Some(3)] {
                let range = StreamRange {
                    from: Version::new(from),
                    to: Version::new(to),
                    direction,
                    limit,
                };
                let mut expected: Vec<u32> = (from.max(1)..=to.min(20)).collect();
                if direction == Direction::Backward {
                    expected.reverse();
                }
                expected.truncate(usize::try_from(limit.unwrap_or(100)).unwrap());
                let mut reader = log.read_stream(&name, &range);
                let mut versions = Vec::new();
                while let Some(event) = reader.next() {
                    let event = event.unwrap();
                    assert_eq!(event.stream(), name);
                    versions.push(event.version().get());
                }
                assert_eq!(versions, expected, "{range:?}");
            }
        }
    }
    let unknown = StreamName::new("Vehicle", "nobody");
    let mut reader = log.read_stream(&unknown, &StreamRange::default());
    assert!(reader.next().is_none());
    assert_eq!(log.stream(&unknown), None);
}

#[test]
fn a_reader_sees_what_was_durable_when_it_began() {
    let log = sixty(&memory());
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    for _ in 0..40 {
        log.append(one("a", "T", "later")).unwrap();
    }
    let mut count = 0;
    while let Some(event) = reader.next() {
        count += 1;
        assert_eq!(event.unwrap().position(), Position::new(count));
    }
    assert_eq!(count, 60);
}

#[test]
fn an_empty_log_gives_nothing() {
    let log = open(&memory(), &small());
    assert_eq!(all(&log), []);
    let by_time = ReadRequest {
        order: Order::Occurred,
        occurred: Some(TimeRange::ALL),
        ..ReadRequest::default()
    };
    assert_eq!(collect(&log, &by_time), []);
    assert_eq!(log.position_at(Timestamp::MAX).unwrap(), Position::START);
    assert_eq!(log.position_of(uuid::Uuid::nil()).unwrap(), None);
}

/// A clock whose steps differ: most are small, some are long, and some are none.
fn leap(options: &LogOptions, number: usize) {
    for _ in 0..[0, 1, 5, 0, 40][number % 5] {
        let _ = options.clock.now();
    }
}

#[test]
fn a_position_is_found_by_any_time() {
    let (repo, options) = (memory(), small());
    let log = open(&repo, &options);
    for number in 0..80 {
        leap(&options, number);
        let events = (0..=number % 3).map(|at| NewEvent::new("T", format!("{at}")));
        let name = StreamName::new("Vehicle", "a");
        log.append(Transaction::stream(
            name,
            ExpectedVersion::Any,
            events.collect(),
        ))
        .unwrap();
    }
    let check = |log: &Log| {
        let events = all(log);
        let expected = |time| {
            let earlier = events.iter().rfind(|event| event.recorded_at <= time);
            earlier.map_or(Position::START, |event| event.position)
        };
        let times = events
            .iter()
            .flat_map(|event| [-1, 0, 1].map(|by| event.recorded_at.plus_micros(by)));
        for time in times.chain([Timestamp::MIN, Timestamp::from_micros(0), Timestamp::MAX]) {
            assert_eq!(log.position_at(time).unwrap(), expected(time), "{time}");
        }
        let (first, last) = (events[20].recorded_at, events[70].recorded_at);
        let recorded = |from, to| ReadRequest {
            recorded: Some(TimeRange { from, to }),
            ..ReadRequest::default()
        };
        assert_eq!(collect(log, &recorded(first, last)), &events[20..=70]);
        let between = collect(log, &recorded(first.plus_micros(1), last.plus_micros(-1)));
        assert_eq!(between, &events[21..70]);
        assert_eq!(collect(log, &recorded(last, first)), []);
    };
    check(&log);
    log.close();
    check(&open(&repo, &options));
}

/// Damages single events of a closed log and returns it with what it held.
fn damaged(lost: &[u64]) -> (Log, Vec<Event>) {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = sixty(&repo);
    let events = all(&log);
    let places: Vec<_> = lost.iter().map(|&at| event_place(&log, at)).collect();
    log.close();
    for (file, offset) in places {
        let mut bytes = memory.bytes(&file);
        bytes[offset + 40] ^= 1;
        memory.put(&file, bytes);
    }
    (open(&repo, &small()), events)
}

/// Everything that a reader gives: positions read, and positions said to be damaged.
fn read_around(mut reader: Reader<'_>) -> (Vec<u64>, Vec<u64>) {
    let (mut read, mut lost) = (Vec::new(), Vec::new());
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => read.push(event.position().get()),
            Err(ReadError::Damaged { first, last, .. }) => {
                lost.extend(first.get()..=last.get());
            }
            Err(other) => panic!("{other}"),
        }
    }
    (read, lost)
}

#[test]
fn damage_costs_the_damaged_events_alone_whatever_is_asked() {
    let gone = [5, 6, 7, 23, 40];
    let (log, events) = damaged(&gone);
    let whole: Vec<u64> = (1..=60).filter(|at| !gone.contains(at)).collect();
    for direction in [Direction::Forward, Direction::Backward] {
        for order in [Order::Position, Order::Occurred] {
            for occurred in [None, Some(TimeRange::ALL)] {
                let request = ReadRequest {
                    direction,
                    order,
                    occurred,
                    ..ReadRequest::default()
                };
                let (mut read, mut lost) = read_around(log.read(&request).unwrap());
                if direction == Direction::Backward {
                    read.reverse();
                    lost.sort_unstable();
                }
                assert_eq!(read, whole, "{request:?}");
                lost.sort_unstable();
                assert_eq!(lost, gone, "{request:?}");
            }
        }
    }
    // Position 5 is b's second event, 23 its eighth.
    let name = StreamName::new("Vehicle", "b");
    let (read, lost) = read_around(log.read_stream(&name, &StreamRange::default()));
    let of_b = |at: &u64| at % 3 == 2;
    assert_eq!(read, whole.iter().copied().filter(of_b).collect::<Vec<_>>());
    assert!(lost.iter().all(|at| gone.contains(at)), "{lost:?}");
    for event in &events {
        let found = log.position_of(event.id).unwrap();
        let expected = (!gone.contains(&event.position.get())).then_some(event.position);
        assert_eq!(found, expected);
    }
    let health = log.health();
    assert_eq!(health.state, LogState::Writable);
    assert!(!health.damage.is_empty());
    let text = health.damage[0].to_string();
    assert!(text.starts_with("segment 0000"), "{text}");
    log.append(one("b", "T", "on")).unwrap();
}

#[test]
fn times_are_found_around_damage() {
    let gone = [1, 2, 23, 24, 60];
    let (log, events) = damaged(&gone);
    for event in &events {
        let found = log.position_at(event.recorded_at).unwrap().get();
        let at = event.position.get();
        let readable = (1..=at).rfind(|at| !gone.contains(at)).unwrap_or(0);
        assert!((readable..=at).contains(&found), "{found} for {at}");
    }
}

/// An event that cannot be read may be the one that a condition excludes.
#[test]
fn a_condition_does_not_pass_over_damage() {
    let (log, _) = damaged(&[59]);
    let conditioned =
        |after| one("b", "T", "x").on_condition(Query::event_types(["T"]), Position::new(after));
    let failed = log.append(conditioned(58)).unwrap_err();
    assert!(
        matches!(failed, AppendError::ConditionFailed { .. }),
        "{failed}"
    );
    log.append(conditioned(60)).unwrap();
}

#[test]
fn events_can_be_looked_at_and_kept() {
    let log = open(&memory(), &small());
    log.append(one("a", "T", "x")).unwrap();
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let event = reader.next().unwrap().unwrap();
    assert_eq!(format!("{event:?}"), format!("{:?}", event.to_owned()));
    let record = event.record_bytes();
    assert_eq!(
        record[..4],
        record[record.len() - 4..],
        "from length to length"
    );
    assert!(format!("{log:?}").contains("log_id"));
}

/// Readers run through the whole log while it is written and sealed: dense, in order, never behind what was durable.
#[test]
fn readers_and_the_writer_do_not_disturb_each_other() {
    let log = open(&memory(), &small());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..600 {
                let stream = ["a", "b", "c"][number % 3];
                log.append(one(stream, "T", &format!("{number}"))).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last_round = false;
                while !last_round {
                    last_round = done.load(Ordering::Acquire);
                    let durable = log.durable_position();
                    let events = all(&log);
                    let expected: Vec<u64> = (1..=events.len() as u64).collect();
                    assert_eq!(positions(&events), expected);
                    assert!(events.len() as u64 >= durable.get());
                    for event in &events {
                        assert_eq!(
                            event.data,
                            format!("{}", event.position.get() - 1).as_bytes()
                        );
                    }
                }
            });
        }
        scope.spawn(|| {
            let name = StreamName::new("Vehicle", "b");
            while !done.load(Ordering::Acquire) {
                let tip = log.stream(&name).map_or(0, |tip| tip.version.get());
                let mut reader = log.read_stream(&name, &StreamRange::default());
                let mut count = 0;
                while let Some(event) = reader.next() {
                    count += 1;
                    assert_eq!(event.unwrap().version().get(), count);
                }
                assert!(count >= tip, "{count} events read, {tip} were durable");
            }
        });
    });
    assert_eq!(log.durable_position(), Position::new(600));
}
