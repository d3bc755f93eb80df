//! One writer over HTTP: how long from sending an event as JSON to the answer that it is durable, against `raw`.

use crate::BenchError;
use crate::error::doing;
use crate::http::request::PostEvent;
use crate::peer::railfleet::{EVENTS_PATH, RailFleet, expect_status};
use crate::raw::Raw;
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::setting::Setting;

/// Bytes of one event with its record and marker, which `raw` writes.
const RAW_BYTES: usize = 441;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let rounds = setting.pick(1, 11);
    let appends = setting.pick(5, 400);
    let server = RailFleet::start(setting)?;
    let scratch = setting.scratch()?;
    let mut raw =
        Raw::prepare(setting, scratch.path(), RAW_BYTES).map_err(doing("preparing raw"))?;
    let mut connection = server.connect()?;
    let mut post = PostEvent::new(EVENTS_PATH, Some(&server.token), 1);
    let mut number = 0;
    let mut append_some = |count| {
        Sample::of(count, || {
            number += 1;
            let answer = connection.exchange(post.numbered(number))?;
            expect_status(201, &answer)
        })
        .map_err(doing("posting an event"))
    };
    append_some(setting.pick(1, 100))?;
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
        Row::new("one writer, HTTP, p50", "µs", p50)
            .against("raw", &raw_p50)
            .bar(Bar::RatioAtMost(1.8))
            .note(format!(
                "{rounds} rounds of {appends} requests over one connection, with a token"
            )),
        Row::new("one writer, HTTP, p99", "µs", p99)
            .against("raw", &raw_p99)
            .bar(Bar::RatioAtMost(4.0)),
    ])
}
