//! The past and the audit over HTTP, in a log of 10 million events of 1,000 vehicles: a state at a chance time, a whole trail, a
//! person's actions over a year, the whole fleet at a time.
//!
//! The bar of the state is meant in process: held over HTTP it is held there, too.

use std::time::Instant;

use crate::BenchError;
use crate::error::doing;
use crate::http::connection::Connection;
use crate::http::request;
use crate::past::{DAYS, INSPECTOR, Past};
use crate::peer::railfleet::{RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::sample::{Sample, median};
use crate::setting::Setting;

/// Days of the months of a year that is no leap year.
const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A time of a day of 2025, to the minute.
fn time_of(mut day: u64, minute: u64) -> String {
    let (hour, minute) = (minute / 60 % 24, minute % 60);
    for (days, month) in MONTHS.iter().zip(1..) {
        if day < *days {
            return format!("2025-{month:02}-{:02}T{hour:02}:{minute:02}:00Z", day + 1);
        }
        day -= days;
    }
    "2025-12-31T12:00:00Z".to_owned()
}

/// A question: what it is called, its path at a time, its bar in milliseconds and at which share of the requests.
struct Asked {
    name: &'static str,
    path: Box<dyn Fn(&str) -> String>,
    bar_ms: f64,
    share: f64,
    reads: usize,
}

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let past = setting.past()?;
    let server = RailFleet::start_at(setting, &past.data())?;
    let mut connection = server.connect()?;
    // What is measured is an answer, not an answer beside a read model that is being made.
    let began = Instant::now();
    server.wait_for_projection(&mut connection, "current_state")?;
    let followed_s = began.elapsed().as_secs_f64();
    let mut rows = Vec::new();
    for asked in questions(setting, &past) {
        let answered = answer(&mut connection, &server.token, &asked, setting, &past);
        rows.push(match answered {
            Ok(row) => row,
            // A failed exchange leaves the connection in no known state.
            Err(error) => {
                connection = server.connect()?;
                Row::failed(asked.name, error.to_string())
            }
        });
    }
    rows.push(
        Row::new(
            "read models made for that log, after the start",
            "s",
            vec![followed_s],
        )
        .note(past.described()),
    );
    Ok(rows)
}

fn questions(setting: &Setting, past: &Past) -> Vec<Asked> {
    let reads = |real| setting.pick(2, real);
    let (long, one) = (past.vehicle(past.vehicles), past.vehicle(1));
    let trail = format!("/api/v1/audit/trail/Vehicle/{one}");
    let (whole, page) = (format!("{trail}?limit=10000"), format!("{trail}?limit=100"));
    let actions = format!(
        "/api/v1/audit/user/{INSPECTOR}/actions?from=2025-01-01T00:00:00Z&to=2025-12-31T23:59:59Z&limit=100"
    );
    vec![
        Asked {
            name: "state of 100,000 events, some late, at a chance time, HTTP, p99",
            path: Box::new(move |time| {
                format!(
                    "/api/v1/time-travel/state-at?aggregate_type=Vehicle&aggregate_id={long}&at={time}"
                )
            }),
            bar_ms: 2.0,
            share: 0.99,
            reads: reads(400),
        },
        Asked {
            name: "whole trail of 10,000 events, HTTP, p95",
            path: Box::new(move |_| whole.clone()),
            bar_ms: 50.0,
            share: 0.95,
            reads: reads(40),
        },
        Asked {
            name: "first page of that trail, HTTP, p95",
            path: Box::new(move |_| page.clone()),
            bar_ms: 3.0,
            share: 0.95,
            reads: reads(200),
        },
        Asked {
            name: "a page of a person's actions over a year, HTTP, p95",
            path: Box::new(move |_| actions.clone()),
            bar_ms: 20.0,
            share: 0.95,
            reads: reads(100),
        },
        Asked {
            name: "the whole fleet of 1,000 at a chance time, HTTP, p95",
            path: Box::new(|time| format!("/api/v1/time-travel/fleet?at={time}&limit=1000")),
            bar_ms: 100.0,
            share: 0.95,
            reads: reads(20),
        },
    ]
}

fn answer(
    connection: &mut Connection,
    token: &str,
    asked: &Asked,
    setting: &Setting,
    past: &Past,
) -> Result<Row, BenchError> {
    let rounds = setting.pick(1, 5);
    let mut chance = 7_u64;
    let mut bytes = 0;
    let mut once = |connection: &mut Connection| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let path = (asked.path)(&time_of((chance >> 33) % DAYS, (chance >> 20) % 1_440));
        let request = request::build("GET", &path, Some(token), b"");
        let answer = connection.exchange(&request)?;
        bytes = answer.body().len();
        expect_status(200, &answer)
    };
    // Asked once before it counts: what is kept of a stream is made when it is first asked about, and saved.
    let began = Instant::now();
    once(connection).map_err(doing(format!("asking for the {}", asked.name)))?;
    let first_ms = began.elapsed().as_secs_f64() * 1e3;
    let (mut measured, mut p50) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let sample = Sample::of(asked.reads, || once(connection));
        let sample = sample.map_err(doing(format!("asking for the {}", asked.name)))?;
        measured.push(sample.quantile_micros(asked.share) / 1e3);
        p50.push(sample.p50() / 1e3);
    }
    Ok(Row::new(asked.name, "ms", measured)
        .bar(Bar::AtMost(asked.bar_ms))
        .note(format!(
            "p50 {:.2} ms; the first answer took {first_ms:.0} ms; {} kB an answer; {} vehicles; {rounds} rounds of {}",
            median(&p50),
            bytes / 1_000,
            past.vehicles,
            asked.reads
        )))
}
