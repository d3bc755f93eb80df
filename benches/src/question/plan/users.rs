//! A thousand users at once, each on a connection of its own: of a hundred requests 60 read one thing, 20 a list, 10 write,
//! 5 sync a tablet, 3 open a dashboard and 2 ask for a prediction. Who was answered waits a second, more or less, before the
//! next request.
//!
//! The users run beside the server on the same processors: what they wait is the server's time and their own.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fleet::calendar::format_time;
use serde_json::Value;

use super::incident;
use crate::BenchError;
use crate::depot::asset_id;
use crate::error::doing;
use crate::http::request;
use crate::peer::railfleet::{EVENTS_PATH, RailFleet};
use crate::question::sync::{self, push_body, register};
use crate::row::{Bar, Row};
use crate::sample::{Sample, per_second};
use crate::seed::SplitMix64;
use crate::setting::Setting;

/// What a user asks for, and out of a hundred requests how many are it.
const MIX: [(Act, u64); 6] = [
    (Act::Read, 60),
    (Act::List, 20),
    (Act::Write, 10),
    (Act::Sync, 5),
    (Act::Dashboard, 3),
    (Act::Predict, 2),
];
/// What a dashboard asks for.
const DASHBOARDS: [&str; 5] = [
    "/api/v1/analytics/dashboard/executive",
    "/api/v1/analytics/dashboard/operations",
    "/api/v1/analytics/dashboard/maintenance",
    "/api/v1/analytics/dashboard/inventory",
    "/api/v1/analytics/catalogue",
];
/// A user's stack: it holds a few requests.
const STACK_BYTES: usize = 256 << 10;
/// Tablets that users share; one tablet syncs for one user at a time.
const TABLETS: usize = 50;
/// How long a user waits before the next request: half of this to one and a half.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the server's memory is looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Read,
    List,
    Write,
    Sync,
    Dashboard,
    Predict,
}

/// What all users share.
struct Depot<'a> {
    server: &'a RailFleet,
    tablets: Vec<String>,
    vehicles: u64,
    /// When the users came, as a time of the API: what they ask for as it was then, there was.
    began: String,
    stopping: AtomicBool,
}

/// What users waited for each kind of answer, and how many of them were none.
#[derive(Default)]
struct Waited(BTreeMap<Act, (Sample, u64)>);

impl Waited {
    fn note(&mut self, act: Act, took: Duration, is_answered: bool) {
        let (sample, failures) = self.0.entry(act).or_default();
        sample.push(took);
        *failures += u64::from(!is_answered);
    }

    fn absorb(&mut self, other: Waited) {
        for (act, (sample, failures)) in other.0 {
            let of_act = self.0.entry(act).or_default();
            of_act.0.absorb(sample);
            of_act.1 += failures;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and memory in megabytes")]
pub(super) fn ask(
    setting: &Setting,
    server: &RailFleet,
    vehicles: u64,
) -> Result<Vec<Row>, BenchError> {
    let users = setting.pick(10, 1_000);
    let lasting = setting.pick(Duration::from_secs(2), Duration::from_secs(600));
    let tablets = (0..TABLETS.min(users)).map(|number| register(server, &format!("user-{number}")));
    let depot = Depot {
        server,
        tablets: tablets.collect::<Result<_, _>>()?,
        vehicles,
        began: format_time(now_micros()),
        stopping: AtomicBool::new(false),
    };
    let began = Instant::now();
    let (waited, memory) = thread::scope(|scope| {
        let users: Vec<_> = (0..users)
            .map(|user| {
                let depot = &depot;
                thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, move || work(depot, user))
            })
            .collect::<io::Result<_>>()
            .map_err(doing("starting users"))?;
        // What grows all the time is seen between the second third and the last.
        let mut memory = Vec::new();
        while began.elapsed() < lasting {
            thread::sleep(LOOK_PAUSE);
            memory.push(server.memory()?.anonymous_kb as f64 / 1_024.0);
        }
        depot.stopping.store(true, Ordering::Relaxed);
        let mut waited = Waited::default();
        for user in users {
            let user = user.join();
            waited.absorb(user.map_err(|_| BenchError::Peer("a user panicked".to_owned()))??);
        }
        Ok::<_, BenchError>((waited, memory))
    })?;
    let took = began.elapsed();
    let (mut all, mut failures, mut by_act) = (Sample::default(), 0, String::new());
    for (act, (sample, failed)) in waited.0 {
        by_act.push_str(&format!(
            "; {act:?} p95 {:.0} ms",
            sample.quantile_micros(0.95) / 1e3
        ));
        failures += failed;
        all.absorb(sample);
    }
    let rate = per_second(all.count() as u64, took);
    let third = memory.len() / 3;
    let (middle, last) = (
        crate::sample::median(&memory[third..third * 2]),
        crate::sample::median(&memory[third * 2..]),
    );
    Ok(vec![
        Row::new("1,000 users at once, p95", "ms", vec![all.quantile_micros(0.95) / 1e3])
            .bar(Bar::AtMost(50.0))
            .note(format!(
                "{users} connections for {} s, {rate:.0} requests/s; p50 {:.1} ms, p99 {:.1} ms{by_act}; the users share the processors",
                lasting.as_secs(),
                all.p50() / 1e3,
                all.p99() / 1e3,
            )),
        Row::new("errors that they saw", "", vec![failures as f64]).bar(Bar::AtMost(0.0)),
        Row::new("memory that is no file, last third", "MB", vec![last])
            .against("middle third", &[middle])
            .bar(Bar::RatioAtMost(1.1)),
    ])
}

/// One user, until all stop. The first wait spreads the users over the pause.
fn work(depot: &Depot<'_>, user: usize) -> Result<Waited, BenchError> {
    let mut seed = SplitMix64::new(user as u64 + 1);
    let mut waited = Waited::default();
    let mut connection = depot.server.connect()?;
    // Who shares a tablet with others only takes what is new.
    let tablet = (user < depot.tablets.len()).then(|| depot.tablets[user].clone());
    let mut cursor = None;
    let mut number = 0_u64;
    pause(depot, below(&mut seed, 1_000));
    while !depot.stopping.load(Ordering::Relaxed) {
        number += 1;
        let act = chosen(below(&mut seed, 100));
        let vehicle = asset_id(below(&mut seed, depot.vehicles));
        let asked = match (act, &tablet) {
            (Act::Sync, Some(token)) => {
                let round = format!("{user}-{number}");
                let body = push_body(&round, &[vehicle], cursor.as_deref());
                request::build("POST", sync::SYNC, Some(token), body.as_bytes())
            }
            (Act::Sync, None) => {
                let token = &depot.tablets[user % depot.tablets.len()];
                let from = cursor
                    .as_deref()
                    .map_or(String::new(), |cursor| format!("&cursor={cursor}"));
                let path = format!("/api/v1/sync/crdt/pull?limit=100{from}");
                request::build("GET", &path, Some(token), b"")
            }
            (Act::Write, _) => {
                let body = incident(&vehicle, user, number);
                request::build("POST", EVENTS_PATH, Some(&depot.server.token), &body)
            }
            _ => {
                let path = path(depot, act, &vehicle, &mut seed);
                request::build("GET", &path, Some(&depot.server.token), b"")
            }
        };
        let began = Instant::now();
        let answer = connection.exchange(&asked).map_err(doing("asking"))?;
        let is_answered = (200..300).contains(&answer.status);
        waited.note(act, began.elapsed(), is_answered);
        if is_answered && act == Act::Sync {
            let said: Value = serde_json::from_slice(&answer.body())?;
            cursor = said["next_cursor"].as_str().map(str::to_owned);
        }
        pause(depot, 500 + below(&mut seed, 1_000));
    }
    Ok(waited)
}

/// Waits so many thousandths of the pause, less when all stop.
fn pause(depot: &Depot<'_>, thousandths: u64) {
    let end = Instant::now() + PAUSE * u32::try_from(thousandths).unwrap_or(0) / 1_000;
    while Instant::now() < end && !depot.stopping.load(Ordering::Relaxed) {
        thread::sleep((end - Instant::now()).min(LOOK_PAUSE));
    }
}

/// A number below `limit`.
fn below(seed: &mut SplitMix64, limit: u64) -> u64 {
    seed.draw() % limit.max(1)
}

fn chosen(mut percent: u64) -> Act {
    for (act, share) in MIX {
        if percent < share {
            return act;
        }
        percent -= share;
    }
    Act::Read
}

fn path(depot: &Depot<'_>, act: Act, vehicle: &str, seed: &mut SplitMix64) -> String {
    match act {
        Act::List if below(seed, 2) == 0 => {
            "/api/v1/vehicles?limit=50&status=in_workshop".to_owned()
        }
        Act::List => "/api/v1/maintenance/orders?limit=50&status=scheduled".to_owned(),
        Act::Dashboard => {
            let which = below(seed, DASHBOARDS.len() as u64);
            DASHBOARDS[usize::try_from(which).unwrap_or(0)].to_owned()
        }
        Act::Predict => format!("/api/v1/ml/predict/failure/{vehicle}"),
        _ => match below(seed, 4) {
            0 => format!("/api/v1/events/Vehicle/{vehicle}?limit=20"),
            1 => format!("/api/v1/audit/trail/Vehicle/{vehicle}?limit=20"),
            2 => format!(
                "/api/v1/time-travel/state-at?aggregate_type=Vehicle&aggregate_id={vehicle}&at={}",
                depot.began
            ),
            _ => format!("/api/v1/vehicles/{vehicle}"),
        },
    }
}

fn now_micros() -> i64 {
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}
