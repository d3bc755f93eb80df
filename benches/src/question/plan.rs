//! The targets of the plan, on a depot with a past: the demo's three years and a million events more, in one running server.

mod users;

use std::time::Instant;

use serde_json::{Value, json};
use storage::{Log, LogOptions};

use super::predict;
use super::sync::{all_applied, push_body, register};
use crate::BenchError;
use crate::depot::{Depot, asset_id};
use crate::error::doing;
use crate::http::connection::Connection;
use crate::http::request::{self, PostEvent};
use crate::peer::railfleet::{EVENTS_PATH, RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::setting::Setting;

/// Operations of the tablet's push: the plan's own number.
const OPERATIONS: usize = 1_000;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let past = Depot {
        vehicles: setting.pick(1_000, 2_000),
        events_per_vehicle: setting.pick(1, 400),
        orders: setting.pick(100, 200_000),
        days: 3 * 365,
    };
    let scratch = setting.scratch()?;
    let data = scratch.join("depot");
    predict::fill(setting, &data)?;
    let log = Log::open(&data.join("log"), LogOptions::default())?;
    past.fill(&log)?;
    let events = log.durable_position().get();
    log.close();
    let server = RailFleet::start_at(setting, &data)?;
    let mut connection = server.connect()?;
    server.wait_for_projection(&mut connection, "current_state")?;
    predict::deploy(&server, &mut connection)?;
    let depot = format!("{events} events, demo and {} vehicles more", past.vehicles);

    let mut rows = vec![
        append(setting, &server, &mut connection, &depot)?,
        sync(setting, &server, &mut connection)?,
    ];
    let reads = setting.pick(3, 300);
    let vehicle = |number: usize| asset_id(number as u64 % past.vehicles);
    for (what, bar, path) in [
        (
            "a prediction, HTTP, p95",
            100.0,
            "/api/v1/ml/predict/failure/",
        ),
        (
            "an audit trail of 400 events, HTTP, p95",
            500.0,
            "/api/v1/audit/trail/Vehicle/",
        ),
    ] {
        let mut number = 0;
        let waited = Sample::of(reads, || {
            number += 1;
            let path = format!("{path}{}", vehicle(number * 7));
            let asked = request::build("GET", &path, Some(&server.token), b"");
            expect_status(200, &connection.exchange(&asked)?)
        });
        let waited = waited.map_err(doing("asking"))?;
        let p95 = waited.quantile_micros(0.95) / 1e3;
        rows.push(Row::new(what, "ms", vec![p95]).bar(Bar::AtMost(bar)));
    }
    rows.extend(users::ask(setting, &server, past.vehicles)?);
    Ok(rows)
}

fn append(
    setting: &Setting,
    server: &RailFleet,
    connection: &mut Connection,
    depot: &str,
) -> Result<Row, BenchError> {
    let mut post = PostEvent::new(EVENTS_PATH, Some(&server.token), 1);
    let mut number = 0;
    let waited = Sample::of(setting.pick(10, 2_000), || {
        number += 1;
        expect_status(201, &connection.exchange(post.numbered(number))?)
    });
    let p95 = waited.map_err(doing("posting"))?.quantile_micros(0.95) / 1e3;
    Ok(
        Row::new("append of an event, HTTP, durable, p95", "ms", vec![p95])
            .bar(Bar::AtMost(10.0))
            .note(depot),
    )
}

fn sync(
    setting: &Setting,
    server: &RailFleet,
    connection: &mut Connection,
) -> Result<Row, BenchError> {
    let token = register(server, "validated")?;
    let vehicles: Vec<String> = (0..OPERATIONS as u64).map(asset_id).collect();
    let mut millis = Vec::new();
    for round in 0..setting.pick(1, 5) {
        let body = push_body(&format!("plan-{round}"), &vehicles, None);
        let asked = request::build("POST", super::sync::SYNC, Some(&token), body.as_bytes());
        let began = Instant::now();
        let answer = connection.exchange(&asked).map_err(doing("syncing"))?;
        millis.push(began.elapsed().as_secs_f64() * 1e3);
        expect_status(200, &answer).map_err(doing("syncing"))?;
        let said: Value = serde_json::from_slice(&answer.body())?;
        all_applied(&said, OPERATIONS)?;
    }
    Ok(
        Row::new("sync of 1,000 operations, HTTP, durable", "ms", millis)
            .bar(Bar::AtMost(2_000.0))
            .note("the answer holds the first page of what the tablet does not know"),
    )
}

/// An event that a user reports.
fn incident(vehicle: &str, user: usize, number: u64) -> Vec<u8> {
    let data = json!({"incident": format!("{user}-{number}"), "severity": "low"});
    json!({"aggregate_type": "Vehicle", "aggregate_id": vehicle, "event_type": "IncidentNoted", "data": data})
        .to_string()
        .into_bytes()
}
