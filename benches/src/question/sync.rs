//! Tablets over HTTP: a push of 1,000 operations until they are durable, a pull of 1,000 changed entities, and 1,000 tablets
//! that sync one after the other.

use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::BenchError;
use crate::error::doing;
use crate::http::connection::Connection;
use crate::http::request;
use crate::peer::railfleet::{BATCH_PATH, RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::setting::Setting;

const PUSH: &str = "/api/v1/sync/crdt/push";
pub(super) const SYNC: &str = "/api/v1/sync/crdt/sync";
/// Tablets that sync at a time.
const CALLERS: usize = 16;
const OPERATIONS_EACH: usize = 10;

/// How long a push of 1,000 operations takes, and how often the device is flushed for it.
pub(super) fn ask_push(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let rounds = setting.pick(2, 15);
    let count = setting.pick(50, 1_000);
    let fleet = Fleet::start(setting, count)?;
    let token = fleet.register("pusher")?;
    let mut connection = fleet.server.connect()?;
    let (mut millis, mut flushes) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let body = operations(round, 0..count, None);
        let request = request::build("POST", PUSH, Some(&token), body.as_bytes());
        let before = fleet.syncs()?;
        let began = Instant::now();
        let answer = connection.exchange(&request).map_err(doing("pushing"))?;
        let took = began.elapsed();
        expect_status(200, &answer).map_err(doing("pushing"))?;
        let said: Value = serde_json::from_slice(&answer.body())?;
        all_applied(&said, count)?;
        millis.push(took.as_secs_f64() * 1e3);
        flushes.push(fleet.syncs()? - before);
    }
    Ok(vec![
        Row::new("push of 1,000 operations, HTTP, JSON", "ms", millis)
            .bar(Bar::AtMost(100.0))
            .note(format!(
                "{rounds} pushes of {count} operations on as many vehicles, durable"
            )),
        Row::new("flushes of the device for it", "flushes", flushes).bar(Bar::AtMost(1.0)),
    ])
}

/// How long a pull of 1,000 changed entities takes.
pub(super) fn ask_pull(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let rounds = setting.pick(2, 25);
    let count = setting.pick(50, 1_000);
    let fleet = Fleet::start(setting, count)?;
    let (writer, reader) = (fleet.register("writer")?, fleet.register("reader")?);
    let mut connection = fleet.server.connect()?;
    let mut millis = Vec::new();
    let mut bytes = 0;
    let mut cursor = fleet.pull_all(&mut connection, &reader, "")?;
    for round in 0..rounds {
        let body = operations(round, 0..count, None);
        let request = request::build("POST", PUSH, Some(&writer), body.as_bytes());
        let answer = connection.exchange(&request).map_err(doing("pushing"))?;
        expect_status(200, &answer).map_err(doing("pushing"))?;
        let path = format!("/api/v1/sync/crdt/pull?limit=10000&cursor={cursor}");
        let request = request::build("GET", &path, Some(&reader), b"");
        let began = Instant::now();
        let answer = connection.exchange(&request).map_err(doing("pulling"))?;
        millis.push(began.elapsed().as_secs_f64() * 1e3);
        expect_status(200, &answer).map_err(doing("pulling"))?;
        let body = answer.body();
        bytes = body.len();
        let said: Value = serde_json::from_slice(&body)?;
        if said["total_count"] != count || said["has_more"] != false {
            return Err(BenchError::Peer(format!(
                "the page has {} entities in place of {count}",
                said["total_count"]
            )));
        }
        cursor = text(&said, "next_cursor")?;
    }
    Ok(vec![
        Row::new("pull of 1,000 changed entities, HTTP, JSON", "ms", millis)
            .bar(Bar::AtMost(60.0))
            .note(format!("{count} entities in {bytes} bytes, not compressed")),
    ])
}

/// How long each of 1,000 tablets waits for a sync of ten operations, and what memory the server takes for them.
#[expect(clippy::cast_precision_loss, reason = "memory in megabytes")]
pub(super) fn ask_many(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let devices = setting.pick(20, 1_000);
    let vehicles = setting.pick(50, 1_000);
    let fleet = Fleet::start(setting, vehicles)?;
    let mut requests = Vec::with_capacity(devices);
    let mut connection = fleet.server.connect()?;
    for number in 0..devices {
        let token = fleet.register(&format!("tablet-{number}"))?;
        let cursor = fleet.pull_all(&mut connection, &token, "")?;
        let first = number * OPERATIONS_EACH % vehicles;
        let ours = first..(first + OPERATIONS_EACH).min(vehicles);
        let body = operations(number, ours, Some(&cursor));
        requests.push(request::build("POST", SYNC, Some(&token), body.as_bytes()));
    }
    let next = Mutex::new(0);
    let took = Mutex::new(Vec::with_capacity(devices));
    let began = Instant::now();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| scope.spawn(|| call(&fleet, &requests, &next, &took)))
            .collect();
        for caller in callers {
            caller
                .join()
                .map_err(|_| BenchError::Peer("a caller panicked".to_owned()))??;
        }
        Ok::<_, BenchError>(())
    })?;
    let all = began.elapsed().as_secs_f64();
    let mut took = took.into_inner().unwrap_or_default();
    took.sort_by(f64::total_cmp);
    let p95 = took.get(took.len() * 95 / 100).copied().unwrap_or(f64::NAN);
    let memory = fleet.server.memory()?;
    let (now_kb, peak_kb) = (memory.resident_kb, memory.resident_peak_kb);
    Ok(vec![
        Row::new("sync of one of 1,000 tablets, p95", "ms", vec![p95])
            .bar(Bar::AtMost(500.0))
            .note(format!(
                "{devices} tablets, {OPERATIONS_EACH} operations each, {CALLERS} at a time; all of them in {all:.1} s"
            )),
        Row::new("memory of the server with 1,000 tablets, peak", "MB", vec![peak_kb as f64 / 1_024.0])
            .bar(Bar::AtMost(500.0))
            .note(format!(
                "resident, mapped files of the log included; {:.0} MB of it when all had synced",
                now_kb as f64 / 1_024.0
            )),
    ])
}

fn call(
    fleet: &Fleet,
    requests: &[Vec<u8>],
    next: &Mutex<usize>,
    took: &Mutex<Vec<f64>>,
) -> Result<(), BenchError> {
    let mut connection = fleet.server.connect()?;
    loop {
        let number = {
            let mut next = next
                .lock()
                .map_err(|_| BenchError::Peer("a caller panicked".to_owned()))?;
            *next += 1;
            *next - 1
        };
        let Some(request) = requests.get(number) else {
            return Ok(());
        };
        let began = Instant::now();
        let answer = connection.exchange(request).map_err(doing("syncing"))?;
        let millis = began.elapsed().as_secs_f64() * 1e3;
        expect_status(200, &answer).map_err(doing("syncing"))?;
        if let Ok(mut took) = took.lock() {
            took.push(millis);
        }
    }
}

/// A server with vehicles.
struct Fleet {
    server: RailFleet,
}

impl Fleet {
    fn start(setting: &Setting, vehicles: usize) -> Result<Self, BenchError> {
        let server = RailFleet::start(setting)?;
        let events: Vec<Value> = (0..vehicles)
            .map(|number| {
                let id = vehicle(number);
                json!({"aggregate_type": "Vehicle", "aggregate_id": id, "event_type": "VehicleCreated",
                    "data": {"asset_id": id, "model": "218", "type": "diesel", "status": "available", "current_mileage_km": 0}})
            })
            .collect();
        let body = json!({ "events": events }).to_string();
        let request = request::build("POST", BATCH_PATH, Some(&server.token), body.as_bytes());
        let mut connection = server.connect()?;
        let answer = connection
            .exchange(&request)
            .map_err(doing("making vehicles"))?;
        expect_status(201, &answer).map_err(doing("making vehicles"))?;
        Ok(Fleet { server })
    }

    fn register(&self, id: &str) -> Result<String, BenchError> {
        register(&self.server, id)
    }

    fn pull_all(
        &self,
        connection: &mut Connection,
        token: &str,
        cursor: &str,
    ) -> Result<String, BenchError> {
        let path = format!("/api/v1/sync/crdt/pull?limit=10000&cursor={cursor}");
        let request = request::build("GET", &path, Some(token), b"");
        let answer = connection.exchange(&request).map_err(doing("pulling"))?;
        expect_status(200, &answer).map_err(doing("pulling"))?;
        text(&serde_json::from_slice(&answer.body())?, "next_cursor")
    }

    /// How often the log was flushed to the device so far.
    fn syncs(&self) -> Result<f64, BenchError> {
        let mut connection = self.server.connect()?;
        let request = request::build("GET", "/metrics", None, b"");
        let answer = connection.exchange(&request).map_err(doing("asking"))?;
        let body = answer.body();
        let text = String::from_utf8_lossy(&body);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("railfleet_log_syncs_total "));
        line.and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| BenchError::Peer("no count of syncs among the figures".to_owned()))
    }
}

/// Registers a tablet; its token.
pub(super) fn register(server: &RailFleet, id: &str) -> Result<String, BenchError> {
    let body = json!({"device_id": id, "device_name": id, "device_type": "tablet"}).to_string();
    let path = "/api/v1/sync/devices/register";
    let request = request::build("POST", path, Some(&server.token), body.as_bytes());
    let mut connection = server.connect()?;
    let answer = connection
        .exchange(&request)
        .map_err(doing("registering"))?;
    expect_status(201, &answer).map_err(doing("registering"))?;
    text(&serde_json::from_slice(&answer.body())?, "device_token")
}

fn vehicle(number: usize) -> String {
    format!("V{number:05}")
}

fn operations(round: usize, vehicles: std::ops::Range<usize>, cursor: Option<&str>) -> String {
    let vehicles: Vec<String> = vehicles.map(vehicle).collect();
    push_body(&round.to_string(), &vehicles, cursor)
}

/// One operation on each of these vehicles, with ids that are told apart by `round`.
pub(super) fn push_body(round: &str, vehicles: &[String], cursor: Option<&str>) -> String {
    let operations: Vec<Value> = vehicles
        .iter()
        .enumerate()
        .map(|(number, vehicle)| {
            json!({"id": format!("{round}-{number}"), "entity_type": "Vehicle", "entity_id": vehicle,
                "field": "notes", "value": format!("round {round}")})
        })
        .collect();
    json!({ "cursor": cursor, "operations": operations }).to_string()
}

pub(super) fn all_applied(said: &Value, count: usize) -> Result<(), BenchError> {
    let taken =
        said["applied_count"].as_u64().unwrap_or(0) + said["merged_count"].as_u64().unwrap_or(0);
    if taken == count as u64 {
        return Ok(());
    }
    let first = said["results"].get(0).cloned().unwrap_or_default();
    Err(BenchError::Peer(format!(
        "{taken} of {count} operations were taken in; the first: {first}"
    )))
}

fn text(said: &Value, name: &str) -> Result<String, BenchError> {
    let text = said[name].as_str().map(str::to_owned);
    text.ok_or_else(|| BenchError::Peer(format!("no {name} in {said}")))
}
