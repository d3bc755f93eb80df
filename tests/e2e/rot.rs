//! A record rots while the server runs, or before it starts: the record is named, and all others are served.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use harness::client::Client;
use harness::process::{must, wait_for};
use harness::server::{DataFolder, Server};
use harness::skip;
use serde_json::Value;

use super::{event, event_of_size};

/// The event that is going to rot.
const ROTTEN: u64 = 57;
/// Enough large ones that the first segment is sealed behind it.
const EVENTS: u32 = 100;
const EVENT_BYTES: usize = 50_000;

fn serve(folder: &DataFolder, scrubbed_a_minute: &str) -> Server {
    let settings = [
        ("RAILFLEET_EVENTS_SEGMENT_BYTES_MAX", "4194304".into()),
        (
            "RAILFLEET_EVENTS_SCRUB_BYTES_PER_MINUTE",
            scrubbed_a_minute.into(),
        ),
    ];
    folder.serve_with(&[], &settings)
}

/// Appends the events, each with its number in its data. Returns the position of the first of them.
fn fill(client: &mut Client) -> u64 {
    let mut first = None;
    for number in 0..EVENTS {
        let body = event_of_size("Probe", "rotten", number, EVENT_BYTES);
        let answer = must("appending", client.post("/api/v1/events", &body)).expect(201);
        first = first.or(answer.json()["position"].as_u64());
    }
    first.expect("an event has a position")
}

/// Flips a bit amid the data of the event with this number, in the file itself.
fn rot(folder: &DataFolder, number: u64) -> PathBuf {
    let mark = format!(r#""number":{number},"#);
    for entry in must("listing the log", std::fs::read_dir(folder.log())) {
        let path = must("listing the log", entry).path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let bytes = must("reading", std::fs::read(&path));
        let found = bytes
            .windows(mark.len())
            .position(|window| window == mark.as_bytes());
        if let Some(at) = found {
            let at = at + 1_000;
            let file = must("opening", File::options().write(true).open(&path));
            must(
                "flipping a bit",
                file.write_all_at(&[bytes[at] ^ 4], at as u64),
            );
            return path;
        }
    }
    panic!("no file has the event {number}");
}

/// The whole log: once a record is lost, only its position is known, not what it was about.
fn page(client: &mut Client) -> Value {
    let path = "/api/v1/events?order=position_asc&limit=1000";
    must("reading", client.get(path)).expect(200).json()
}

#[track_caller]
fn all_but_the_rotten_one_are_served(client: &mut Client, rotten: u64) {
    let page = page(client);
    assert_eq!(
        page["damaged"],
        serde_json::json!([[rotten, rotten]]),
        "the damaged position is not named"
    );
    let events = page["events"].as_array().expect("a list of events");
    let probes = events
        .iter()
        .filter(|event| event["aggregate_type"] == "Probe");
    let numbers = probes.filter_map(|event| event["data"]["number"].as_u64());
    let left = (0..u64::from(EVENTS)).filter(|number| *number != ROTTEN);
    assert!(numbers.eq(left), "not exactly the others are served");
    for path in [
        "changes?from=2000-01-01T00:00:00Z&aggregate_type=Probe&aggregate_id=rotten",
        "history?aggregate_type=Probe&aggregate_id=rotten",
        "Probe/rotten/history",
        "Probe/rotten/events-between?start_time=2000-01-01T00:00:00Z&end_time=2100-01-01T00:00:00Z",
    ] {
        let path = format!("/api/v1/time-travel/{path}");
        let answer = must("reading", client.get(&path)).expect(200).json();
        assert_eq!(
            answer["damaged"],
            serde_json::json!([[rotten, rotten]]),
            "{path} keeps quiet about the damaged position"
        );
    }
}

fn names(health: &Value, position: u64) -> bool {
    let damage = health["log"]["damage"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    damage
        .iter()
        .any(|range| range["positions"] == serde_json::json!([position, position]))
}

#[test]
fn a_record_that_rots_is_named_and_the_rest_serves_on() {
    let folder = DataFolder::new();
    let server = serve(&folder, "0");
    let mut client = server.client();
    let rotten = fill(&mut client) + ROTTEN;
    let file = rot(&folder, ROTTEN);
    all_but_the_rotten_one_are_served(&mut client, rotten);
    let health = must("asking for health", client.get("/health"))
        .expect(200)
        .json();
    assert!(
        names(&health, rotten),
        "position {rotten} is not named: {health}"
    );
    must(
        "appending",
        client.post("/api/v1/events", &event("Other", "one", 1)),
    )
    .expect(201);
    drop(client);
    server.stop();

    let (code, said) = folder.verify(&[]);
    assert_eq!(code, Some(20), "{said}");
    let name = file
        .file_name()
        .expect("a file has a name")
        .to_string_lossy()
        .into_owned();
    assert!(said.contains(&name), "{name} is not named: {said}");

    let server = serve(&folder, "0");
    let mut client = server.client();
    all_but_the_rotten_one_are_served(&mut client, rotten);
    must(
        "appending",
        client.post("/api/v1/events", &event("Other", "one", 2)),
    )
    .expect(201);
    server.stop();
}

#[test]
fn what_nobody_reads_is_found_by_the_scrub() {
    // The first round of the scrub begins a minute after the start: a long form.
    if !skip::everything() {
        return skip::skipped(
            "what_nobody_reads_is_found_by_the_scrub",
            "takes a minute; RAILFLEET_FAULTS=all runs it",
        );
    }
    let folder = DataFolder::new();
    let server = serve(&folder, "10737418240");
    let mut client = server.client();
    let rotten = fill(&mut client) + ROTTEN;
    rot(&folder, ROTTEN);
    wait_for("the scrub finds it", Duration::from_secs(150), || {
        let health = must("asking for health", client.get("/health"))
            .expect(200)
            .json();
        names(&health, rotten).then_some(())
    });
    drop(client);
    server.stop();
}
