//! Lists of 100 rows at 100,000 vehicles and a million work orders: plain, narrowed, searched, far from the beginning.

use serde_json::Value;
use storage::{Log, LogOptions};

use crate::BenchError;
use crate::depot::{Depot, asset_id};
use crate::error::doing;
use crate::http::connection::Connection;
use crate::http::request;
use crate::peer::railfleet::{RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::sample::Sample;
use crate::setting::Setting;

/// Milliseconds that a list may take.
const BAR_MS: f64 = 2.0;
/// Rows of a list.
const ROWS: usize = 100;

/// A list: what it is called, its path, and where its rows stand in the answer (`None`: it is the answer).
struct Asked {
    name: &'static str,
    path: String,
    rows: Option<&'static str>,
}

fn lists(depot: &Depot) -> Vec<Asked> {
    let vehicles = |name, query: String| Asked {
        name,
        path: format!("/api/v1/vehicles?limit={ROWS}{query}"),
        rows: Some("vehicles"),
    };
    let orders = |name, query: String| Asked {
        name,
        path: format!("/api/v1/maintenance/orders?limit={ROWS}{query}"),
        rows: None,
    };
    let middle = |count: u64| format!("&skip={}", count / 2);
    vec![
        vehicles("vehicles", String::new()),
        vehicles("vehicles of a status", "&status=in_workshop".to_owned()),
        vehicles("vehicles, from the middle on", middle(depot.vehicles)),
        vehicles("vehicles, searched for", "&search=br%20142".to_owned()),
        orders("work orders", String::new()),
        orders("work orders of a status", "&status=scheduled".to_owned()),
        orders("work orders, from the middle on", middle(depot.orders)),
        orders(
            "work orders of a vehicle",
            format!("&vehicle_id={}", asset_id(depot.vehicles / 2)),
        ),
        orders(
            "work orders, searched for",
            "&search=inspection%20642".to_owned(),
        ),
    ]
}

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let depot = Depot {
        vehicles: setting.pick(400, 100_000),
        events_per_vehicle: 1,
        orders: setting.pick(3_000, 1_000_000),
        days: 0,
    };
    let rounds = setting.pick(1, 5);
    let reads = setting.pick(2, 60);
    let server = RailFleet::start_on(setting, |log| {
        let log = Log::open(log, LogOptions::default())?;
        depot.fill(&log)?;
        log.close();
        Ok(())
    })?;
    let mut connection = server.connect()?;
    server.wait_for_projection(&mut connection, "current_state")?;
    let mut rows = Vec::new();
    for asked in lists(&depot) {
        let request = request::build("GET", &asked.path, Some(&server.token), b"");
        let (found, bytes) = check(&mut connection, &request, &asked)?;
        let mut p50 = Vec::new();
        let mut p99 = Vec::new();
        for _ in 0..rounds {
            let sample = Sample::of(reads, || {
                let answer = connection.exchange(&request)?;
                expect_status(200, &answer)
            });
            let sample = sample.map_err(doing("reading a list"))?;
            p50.push(sample.p50() / 1e3);
            p99.push(sample.p99() / 1e3);
        }
        rows.push(
            Row::new(format!("list of {}", asked.name), "ms", p50)
                .bar(Bar::AtMost(BAR_MS))
                .note(format!(
                    "{found} rows, {} kB, over the loopback, JSON read by nobody; p99 {:.2} ms; {rounds} rounds of {reads}, \
                     p50 of each; {} vehicles, {} orders",
                    bytes / 1_000,
                    crate::sample::median(&p99),
                    depot.vehicles,
                    depot.orders,
                )),
        );
    }
    Ok(rows)
}

/// Reads the list once and sees that it has rows. Returns how many, and the bytes of the answer.
fn check(
    connection: &mut Connection,
    request: &[u8],
    asked: &Asked,
) -> Result<(usize, usize), BenchError> {
    let answer = connection
        .exchange(request)
        .map_err(doing("reading a list"))?;
    expect_status(200, &answer).map_err(doing("reading a list"))?;
    let body = answer.body();
    let said: Value = serde_json::from_slice(&body)?;
    let list = asked.rows.map_or(&said, |name| &said[name]);
    let rows = list.as_array().map_or(0, Vec::len);
    if rows == 0 || rows > ROWS {
        return Err(BenchError::Peer(format!(
            "{} answers {rows} rows",
            asked.path
        )));
    }
    Ok((rows, body.len()))
}
