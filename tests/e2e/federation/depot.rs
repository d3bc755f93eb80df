//! A depot of the simulation: the real program, behind a cable to the broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use fleet::registry;
use harness::cable::Cable;
use harness::client::Client;
use harness::process::must;
use harness::server::{DataFolder, Server};
use rustix::process::Signal;
use serde_json::Value;
use uuid::Uuid;

use super::work::Door;
use crate::kill::lasting_token;

/// Rows asked for at once.
const PAGE: usize = 1_000;
/// How long a depot that is behind, on a machine that has more to do, may take for an answer.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it may say that it cannot answer yet.
const BUSY_MAX: Duration = Duration::from_secs(600);
/// How long it may take to save what an hour came to, and end.
const STOP_LIMIT: Duration = Duration::from_secs(300);

/// The type and the id of an aggregate.
pub(super) type Name = (String, String);

pub(super) struct Depot {
    pub(super) name: &'static str,
    pub(super) cable: Cable,
    pub(super) door: Door,
    pub(super) token: String,
    folder: DataFolder,
    server: Option<Server>,
    /// The ids of shared events in the log up to `read`.
    ids: BTreeSet<Uuid>,
    read: u64,
}

impl Depot {
    /// A depot that takes part through a cable to this broker, and runs.
    pub(super) fn new(name: &'static str, broker: u16) -> Depot {
        let folder = DataFolder::new();
        let mut depot = Depot {
            name,
            cable: Cable::to(broker),
            door: Door::new(AtomicU16::new(0)),
            token: lasting_token(&folder),
            folder,
            server: None,
            ids: BTreeSet::new(),
            read: 0,
        };
        depot.start();
        depot
    }

    pub(super) fn start(&mut self) {
        let broker = format!("federation.servers=nats://127.0.0.1:{}", self.cable.port());
        let name = format!("federation.name={}", self.name);
        let server = self
            .folder
            .serve_with(&["--set", &broker, "--set", &name], &[]);
        self.door.store(server.port(), Ordering::Relaxed);
        self.server = Some(server);
    }

    /// Ends it as a power cut would.
    pub(super) fn kill(&mut self) {
        self.door.store(0, Ordering::Relaxed);
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Ends it in good order.
    pub(super) fn stop(&mut self) {
        self.door.store(0, Ordering::Relaxed);
        if let Some(server) = self.server.take() {
            server.stop_within(STOP_LIMIT);
        }
    }

    /// Sees to it that it did not end by itself: nobody would hear of that while requests are sent again and again.
    #[track_caller]
    pub(super) fn must_run(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        if let Some(status) = server.process().ended() {
            let words = server.process().last_words();
            panic!("{} ended by itself with {status}: {words}", self.name);
        }
    }

    /// Has it stand still, or go on.
    pub(super) fn signal(&mut self, signal: Signal) {
        if let Some(server) = &mut self.server {
            server.process().signal(signal);
        }
    }

    /// Has all others publish their events anew; whether the broker was there to be asked.
    pub(super) fn resync(&self) -> bool {
        let asked = self.client().post("/api/v1/federation/resync", "{}");
        asked.is_ok_and(|answer| answer.status == 202)
    }

    /// How it stands with the others.
    pub(super) fn standing(&self) -> Value {
        self.get("/api/v1/federation")
    }

    /// The ids of all shared events in its log.
    ///
    /// # Panics
    /// When one is there twice.
    #[track_caller]
    pub(super) fn ids(&mut self) -> &BTreeSet<Uuid> {
        loop {
            let path = format!(
                "/api/v1/events?order=position_asc&count=false&limit={PAGE}&from_position={}",
                self.read + 1
            );
            let page = self.get(&path);
            let events = page["events"].as_array().expect("a page of events");
            for event in events {
                self.read = event["position"].as_u64().expect("a position");
                let aggregate_type = event["aggregate_type"].as_str().expect("a type");
                if registry().is_internal(aggregate_type) {
                    continue;
                }
                let id = event["id"].as_str().and_then(|id| id.parse().ok());
                let id: Uuid = id.expect("an id");
                assert!(self.ids.insert(id), "{} has {event} twice", self.name);
            }
            if events.len() < PAGE {
                return &self.ids;
            }
        }
    }

    /// How many events its log has.
    pub(super) fn length(&self) -> u64 {
        self.read
    }

    /// How many of them are shared.
    pub(super) fn count(&self) -> usize {
        self.ids.len()
    }

    /// A digest of the state of each shared aggregate: the states of an hour are too many to hold those of all depots.
    pub(super) fn states(&self) -> BTreeMap<Name, blake3::Hash> {
        let mut states = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let path = format!(
                "/api/v1/projections/current_state/data?limit={PAGE}&wait_ms=30000&min_position={}{cursor}",
                self.read
            );
            let page = self.get(&path);
            for stream in page["streams"].as_array().expect("a page of states") {
                let text = |key: &str| stream[key].as_str().expect("a text").to_owned();
                let aggregate_type = text("aggregate_type");
                if !registry().is_internal(&aggregate_type) {
                    // Members are in the order of their names, so that equal states are equal texts.
                    let digest = blake3::hash(stream["state"].to_string().as_bytes());
                    states.insert((aggregate_type, text("aggregate_id")), digest);
                }
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return states,
            }
        }
    }

    /// What it says of one of these.
    pub(super) fn state(&self, (aggregate_type, id): &Name) -> String {
        let id: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!(
            "/api/v1/projections/current_state/data?aggregate_type={aggregate_type}&aggregate_id={id}"
        );
        let answer = must("asking", self.client().get(&path));
        format!("{} {}", answer.status, answer.text())
    }

    /// Holds the stopped depot's log against itself, with these ids acknowledged anywhere.
    #[track_caller]
    pub(super) fn verify(&self, acknowledged: &[String]) {
        let (code, said) = self.folder.verify(acknowledged);
        assert_eq!(code, Some(0), "{}: {said}", self.name);
    }

    /// The end of what the program said.
    pub(super) fn last_words(&mut self) -> String {
        self.server
            .as_mut()
            .map_or_else(String::new, |server| server.process().last_words())
    }

    fn client(&self) -> Client {
        let client = Client::new(self.door.load(Ordering::Relaxed)).with_patience(PATIENCE);
        client.with_token(self.token.as_str())
    }

    /// What it answers, once it does: that it has too much to do, or is not so far yet, passes.
    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let began = Instant::now();
        loop {
            let answer = must("asking", self.client().get(path));
            if answer.status != 503 || began.elapsed() > BUSY_MAX {
                return answer.expect(200).json();
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}
