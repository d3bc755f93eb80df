//! Rebuilding the read models from the log, in the server's process, beside the live ones.

use std::time::{Duration, Instant};

use storage::{Log, LogOptions};

use crate::BenchError;
use crate::depot::Depot;
use crate::error::doing;
use crate::http::connection::Connection;
use crate::http::request;
use crate::peer::railfleet::{RailFleet, expect_status};
use crate::row::{Bar, Row};
use crate::sample::per_second;
use crate::setting::Setting;

/// Events a second.
const BAR: f64 = 1e6;
/// How often the server is asked how far it is: what the measured time is off by at most.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// After this long a rebuild is taken for stuck.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let depot = Depot {
        vehicles: setting.pick(200, 100_000),
        events_per_vehicle: setting.pick(5, 20),
        orders: 0,
        days: 0,
    };
    let rounds = setting.pick(1, 5);
    let server = RailFleet::start_on(setting, |log| {
        let log = Log::open(log, LogOptions::default())?;
        depot.fill(&log)?;
        log.close();
        Ok(())
    })?;
    let mut connection = server.connect()?;
    let mut rows = Vec::new();
    for name in ["current_state", "event_counts"] {
        server.wait_for_projection(&mut connection, name)?;
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let took = rebuild(&server, &mut connection, name)?;
            rates.push(per_second(depot.events(), took));
        }
        rows.push(
            Row::new(format!("rebuild of {name}"), "events/s", rates)
                .bar(Bar::AtLeast(BAR))
                .note(format!(
                    "{} events of {} vehicles, from the request to the swap; {rounds} rounds",
                    depot.events(),
                    depot.vehicles,
                )),
        );
    }
    Ok(rows)
}

/// Has a read model made anew, and gives how long that took.
fn rebuild(
    server: &RailFleet,
    connection: &mut Connection,
    name: &str,
) -> Result<Duration, BenchError> {
    let path = format!("/api/v1/projections/{name}/rebuild");
    let request = request::build("POST", &path, Some(&server.token), b"");
    let began = Instant::now();
    let answer = connection
        .exchange(&request)
        .map_err(doing("asking for a rebuild"))?;
    expect_status(202, &answer).map_err(doing("asking for a rebuild"))?;
    while began.elapsed() < PATIENCE {
        if !server.is_rebuilding(connection, name)? {
            return Ok(began.elapsed());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Err(BenchError::Peer(format!(
        "the rebuild of {name} does not end"
    )))
}
