//! Somebody who may write every file makes the log anew, every checksum and the whole chain with it, the log's id and the
//! times as they were. Roots that were kept elsewhere tell what became of it, in which segment and between which positions.

use std::sync::Arc;

use uuid::Uuid;

use super::support::*;
use crate::chain;
use crate::header::SEGMENT_HEADER_BYTES;
use crate::log::Beside;
use crate::position::SegmentId;
use crate::repo::{MemoryRepo, Repo};
use crate::verify::verify_in;
use crate::watermark::{self, WatermarkWriter};
use crate::*;

const LOG_ID: Uuid = Uuid::from_u128(0xFEED);
const EVENTS: u64 = 60;
/// How many events each kept root is of.
const KEPT: [u64; 4] = [12, 25, 38, 60];
/// What is done is done to this event, between the roots of 25 and 38.
const VICTIM: u64 = 31;

fn event(number: u64) -> (u64, String) {
    (number, format!("{{\"n\":{number}}}"))
}

fn as_it_was() -> Vec<(u64, String)> {
    (1..=EVENTS).map(event).collect()
}

/// A log of this id, closed, with these events: each its id and its data.
fn written(events: &[(u64, String)]) -> MemoryRepo {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let begun = watermark::Found::Absent;
    let mut writer = WatermarkWriter::open(&*repo, LOG_ID, &begun).unwrap();
    writer
        .write(Position::START, SegmentId::FIRST, chain::start(LOG_ID))
        .unwrap();
    let log = open(&repo, &small());
    assert_eq!(log.log_id(), LOG_ID);
    for (id, data) in events {
        let event = NewEvent::new("VehicleUpdated", data.as_str())
            .with_id(Uuid::from_u128(u128::from(*id)));
        let name = StreamName::new("Vehicle", (id % 3).to_string());
        log.append(Transaction::single(name, ExpectedVersion::Any, event))
            .unwrap();
    }
    log.close();
    memory
}

fn kept(memory: &MemoryRepo) -> Vec<(Position, TreeHash)> {
    let repo: Arc<dyn Repo> = Arc::new(memory.copy());
    let log = open(&repo, &small());
    let roots = KEPT
        .map(Position::new)
        .map(|size| (size, log.tree_root(size).unwrap()));
    log.close();
    roots.into()
}

fn found(memory: &MemoryRepo, roots: &[(Position, TreeHash)]) -> VerifyReport {
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let options = VerifyOptions {
        roots: roots.to_vec(),
        ..VerifyOptions::default()
    };
    verify_in(&repo, None, &options).unwrap()
}

/// The segment that holds a position.
fn segment_of(memory: &MemoryRepo, position: u64) -> String {
    let repo: Arc<dyn Repo> = Arc::new(memory.copy());
    let log = open(&repo, &small());
    let place = event_place(&log, position);
    log.close();
    place.0
}

/// Without the kept roots nothing is wrong with the log; with them, what was done is placed between two of them.
#[track_caller]
fn check(events: &[(u64, String)], what: &str) {
    let memory = written(&as_it_was());
    let roots = kept(&memory);
    assert_eq!(found(&memory, &roots).problems, [], "as it was");
    let forged = written(events);
    let silent = found(&forged, &[]);
    assert_eq!(
        silent.problems,
        [],
        "{what}: every checksum and the chain agree"
    );
    let report = found(&forged, &roots);
    let said = &report.problems;
    assert_eq!(said.len(), 2, "{what}: the roots of 38 and of 60: {said:?}");
    assert!(
        said[0].what.contains("positions 26 to 38"),
        "{what}: {said:?}"
    );
    let segments = [segment_of(&forged, 26), segment_of(&forged, 38)];
    assert!(
        segments[0] <= said[0].file && said[0].file <= segments[1],
        "{what}: {said:?}"
    );
}

fn index(number: u64) -> usize {
    usize::try_from(number - 1).unwrap()
}

#[test]
fn a_changed_event_is_found() {
    let mut events = as_it_was();
    events[index(VICTIM)].1 = "{\"n\":0}".to_owned();
    check(&events, "changed");
}

#[test]
fn an_inserted_event_is_found() {
    let mut events = as_it_was();
    events.insert(index(VICTIM), (777, "{}".to_owned()));
    check(&events, "inserted");
}

#[test]
fn reordered_events_are_found() {
    let mut events = as_it_was();
    events.swap(index(VICTIM), index(VICTIM + 1));
    check(&events, "reordered");
}

#[test]
fn a_removed_event_is_found() {
    let mut events = as_it_was();
    events.remove(index(VICTIM));
    let (memory, forged) = (written(&as_it_was()), written(&events));
    let said = found(&forged, &kept(&memory)).problems;
    assert!(said[0].what.contains("positions 26 to 38"), "{said:?}");
    assert!(
        said[1]
            .what
            .contains("ends at position 59, the checkpoint was made at 60"),
        "{said:?}"
    );
}

#[test]
fn a_log_that_ends_earlier_is_found() {
    let memory = written(&as_it_was());
    let forged = written(&as_it_was()[..index(VICTIM)]);
    let said = found(&forged, &kept(&memory)).problems;
    assert_eq!(said.len(), 2, "{said:?}");
    let last = segment_of(&forged, VICTIM - 1);
    assert!(
        said.iter()
            .all(|problem| problem.file == last && problem.what.contains("events were removed")),
        "{said:?}"
    );
}

/// Without making anything anew: segments that change places, that come from another log, that are cut.
#[test]
fn segments_swapped_cut_or_of_another_log_are_found_and_placed() {
    let memory = written(&as_it_was());
    let roots = kept(&memory);
    let names: Vec<String> = memory.list().unwrap();
    let segments: Vec<&String> = names.iter().filter(|name| name.ends_with(".log")).collect();
    assert!(segments.len() >= 4, "{segments:?}");
    let (second, third) = (segments[1], segments[2]);
    let named = |memory: &MemoryRepo, name: &str, what: &str| {
        for roots in [&[][..], &roots] {
            let said = found(memory, roots).problems;
            let places = said.iter().filter(|problem| problem.file == *name);
            let is_placed = |problem: &&Problem| {
                problem.what.contains("position")
                    || problem.what.contains("offset")
                    || problem.what.contains("header")
            };
            assert!(
                places.clone().any(|problem| is_placed(&problem)),
                "{what}, {name}: {said:?}"
            );
        }
    };
    let swapped = memory.copy();
    swapped.put(second, memory.bytes(third));
    swapped.put(third, memory.bytes(second));
    named(&swapped, second, "swapped");
    named(&swapped, third, "swapped");

    let other = MemoryRepo::new();
    {
        let repo: Arc<dyn Repo> = Arc::new(other.clone());
        let log = open(&repo, &small());
        (0..EVENTS).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap()));
        log.close();
    }
    let foreign = memory.copy();
    foreign.put(second, other.bytes(second));
    named(&foreign, second, "of another log");

    for keep in [0, 64, 128, 500] {
        let cut = memory.copy();
        cut.put(third, memory.bytes(third)[..keep].to_vec());
        named(&cut, third, "cut");
    }
    let gone = memory.copy();
    gone.remove(second).unwrap();
    named(&gone, second, "gone");

    // The last group cut off whole, and the watermark gone, so that nothing in the folder tells.
    let last = segments[segments.len() - 1];
    let ended = memory.copy();
    let bytes = memory.bytes(last);
    let marker = |from: &[u8]| from.windows(8).rposition(|bytes| bytes == b"RFCOMMIT");
    let end = marker(&bytes).unwrap();
    let before = marker(&bytes[..end]).map_or(SEGMENT_HEADER_BYTES, |at| at + 12);
    ended.put(last, bytes[..before].to_vec());
    ended.remove("watermark").unwrap();
    assert_eq!(
        found(&ended, &[]).problems,
        [],
        "a log that is an event shorter"
    );
    let said = found(&ended, &roots).problems;
    let place = segment_of(&ended, EVENTS - 1);
    assert_eq!((said.len(), &said[0].file), (1, &place), "{said:?}");
    assert!(said[0].what.contains("ends at position 59"), "{said:?}");
}

/// A server that keeps its tree's nodes answers with the root that was, whatever became of an event since: only hashing anew
/// tells.
#[test]
fn an_event_changed_under_a_tree_that_is_kept_is_found_by_hashing_anew() {
    let events: Vec<_> = (1..=600).map(event).collect();
    let (memory, tree) = (written(&events), memory());
    let opened = |memory: &MemoryRepo| {
        let beside = Beside {
            tree: tree.clone(),
            ..beside(self::memory())
        };
        let repo: Arc<dyn Repo> = Arc::new(memory.clone());
        Log::open_in(repo, None, beside, small(), None).unwrap()
    };
    let (first, tile, end) = (Position::FIRST, Position::new(512), Position::new(600));
    let log = opened(&memory);
    let root = log.tree_root(tile).unwrap();
    log.tree_recheck(first, end).unwrap();
    log.close();
    let mut changed = events;
    changed[index(VICTIM)].1 = "{\"n\":0}".to_owned();
    let log = opened(&written(&changed));
    assert_eq!(
        log.tree_root(tile).unwrap(),
        root,
        "as it was, though it is not"
    );
    log.tree_recheck(Position::new(257), end).unwrap();
    let found = log.tree_recheck(first, end).unwrap_err();
    assert!(
        matches!(found, TreeError::Changed { first, last } if first.get() == 1 && last.get() == 256),
        "{found}"
    );
    let beyond = log.tree_recheck(first, Position::new(601)).unwrap_err();
    assert!(matches!(beyond, TreeError::Beyond { .. }), "{beyond}");
    log.close();
}
