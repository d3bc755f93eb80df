//! 64 writers over HTTP, each sending its next event when the last is answered: against `raw`, against 64 writers
//! connected to PostgreSQL directly, and against a FastAPI service over that PostgreSQL.

use std::time::Duration;

use crate::BenchError;
use crate::error::doing;
use crate::http::load::{Load, Reached};
use crate::http::request::PostEvent;
use crate::peer::fastapi::{self, FastApi};
use crate::peer::postgres::Postgres;
use crate::peer::railfleet::{EVENTS_PATH, RailFleet};
use crate::raw::Raw;
use crate::row::{Bar, Row};
use crate::setting::Setting;

const WRITERS: u64 = 64;
/// Bytes of one event with its record and marker, which `raw` writes.
const RAW_BYTES: usize = 441;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let rounds = setting.pick(1, 5);
    let lasting = setting.pick(Duration::from_millis(50), Duration::from_millis(1_500));
    let server = RailFleet::start(setting)?;
    let mut peers = Peers::start(setting)?;
    let scratch = setting.scratch()?;
    let mut raw =
        Raw::prepare(setting, scratch.path(), RAW_BYTES).map_err(doing("preparing raw"))?;
    let mut load = connect(server.address, EVENTS_PATH, Some(&server.token))?;
    run(&mut load, lasting / 3)?;
    let mut own = Rounds::default();
    for round in 0..rounds {
        let raws = setting.pick(5, 600);
        own.raw
            .push(raw.sample(raws).map_err(doing("writing raw"))?.rate());
        let before = server.cpu_micros()?;
        let reached = run(&mut load, lasting)?;
        own.add(&reached, server.cpu_micros()? - before);
        peers.round(round, lasting)?;
    }
    let mut rows = own.rows(lasting);
    rows.extend(peers.rows(&own.rates));
    Ok(rows)
}

fn connect(
    address: std::net::SocketAddr,
    path: &str,
    token: Option<&str>,
) -> Result<Load, BenchError> {
    let posts = (0..WRITERS)
        .map(|writer| PostEvent::new(path, token, writer))
        .collect();
    Load::connect(address, posts).map_err(doing("connecting 64 times"))
}

fn run(load: &mut Load, lasting: Duration) -> Result<Reached, BenchError> {
    load.run(lasting)
        .map_err(doing("posting events over 64 connections"))
}

#[derive(Default)]
struct Rounds {
    raw: Vec<f64>,
    rates: Vec<f64>,
    p99_ms: Vec<f64>,
    cpu: Vec<f64>,
}

impl Rounds {
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn add(&mut self, reached: &Reached, cpu_micros: u64) {
        self.rates.push(reached.rate);
        self.p99_ms.push(reached.waited.p99() / 1e3);
        self.cpu
            .push(cpu_micros as f64 / reached.events.max(1) as f64);
    }

    fn rows(&self, lasting: Duration) -> Vec<Row> {
        vec![
            Row::new("64 writers, HTTP", "/s", self.rates.clone())
                .against("raw", &self.raw)
                .bar(Bar::RatioAtLeast(5.0))
                .note(format!(
                    "{} rounds of {lasting:?}, one client thread for all connections; client, server and peers share the cores",
                    self.rates.len()
                )),
            Row::new("64 writers, HTTP, p99", "ms", self.p99_ms.clone()).bar(Bar::AtMost(12.0)),
            Row::new("64 writers, HTTP, server CPU an event", "µs", self.cpu.clone())
                .bar(Bar::AtMost(30.0)),
        ]
    }
}

/// The peers, those that are there, and the reason for those that are not.
struct Peers {
    postgres: Result<Postgres, String>,
    service: Result<(FastApi, Load), String>,
    postgres_rates: Vec<f64>,
    service_rates: Vec<f64>,
}

impl Peers {
    fn start(setting: &Setting) -> Result<Self, BenchError> {
        let postgres = missing(Postgres::start(setting))?;
        let service = match &postgres {
            Ok(postgres) => missing(FastApi::start(setting, postgres).and_then(|service| {
                let load = connect(service.address, fastapi::EVENTS_PATH, None)?;
                Ok((service, load))
            }))?,
            Err(why) => Err(why.clone()),
        };
        Ok(Peers {
            postgres,
            service,
            postgres_rates: Vec::new(),
            service_rates: Vec::new(),
        })
    }

    fn round(&mut self, round: i32, lasting: Duration) -> Result<(), BenchError> {
        if let Ok(postgres) = &self.postgres {
            let (rate, _) = postgres.append_from_many(WRITERS, lasting, round)?;
            self.postgres_rates.push(rate);
        }
        if let Ok((_, load)) = &mut self.service {
            self.service_rates.push(run(load, lasting)?.rate);
        }
        Ok(())
    }

    fn rows(&self, own: &[f64]) -> Vec<Row> {
        let row = |what: &str, name, peer: &Result<String, &String>, rates: &[f64], times| {
            let what = format!("64 writers, HTTP, against {what}");
            match peer {
                Ok(note) => Row::new(what, "/s", own.to_vec())
                    .against(name, rates)
                    .bar(Bar::RatioAtLeast(times))
                    .note(note),
                Err(why) => Row::skipped(what, *why),
            }
        };
        let postgres = self.postgres.as_ref().map(|postgres| {
            format!(
                "{}, a plain table of events, 64 direct connections, prepared statements, fsync on",
                postgres.version
            )
        });
        let service = self
            .service
            .as_ref()
            .map(|_| "one worker process, SQLAlchemy and asyncpg, same PostgreSQL".to_owned());
        vec![
            row(
                "64 direct writers of PostgreSQL",
                "PostgreSQL",
                &postgres,
                &self.postgres_rates,
                4.0,
            ),
            row(
                "FastAPI with SQLAlchemy",
                "FastAPI",
                &service,
                &self.service_rates,
                60.0,
            ),
        ]
    }
}

/// Tells a peer that is not installed from one that fails.
fn missing<T>(started: Result<T, BenchError>) -> Result<Result<T, String>, BenchError> {
    match started {
        Ok(peer) => Ok(Ok(peer)),
        Err(error @ BenchError::Missing { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
