//! Batches of 1,000 events in process, with everything that can be checked, CRC and chain.

use std::thread;
use std::time::Instant;

use storage::{Log, LogOptions, Transaction};

use crate::BenchError;
use crate::batch::{BATCH_EVENTS, BatchMaker};
use crate::error::doing;
use crate::raw::Raw;
use crate::row::{Bar, Row};
use crate::sample::{Sample, per_second};
use crate::setting::Setting;

/// Bytes of a batch with its records, which `raw` writes in one piece.
const RAW_BYTES: usize = BATCH_EVENTS as usize * 361;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let rounds = setting.pick(1, 7);
    let batches = setting.pick(2, 120);
    let raws = setting.pick(2, 60);
    let log = Log::open(&scratch.join("log"), LogOptions::default())?;
    let mut raw =
        Raw::prepare(setting, scratch.path(), RAW_BYTES).map_err(doing("preparing raw"))?;
    let mut alone = BatchMaker::new(0);
    let mut several: Vec<_> = (1..=4).map(BatchMaker::new).collect();
    let (mut alone_rates, mut several_rates, mut raw_rates, mut p50) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let events_a_write = f64::from(BATCH_EVENTS);
        raw_rates.push(raw.sample(raws).map_err(doing("writing raw"))?.rate() * events_a_write);
        let (rate, sample) = append_batches(&log, std::slice::from_mut(&mut alone), batches)?;
        alone_rates.push(rate);
        p50.push(sample.p50() / 1e3);
        let (rate, _) = append_batches(&log, &mut several, batches / 4 + 1)?;
        several_rates.push(rate);
    }
    Ok(vec![
        Row::new("batches of 1,000, in process, one caller", "events/s", alone_rates)
            .against("raw", &raw_rates)
            .bar(Bar::AtLeast(500_000.0))
            .note(format!(
                "{rounds} rounds of {batches} batches; ids, ten exact versions and a condition on a tag over the whole log in each; raw writes and syncs the same bytes in one piece; events are made beforehand"
            )),
        Row::new("batches of 1,000, in process, one caller, p50 a batch", "ms", p50),
        Row::new("batches of 1,000, in process, four callers", "events/s", several_rates)
            .against("raw", &raw_rates)
            .bar(Bar::AtLeast(500_000.0)),
    ])
}

/// Appends `count` batches of each maker, each maker from a thread of its own.
fn append_batches(
    log: &Log,
    makers: &mut [BatchMaker],
    count: usize,
) -> Result<(f64, Sample), BenchError> {
    let prepared: Vec<Vec<Transaction>> = makers
        .iter_mut()
        .map(|maker| (0..count).map(|_| maker.make()).collect())
        .collect();
    let callers = prepared.len();
    let began = Instant::now();
    let samples = thread::scope(|scope| {
        let threads: Vec<_> = prepared
            .into_iter()
            .map(|batches| {
                scope.spawn(move || {
                    let mut batches = batches.into_iter();
                    Sample::of(count, || match batches.next() {
                        Some(batch) => log.append(batch).map(drop),
                        None => Ok(()),
                    })
                })
            })
            .collect();
        let mut all = Sample::default();
        for thread in threads {
            let sample = thread
                .join()
                .map_err(|_| BenchError::Peer("a caller panicked".to_owned()))??;
            all.absorb(sample);
        }
        Ok::<_, BenchError>(all)
    })?;
    let events = (callers * count) as u64 * u64::from(BATCH_EVENTS);
    Ok((per_second(events, began.elapsed()), samples))
}
