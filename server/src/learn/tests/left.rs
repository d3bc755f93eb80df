//! What is left of trainings and models by a kill, a panic, a log or a disk that takes nothing, and two requests at once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, UNIX_EPOCH};

use fleet::model::{AGGREGATE_TYPE, event};
use serde_json::{Value, json};
use storage::{
    AppendErrorKind, Clock, Limits, Log, LogOptions, ReadRequest, Timestamp, Transaction,
};

use super::super::jobs::Job;
use super::super::{lock, registry};
use super::{START, Standing, wait_for};
use crate::app::AppState;
use crate::config::Config;
use crate::learn::{FAILURE, Learning, TrainError, watch};
use crate::projection::ProjectionSettings;

const SERVER_ENDED: &str = "the server ended before the training did; train again";

/// Learning over the log of a folder, as after a start.
fn started(folder: &Path) -> Learning {
    let log = Log::open(&folder.join("log"), LogOptions::default()).unwrap();
    let clock = Arc::new(Standing(START));
    Learning::new(Arc::new(log), clock, folder.join("models"))
}

fn status(learning: &Learning, model: &str) -> String {
    let models = learning.models().unwrap();
    models.get(model).unwrap().status().to_owned()
}

/// Says something of a model.
fn tell(learning: &Learning, model: &str, event_type: &str, data: Value) {
    let version = learning.models().unwrap().get(model).unwrap().version;
    let write = registry::write(model, version, event_type, data, None);
    let transaction = Transaction {
        writes: vec![write],
        condition: None,
    };
    learning.log.append(transaction).unwrap();
}

/// A trained model whose file is nowhere.
fn trained(learning: &Learning, model: &str) {
    learning.register(model, None).unwrap();
    let facts = json!({ "file_digest": "a".repeat(64), "metrics": { "skill": 0.1 } });
    tell(learning, model, event::MODEL_TRAINED, facts);
}

/// What puts a model in the champion's place, as the registry is now.
fn deployment(learning: &Learning, model: &str) -> Transaction {
    let models = learning.models().unwrap();
    registry::deployment(&models, models.get(model).unwrap(), "a test", None)
}

/// Regression: a model whose training a kill had ended was in training for ever.
#[test]
fn a_training_that_a_killed_server_left_is_ended_once() {
    let folder = tempfile::tempdir().unwrap();
    let killed = started(folder.path());
    killed.register("model-1", Some("anna")).unwrap();
    drop(killed);
    let next = started(folder.path());
    assert_eq!(status(&next, "model-1"), "training", "opening alone");
    next.end_unfinished().unwrap();
    let told = next.model_details("model-1").unwrap();
    assert_eq!(
        (&told["status"], &told["error"]),
        (&json!("failed"), &json!(SERVER_ENDED))
    );
    let end = next.log.durable_position();
    {
        let last = ReadRequest {
            from: end,
            ..ReadRequest::default()
        };
        let mut reader = next.log.read(&last).unwrap();
        let last = reader.next().unwrap().unwrap();
        assert_eq!(last.event_type(), event::MODEL_FAILED);
        let metadata: Value = serde_json::from_slice(last.metadata()).unwrap();
        assert_eq!(metadata, json!({ "source": "learning", "user_id": null }));
    }
    next.end_unfinished().unwrap();
    drop(next);
    let third = started(folder.path());
    third.end_unfinished().unwrap();
    assert_eq!(third.log.durable_position(), end, "once");
    assert!(
        fleet::registry().is_internal(AGGREGATE_TYPE),
        "were models shared, another depot's would be ended here"
    );
}

/// The same, of a server as it starts.
#[tokio::test]
async fn a_server_ends_at_its_start_what_another_left() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let clock = Arc::new(Standing(START));
        let config = Config::new(folder.path());
        AppState::open_at(config, clock, ProjectionSettings::default()).unwrap()
    };
    let killed = open();
    killed.learning.register("model-1", None).unwrap();
    killed.stop();
    drop(killed);
    let state = open();
    let before = state.log.durable_position();
    let mut durable = state.durable.clone();
    let watching = tokio::spawn(watch(state.clone()));
    let told = durable.wait_for(|durable| *durable > before);
    let is_told = tokio::time::timeout(Duration::from_secs(60), told)
        .await
        .is_ok();
    assert!(is_told, "nothing is told of it");
    assert_eq!(status(&state.learning, "model-1"), "failed");
    state.stop();
    watching.await.unwrap();
}

#[test]
fn a_training_that_is_worked_on_goes_on_and_what_the_log_did_not_take_is_told_later() {
    let folder = tempfile::tempdir().unwrap();
    let learning = started(folder.path());
    learning.register("model-1", None).unwrap();
    let job = Arc::new(Job::new("model-1".to_owned(), FAILURE));
    lock(&learning.jobs).add(job.clone());
    learning.end_unfinished().unwrap();
    job.begin(START);
    learning.end_unfinished().unwrap();
    assert_eq!(status(&learning, "model-1"), "training");
    job.end(START, Err("the disk is full".to_owned()));
    learning.end_unfinished().unwrap();
    let told = learning.model_details("model-1").unwrap();
    assert_eq!(
        (&told["status"], &told["error"]),
        (&json!("failed"), &json!("the disk is full"))
    );
}

/// A clock that panics when it is asked for the third time, behind learning's start: once the first training has begun.
#[derive(Debug, Default)]
struct Faltering(AtomicU32);

impl Clock for Faltering {
    fn now(&self) -> Timestamp {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        assert_ne!(asked, 2, "the clock falters");
        Timestamp::from_micros(START)
    }
}

/// Regression: a training that panicked ran for ever, and those behind it never began.
#[test]
fn a_training_that_panics_has_failed_and_the_next_begins() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
    let clock = Arc::new(Faltering::default());
    let learning = Learning::new(Arc::new(log), clock, folder.path().join("models"));
    let learning = Arc::new(learning);
    for expected in ["a fault of the server's own", "too little history"] {
        let job = wait_for(&learning.start_training(None).unwrap());
        assert_eq!(job["status"], "failed", "{job}");
        assert!(job["error"].as_str().unwrap().contains(expected), "{job}");
        let model = job["model_id"].as_str().unwrap();
        assert_eq!(status(&learning, model), "failed");
    }
}

/// Regression: it waited for ever and took the place of another.
#[test]
fn a_training_whose_model_the_log_does_not_take_is_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions {
        limits: Limits {
            data_bytes_max: 16,
            ..Limits::default()
        },
        ..LogOptions::default()
    };
    let log = Log::open(&folder.path().join("log"), options).unwrap();
    let clock = Arc::new(Standing(START));
    let learning = Learning::new(Arc::new(log), clock, folder.path().join("models"));
    let learning = Arc::new(learning);
    for _ in 0..20 {
        let refused = learning.start_training(None).unwrap_err();
        assert!(matches!(refused, TrainError::Append(_)), "{refused}");
    }
    assert!(learning.list_jobs().is_empty());
}

/// Regression: one whose deployment somebody else was quicker than counted as failed, with its file.
#[test]
fn a_trained_model_stays_trained_whatever_goes_wrong_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let learning = started(folder.path());
    trained(&learning, "model-1");
    learning.note_failure("model-1", "the disk is full");
    assert_eq!(status(&learning, "model-1"), "trained");
}

/// Regression: where none was deployed yet, nothing kept two from being deployed at once.
#[test]
fn of_two_deployments_at_once_one_is_decided_again() {
    let folder = tempfile::tempdir().unwrap();
    let learning = started(folder.path());
    trained(&learning, "model-1");
    trained(&learning, "model-2");
    let first = deployment(&learning, "model-1");
    let second = deployment(&learning, "model-2");
    learning.log.append(first).unwrap();
    let refused = learning.log.append(second).unwrap_err();
    assert_eq!(refused.kind(), AppendErrorKind::Conflict, "{refused}");
    assert!(learning.deploy_if_better("model-2").is_ok_and(|done| !done));
    // What a log has of a version that let both through is put in order by the next.
    tell(&learning, "model-2", event::MODEL_DEPLOYED, json!({}));
    trained(&learning, "model-3");
    let third = deployment(&learning, "model-3");
    learning.log.append(third).unwrap();
    let each = ["model-1", "model-2", "model-3"].map(|model| status(&learning, model));
    assert_eq!(each, ["archived", "archived", "deployed"]);
}

/// Regression: two that were registered at once had the same number.
#[test]
fn models_that_are_registered_at_once_have_numbers_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let learning = started(folder.path());
    for round in 0..10 {
        let barrier = Barrier::new(3);
        std::thread::scope(|scope| {
            for number in 0..3 {
                let (learning, barrier) = (&learning, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let model = format!("model-{round}-{number}");
                    learning.register(&model, None).unwrap();
                });
            }
        });
    }
    let models = learning.list_models().unwrap();
    let numbers: BTreeSet<&str> = models
        .iter()
        .map(|model| model["version"].as_str().unwrap())
        .collect();
    assert_eq!(numbers.len(), 30, "{numbers:?}");
}

/// Regression: going back to a model whose file was lost left nobody to answer.
#[test]
fn a_model_whose_file_is_lost_is_not_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let learning = started(folder.path());
    for model in ["model-1", "model-2"] {
        trained(&learning, model);
        let deployment = deployment(&learning, model);
        learning.log.append(deployment).unwrap();
    }
    let refused = learning.roll_back("model-2", None).unwrap_err().to_string();
    assert!(
        refused.contains("model model-1 cannot be deployed"),
        "{refused}"
    );
    assert_eq!(status(&learning, "model-2"), "deployed");
}

/// Regression: the one that was done first took the other's file away.
#[test]
fn a_file_that_two_store_at_once_is_stored_and_one_that_has_rotted_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut digest = String::new();
    for round in 0..20 {
        let file = vec![round; 1 << 18];
        let barrier = Barrier::new(2);
        let store = || {
            barrier.wait();
            registry::store(folder, &file).unwrap()
        };
        digest = std::thread::scope(|scope| {
            let other = scope.spawn(store);
            let own = store();
            assert_eq!(own, other.join().unwrap());
            own
        });
    }
    let names = fs::read_dir(folder).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 20, "{names:?}");
    let path = registry::file_of(folder, &digest).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, b"rotten").unwrap();
    registry::store(folder, &whole).unwrap();
    assert!(fs::read(&path).unwrap() == whole);
}

#[test]
fn what_a_kill_left_half_written_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let digest = registry::store(&models, b"a model").unwrap();
    let partial = |id: &str| models.join(format!("{digest}-{id}.partial"));
    let left = partial("0190163d-8694-739b-aea5-966c26f8ad91");
    let of_another = partial("0190163d-8694-739b-aea5-966c26f8ad92");
    let foreign = models.join("notes.partial");
    let now = UNIX_EPOCH + Duration::from_micros(START.unsigned_abs());
    let minute = Duration::from_secs(60);
    for (path, age) in [
        (&left, 61 * minute),
        (&of_another, minute),
        (&foreign, 9_000 * minute),
    ] {
        let made = fs::File::create(path).unwrap();
        made.set_modified(now - age).unwrap();
    }
    drop(started(folder.path()));
    assert!(!left.exists());
    assert!(of_another.exists() && foreign.exists());
    assert!(registry::file_of(&models, &digest).unwrap().exists());
}
