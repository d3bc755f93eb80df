//! The routes of figures over the loopback, over a log that holds the same events.

use fleet::calendar::{date_of, format_date};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use storage::{
    ExpectedVersion, Log, LogOptions, NewEvent, StreamName, StreamWrite, Timestamp, Transaction,
};
use uuid::Uuid;

use super::fleet::{FIRST, Fleet, Happened, What};
use crate::BenchError;
use crate::error::doing;
use crate::http::connection::Connection;
use crate::http::request;
use crate::peer::railfleet::{RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::setting::Setting;

const EVENTS_AT_ONCE: usize = 1_000;
/// How long the figures may take for a log that they do not know.
const CAUGHT_UP_AFTER_MAX: Duration = Duration::from_secs(600);

/// A route: its path, and how many milliseconds it may take at the 99th percentile.
const ROUTES: &[(&str, &str, f64)] = &[
    ("catalogue", "catalogue", 15.0),
    ("six old figures", "kpis", 5.0),
    ("summary", "metrics/summary", 15.0),
    ("dashboard, executive", "dashboard/executive", 15.0),
    ("dashboard, operations", "dashboard/operations", 15.0),
    ("dashboard, maintenance", "dashboard/maintenance", 15.0),
    ("dashboard, inventory", "dashboard/inventory", 15.0),
    ("heat map", "fleet/heatmap", 15.0),
    ("workshops", "benchmark/workshops", 15.0),
    ("cost forecast", "forecast/costs", 15.0),
    (
        "five years of days",
        "timeseries/availability?interval=day&from=2021-11-01T00:00:00Z&to=2026-10-30T00:00:00Z",
        5.0,
    ),
    (
        "drill-down, 90 days",
        "drilldown/mtbf?from=2026-07-01T00:00:00Z&to=2026-09-29T00:00:00Z",
        10.0,
    ),
    (
        "drill-down, five years",
        "drilldown/availability?from=2021-11-01T00:00:00Z&to=2026-10-30T00:00:00Z",
        10.0,
    ),
    (
        "Excel of 96,000 events",
        "drilldown/availability?from=2026-08-01T00:00:00Z&to=2026-09-18T00:00:00Z&format=xlsx",
        2_000.0,
    ),
];

pub(super) fn ask(setting: &Setting, fleet: Fleet) -> Result<Vec<Row>, BenchError> {
    let uncached = [("ANALYTICS_CACHE_TTL", "0")];
    let server = RailFleet::start_as(setting, &uncached, |log| {
        let log = Log::open(log, LogOptions::default())?;
        fill(&log, fleet)?;
        log.close();
        Ok(())
    })?;
    let mut connection = server.connect()?;
    server.wait_for_projection(&mut connection, "current_state")?;
    wait_for_figures(&server, &mut connection)?;
    let (rounds, reads) = (setting.pick(1, 5), setting.pick(2, 100));
    let mut rows = Vec::new();
    for (name, path, bar) in ROUTES {
        // A file is made a few times only.
        let reads = if *bar > 1_000.0 { 2 } else { reads };
        let path = format!("/api/v1/analytics/{path}");
        let request = request::build("GET", &path, Some(&server.token), b"");
        let mut ask = || {
            let answer = connection.exchange(&request)?;
            expect_status(200, &answer)
        };
        ask().map_err(doing(format!("asking {path}")))?;
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let sample = Sample::of(reads, &mut ask).map_err(doing(format!("asking {path}")))?;
            p50.push(sample.p50() / 1e3);
            p99.push(sample.p99() / 1e3);
        }
        rows.push(
            Row::new(format!("figures over HTTP: {name}, p99"), "ms", p99)
                .bar(Bar::AtMost(*bar))
                .note(format!(
                    "{} events, no answer kept; p50 {:.2} ms; {rounds} rounds of {reads}",
                    fleet.events(),
                    crate::sample::median(&p50)
                )),
        );
    }
    Ok(rows)
}

/// Waits until the figures have the whole log: until one of them no longer takes long.
fn wait_for_figures(server: &RailFleet, connection: &mut Connection) -> Result<(), BenchError> {
    let request = request::build(
        "GET",
        "/api/v1/analytics/catalogue",
        Some(&server.token),
        b"",
    );
    let began = Instant::now();
    while began.elapsed() < CAUGHT_UP_AFTER_MAX {
        let answer = connection
            .exchange(&request)
            .map_err(doing("asking for figures"))?;
        if answer.status == 200 {
            let said: Value = serde_json::from_slice(&answer.body())?;
            let kpis = said["kpis"].as_array().map_or(0, Vec::len);
            return match kpis {
                0 => Err(BenchError::Peer("there are no figures".to_owned())),
                _ => Ok(()),
            };
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Err(BenchError::Peer("the figures do not catch up".to_owned()))
}

fn row_id(number: u64) -> String {
    Uuid::from_u128(u128::from(number) | 1 << 127).to_string()
}

fn order_stream(number: u64) -> StreamName {
    let id = Uuid::from_u128(u128::from(number) | 1 << 126);
    StreamName::new("WorkOrder", id.to_string())
}

fn vehicle_stream(number: u64) -> StreamName {
    StreamName::new("Vehicle", format!("{:06}", 100_000 + number))
}

fn fill(log: &Log, fleet: Fleet) -> Result<(), BenchError> {
    let mut writes = Vec::with_capacity(EVENTS_AT_ONCE);
    for vehicle in 0..fleet.vehicles {
        let data = json!({
            "id": row_id(vehicle), "asset_id": format!("{:06}", 100_000 + vehicle), "model": "BR 185",
            "status": "available", "current_mileage_km": 0,
        });
        let event = NewEvent::new("VehicleCreated", data.to_string());
        push(log, &mut writes, vehicle_stream(vehicle), event, FIRST)?;
    }
    fleet.each(|happened| {
        let (stream, event) = told(&happened);
        push(log, &mut writes, stream, event, happened.at)
    })?;
    flush(log, &mut writes)
}

fn told(happened: &Happened) -> (StreamName, NewEvent) {
    let vehicle = vehicle_stream(happened.vehicle);
    let status = |word: &str| {
        let data = format!(r#"{{"new_status":"{word}"}}"#);
        NewEvent::new("VehicleStatusChanged", data)
    };
    match happened.what {
        What::Down => (vehicle, status("in_workshop")),
        What::Runs => (vehicle, status("in_service")),
        What::Read(km) => {
            let data = format!(r#"{{"new_mileage":{km}}}"#);
            (vehicle, NewEvent::new("VehicleMileageUpdated", data))
        }
        What::Incident { failure } => {
            let data = format!(r#"{{"is_failure":{failure},"delay_min":5}}"#);
            (vehicle, NewEvent::new("VehicleIncidentReported", data))
        }
        What::OrderMade(number) => {
            let tasks = if number.is_multiple_of(3) {
                "REPAIR"
            } else {
                "INSPECTION"
            };
            let data = json!({
                "order_number": format!("WO-{number:07}"), "vehicle_id": row_id(happened.vehicle),
                "workshop_id": row_id(number % 12), "status": "scheduled", "tasks": [tasks],
            });
            let event = NewEvent::new("WorkOrderCreated", data.to_string());
            (order_stream(number), event)
        }
        What::OrderClosed(number, cost) => {
            // The day is enough: what counts is how many orders there are.
            let at = |micros: i64| format!("{}T12:00:00Z", format_date(date_of(micros)));
            let data = json!({
                "new_status": "completed", "actual_start_ts": at(happened.at), "actual_end_ts": at(happened.at),
                "actual_cost": format!("{}.{:02}", cost / 100, cost % 100),
            });
            let event = NewEvent::new("WorkOrderStatusChanged", data.to_string());
            (order_stream(number), event)
        }
    }
}

fn push(
    log: &Log,
    writes: &mut Vec<StreamWrite>,
    stream: StreamName,
    mut event: NewEvent,
    at: i64,
) -> Result<(), BenchError> {
    event.occurred_at = Some(Timestamp::from_micros(at));
    writes.push(StreamWrite {
        stream,
        expected: ExpectedVersion::Any,
        events: vec![event],
    });
    if writes.len() < EVENTS_AT_ONCE {
        return Ok(());
    }
    flush(log, writes)
}

fn flush(log: &Log, writes: &mut Vec<StreamWrite>) -> Result<(), BenchError> {
    if writes.is_empty() {
        return Ok(());
    }
    log.append(Transaction {
        writes: std::mem::take(writes),
        condition: None,
    })?;
    Ok(())
}
