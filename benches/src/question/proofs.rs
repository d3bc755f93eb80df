//! What proving costs: an inclusion proof out of a large log, a full verify against hashing the same bytes at all, and appends
//! while the log's tree follows them.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use storage::{Log, LogOptions, Position, VerifyOptions, verify};

use crate::BenchError;
use crate::error::doing;
use crate::fill::{self, Fill};
use crate::row::{Bar, Row};
use crate::sample::{Sample, per_second};
use crate::setting::Setting;

/// While the log grows, hashing takes one part in this many of a core, as in the server.
const TREE_SHARE: u32 = 8;
/// Tiles that are hashed at once.
const TREE_TILES: usize = 16;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let past = setting.past()?;
    let rounds = setting.pick(1, 5);
    let log = Log::open(&past.log(), LogOptions::default())?;
    let measured = inclusion(&log, setting, rounds);
    log.close();
    let mut rows = vec![measured.unwrap_or_else(failed("inclusion proof"))];
    let rounds = setting.pick(1, 3);
    rows.push(verified(&past.log(), rounds).unwrap_or_else(failed("full verify")));
    let scratch = setting.scratch()?;
    let appended = appending(scratch.path(), setting, rounds);
    rows.push(appended.unwrap_or_else(failed("appends while the tree follows")));
    Ok(rows)
}

/// A part that fails costs its own row.
fn failed(what: &'static str) -> impl FnOnce(BenchError) -> Row {
    move |error| Row::failed(what, error.to_string())
}

fn inclusion(log: &Log, setting: &Setting, rounds: usize) -> Result<Row, BenchError> {
    let proofs = setting.pick(20, 2_000);
    let end = log.durable_position();
    let failed = |error: storage::TreeError| BenchError::Peer(format!("no proof: {error}"));
    // The tree is made in the background long before anybody asks.
    let began = Instant::now();
    log.tree_root(end).map_err(failed)?;
    let made_s = began.elapsed().as_secs_f64();
    let mut chance = 1_u64;
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let sample = Sample::of(proofs, || {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let position = Position::new((chance >> 20) % end.get() + 1);
            black_box(log.inclusion_proof(position, end)?);
            Ok::<(), storage::TreeError>(())
        });
        let sample = sample.map_err(failed)?;
        p50.push(sample.p50());
        p99.push(sample.p99());
    }
    Ok(Row::new("inclusion proof, p99", "µs", p99)
        .bar(Bar::AtMost(1_000.0))
        .note(format!(
            "of {end} events, the tree made in {made_s:.1} s; p50 {:.0} µs; {rounds} rounds of {proofs} at chance positions, page cache warm",
            crate::sample::median(&p50)
        )))
}

fn verified(folder: &Path, rounds: usize) -> Result<Row, BenchError> {
    let (mut rates, mut hashed) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for _ in 0..rounds {
        let began = Instant::now();
        let report = verify(folder, &VerifyOptions::default())
            .map_err(|error| BenchError::Peer(format!("verify: {error}")))?;
        if !report.problems.is_empty() {
            return Err(BenchError::Peer(format!(
                "verify found {:?}",
                report.problems
            )));
        }
        rates.push(per_second(report.bytes, began.elapsed()) / 1e6);
        let (length, took) = hashed_once(folder)?;
        hashed.push(per_second(length, took) / 1e6);
        bytes = length;
    }
    Ok(Row::new("full verify", "MB/s", rates)
        .against("SHA-256 over the same bytes, one thread", &hashed)
        .bar(Bar::RatioAtLeast(0.6))
        .note(format!(
            "{} MB, page cache warm; checksums, chain, order, indexes and tree: every byte is hashed twice, over the chain and as a leaf, in pieces for all cores",
            bytes / 1_000_000
        )))
}

fn appending(folder: &Path, setting: &Setting, rounds: usize) -> Result<Row, BenchError> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for follows in [false, true] {
            let folder = folder.join(format!("append-{round}-{follows}"));
            let rate = appended(&folder, setting, follows)?;
            fs::remove_dir_all(&folder).map_err(doing("removing a log"))?;
            if follows { &mut with } else { &mut without }.push(rate);
        }
    }
    Ok(Row::new("appends in transactions of 1,000 while the tree follows", "events/s", with)
        .against("without a tree", &without)
        .bar(Bar::RatioAtLeast(0.9))
        .note(format!(
            "one thread hashes {TREE_TILES} tiles at a time and rests {} times as long, as the server does",
            TREE_SHARE - 1
        )))
}

fn appended(folder: &Path, setting: &Setting, follows: bool) -> Result<f64, BenchError> {
    let filling = Fill {
        events: setting.pick(3_000, 1_000_000).min(setting.events()),
        streams: setting.pick(100, 10_000),
        events_per_transaction: 1_000,
    };
    let log = Log::open(folder, LogOptions::default())?;
    let ended = AtomicBool::new(!follows);
    let took = thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let began = Instant::now();
                let hashed = log.tree_catch_up(TREE_TILES);
                let rest = began.elapsed() * (TREE_SHARE - 1);
                let is_done = hashed.is_ok_and(|hashed| hashed == log.durable_position());
                thread::sleep(if is_done {
                    Duration::from_millis(1)
                } else {
                    rest
                });
            }
        });
        let began = Instant::now();
        let filled = fill::fill(&log, 0, &filling);
        let took = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        filled.map(|()| took)
    })?;
    log.close();
    Ok(per_second(filling.events, took))
}

/// Hashes all segments, the prepared space behind the last record left out: how many bytes, and how long hashing took.
/// Reading is not counted.
fn hashed_once(folder: &Path) -> Result<(u64, Duration), BenchError> {
    let (mut length, mut took) = (0, Duration::ZERO);
    let mut hasher = Sha256::new();
    for entry in fs::read_dir(folder).map_err(doing("listing the log's folder"))? {
        let path = entry.map_err(doing("listing the log's folder"))?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let read = fs::read(&path).map_err(doing("reading a segment"))?;
        let used = read.iter().rposition(|byte| *byte != 0);
        let bytes = &read[..used.map_or(0, |last| last + 1)];
        let began = Instant::now();
        hasher.update(bytes);
        took += began.elapsed();
        length += bytes.len() as u64;
    }
    black_box(hasher.finalize());
    Ok((length, took))
}
