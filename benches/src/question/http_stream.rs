//! Reading one stream of 10,000 events over HTTP as JSON: from sending the request to the last byte of the answer.

use serde_json::Value;
use storage::{NewEvent, StreamWrite, Transaction};

use crate::BenchError;
use crate::batch;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::http::connection::Connection;
use crate::http::request;
use crate::peer::railfleet::{BATCH_PATH, RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::setting::Setting;

const EVENTS_PER_BATCH: u64 = 1_000;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let rounds = setting.pick(1, 5);
    let reads = setting.pick(2, 40);
    let events = setting.pick(500, 10_000);
    let server = RailFleet::start(setting)?;
    let mut connection = server.connect()?;
    fill(&server, &mut connection, events)?;
    let name = event::stream(0);
    let path = format!(
        "/api/v1/events/{}/{}",
        name.aggregate_type, name.aggregate_id
    );
    let request = request::build("GET", &path, Some(&server.token), b"");
    let bytes = check(&mut connection, &request, events)?;
    let mut p50 = Vec::new();
    for _ in 0..rounds {
        let sample = Sample::of(reads, || {
            let answer = connection.exchange(&request)?;
            expect_status(200, &answer)
        });
        p50.push(sample.map_err(doing("reading the stream"))?.p50() / 1e3);
    }
    Ok(vec![
        Row::new("one stream of 10,000, HTTP, JSON", "ms", p50)
            .bar(Bar::AtMost(7.0))
            .note(format!(
                "one answer of {events} events, {:.1} MB, not compressed; {rounds} rounds of {reads} reads, p50 of each",
                bytes_in_mb(bytes)
            )),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for a reader")]
fn bytes_in_mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn fill(server: &RailFleet, connection: &mut Connection, events: u64) -> Result<(), BenchError> {
    let maker = EventMaker::new();
    for first in (0..events).step_by(1_000) {
        let last = (first + EVENTS_PER_BATCH).min(events);
        let written: Vec<NewEvent> = (first..last).map(|number| maker.event(number)).collect();
        let transaction = Transaction {
            writes: vec![StreamWrite {
                stream: event::stream(0),
                expected: storage::ExpectedVersion::Any,
                events: written,
            }],
            condition: None,
        };
        let body = batch::json(&transaction);
        let request = request::build("POST", BATCH_PATH, Some(&server.token), &body);
        let answer = connection
            .exchange(&request)
            .map_err(doing("posting a batch"))?;
        expect_status(201, &answer).map_err(doing("posting a batch"))?;
    }
    Ok(())
}

/// Reads the stream once and sees that it is all there, in order. Returns the bytes of the answer.
fn check(connection: &mut Connection, request: &[u8], events: u64) -> Result<usize, BenchError> {
    let answer = connection
        .exchange(request)
        .map_err(doing("reading the stream"))?;
    expect_status(200, &answer).map_err(doing("reading the stream"))?;
    let body = answer.body();
    let said: Value = serde_json::from_slice(&body)?;
    let list = said.as_array().map_or(&[][..], Vec::as_slice);
    let whole = (1..=events).eq(list
        .iter()
        .map(|event| event["version"].as_u64().unwrap_or(0)));
    if whole {
        return Ok(body.len());
    }
    Err(BenchError::Peer(format!(
        "the answer holds {} events in place of versions 1 to {events}",
        list.len()
    )))
}
