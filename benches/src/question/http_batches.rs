//! Batches of 1,000 events over HTTP as JSON, with everything that can be checked.

use std::thread;
use std::time::Instant;

use crate::BenchError;
use crate::batch::{self, BATCH_EVENTS, BatchMaker};
use crate::error::doing;
use crate::http::connection::Connection;
use crate::http::request;
use crate::peer::railfleet::{BATCH_PATH, RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::sample::per_second;
use crate::setting::Setting;

const CALLERS: u32 = 2;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let rounds = setting.pick(1, 7);
    let batches = setting.pick(2, 60);
    let server = RailFleet::start(setting)?;
    let mut alone = [Caller::new(&server, 0)?];
    let mut several = (1..=CALLERS)
        .map(|number| Caller::new(&server, number))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut alone_rates, mut several_rates, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let before = server.cpu_micros()?;
        alone_rates.push(post(&server, &mut alone, batches)?);
        cpu.push(cpu_per_event(server.cpu_micros()? - before, batches));
        several_rates.push(post(&server, &mut several, batches / 2)?);
    }
    Ok(vec![
        Row::new("batches of 1,000, HTTP, one caller", "events/s", alone_rates)
            .bar(Bar::AtLeast(300_000.0))
            .note(format!(
                "{rounds} rounds of {batches} requests; ids, ten exact versions and a condition in each; requests are made beforehand"
            )),
        Row::new("batches of 1,000, HTTP, two callers", "events/s", several_rates)
            .bar(Bar::AtLeast(300_000.0)),
        Row::new("batches of 1,000, HTTP, server CPU an event", "µs", cpu),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn cpu_per_event(micros: u64, batches: usize) -> f64 {
    micros as f64 / (batches as f64 * f64::from(BATCH_EVENTS))
}

struct Caller {
    connection: Connection,
    maker: BatchMaker,
}

impl Caller {
    fn new(server: &RailFleet, number: u32) -> Result<Self, BenchError> {
        Ok(Caller {
            connection: server.connect()?,
            maker: BatchMaker::new(number),
        })
    }
}

/// Posts `count` batches of each caller, each caller on a thread of its own. Returns events a second.
fn post(server: &RailFleet, callers: &mut [Caller], count: usize) -> Result<f64, BenchError> {
    let prepared: Vec<_> = callers
        .iter_mut()
        .map(|caller| {
            let bodies = (0..count).map(|_| batch::json(&caller.maker.make()));
            let requests: Vec<_> = bodies
                .map(|body| request::build("POST", BATCH_PATH, Some(&server.token), &body))
                .collect();
            (&mut caller.connection, requests)
        })
        .collect();
    let events = (prepared.len() * count) as u64 * u64::from(BATCH_EVENTS);
    let began = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = prepared
            .into_iter()
            .map(|(connection, requests)| {
                scope.spawn(move || {
                    requests.iter().try_for_each(|request| {
                        let answer = connection.exchange(request)?;
                        expect_status(201, &answer)
                    })
                })
            })
            .collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| BenchError::Peer("a caller panicked".to_owned()))?
                .map_err(doing("posting a batch"))?;
        }
        Ok::<_, BenchError>(())
    })?;
    Ok(per_second(events, began.elapsed()))
}
