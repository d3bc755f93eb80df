//! Every bit of a small log flipped, every file cut at every byte, lost, swapped: whatever happens is either harmless or
//! said, the events that are not damaged are served, and none is invented.

use std::sync::Arc;

use super::support::*;
use crate::repo::{MemoryRepo, Repo};
use crate::verify::verify_in;
use crate::*;

/// A closed log of three segments, with groups of one and of several events.
fn small_log() -> (MemoryRepo, Vec<Event>) {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let options = LogOptions {
        segment_bytes_min: 700,
        segment_bytes_max: 700,
        ..small()
    };
    let log = open(&repo, &options);
    for number in 0..4_u8 {
        log.append(one(
            &format!("v{}", number % 2),
            "VehicleUpdated",
            &format!("{{\"n\":{number}}}"),
        ))
        .unwrap();
        let events =
            (0..2).map(|at| NewEvent::new(format!("T{at}"), vec![b'a' + at; 9]).with_tag("tag:x"));
        let stream = StreamName::new("Part", format!("p{number}"));
        log.append(Transaction::stream(
            stream,
            ExpectedVersion::Any,
            events.collect(),
        ))
        .unwrap();
    }
    let events = all(&log);
    log.close();
    (memory, events)
}

fn damaged(memory: &MemoryRepo, name: &str, bytes: Vec<u8>) -> Arc<dyn Repo> {
    let copy = memory.copy();
    copy.put(name, bytes);
    Arc::new(copy)
}

/// What can be read, and the positions that cannot.
fn read_around(log: &Log) -> (Vec<Event>, Vec<Position>) {
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let (mut events, mut lost) = (Vec::new(), Vec::new());
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => events.push(event.to_owned()),
            Err(ReadError::Damaged { first, last, .. }) => {
                lost.extend((first.get()..=last.get()).map(Position::new))
            }
            Err(other) => panic!("{other}"),
        }
    }
    (events, lost)
}

/// Checks what a log with one damaged file must do. Returns whether verify said something.
#[track_caller]
fn check(repo: &Arc<dyn Repo>, events: &[Event], what: &str) -> bool {
    let before = match verify_in(repo, None, &VerifyOptions::default()) {
        Ok(report) => report,
        Err(error) => panic!("{what}: {error}"),
    };
    let said = !before.problems.is_empty();
    assert!(
        said || before.events == events.len() as u64,
        "{what}: events are gone and nothing is said"
    );
    assert!(
        before.torn_bytes == 0 || said,
        "{what}: something acknowledged was taken for torn"
    );
    let log = try_open(repo, &small()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (read, lost) = read_around(&log);
    for event in &read {
        assert!(
            events.contains(event),
            "{what}: an event is invented: {event:?}"
        );
    }
    let mut positions: Vec<_> = read
        .iter()
        .map(|event| event.position)
        .chain(lost.iter().copied())
        .collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(
        positions,
        events
            .iter()
            .map(|event| event.position)
            .collect::<Vec<_>>(),
        "{what}: positions are missing"
    );
    assert_eq!(
        read.len() + lost.len(),
        events.len(),
        "{what}: a position was given twice"
    );
    assert!(
        lost.is_empty() || said,
        "{what}: events are lost and verify does not say it"
    );
    // Appending goes on behind everything that was acknowledged.
    let receipt = log
        .append(one("after", "VehicleCreated", "{}"))
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(
        receipt.last_position(),
        Position::new(events.len() as u64 + 1),
        "{what}"
    );
    log.close();
    let log = try_open(repo, &small()).unwrap_or_else(|error| panic!("{what}, again: {error}"));
    let (again, lost_again) = read_around(&log);
    assert_eq!(
        again.len(),
        read.len() + 1,
        "{what}: reopening loses or finds events"
    );
    assert_eq!(lost_again, lost, "{what}");
    said
}

/// Whether verify says something about the log.
fn verify_says(repo: &Arc<dyn Repo>) -> bool {
    !verify_in(repo, None, &VerifyOptions::default())
        .unwrap()
        .problems
        .is_empty()
}

/// The last group is among them: the watermark tells its rot from a torn write.
#[test]
fn every_bit_of_every_segment_is_protected() {
    let (memory, events) = small_log();
    let names = memory.list().unwrap();
    assert!(
        names.iter().filter(|name| name.ends_with(".log")).count() >= 3,
        "{names:?}"
    );
    for name in names.iter().filter(|name| name.ends_with(".log")) {
        let bytes = memory.bytes(name);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let what = format!("{name}, byte {at}, bit {bit}");
                let repo = damaged(&memory, name, flipped);
                assert!(verify_says(&repo), "{what}: not noticed");
                if bit == at % 8 {
                    check(&repo, &events, &what);
                }
            }
        }
    }
}

#[test]
fn derived_files_may_hold_anything() {
    let (memory, events) = small_log();
    for name in memory
        .list()
        .unwrap()
        .iter()
        .filter(|name| !name.ends_with(".log"))
    {
        let bytes = memory.bytes(name);
        for at in (0..bytes.len()).filter(|at| at % 997 == 0 || bytes[*at] != 0) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            check(
                &damaged(&memory, name, flipped),
                &events,
                &format!("{name}, byte {at}"),
            );
        }
        for length in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
            check(
                &damaged(&memory, name, bytes[..length].to_vec()),
                &events,
                &format!("{name}, cut at {length}"),
            );
        }
        let copy = memory.copy();
        copy.remove(name).unwrap();
        check(
            &(Arc::new(copy) as Arc<dyn Repo>),
            &events,
            &format!("{name}, gone"),
        );
    }
}

#[test]
fn every_cut_of_every_segment_is_said() {
    let (memory, events) = small_log();
    for name in memory
        .list()
        .unwrap()
        .iter()
        .filter(|name| name.ends_with(".log"))
    {
        let bytes = memory.bytes(name);
        for length in 0..bytes.len() {
            let mut zeroed = bytes.clone();
            zeroed[length..].fill(0);
            for (kind, cut) in [("cut", bytes[..length].to_vec()), ("zeroed", zeroed)] {
                if cut == bytes {
                    continue;
                }
                let what = format!("{name}, {kind} at {length}");
                let repo = damaged(&memory, name, cut);
                assert!(verify_says(&repo), "{what}: not noticed");
                if length % 5 == 0 {
                    check(&repo, &events, &what);
                }
            }
        }
    }
}

#[test]
fn lost_and_swapped_segments_are_said() {
    let (memory, events) = small_log();
    let names: Vec<String> = memory
        .list()
        .unwrap()
        .into_iter()
        .filter(|name| name.ends_with(".log"))
        .collect();
    for name in &names {
        let copy = memory.copy();
        copy.remove(name).unwrap();
        assert!(check(
            &(Arc::new(copy) as Arc<dyn Repo>),
            &events,
            &format!("{name}, gone")
        ));
    }
    for pair in names.windows(2) {
        let copy = memory.copy();
        let (first, second) = (memory.bytes(&pair[0]), memory.bytes(&pair[1]));
        copy.put(&pair[0], second);
        copy.put(&pair[1], first);
        assert!(check(
            &(Arc::new(copy) as Arc<dyn Repo>),
            &events,
            &format!("{pair:?}, swapped")
        ));
    }
    let (other, _) = small_log();
    for name in &names {
        let repo = damaged(&memory, name, other.bytes(name));
        assert!(check(&repo, &events, &format!("{name}, of another log")));
    }
}

#[test]
fn all_segments_gone_is_refused() {
    let (memory, events) = small_log();
    for name in memory
        .list()
        .unwrap()
        .iter()
        .filter(|name| name.ends_with(".log"))
    {
        memory.remove(name).unwrap();
    }
    let repo: Arc<dyn Repo> = Arc::new(memory);
    let error = try_open(&repo, &small()).unwrap_err();
    assert!(
        matches!(error, OpenError::SegmentsMissing { events: found } if found == events.len() as u64),
        "{error}"
    );
}
