//! The past and the audit over HTTP, in a log of 10 million events of 1,000 vehicles: a state at a chance time, a whole trail, a
//! person's actions over a year, the whole fleet at a time. Everything is asked once before it counts: timelines are made then.

use storage::{
    ExpectedVersion, Log, LogOptions, NewEvent, StreamName, StreamWrite, Timestamp, Transaction,
};

use crate::BenchError;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::http::connection::Connection;
use crate::http::request;
use crate::peer::railfleet::{RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::scratch::free_bytes;
use crate::setting::Setting;

/// 2025-01-01T00:00:00Z, and the microseconds of a day.
const NEW_YEAR: i64 = 1_735_689_600_000_000;
const DAY: i64 = 86_400_000_000;
const DAYS: u64 = 365;
/// Days of the months of a year that is no leap year.
const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Who did every hundredth event.
const INSPECTOR: &str = "inspector";
/// Bytes that an event takes on disk at most.
const BYTES_PER_EVENT: u64 = 450;

/// What the log holds.
#[derive(Clone, Copy)]
struct Past {
    vehicles: u64,
    events: u64,
    long: u64,
}

impl Past {
    /// Fills the log: the vehicles' events in turns, spread over a year, and one vehicle that has very many.
    fn fill(self, log: &Log) -> Result<(), BenchError> {
        let maker = EventMaker::new();
        let names: Vec<_> = (0..=self.vehicles).map(event::stream).collect();
        let at = |number: u64, of: u64| {
            let micros = i64::try_from(number).unwrap_or(0)
                * (DAY * 365 / i64::try_from(of).unwrap_or(1).max(1));
            Timestamp::from_micros(NEW_YEAR + micros)
        };
        let mut writes = Vec::new();
        let all = (0..self.events).map(|number| (number % self.vehicles, number, self.events));
        let long = (0..self.long).map(|number| (self.vehicles, number, self.long));
        for (stream, number, of) in all.chain(long) {
            // A vehicle begins with its creation, or the fleet would not have it.
            let mut event = match number < self.vehicles && of == self.events {
                true => created(&names[usize::try_from(stream).unwrap_or(0)]),
                false => maker.event(number),
            };
            event.occurred_at = Some(at(number, of));
            if number % 100 == 0 {
                event = event.with_tag(format!("user:{INSPECTOR}"));
            }
            writes.push(StreamWrite {
                stream: names[usize::try_from(stream).unwrap_or(0)].clone(),
                expected: ExpectedVersion::Any,
                events: vec![event],
            });
            if writes.len() == 1_000 {
                append(log, &mut writes)?;
            }
        }
        append(log, &mut writes)
    }
}

fn created(name: &StreamName) -> NewEvent {
    let id = &name.aggregate_id;
    NewEvent::new(
        "VehicleCreated",
        format!(r#"{{"asset_id":"{id}","status":"available"}}"#),
    )
}

fn append(log: &Log, writes: &mut Vec<StreamWrite>) -> Result<(), BenchError> {
    if writes.is_empty() {
        return Ok(());
    }
    log.append(Transaction {
        writes: std::mem::take(writes),
        condition: None,
    })?;
    Ok(())
}

/// Noon of a day of 2025.
fn noon(mut day: u64) -> String {
    for (days, month) in MONTHS.iter().zip(1..) {
        if day < *days {
            return format!("2025-{month:02}-{:02}T12:00:00Z", day + 1);
        }
        day -= days;
    }
    "2025-12-31T12:00:00Z".to_owned()
}

/// A question: what it is called, its path on a day, its bar in milliseconds and at which share of the requests.
struct Asked {
    name: &'static str,
    path: Box<dyn Fn(u64) -> String>,
    bar_ms: f64,
    share: f64,
    reads: usize,
}

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let past = Past {
        vehicles: setting.pick(20, 1_000),
        events: setting.pick(2_000, 10_000_000),
        long: setting.pick(500, 100_000),
    };
    let scratch = setting.scratch()?;
    let wanted = setting.pick(0, (past.events + past.long) * BYTES_PER_EVENT);
    let free = free_bytes(scratch.path()).map_err(doing("asking for free space"))?;
    if free < wanted {
        return Err(BenchError::Missing {
            what: format!("space on the disk: {free} bytes are free"),
            remedy: format!("free {wanted} bytes"),
        });
    }
    let server = RailFleet::start_on(setting, |log| {
        let log = Log::open(log, LogOptions::default())?;
        past.fill(&log)?;
        log.close();
        Ok(())
    })?;
    let mut connection = server.connect()?;
    server.wait_for_projection(&mut connection, "current_state")?;
    let rounds = setting.pick(1, 5);
    let long = event::stream(past.vehicles).aggregate_id;
    let one = event::stream(1).aggregate_id;
    let reads = |real| setting.pick(2, real);
    let questions = [
        Asked {
            name: "state of 100,000 events at a chance time, HTTP, p99",
            path: Box::new(move |day| {
                format!(
                    "/api/v1/time-travel/state-at?aggregate_type=Vehicle&aggregate_id={long}&at={}",
                    noon(day)
                )
            }),
            bar_ms: 2.0,
            share: 0.99,
            reads: reads(400),
        },
        Asked {
            name: "whole trail of 10,000 events, HTTP, p95",
            path: {
                let one = one.clone();
                Box::new(move |_| format!("/api/v1/audit/trail/Vehicle/{one}?limit=10000"))
            },
            bar_ms: 50.0,
            share: 0.95,
            reads: reads(40),
        },
        Asked {
            name: "first page of that trail, HTTP, p95",
            path: Box::new(move |_| format!("/api/v1/audit/trail/Vehicle/{one}?limit=100")),
            bar_ms: 3.0,
            share: 0.95,
            reads: reads(200),
        },
        Asked {
            name: "a page of a person's actions over a year, HTTP, p95",
            path: Box::new(|_| {
                format!(
                    "/api/v1/audit/user/{INSPECTOR}/actions?from=2025-01-01T00:00:00Z&to=2025-12-31T23:59:59Z&limit=100"
                )
            }),
            bar_ms: 20.0,
            share: 0.95,
            reads: reads(100),
        },
        Asked {
            name: "the whole fleet at a chance time, HTTP, p95",
            path: Box::new(|day| format!("/api/v1/time-travel/fleet?at={}&limit=1000", noon(day))),
            bar_ms: 100.0,
            share: 0.95,
            reads: reads(40),
        },
    ];
    let mut rows = Vec::new();
    for asked in questions {
        rows.push(answer(
            &mut connection,
            &server.token,
            &asked,
            rounds,
            past,
        )?);
    }
    Ok(rows)
}

fn answer(
    connection: &mut Connection,
    token: &str,
    asked: &Asked,
    rounds: usize,
    past: Past,
) -> Result<Row, BenchError> {
    let mut chance = 7_u64;
    let mut bytes = 0;
    let mut once = |connection: &mut Connection| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let path = (asked.path)((chance >> 33) % DAYS);
        let request = request::build("GET", &path, Some(token), b"");
        let answer = connection.exchange(&request)?;
        bytes = answer.body().len();
        expect_status(200, &answer)
    };
    once(connection).map_err(doing(format!("asking for the {}", asked.name)))?;
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let sample = Sample::of(asked.reads, || once(connection));
        let sample = sample.map_err(doing(format!("asking for the {}", asked.name)))?;
        measured.push(sample.quantile_micros(asked.share) / 1e3);
    }
    Ok(Row::new(asked.name, "ms", measured)
        .bar(Bar::AtMost(asked.bar_ms))
        .note(format!(
            "{} events of {} vehicles in the log, {} in one more; {} kB an answer; {rounds} rounds of {}",
            past.events,
            past.vehicles,
            past.long,
            bytes / 1_000,
            asked.reads
        )))
}
