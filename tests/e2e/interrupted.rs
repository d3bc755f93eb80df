//! Long work that is cut short by a kill: rebuilding, learning, compacting, erasing. Afterwards the answers are what they
//! were, the work can be asked for again, and it comes to its end.
//!
//! An import that is cut short has tests of its own (`tests/migration/interruptions.rs`).

use std::path::Path;
use std::time::Duration;

use harness::client::Client;
use harness::contents::holding;
use harness::load::Seeded;
use harness::process::{must, run, wait_for};
use harness::server::{DataFolder, Server};
use harness::skip;
use serde_json::Value;

const SEED: u64 = 23;
const PATIENCE: Duration = Duration::from_secs(120);
/// How long after the request the server may live at most.
const LIFE_MS: u64 = 150;

/// Times that each kind of work is cut short.
fn rounds() -> u32 {
    if skip::everything() { 25 } else { 2 }
}

fn depot() -> DataFolder {
    let home = DataFolder::adopt(Path::new("nowhere"));
    let data = home.beside("depot");
    let mut demo = home.command(&[
        "demo",
        "--no-serve",
        "--vehicles",
        "4",
        "--days",
        "60",
        "--data",
    ]);
    demo.arg(&data);
    let (status, said) = run(&mut demo, PATIENCE);
    assert!(status.success(), "the demo ended with {status}: {said}");
    let folder = DataFolder::adopt_new(&data);
    // The demo's folder lies among the files of `home`.
    drop(folder);
    home.with_data(&data)
}

/// Read models and the past, as of a position that all of the folds have reached.
fn answers(client: &mut Client, position: u64) -> Vec<String> {
    [
        "projections/current_state/data?limit=200&aggregate_type=Vehicle",
        "projections/current_state/data?limit=200&aggregate_type=WorkOrder",
        "projections/event_counts/data?event_type=VehicleStatusChanged",
    ]
    .map(|path| {
        let path = format!("/api/v1/{path}&min_position={position}&wait_ms=30000");
        let mut answer = must("asking", client.get(&path)).expect(200).json();
        if let Some(members) = answer.as_object_mut() {
            members.retain(|name, _| name != "position" && name != "lag_events");
        }
        answer.to_string()
    })
    .into()
}

fn position(client: &mut Client) -> u64 {
    let health = must("asking", client.get("/health")).expect(200).json();
    health["log"]["position"].as_u64().expect("a position")
}

/// Sends the request and kills the server while it works on it, or shortly before, or shortly after.
fn cut_short(
    server: Server,
    method: &'static str,
    path: String,
    body: &'static str,
    life: Duration,
) {
    let (port, token) = (server.port(), server.token());
    let asking = std::thread::spawn(move || {
        let mut client = Client::new(port).with_token(token);
        let headers = [("Content-Type", "application/json")];
        // Whether it is answered depends on the moment.
        let _ = client.request(method, &path, &headers, body.as_bytes());
    });
    std::thread::sleep(life);
    server.kill();
    asking.join().expect("asking does not panic");
}

#[test]
fn work_that_is_cut_short_changes_nothing_and_can_be_asked_for_again() {
    let folder = depot();
    let mut chance = Seeded::new(SEED);
    let kinds = [
        ("/api/v1/projections/rebuild", "", [202]),
        ("/api/v1/sync/crdt/compact", "", [200]),
        (
            "/api/v1/ml/train",
            r#"{"model_name":"failure_predictor"}"#,
            [202],
        ),
    ];
    for (path, body, done) in kinds {
        for round in 0..rounds() {
            let context = format!("seed {SEED}, {path}, round {round}");
            let server = folder.serve();
            let mut client = server.client();
            let at = position(&mut client);
            let before = answers(&mut client, at);
            drop(client);
            let life = Duration::from_millis(chance.below(LIFE_MS));
            cut_short(server, "POST", path.to_owned(), body, life);

            let (code, said) = folder.verify(&[]);
            assert_eq!(code, Some(0), "{context}: {said}");
            let server = folder.serve();
            let mut client = server.client();
            let at = position(&mut client);
            assert_eq!(answers(&mut client, at), before, "{context}");
            let headers = [("Content-Type", "application/json")];
            let again = must(
                "asking",
                client.request("POST", path, &headers, body.as_bytes()),
            );
            assert!(
                done.contains(&again.status),
                "{context}: {}: {}",
                again.status,
                again.text()
            );
            assert_eq!(answers(&mut client, at), before, "{context}: done again");
            server.stop();
        }
    }
}

/// Whoever is erased is erased in the end, whenever the server died: no file of the data folder has the name any more.
#[test]
fn erasing_that_is_cut_short_is_finished() {
    let folder = depot();
    let mut chance = Seeded::new(SEED);
    for round in 0..rounds() {
        let server = folder.serve();
        let mut client = server.client();
        let name = format!("Zebedäus-{round}");
        let person = format!(
            r#"{{"aggregate_type":"Staff","aggregate_id":"erased-{round}","event_type":"StaffCreated","data":{{"staff_id":"E{round}","first_name":"{name}","last_name":"Erasmus","role":"technician"}}}}"#
        );
        must("appending", client.post("/api/v1/events", &person)).expect(201);
        let at = position(&mut client);
        answers(&mut client, at);
        drop(client);
        server.stop();
        // The look at the end would be empty if names could not be found: the read models have saved this one.
        let saved = holding(&folder.path().join("projections"), &name);
        assert!(!saved.is_empty(), "no read model has {name}");

        let server = folder.serve();
        let life = Duration::from_millis(chance.below(LIFE_MS));
        let path = format!("/api/v1/compliance/erase/Staff:erased-{round}");
        cut_short(
            server,
            "POST",
            path.clone(),
            r#"{"reason":"asked in writing"}"#,
            life,
        );

        let context = format!("seed {SEED}, round {round}, after {life:?}");
        let server = folder.serve();
        let mut client = server.client();
        // Asked again until it says that it is done: 202 while read models are being made anew.
        wait_for("the person is erased", PATIENCE, || {
            let asked = client
                .post(&path, r#"{"reason":"asked in writing"}"#)
                .ok()?;
            assert!(
                asked.status == 200 || asked.status == 202,
                "{context}: {}",
                asked.text()
            );
            (asked.status == 200).then_some(())
        });
        let told = must(
            "asking",
            client.get(&format!("/api/v1/events/Staff/erased-{round}")),
        )
        .expect(200);
        let told: Value = told.json();
        let text = told.to_string();
        assert!(
            text.contains("[erased]") && !text.contains(&name),
            "{context}: {text}"
        );
        server.stop();
        let (code, said) = folder.verify(&[]);
        assert_eq!(code, Some(0), "{context}: {said}");
        let left = holding(folder.path(), &name);
        assert!(left.is_empty(), "{context}: {left:?} have the name");
    }
}
