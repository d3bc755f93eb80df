//! A small log of each format number, byte for byte: what today's code writes, and what it must read for ever.
//!
//! `STORAGE_WRITE_FIXTURES=1` writes the files of the present format; an older format's are never written again.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::support::*;
use crate::position::SegmentId;
use crate::repo::{MemoryRepo, Repo};
use crate::verify::verify_in;
use crate::watermark::{self, Found, WatermarkWriter};
use crate::*;
use crate::{chain, maintenance};

const LOG_ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/format-1")
        .join(name)
}

fn transactions() -> Vec<Transaction> {
    (0..24_u8)
        .map(|number| {
            let events = (0..=number % 3).map(|at| {
                let mut event = NewEvent::new(
                    ["VehicleCreated", "MileageReported"][usize::from(number % 2)],
                    format!("{{\"number\":{number},\"at\":{at}}}"),
                )
                .with_id(Uuid::from_u128(
                    u128::from(number) << 8 | u128::from(at) | 1 << 100,
                ))
                .with_tag(format!("user:{}", number % 4));
                event.schema = u16::from(at) + 1;
                event.metadata = br#"{"source":"golden"}"#.to_vec();
                event.occurred_at = (number % 5 > 0)
                    .then(|| Timestamp::from_micros(1_600_000_000_000_000 - i64::from(number)));
                event
            });
            let of = ["Vehicle", "Part"][usize::from(number % 2)];
            let name = StreamName::new(of, format!("ü/{}", number % 6));
            Transaction::stream(name, ExpectedVersion::Any, events.collect())
        })
        .collect()
}

/// Writes the log. Each step waits for the maintenance thread, so that the same bytes come out every time.
fn written() -> (MemoryRepo, MemoryRepo, Vec<Event>) {
    let (memory, snapshots) = (MemoryRepo::new(), MemoryRepo::new());
    // A watermark with nothing behind it gives the new log its identity.
    let mut watermark = WatermarkWriter::open(&memory, LOG_ID, &Found::Absent).unwrap();
    watermark
        .write(Position::START, SegmentId::FIRST, chain::start(LOG_ID))
        .unwrap();
    let log = Log::open_in(
        Arc::new(memory.clone()),
        None,
        beside(Arc::new(snapshots.clone())),
        small(),
        None,
    )
    .unwrap();
    for transaction in transactions() {
        let receipt = log.append(transaction.clone()).unwrap();
        log.settle();
        let (name, event) = (&transaction.writes[0].stream, receipt.events[0]);
        log.snapshots()
            .save(name, event.version, event.position, b"a folded state")
            .unwrap();
    }
    let events = all(&log);
    // As of the end, and not of whenever the thread came to it.
    maintenance::save_state(&log.shared).unwrap();
    log.close();
    write_watermark_anew(&memory);
    (memory, snapshots, events)
}

/// How often the log fell idle, and so the sequence, is chance; what the last slot says is not.
fn write_watermark_anew(memory: &MemoryRepo) {
    let found = match watermark::read(memory).unwrap() {
        Found::Valid(found) => found,
        other => panic!("{other:?}"),
    };
    let mut anew = WatermarkWriter::open(memory, LOG_ID, &Found::Absent).unwrap();
    for _ in 0..2 {
        anew.write(found.position, found.segment, found.chain)
            .unwrap();
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Large and mostly zeros: kept as a digest.
fn is_digested(name: &str) -> bool {
    name.ends_with(".state")
}

fn all_files(memory: &MemoryRepo, snapshots: &MemoryRepo) -> Vec<(String, Vec<u8>)> {
    [memory, snapshots]
        .into_iter()
        .flat_map(|repo| {
            let names = repo.list().unwrap();
            names.into_iter().map(|name| {
                let bytes = repo.bytes(&name);
                (name, bytes)
            })
        })
        .collect()
}

#[test]
fn todays_code_writes_format_1() {
    let (memory, snapshots, _) = written();
    let files = all_files(&memory, &snapshots);
    let list: String = files
        .iter()
        .map(|(name, bytes)| format!("{} {name}\n", sha256(bytes)))
        .collect();
    if std::env::var_os("STORAGE_WRITE_FIXTURES").is_some() {
        fs::create_dir_all(fixture("")).unwrap();
        for (name, bytes) in files.iter().filter(|(name, _)| !is_digested(name)) {
            fs::write(fixture(name), bytes).unwrap();
        }
        fs::write(fixture("SHA256SUMS"), &list).unwrap();
    }
    for (name, bytes) in files.iter().filter(|(name, _)| !is_digested(name)) {
        let golden = fs::read(fixture(name)).unwrap();
        assert!(bytes == &golden, "{name} is written differently");
    }
    assert_eq!(list, fs::read_to_string(fixture("SHA256SUMS")).unwrap());
}

/// Only the segments and the watermark: everything derived is made again, the same.
#[test]
fn format_1_is_read() {
    let golden = MemoryRepo::new();
    let snapshots = MemoryRepo::new();
    for entry in fs::read_dir(fixture("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let bytes = fs::read(fixture(&name)).unwrap();
        if name.starts_with("snapshots-") {
            snapshots.put(&name, bytes);
        } else if name.ends_with(".log") || name.ends_with(".idx") || name == "watermark" {
            golden.put(&name, bytes);
        }
    }
    let (_, _, events) = written();
    let repo: Arc<dyn Repo> = Arc::new(golden.copy());
    let report = verify_in(&repo, None, &VerifyOptions::default()).unwrap();
    assert_eq!((report.log_id, report.problems), (LOG_ID, vec![]));
    assert_eq!(report.events, events.len() as u64);

    let log = Log::open_in(repo, None, beside(Arc::new(snapshots)), small(), None).unwrap();
    assert_eq!(
        (log.opened().torn_bytes, log.opened().indexes_missing),
        (0, 0)
    );
    for (event, golden) in events.iter().zip(all(&log)) {
        assert_eq!(event, &golden);
    }
    assert_eq!(log.durable_position().get(), events.len() as u64);
    for transaction in transactions() {
        assert!(log.append(transaction).unwrap().duplicate);
    }
    let name = StreamName::new("Vehicle", "ü/0");
    let found = log
        .snapshots()
        .load(&name, Version::MAX, log.durable_position())
        .unwrap();
    assert_eq!(found.state, b"a folded state");
    let by_tag = ReadRequest {
        query: Query::tags(["user:2"]),
        ..ReadRequest::default()
    };
    assert_eq!(
        collect(&log, &by_tag).len(),
        events
            .iter()
            .filter(|event| event.tags.contains(&"user:2".into()))
            .count()
    );
    log.append(one("new", "T", "x")).unwrap();
}
