//! Two depots and a broker on this machine: how soon the one sees what happened at the other, how fast it catches up with a
//! log that it knows nothing of, and what publishing costs the one that appends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use federation::sheet::Key;
use federation::{Broker, Member, Settings};
use harness::nats::NatsServer;
use storage::{ExpectedVersion, Log, LogOptions, Position, ReadRequest, SystemClock, Transaction};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::BenchError;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::fill::{Fill, fill};
use crate::row::{Bar, Row};
use crate::sample::{Sample, per_second};
use crate::setting::Setting;

/// Events a second while it is watched how soon they are seen.
const RATE: u64 = 2_000;
/// How often appends are measured, alone and beside.
const ROUNDS: usize = 3;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let Some(nats) = NatsServer::start("federation") else {
        return Err(BenchError::Missing {
            what: "nats-server".to_owned(),
            remedy: "apt-get install nats-server".to_owned(),
        });
    };
    let runtime = Runtime::new().map_err(doing("starting threads"))?;
    let scratch = setting.scratch()?;
    let filling = Fill {
        events: setting.pick(2_000, 300_000),
        streams: 1_000,
        events_per_transaction: 1_000,
    };
    let one = Depot::open(&scratch.join("one"))?;
    let mut alone = Vec::new();
    for _ in 0..ROUNDS {
        alone.push(appended_a_second(setting, &one.log)?);
    }
    fill(&one.log, 0, &filling)?;
    let there = one.log.durable_position();

    let other = Depot::open(&scratch.join("other"))?;
    let began = Instant::now();
    one.join(&runtime, "one", &nats)?;
    other.join(&runtime, "other", &nats)?;
    wait_past(&other.log, there)?;
    let caught_up = per_second(there.get(), began.elapsed());

    let seen = seen_after(setting, &one.log, &other.log)?;
    let mut beside = Vec::new();
    for _ in 0..ROUNDS {
        beside.push(appended_a_second(setting, &one.log)?);
        wait_past(&other.log, one.log.durable_position())?;
    }
    one.stop();
    other.stop();
    Ok(vec![
        Row::new("an event at one depot seen at another, p95", "ms", vec![seen.quantile_micros(0.95) / 1_000.0])
            .bar(Bar::AtMost(100.0))
            .note(format!("{RATE} events/s, the broker on the same machine; from durable there to durable here")),
        Row::new("catching up with another depot", "events/s", vec![caught_up])
            .bar(Bar::AtLeast(50_000.0))
            .note("published, kept by the broker and appended here, one after the other's log of 300 bytes an event"),
        Row::new("appends of four callers while they are published and received", "events/s", beside)
            .against("the same alone", &alone)
            .bar(Bar::RatioAtLeast(0.9))
            .note("the broker and the other depot share the machine's cores with it"),
    ])
}

struct Depot {
    folder: PathBuf,
    log: Arc<Log>,
    stopping: watch::Sender<bool>,
}

impl Depot {
    fn open(folder: &Path) -> Result<Depot, BenchError> {
        Ok(Depot {
            folder: folder.to_owned(),
            log: Arc::new(Log::open(&folder.join("log"), LogOptions::default())?),
            stopping: watch::Sender::new(false),
        })
    }

    fn join(&self, runtime: &Runtime, name: &str, nats: &NatsServer) -> Result<(), BenchError> {
        let settings = Settings {
            name: name.to_owned(),
            broker: Broker {
                servers: vec![nats.address()],
                stream: "RAILFLEET".to_owned(),
                credentials: None,
                ca: None,
                replicas: 1,
                kept_for: Duration::ZERO,
            },
            aggregate_types: Vec::new(),
            folder: self.folder.join("federation"),
            key: Key::new(&[7; 32]),
            quarantined: Vec::new(),
        };
        let (publish, durable) = watch::channel(self.log.durable_position());
        self.log.on_durable(move |position| {
            publish.send_replace(position);
        });
        let member = Member::new(Arc::clone(&self.log), Arc::new(SystemClock), settings)
            .map_err(|error| BenchError::Peer(error.to_string()))?;
        let (publisher, receiver) = (member.clone(), member.clone());
        let (stop, stop_too) = (self.stopping.subscribe(), self.stopping.subscribe());
        runtime.spawn(async move { publisher.publish(durable, stop).await });
        runtime.spawn(async move { receiver.receive(stop_too).await });
        Ok(())
    }

    fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

fn wait_past(log: &Log, position: Position) -> Result<(), BenchError> {
    let began = Instant::now();
    while log.durable_position() < position {
        if began.elapsed() > PATIENCE {
            return Err(BenchError::Peer(format!(
                "after {PATIENCE:?} only {} of {position} events came over",
                log.durable_position()
            )));
        }
        log.wait_past(position.previous(), Duration::from_millis(100));
    }
    Ok(())
}

/// Events a second that four callers append, one at a time each.
fn appended_a_second(setting: &Setting, log: &Log) -> Result<f64, BenchError> {
    let each = setting.pick(50, 4_000);
    let began = Instant::now();
    let outcomes: Vec<Result<(), BenchError>> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|caller| scope.spawn(move || append(log, caller, each)))
            .collect();
        callers
            .into_iter()
            .map(|caller| {
                caller
                    .join()
                    .unwrap_or_else(|_| Err(BenchError::Peer("a caller ended".to_owned())))
            })
            .collect()
    });
    outcomes.into_iter().collect::<Result<(), _>>()?;
    Ok(per_second(4 * each, began.elapsed()))
}

fn append(log: &Log, caller: u64, count: u64) -> Result<(), BenchError> {
    let maker = EventMaker::new();
    for number in 0..count {
        let stream = event::stream(caller);
        let event = maker.event(number);
        log.append(Transaction::single(stream, ExpectedVersion::Any, event))?;
    }
    Ok(())
}

/// How long after it is durable at the one an event is durable at the other.
fn seen_after(setting: &Setting, one: &Log, other: &Log) -> Result<Sample, BenchError> {
    let count = setting.pick(100, 10 * RATE);
    let maker = EventMaker::new();
    let before = other.durable_position();
    let began = Instant::now();
    let mut appended = Vec::new();
    let seen = std::thread::scope(|scope| {
        let watching = scope.spawn(move || arrivals(other, before, count));
        for number in 0..count {
            let due = began
                + Duration::from_micros(1_000_000 / RATE) * u32::try_from(number).unwrap_or(0);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let event = maker.event(number);
            one.append(Transaction::single(
                event::stream(number % 100),
                ExpectedVersion::Any,
                event,
            ))?;
            appended.push(Instant::now());
        }
        watching
            .join()
            .unwrap_or_else(|_| Err(BenchError::Peer("the watching thread ended".to_owned())))
    })?;
    let mut sample = Sample::default();
    for (there, here) in appended.iter().zip(seen) {
        sample.push(here.saturating_duration_since(*there));
    }
    Ok(sample)
}

/// When each of the next `count` events became durable.
fn arrivals(log: &Log, before: Position, count: u64) -> Result<Vec<Instant>, BenchError> {
    let began = Instant::now();
    let mut seen = Vec::new();
    let mut known = before;
    while (seen.len() as u64) < count {
        let durable = log.wait_past(known, Duration::from_millis(500));
        let now = Instant::now();
        if now.duration_since(began) > PATIENCE {
            return Err(BenchError::Peer(format!(
                "only {} of {count} events came over",
                seen.len()
            )));
        }
        seen.extend((0..known.distance_to(durable)).map(|_| now));
        known = durable;
    }
    // What came over is what was appended, in its order.
    let mut reader = log.read(&ReadRequest {
        from: before.next(),
        ..ReadRequest::default()
    })?;
    if reader.next().transpose()?.is_none() {
        return Err(BenchError::Peer("nothing came over".to_owned()));
    }
    Ok(seen)
}
