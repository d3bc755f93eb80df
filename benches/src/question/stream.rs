//! Reading one stream of 10,000 events: written in one go, and strewn among the events of nine others.

use std::hint::black_box;

use storage::{Log, LogOptions, StreamName, StreamRange};

use crate::BenchError;
use crate::event;
use crate::fill::{self, Fill};
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::setting::Setting;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let reads = setting.pick(2, 60);
    let rounds = setting.pick(1, 5);
    let events = setting.pick(500, 10_000);
    let dense = Filled::new(setting, events, 1)?;
    let strewn = Filled::new(setting, events, 10)?;
    let (mut dense_ms, mut strewn_ms) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        dense_ms.push(dense.sample(reads)?.p50() / 1e3);
        strewn_ms.push(strewn.sample(reads)?.p50() / 1e3);
    }
    Ok(vec![
        Row::new("one stream of 10,000, in process", "ms", dense_ms)
            .bar(Bar::AtMost(1.0))
            .note(format!(
                "the log holds this stream alone; {rounds} rounds of {reads} reads, p50 of each; each record is checked"
            )),
        Row::new("one stream of 10,000 among ten, in process", "ms", strewn_ms)
            .bar(Bar::AtMost(1.0))
            .note("every tenth event of the log is of this stream"),
    ])
}

/// A log of some streams of as many events each.
struct Filled {
    log: Log,
    stream: StreamName,
    events: u64,
    _scratch: crate::scratch::Scratch,
}

impl Filled {
    fn new(setting: &Setting, events: u64, streams: u64) -> Result<Self, BenchError> {
        let scratch = setting.scratch()?;
        let log = Log::open(&scratch.join("log"), LogOptions::default())?;
        let filling = Fill {
            events: events * streams,
            streams,
            events_per_transaction: 1_000,
        };
        fill::fill(&log, 0, &filling)?;
        log.settle();
        let filled = Filled {
            log,
            stream: event::stream(0),
            events,
            _scratch: scratch,
        };
        // Once before it counts, so that every page is mapped.
        filled.sample(1)?;
        Ok(filled)
    }

    fn sample(&self, reads: usize) -> Result<Sample, BenchError> {
        Sample::of(reads, || {
            let mut reader = self.log.read_stream(&self.stream, &StreamRange::default());
            let mut count = 0;
            while let Some(event) = reader.next() {
                count += 1;
                black_box(event?.data().len());
            }
            assert_eq!(count, self.events, "a stream is read whole");
            Ok(())
        })
    }
}
