//! Bytes whose checksums agree and that still cannot be true: what only the chain and the order tell.

use std::sync::{Arc, RwLock};

use uuid::Uuid;

use super::support::*;
use crate::chain;
use crate::header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::id_filter::IdFilter;
use crate::record::{self, Chain, Commit, EventToWrite, Record};
use crate::repo::{MemoryRepo, Repo};
use crate::state::{self, StateIdentity};
use crate::verify::verify_in;
use crate::*;

const FIRST: &str = "000000000001.log";

/// An event as it is written anew.
#[derive(Clone, Debug)]
struct Rewritten {
    version: Version,
    recorded_at: Timestamp,
    data: Vec<u8>,
}

/// Which chain the markers of the forgery carry.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Chains {
    /// One that agrees with the forged bytes.
    Anew,
    /// The one that was there.
    Old,
}

/// Writes a log's first segment anew with `change` applied to each event, and checksums that agree.
fn forge(bytes: &[u8], chains: Chains, change: impl Fn(u64, &mut Rewritten)) -> Vec<u8> {
    let header = SegmentHeader::decode(bytes).unwrap();
    let (seed, mut chain) = (header.seed(), header.chain);
    let mut forged = bytes[..SEGMENT_HEADER_BYTES].to_vec();
    let (mut offset, mut position) = (SEGMENT_HEADER_BYTES, header.first_position);
    let mut group = Vec::new();
    while let Ok((found, length)) = record::read(&bytes[offset..], seed, position) {
        match found {
            Record::Event(event) => {
                let mut rewritten = Rewritten {
                    version: event.version,
                    recorded_at: event.recorded_at,
                    data: event.data.to_vec(),
                };
                change(position.get(), &mut rewritten);
                let to_write = EventToWrite {
                    stream: event.stream,
                    version: rewritten.version,
                    event_type: event.event_type,
                    schema: event.schema,
                    id: event.id,
                    occurred_at: Some(event.occurred_at),
                    recorded_at: rewritten.recorded_at,
                    ends_transaction: event.ends_transaction,
                    tags: &[],
                    metadata: event.metadata,
                    data: &rewritten.data,
                };
                record::write_event(&mut group, seed, position, &to_write);
                position = position.next();
            }
            Record::Commit(commit) => {
                let anew: Chain = chain::link(&chain, &group);
                chain = if chains == Chains::Anew {
                    anew
                } else {
                    commit.chain
                };
                let commit = Commit {
                    group_bytes: u32::try_from(group.len()).unwrap(),
                    chain,
                    ..commit
                };
                record::write_commit(&mut group, seed, &commit);
                forged.append(&mut group);
            }
            _ => group.extend_from_slice(&bytes[offset..offset + length]),
        }
        offset += length;
    }
    forged
}

fn closed_log() -> (MemoryRepo, Arc<dyn Repo>) {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(
        &repo,
        &LogOptions {
            segment_bytes_min: 8_192,
            ..small()
        },
    );
    for number in 0..8 {
        let events = (0..2).map(|_| NewEvent::new("T", "four")).collect();
        let name = StreamName::new("Vehicle", format!("{}", number % 2));
        log.append(Transaction::stream(name, ExpectedVersion::Any, events))
            .unwrap();
    }
    log.close();
    (memory, repo)
}

/// What verify says about the log with its first segment forged.
fn said(chains: Chains, change: impl Fn(u64, &mut Rewritten)) -> Vec<String> {
    let (memory, repo) = closed_log();
    let forged = forge(&memory.bytes(FIRST), chains, change);
    memory.put(FIRST, forged);
    let report = verify_in(&repo, None, &VerifyOptions::default()).unwrap();
    report
        .problems
        .into_iter()
        .map(|problem| format!("{}: {}", problem.file, problem.what))
        .collect()
}

#[track_caller]
fn is_said(problems: &[String], what: &str) {
    assert!(
        problems.iter().any(|problem| problem.contains(what)),
        "{what}: {problems:?}"
    );
}

#[test]
fn forging_nothing_changes_nothing_that_counts() {
    let problems = said(Chains::Old, |_, _| {});
    // The events now say that their time was given, so the bytes are others.
    is_said(
        &problems,
        "the hash chain breaks in the group at offset 128",
    );
}

#[test]
fn changed_data_breaks_the_chain() {
    let problems = said(Chains::Old, |position, event| {
        if position == 9 {
            event.data = b"five".to_vec();
        }
    });
    is_said(&problems, "the hash chain breaks");
}

/// Whoever writes the whole chain anew is still told by the watermark, and by any chain value kept elsewhere.
#[test]
fn a_chain_written_anew_is_not_the_one_that_was_durable() {
    let problems = said(Chains::Anew, |_, _| {});
    assert_eq!(problems.len(), 1, "{problems:?}");
    is_said(
        &problems,
        "watermark: the chain at position 16 is not the one that was durable there",
    );
}

/// And when the watermark is gone as well, a kept root of the tree still tells, and between which roots.
#[test]
fn a_chain_written_anew_is_not_the_tree_that_was() {
    let (memory, repo) = closed_log();
    let same = forge(&memory.bytes(FIRST), Chains::Anew, |_, _| {});
    memory.put(FIRST, same);
    repo.remove("watermark").unwrap();
    let log = open(&repo, &small());
    let root = |size| {
        let size = Position::new(size);
        (size, log.tree_root(size).unwrap())
    };
    let roots = vec![root(4), root(10), root(16)];
    log.close();
    repo.remove("watermark").unwrap();
    let verified = |bytes: Vec<u8>| {
        memory.put(FIRST, bytes);
        let options = VerifyOptions {
            roots: roots.clone(),
            ..VerifyOptions::default()
        };
        verify_in(&repo, None, &options).unwrap().problems
    };
    assert_eq!(verified(memory.bytes(FIRST)), []);
    let forged = forge(&memory.bytes(FIRST), Chains::Anew, |position, event| {
        if position == 9 {
            event.data = b"five".to_vec();
        }
    });
    let problems = verified(forged);
    assert_eq!(problems.len(), 2, "at 10 and at 16: {problems:?}");
    assert_eq!(problems[0].file, FIRST);
    assert!(
        problems[0].what.contains("positions 5 to 10"),
        "{problems:?}"
    );
}

#[test]
fn times_that_fall_are_said() {
    let problems = said(Chains::Anew, |position, event| {
        if position == 6 {
            event.recorded_at = Timestamp::from_micros(1);
        }
    });
    is_said(&problems, "the event at position 6, offset");
    is_said(&problems, "was recorded before the one before it");
}

#[test]
fn versions_that_do_not_follow_are_said() {
    for version in [1, 9] {
        let problems = said(Chains::Anew, |position, event| {
            if position == 6 {
                event.version = Version::new(version);
            }
        });
        is_said(&problems, "does not follow in its stream");
    }
}

/// The scrub of a log in use follows the chain as well.
#[test]
fn a_scrub_finds_a_broken_chain() {
    let (memory, repo) = closed_log();
    let forged = forge(&memory.bytes(FIRST), Chains::Old, |position, event| {
        event.data = vec![u8::try_from(position).unwrap()];
    });
    memory.put(FIRST, forged);
    let log = open(&repo, &small());
    assert_eq!(log.opened().damage, [], "every checksum agrees");
    let progress = log.scrub(&mut ScrubCursor::default()).unwrap();
    assert_eq!(progress.damage.len(), 8);
    assert!(
        progress
            .damage
            .iter()
            .all(|range| range.positions.is_none())
    );
    let text = log.health().damage[0].to_string();
    assert!(text.ends_with("no event is lost"), "{text}");
}

#[test]
fn acknowledged_events_that_are_not_there_are_named() {
    let (_, repo) = closed_log();
    let log = open(&repo, &small());
    let there = all(&log)[3].id;
    log.close();
    let lost = [Uuid::from_u128(8), Uuid::from_u128(9)];
    let options = VerifyOptions {
        acknowledged: vec![lost[1], there, lost[0]],
        ..VerifyOptions::default()
    };
    let report = verify_in(&repo, None, &options).unwrap();
    assert_eq!(report.missing, lost);
    assert_eq!(report.problems, []);
    assert_eq!((report.events, report.head), (16, Position::new(16)));
}

#[test]
fn what_is_verified_is_digested() {
    let (memory, repo) = closed_log();
    let digest = |repo: &Arc<dyn Repo>| {
        let report = verify_in(repo, None, &VerifyOptions::default()).unwrap();
        (report.digest, report.chain)
    };
    let before = digest(&repo);
    assert_eq!(digest(&repo), before);
    let forged = forge(&memory.bytes(FIRST), Chains::Anew, |_, event| {
        event.data = vec![1]
    });
    memory.put(FIRST, forged);
    assert_ne!(digest(&repo).0, before.0);
}

/// Indexes and tables of another moment, whole in themselves, are told from those of this one.
#[test]
fn derived_files_of_another_moment_are_said() {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &small());
    (0..60).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap()));
    log.close();
    for suffix in [".idx", ".state"] {
        let copy = memory.copy();
        let names = copy.list().unwrap();
        let name = names.iter().find(|name| name.ends_with(suffix)).unwrap();
        let mut bytes = copy.bytes(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        copy.put(name, bytes);
        let repo: Arc<dyn Repo> = Arc::new(copy);
        let report = verify_in(&repo, None, &VerifyOptions::default()).unwrap();
        assert_eq!(report.problems.len(), 1, "{suffix}: {:?}", report.problems);
        assert_eq!(&report.problems[0].file, name);
        assert_eq!(report.events, 60);
    }
}

/// Bytes behind the last group of a sealed segment were never acknowledged and still do not belong there.
#[test]
fn bytes_behind_a_sealed_segment_are_said() {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &small());
    (0..60).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap()));
    log.close();
    let mut bytes = memory.bytes(FIRST);
    bytes.extend_from_slice(b"what does not belong here");
    memory.put(FIRST, bytes);
    let report = verify_in(&repo, None, &VerifyOptions::default()).unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    let what = &report.problems[0].what;
    assert!(what.starts_with("25 bytes follow the last group"), "{what}");
    assert_eq!((report.events, report.torn_bytes), (60, 25));
}

/// Tables under a sound frame that lack an id would let a repeated append through.
#[test]
fn tables_that_lack_an_id_are_said() {
    let memory = MemoryRepo::new();
    let repo: Arc<dyn Repo> = Arc::new(memory.clone());
    let log = open(&repo, &small());
    (0..60).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap()));
    log.settle();
    let segments = log.shared.segments();
    let (next, chain) = segments[0].successor().unwrap();
    let identity = StateIdentity {
        log_id: log.log_id(),
        segment: segments[0].id,
        next,
        chain,
    };
    let tips = RwLock::new(log.shared.tips.read().unwrap().clone());
    let names = log.shared.names.clone();
    log.close();
    state::save(&*repo, &identity, &names, &tips, &IdFilter::new()).unwrap();
    let report = verify_in(&repo, None, &VerifyOptions::default()).unwrap();
    assert_eq!(report.problems.len() as u64, next.get() - 1);
    let problem = &report.problems[0];
    assert_eq!(problem.file, "000000000001.state");
    assert!(
        problem.what.ends_with("the event at position 1"),
        "{}",
        problem.what
    );
}
