//! The kinds of long work, and how each of them is seen from outside to be under way: it was seen to begin while the server
//! lived, and what the killed server left says that it did not end.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet::sync_session;
use harness::aim::Stage;
use harness::client::{Answer, Client};
use harness::contents::holding;
use harness::process::{must, wait_for};
use harness::server::{DataFolder, Server};
use harness::skip;
use serde_json::{Value, json};

use super::past;
use super::{PATIENCE, ROUNDS_MAX, answers, position};

/// How long a training may take to its end beside everything else, at the lowest priority.
const TRAINING_LIMIT: Duration = Duration::from_secs(900);
/// Tablets that a compaction says of that they are waited for no longer: an event each, so that it takes a while.
const TABLETS: u64 = 100;

/// A kind of work.
pub(super) trait Work {
    /// What it is.
    fn name(&self) -> &'static str;
    /// Within which time of its beginning the first rounds cut it short.
    fn within(&self) -> Duration;
    /// Sees to it that there is something to do, in a folder that nobody has.
    fn prepare(&mut self, _folder: &DataFolder, _round: u64) {}
    /// Path and body of what is asked for.
    fn request(&self) -> (String, &'static str);
    /// The server runs, and is asked next.
    fn note(&mut self, server: &mut Server, client: &mut Client);
    /// Whether it is seen to have begun.
    fn has_begun(&mut self, folder: &DataFolder, server: &mut Server, client: &mut Client) -> bool;
    /// Looks at what the killed server left.
    fn look(&mut self, _folder: &DataFolder) {}
    /// What had become of it; asked of the server that took the killed one's place.
    fn stage(&mut self, server: &mut Server, client: &mut Client) -> Stage;
    /// Asks for it again, and holds against each other what came of both times.
    fn again(&mut self, client: &mut Client);
    /// Looks at the folder in the end.
    fn check(&mut self, _folder: &DataFolder) {}
}

fn get(client: &mut Client, path: &str) -> Value {
    must("asking", client.get(path)).expect(200).json()
}

fn ask(client: &mut Client, work: &dyn Work) -> Answer {
    let (path, body) = work.request();
    must("asking again", client.post(&path, body))
}

/// Folding all read models anew. A thread of this name does it for each, and a line of the log says that it is swapped in.
#[derive(Default)]
pub(super) struct Rebuild {
    /// Bytes that the server had logged before.
    logged: usize,
    begun: BTreeSet<&'static str>,
    swapped_in: BTreeSet<&'static str>,
}

/// Read models, and the threads that fold them anew as Linux names them, after 15 bytes.
static MODELS: [(&str, &str); 2] = [
    ("current_state", "rebuild-current"),
    ("event_counts", "rebuild-event_c"),
];

/// What servers of this folder have logged behind so many bytes.
fn logged_since(folder: &DataFolder, bytes: usize) -> String {
    let log = must("reading", std::fs::read(folder.beside("server.log")));
    String::from_utf8_lossy(log.get(bytes..).unwrap_or_default()).into_owned()
}

impl Work for Rebuild {
    fn name(&self) -> &'static str {
        "making all read models anew"
    }

    fn within(&self) -> Duration {
        Duration::from_millis(20)
    }

    fn request(&self) -> (String, &'static str) {
        ("/api/v1/projections/rebuild".to_owned(), "")
    }

    fn note(&mut self, server: &mut Server, _: &mut Client) {
        *self = Rebuild {
            logged: server.process().output().len(),
            ..Rebuild::default()
        };
    }

    fn has_begun(&mut self, _: &DataFolder, server: &mut Server, _: &mut Client) -> bool {
        let threads = server.process().threads();
        let working = MODELS.iter().filter(|(_, thread)| {
            let mut names = threads.iter();
            names.any(|name| name == thread)
        });
        self.begun.extend(working.map(|(model, _)| model));
        !self.begun.is_empty()
    }

    fn look(&mut self, folder: &DataFolder) {
        let said = logged_since(folder, self.logged);
        let swapped_in = MODELS.iter().filter(|(model, _)| {
            let mut lines = said.lines();
            lines.any(|line| line.contains(" rebuilt") && line.contains(model))
        });
        self.swapped_in.extend(swapped_in.map(|(model, _)| model));
    }

    fn stage(&mut self, _: &mut Server, _: &mut Client) -> Stage {
        match (self.swapped_in.len(), self.begun.is_empty()) {
            (0, true) => Stage::NotBegun,
            (count, _) if count == MODELS.len() => Stage::Done,
            _ => Stage::UnderWay,
        }
    }

    fn again(&mut self, client: &mut Client) {
        ask(client, self).expect(202);
        wait_for("all read models are made anew", PATIENCE, || {
            let told = get(client, "/api/v1/projections");
            let models = told["projections"].as_array()?;
            let is_done = |model: &Value| model["status"] == "up_to_date";
            models.iter().all(is_done).then_some(())
        });
    }
}

/// Letting tablets that are overdue stop counting, one event each, and dropping what all others know, which is another.
#[derive(Default)]
pub(super) struct Compaction {
    /// The log's end before.
    at: u64,
}

impl Compaction {
    /// How many tablets stopped counting since, and how often something was dropped.
    fn told(&self, client: &mut Client) -> (u64, u64) {
        let from = self.at + 1;
        let path = format!(
            "/api/v1/events?aggregate_type=SyncSession&from_position={from}&order=position_asc&limit=1000&count=false"
        );
        let page = get(client, &path);
        let events = page["events"].as_array().expect("a page of events");
        let count = |event_type: &str| {
            let mut count = 0;
            for event in events {
                count += u64::from(event["event_type"] == event_type);
            }
            count
        };
        (
            count(sync_session::SYNC_DEVICE_EXPIRED),
            count(sync_session::SYNC_COMPACTED),
        )
    }
}

impl Work for Compaction {
    fn name(&self) -> &'static str {
        "compacting what tablets know"
    }

    fn within(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn prepare(&mut self, folder: &DataFolder, round: u64) {
        past::overdue_tablets(folder, round, TABLETS);
    }

    fn request(&self) -> (String, &'static str) {
        ("/api/v1/sync/crdt/compact".to_owned(), "")
    }

    fn note(&mut self, _: &mut Server, client: &mut Client) {
        self.at = position(client);
    }

    fn has_begun(&mut self, _: &DataFolder, _: &mut Server, client: &mut Client) -> bool {
        position(client) > self.at
    }

    fn stage(&mut self, _: &mut Server, client: &mut Client) -> Stage {
        match self.told(client) {
            (0, 0) => Stage::NotBegun,
            (_, 0) => Stage::UnderWay,
            _ => Stage::Done,
        }
    }

    fn again(&mut self, client: &mut Client) {
        let (before, _) = self.told(client);
        let done = ask(client, self).expect(200).json();
        let expired = done["expired"].as_array().map_or(0, Vec::len) as u64;
        assert_eq!(before + expired, TABLETS, "{done}");
        let (all, compacted) = self.told(client);
        assert_eq!(all, TABLETS, "each tablet stops counting once");
        assert!(compacted > 0, "nothing was dropped");
    }
}

/// Learning a model. The server says how far it is; in the log a model that was registered is trained or has failed later, at the
/// latest when the next server has begun.
#[derive(Default)]
pub(super) struct Training {
    /// Models that were known before.
    known: usize,
    /// What the job was last seen at.
    step: Option<String>,
}

impl Work for Training {
    fn name(&self) -> &'static str {
        "learning from five years of failures"
    }

    fn within(&self) -> Duration {
        Duration::from_millis(1_500)
    }

    fn request(&self) -> (String, &'static str) {
        let body = r#"{"model_name":"failure_predictor"}"#;
        ("/api/v1/ml/train".to_owned(), body)
    }

    fn note(&mut self, _: &mut Server, client: &mut Client) {
        let models = get(client, "/api/v1/ml/models");
        self.known = models["models"].as_array().map_or(0, Vec::len);
        self.step = None;
    }

    fn has_begun(&mut self, _: &DataFolder, _: &mut Server, client: &mut Client) -> bool {
        let told = get(client, "/api/v1/ml/training-jobs");
        let job = &told["jobs"][0];
        if job["status"] == "running" {
            self.step = job["step"].as_str().map(str::to_owned);
        }
        job["started_at"].is_string()
    }

    fn stage(&mut self, _: &mut Server, client: &mut Client) -> Stage {
        let models = wait_for("no model stays in training", PATIENCE, || {
            let told = get(client, "/api/v1/ml/models");
            let models = told["models"].as_array()?.clone();
            let mut all = models.iter();
            let is_over = all.all(|model| model["status"] != "training");
            is_over.then_some(models)
        });
        if models.len() == self.known {
            return Stage::NotBegun;
        }
        let newest = &models[0];
        match newest["status"].as_str() {
            Some("trained" | "deployed") => return Stage::Done,
            Some("failed") => {}
            _ => panic!("last seen at {:?}, and then: {newest}", self.step),
        }
        let id = newest["model_id"].as_str().expect("a model has an id");
        let told = get(client, &format!("/api/v1/ml/models/{id}"));
        let error = told["error"].as_str().unwrap_or_default();
        assert!(error.contains("the server ended"), "{told}");
        match self.step {
            Some(_) => Stage::UnderWay,
            None => Stage::NotBegun,
        }
    }

    fn again(&mut self, client: &mut Client) {
        let asked = ask(client, self).expect(202).json();
        let id = asked["job_id"].as_str().expect("a job has an id");
        let path = format!("/api/v1/ml/training-jobs/{id}");
        let wanted = if skip::everything() {
            &["completed"][..]
        } else {
            &["running", "completed"][..]
        };
        wait_for("the model is learned", TRAINING_LIMIT, || {
            let job = get(client, &path);
            assert!(job["error"].is_null(), "{job}");
            let status = job["status"].as_str()?;
            wanted.contains(&status).then_some(())
        });
    }
}

/// Erasing somebody. A file beside the keys is there from the moment that the key goes until everything that was derived went.
#[derive(Default)]
pub(super) struct Erasure {
    round: u64,
    logged: usize,
    was_due: bool,
    key_was_gone: bool,
}

impl Erasure {
    fn id(round: u64) -> String {
        format!("erased-{round:03}")
    }

    /// As long as any other, so that none is in another.
    fn first_name(round: u64) -> String {
        format!("Zebedäus-{round:03}")
    }

    fn subject(&self) -> String {
        format!("Staff:{}", Erasure::id(self.round))
    }

    /// Everybody who is going to be erased, in read models that are saved.
    fn hire_all(folder: &DataFolder) {
        let server = folder.serve();
        let mut client = server.client();
        let person = |round| {
            let id = Erasure::id(round);
            let data = json!({
                "staff_id": format!("E{round}"), "first_name": Erasure::first_name(round), "last_name": "Erasmus", "role": "technician",
            });
            json!({ "aggregate_type": "Staff", "aggregate_id": id, "event_type": "StaffCreated", "data": data })
        };
        let people: Vec<Value> = (0..ROUNDS_MAX).map(person).collect();
        let batch = json!({ "events": people }).to_string();
        must("appending", client.post("/api/v1/events/batch", &batch)).expect(201);
        let at = position(&mut client);
        answers(&mut client, at);
        server.stop();
        // The look at the end would be empty if names could not be found: the read models have saved this one.
        let saved = holding(&folder.path().join("projections"), &Erasure::first_name(0));
        assert!(!saved.is_empty(), "no read model has the name");
    }
}

/// The file that says that what was derived from an erased person's data may still lie about.
fn is_due(folder: &DataFolder) -> bool {
    folder.path().join("keys/people.purge").exists()
}

impl Work for Erasure {
    fn name(&self) -> &'static str {
        "erasing somebody"
    }

    fn within(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn prepare(&mut self, folder: &DataFolder, round: u64) {
        if round == 0 {
            Erasure::hire_all(folder);
        }
        *self = Erasure {
            round,
            ..Erasure::default()
        };
    }

    fn request(&self) -> (String, &'static str) {
        let path = format!("/api/v1/compliance/erase/{}", self.subject());
        (path, r#"{"reason":"asked in writing"}"#)
    }

    fn note(&mut self, server: &mut Server, _: &mut Client) {
        self.logged = server.process().output().len();
    }

    fn has_begun(&mut self, folder: &DataFolder, _: &mut Server, _: &mut Client) -> bool {
        is_due(folder)
    }

    fn look(&mut self, folder: &DataFolder) {
        self.was_due = is_due(folder);
        let keys = must(
            "reading",
            std::fs::read_to_string(folder.path().join("keys/people.keys")),
        );
        let subject = self.subject();
        self.key_was_gone = keys.lines().any(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["record"] == "erased" && line["subject"] == *subject
        });
    }

    fn stage(&mut self, server: &mut Server, _: &mut Client) -> Stage {
        let said = server.process().output();
        let said = said.get(self.logged..).unwrap_or_default();
        let subject = self.subject();
        // Between the event and the key there is no file: the next start says what it found.
        let mut lines = said.lines();
        let was_told =
            lines.any(|line| line.contains("it is destroyed") && line.contains(&subject));
        match (self.was_due || was_told, self.key_was_gone) {
            (true, _) => Stage::UnderWay,
            (false, true) => Stage::Done,
            (false, false) => Stage::NotBegun,
        }
    }

    /// Asked again until it says that it is done: 202 while read models are being made anew.
    fn again(&mut self, client: &mut Client) {
        wait_for("the person is erased", PATIENCE, || {
            let asked = ask(client, self);
            let is_one = asked.status == 200 || asked.status == 202;
            assert!(is_one, "{}: {}", asked.status, asked.text());
            (asked.status == 200).then_some(())
        });
        let path = format!("/api/v1/events/Staff/{}", Erasure::id(self.round));
        let told = get(client, &path).to_string();
        let name = Erasure::first_name(self.round);
        let is_erased = told.contains("[erased]") && !told.contains(&name);
        assert!(is_erased, "{told}");
    }

    /// Whoever is erased is nowhere, whenever the server died.
    fn check(&mut self, folder: &DataFolder) {
        let left = holding(folder.path(), &Erasure::first_name(self.round));
        assert!(left.is_empty(), "{left:?} have the name");
    }
}
