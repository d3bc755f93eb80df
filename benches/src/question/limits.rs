//! What the disk and the processor allow: the bounds that the other answers are read beside.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::BenchError;
use crate::error::doing;
use crate::raw::Raw;
use crate::row::Row;
use crate::sample::Sample;
use crate::setting::Setting;

/// A record of a 300-byte event with its frame.
const RECORD_BYTES: usize = 361;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let rounds = setting.pick(1, 5);
    let syncs = setting.pick(5, 300);
    let records = setting.pick(100, 200_000);
    let mut raw =
        Raw::prepare(setting, scratch.path(), RECORD_BYTES).map_err(doing("preparing raw"))?;
    let mut group = Raw::prepare(setting, &scratch.join("group"), 1_000 * RECORD_BYTES)
        .map_err(doing("preparing raw"))?;
    let (mut p50, mut p99, mut rate) = (Vec::new(), Vec::new(), Vec::new());
    let (mut group_p50, mut crc, mut sha) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let sample = raw.sample(syncs).map_err(doing("writing raw"))?;
        p50.push(sample.p50());
        p99.push(sample.p99());
        rate.push(sample.rate());
        let sample = group.sample(syncs / 5).map_err(doing("writing raw"))?;
        group_p50.push(sample.p50());
        crc.push(record_rate(records, |record| {
            black_box(crc32fast::hash(record));
        }));
        sha.push(sha_rate(records));
    }
    Ok(vec![
        Row::new("raw: one event written and synced, p50", "µs", p50),
        Row::new("raw: one event written and synced, p99", "µs", p99),
        Row::new("raw: one event at a time", "/s", rate),
        Row::new(
            "raw: 1,000 events in one write and sync, p50",
            "µs",
            group_p50,
        ),
        Row::new("CRC32 of each record, one core", "/s", crc),
        Row::new("SHA-256 over 1,000 records, one core", "events/s", sha),
    ])
}

fn record_rate(records: usize, mut work: impl FnMut(&[u8])) -> f64 {
    let bytes = vec![0x5a; 1_000 * RECORD_BYTES];
    let sample = Sample::of(records.div_ceil(1_000), || {
        bytes.chunks_exact(RECORD_BYTES).for_each(&mut work);
        Ok::<(), Infallible>(())
    });
    let Ok(sample) = sample;
    sample.rate() * 1e3
}

fn sha_rate(records: usize) -> f64 {
    let bytes = vec![0x5a; 1_000 * RECORD_BYTES];
    let began = Instant::now();
    let pieces = records.div_ceil(1_000);
    for _ in 0..pieces {
        black_box(Sha256::digest(&bytes));
    }
    crate::sample::per_second(pieces as u64 * 1_000, began.elapsed())
}
