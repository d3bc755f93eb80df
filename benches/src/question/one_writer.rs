//! One writer in process: how long until a single event is durable, against `raw`.

use storage::{ExpectedVersion, Log, LogOptions, Transaction};

use crate::BenchError;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::raw::Raw;
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::setting::Setting;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let rounds = setting.pick(1, 11);
    let appends = setting.pick(5, 400);
    let log = Log::open(&scratch.join("log"), LogOptions::default())?;
    let maker = EventMaker::new();
    let stream = event::stream(1);
    let mut number = 0;
    let mut append_some = |count| {
        Sample::of(count, || {
            number += 1;
            let event = maker.event(number);
            let write = Transaction::single(stream.clone(), ExpectedVersion::Any, event);
            log.append(write).map(drop)
        })
    };
    // The first append names the stream; the second is as all that follow, and says how many bytes `raw` must write.
    append_some(1)?;
    let before = log.stats().bytes_appended;
    append_some(1)?;
    let group_bytes = usize::try_from(log.stats().bytes_appended - before).unwrap_or(0);
    let mut raw =
        Raw::prepare(setting, scratch.path(), group_bytes).map_err(doing("preparing raw"))?;
    let (mut p50, mut p99, mut raw_p50, mut raw_p99) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let sample = raw.sample(appends).map_err(doing("writing raw"))?;
        raw_p50.push(sample.p50());
        raw_p99.push(sample.p99());
        let sample = append_some(appends)?;
        p50.push(sample.p50());
        p99.push(sample.p99());
    }
    Ok(vec![
        Row::new("one writer, in process, p50", "µs", p50)
            .against("raw", &raw_p50)
            .bar(Bar::RatioAtMost(1.15))
            .note(format!(
                "{rounds} rounds of {appends} appends of one event; each a group of {group_bytes} bytes, and so is raw"
            )),
        Row::new("one writer, in process, p99", "µs", p99).against("raw", &raw_p99),
    ])
}
