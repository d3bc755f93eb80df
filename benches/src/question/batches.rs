//! Transactions of 1,000 events with everything that can be checked: a client's id on each event, an exact expected
//! version on each of ten streams, a condition on the whole, CRC and chain.

use std::thread;
use std::time::Instant;

use storage::{
    ExpectedVersion, Log, LogOptions, NewEvent, Position, Query, StreamWrite, Transaction, Version,
};
use uuid::Uuid;

use crate::BenchError;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::raw::Raw;
use crate::row::{Bar, Row};
use crate::sample::{Sample, per_second};
use crate::seed::SplitMix64;
use crate::setting::Setting;

const BATCH_EVENTS: u32 = 1_000;
const STREAMS: u32 = 10;
const SEED: u64 = 1;
/// Bytes of a batch with its records, which `raw` writes in one piece.
const RAW_BYTES: usize = BATCH_EVENTS as usize * 361;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let rounds = setting.pick(1, 7);
    let batches = setting.pick(2, 120);
    let raws = setting.pick(2, 60);
    let log = Log::open(&scratch.join("log"), LogOptions::default())?;
    let mut raw = Raw::prepare(scratch.path(), RAW_BYTES).map_err(doing("preparing raw"))?;
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
        .map(|maker| (0..count).map(|_| maker.next()).collect())
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

/// Makes the batches of one caller, each for the streams as the ones before leave them.
struct BatchMaker {
    caller: u32,
    batch: u32,
    ids: SplitMix64,
    events: EventMaker,
}

impl BatchMaker {
    fn new(caller: u32) -> Self {
        BatchMaker {
            caller,
            batch: 0,
            ids: SplitMix64::new(SEED + u64::from(caller)),
            events: EventMaker::new(),
        }
    }

    fn next(&mut self) -> Transaction {
        let per_stream = BATCH_EVENTS / STREAMS;
        let version = Version::new(self.batch * per_stream);
        let order = format!("order:{}-{}", self.caller, self.batch);
        let writes = (0..STREAMS)
            .map(|stream| StreamWrite {
                stream: event::stream(u64::from(self.caller * STREAMS + stream)),
                expected: ExpectedVersion::Exact(version),
                events: (0..per_stream)
                    .map(|at| self.event(stream * per_stream + at, &order))
                    .collect(),
            })
            .collect();
        self.batch += 1;
        Transaction {
            writes,
            condition: None,
        }
        .on_condition(Query::tags([order]), Position::START)
    }

    /// The first event of a batch carries the tag that no other batch may carry.
    fn event(&mut self, at: u32, order: &str) -> NewEvent {
        let id = Uuid::from_u64_pair(self.ids.next(), self.ids.next());
        let number = u64::from(self.batch) * u64::from(BATCH_EVENTS) + u64::from(at);
        let event = self.events.event(number).with_id(id);
        if at == 0 {
            event.with_tag(order)
        } else {
            event
        }
    }
}
