//! 64 writers in process, each waiting for its event to be durable before it appends the next.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use storage::{ExpectedVersion, Log, LogOptions, Transaction};

use crate::BenchError;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::raw::Raw;
use crate::row::{Bar, Row};
use crate::sample::{Sample, per_second};
use crate::setting::Setting;

const WRITERS: usize = 64;
/// Bytes of one event with its record and marker, which `raw` writes.
const RAW_BYTES: usize = 441;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let rounds = setting.pick(1, 7);
    let lasting = setting.pick(Duration::from_millis(30), Duration::from_millis(1_500));
    let raws = setting.pick(5, 600);
    let log = Log::open(&scratch.join("log"), LogOptions::default())?;
    let mut raw =
        Raw::prepare(setting, scratch.path(), RAW_BYTES).map_err(doing("preparing raw"))?;
    let (mut rates, mut p99, mut raw_rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        raw_rates.push(raw.sample(raws).map_err(doing("writing raw"))?.rate());
        let (rate, sample) = append_from_many(&log, lasting)?;
        rates.push(rate);
        p99.push(sample.p99() / 1e3);
    }
    let stats = log.stats();
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let group_size = stats.events_appended as f64 / stats.groups.max(1) as f64;
    Ok(vec![
        Row::new("64 writers, in process", "/s", rates)
            .against("raw", &raw_rates)
            .bar(Bar::AtLeast(35_000.0))
            .bar(Bar::RatioAtLeast(7.0))
            .note(format!(
                "{rounds} rounds of {lasting:?}, a thread a writer, a stream a writer; {group_size:.1} events a group"
            )),
        Row::new("64 writers, in process, p99", "ms", p99),
    ])
}

/// Events a second, and how long each append took.
pub(super) fn append_from_many(log: &Log, lasting: Duration) -> Result<(f64, Sample), BenchError> {
    let stop = AtomicBool::new(false);
    let ready = Barrier::new(WRITERS + 1);
    let before = log.stats().events_appended;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS as u64)
            .map(|writer| {
                let (stop, ready) = (&stop, &ready);
                scope.spawn(move || write_until(log, writer, ready, stop))
            })
            .collect();
        ready.wait();
        let began = Instant::now();
        thread::sleep(lasting);
        stop.store(true, Ordering::Relaxed);
        let events = log.stats().events_appended - before;
        let rate = per_second(events, began.elapsed());
        let mut all = Sample::default();
        for writer in writers {
            let sample = writer
                .join()
                .map_err(|_| BenchError::Peer("a writer panicked".to_owned()))??;
            all.absorb(sample);
        }
        Ok((rate, all))
    })
}

fn write_until(
    log: &Log,
    writer: u64,
    ready: &Barrier,
    stop: &AtomicBool,
) -> Result<Sample, BenchError> {
    let maker = EventMaker::new();
    let stream = event::stream(writer);
    let mut sample = Sample::default();
    let mut number = 0;
    ready.wait();
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let event = maker.event(number);
        let write = Transaction::single(stream.clone(), ExpectedVersion::Any, event);
        let began = Instant::now();
        log.append(write)?;
        sample.push(began.elapsed());
    }
    Ok(sample)
}
