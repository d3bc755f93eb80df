//! Predictors beside the depot's work: one prediction over HTTP with its features from the log, and what a training that runs
//! costs the writers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::BenchError;
use crate::error::doing;
use crate::http::connection::Connection;
use crate::http::request::{self, PostEvent};
use crate::peer::railfleet::{EVENTS_PATH, RailFleet, expect_status, program};
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::setting::Setting;

/// How long a training may take.
const TRAINED_AFTER_MAX: Duration = Duration::from_secs(300);

/// How long a prediction takes whose vehicle was written to just before, and one that is asked again.
pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let (server, _folder) = depot(setting)?;
    let mut connection = server.connect()?;
    server.wait_for_projection(&mut connection, "current_state")?;
    let vehicles = vehicles(&server, &mut connection)?;
    deploy(&server, &mut connection)?;

    let rounds = setting.pick(1, 5);
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    let mut source = String::new();
    for round in 0..rounds {
        let (mut fresh_now, mut again_now) = (Sample::default(), Sample::default());
        for vehicle in &vehicles {
            let event = json!({"aggregate_type": "Vehicle", "aggregate_id": vehicle, "event_type": "BenchProbed",
                "data": {"round": round}});
            let (status, _) = exchange(
                &server,
                &mut connection,
                "POST",
                EVENTS_PATH,
                &event.to_string(),
            )?;
            if status != 201 {
                return Err(BenchError::Peer(format!(
                    "an event was refused with {status}"
                )));
            }
            let path = format!("/api/v1/ml/predict/failure/{vehicle}");
            let asked = request::build("GET", &path, Some(&server.token), b"");
            for sample in [&mut fresh_now, &mut again_now] {
                let began = Instant::now();
                let answer = connection.exchange(&asked).map_err(doing("predicting"))?;
                sample.push(began.elapsed());
                expect_status(200, &answer).map_err(doing("predicting"))?;
                let said: Value = serde_json::from_slice(&answer.body())?;
                source = said["source"].as_str().unwrap_or("unsaid").to_owned();
            }
        }
        fresh.push(fresh_now.p99() / 1e3);
        again.push(again_now.p99() / 1e3);
    }
    Ok(vec![
        Row::new(
            "one prediction over HTTP, features from the log, p99",
            "ms",
            fresh,
        )
        .bar(Bar::AtMost(5.0))
        .note(format!(
            "{} vehicles, each written to just before; the answer's source is {source}",
            vehicles.len()
        )),
        Row::new("the same asked again, p99", "ms", again),
    ])
}

/// How long a writer waits while a training runs, against how long without.
pub(super) fn ask_beside(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let (server, _folder) = depot(setting)?;
    let mut connection = server.connect()?;
    server.wait_for_projection(&mut connection, "current_state")?;
    let mut writer = server.connect()?;
    let mut post = PostEvent::new(EVENTS_PATH, Some(&server.token), 1);
    let mut number = 0;
    let mut append = |sample: &mut Sample| {
        number += 1;
        let began = Instant::now();
        let answer = writer
            .exchange(post.numbered(number))
            .map_err(doing("posting an event"))?;
        sample.push(began.elapsed());
        expect_status(201, &answer).map_err(doing("posting an event"))
    };
    let rounds = setting.pick(1, 3);
    let (mut beside, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut without = Sample::default();
        for _ in 0..setting.pick(20, 4_000) {
            append(&mut without)?;
        }
        let trained = train(&server, &mut connection)?;
        let mut with = Sample::default();
        wait_trained(&server, &mut connection, &trained, || {
            (0..20).try_for_each(|_| append(&mut with))
        })?;
        alone.push(without.quantile_micros(0.95));
        beside.push(with.quantile_micros(0.95));
    }
    Ok(vec![
        Row::new("append while a training runs, HTTP, p95", "µs", beside)
            .against("without", &alone)
            .bar(Bar::RatioAtMost(1.5))
            .note("one writer; the training has the lowest priority"),
    ])
}

/// Trains a model and deploys it.
pub(super) fn deploy(server: &RailFleet, connection: &mut Connection) -> Result<(), BenchError> {
    let trained = train(server, connection)?;
    wait_trained(server, connection, &trained, || Ok(()))?;
    let path = format!("/api/v1/ml/models/{}/promote", text(&trained, "model_id")?);
    // Deployed already where its backtest was better than the base rate: then this is refused, and nothing is lost.
    exchange(server, connection, "POST", &path, "{}")?;
    Ok(())
}

/// The demo's depot, served.
fn depot(setting: &Setting) -> Result<(RailFleet, crate::scratch::Scratch), BenchError> {
    let scratch = setting.scratch()?;
    let data = scratch.join("depot");
    fill(setting, &data)?;
    Ok((RailFleet::start_at(setting, &data)?, scratch))
}

pub(super) fn fill(setting: &Setting, data: &Path) -> Result<(), BenchError> {
    let vehicles = setting.pick(40, 120);
    // Learning needs two years and some hundred snapshots of vehicles, however small the depot.
    let days = 1_500;
    let output = Command::new(program(setting)?)
        .args([
            "demo",
            "--no-serve",
            "--vehicles",
            &vehicles.to_string(),
            "--days",
            &days.to_string(),
            "--data",
        ])
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .map_err(doing("filling a depot"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BenchError::Peer(format!(
        "the demo's depot could not be filled: {}",
        String::from_utf8_lossy(&output.stderr)
    )))
}

fn vehicles(server: &RailFleet, connection: &mut Connection) -> Result<Vec<String>, BenchError> {
    let (_, said) = exchange(server, connection, "GET", "/api/v1/vehicles?limit=1000", "")?;
    let vehicles = said["vehicles"].as_array().into_iter().flatten();
    vehicles.map(|vehicle| text(vehicle, "asset_id")).collect()
}

fn train(server: &RailFleet, connection: &mut Connection) -> Result<Value, BenchError> {
    let (status, said) = exchange(server, connection, "POST", "/api/v1/ml/train", "{}")?;
    match status {
        202 => Ok(said),
        _ => Err(BenchError::Peer(format!("no training was begun: {said}"))),
    }
}

/// Waits until the training is over, doing something between two looks.
fn wait_trained(
    server: &RailFleet,
    connection: &mut Connection,
    begun: &Value,
    mut meanwhile: impl FnMut() -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let path = format!("/api/v1/ml/training-jobs/{}", text(begun, "job_id")?);
    let began = Instant::now();
    while began.elapsed() < TRAINED_AFTER_MAX {
        meanwhile()?;
        let (_, said) = exchange(server, connection, "GET", &path, "")?;
        match said["status"].as_str() {
            Some("completed") => return Ok(()),
            Some("pending" | "running") => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                return Err(BenchError::Peer(format!(
                    "the training came to nothing: {said}"
                )));
            }
        }
    }
    Err(BenchError::Peer("the training does not end".to_owned()))
}

fn exchange(
    server: &RailFleet,
    connection: &mut Connection,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, Value), BenchError> {
    let asked = request::build(method, path, Some(&server.token), body.as_bytes());
    let answer = connection.exchange(&asked).map_err(doing("asking"))?;
    Ok((answer.status, serde_json::from_slice(&answer.body())?))
}

fn text(said: &Value, name: &str) -> Result<String, BenchError> {
    let text = said[name].as_str().map(str::to_owned);
    text.ok_or_else(|| BenchError::Peer(format!("no {name} in {said}")))
}
