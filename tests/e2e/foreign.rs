//! Files of another log, and segments that changed places: what is derived is told from a log's own and made again, and of a
//! segment that is none of its own the log says which positions are lost, and serves the rest.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::client::Client;
use harness::process::{must, run};
use harness::server::{COMMAND_LIMIT, DataFolder, Server};
use serde_json::Value;

use super::derived::derived_files;
use super::load;

/// Enough for a row of small segments.
const EVENTS: &str = "200";

/// A data folder with an account, and with events over many segments.
fn filled(seed: &str) -> DataFolder {
    let folder = DataFolder::new();
    let mut fill = Command::new(load());
    fill.arg("embedded").arg(folder.log()).args([
        EVENTS,
        "--segment-bytes",
        "12288",
        "--seed",
        seed,
    ]);
    let (status, said) = run(&mut fill, COMMAND_LIMIT);
    assert!(status.success(), "the load ended with {status}: {said}");
    folder
}

/// The log's segments, the first one first.
fn segments(folder: &DataFolder) -> Vec<PathBuf> {
    let entries = must("listing the log", fs::read_dir(folder.log()));
    let paths = entries.map(|entry| must("listing the log", entry).path());
    let mut segments: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    segments.sort();
    segments
}

fn get(client: &mut Client, path: &str) -> Value {
    must("asking", client.get(path)).expect(200).json()
}

/// The log's events, each with its position, and what a read model has of their streams.
fn answers(server: &Server) -> (Value, Vec<Value>) {
    let mut client = server.client();
    let position = get(&mut client, "/health")["log"]["position"].clone();
    let page = get(
        &mut client,
        "/api/v1/events?order=position_asc&limit=1000&aggregate_type=LoadProbe",
    );
    let states = get(
        &mut client,
        &format!(
            "/api/v1/projections/current_state/data?limit=1000&aggregate_type=LoadProbe&wait_ms=30000&min_position={position}"
        ),
    );
    let list = |page: &Value, member: &str| page[member].as_array().cloned().unwrap_or_default();
    let mut all = list(&page, "events");
    all.extend(list(&states, "streams"));
    (page["damaged"].clone(), all)
}

#[test]
fn what_is_derived_from_another_log_is_made_again() {
    let (own, other) = (filled("1"), filled("2"));
    for folder in [&own, &other] {
        // A start and an end in good order make and save all that is derived.
        folder.serve().stop();
    }
    let server = own.serve();
    let (_, before) = answers(&server);
    server.stop();
    let mut replaced = 0;
    for file in derived_files(&own) {
        let place = file.strip_prefix(own.path()).expect("a file of the folder");
        if let Ok(bytes) = fs::read(other.path().join(place)) {
            must("replacing", fs::write(&file, bytes));
            replaced += 1;
        }
    }
    assert!(replaced > 5, "only {replaced} files were replaced");
    let server = own.serve();
    let (damaged, after) = answers(&server);
    server.stop();
    assert!(before == after, "{before:#?}\nand then\n{after:#?}");
    assert!(damaged.is_null(), "{damaged}");
}

/// Whether one of these ranges has a position.
fn has(ranges: &Value, position: u64) -> bool {
    let ranges = ranges.as_array().map_or(&[][..], Vec::as_slice);
    ranges.iter().any(|range| {
        let bound = |at: usize| range[at].as_u64().expect("a range of positions");
        (bound(0)..=bound(1)).contains(&position)
    })
}

#[test]
fn segments_swapped_and_of_another_log_are_named_and_the_rest_serves_on() {
    let (own, other) = (filled("1"), filled("2"));
    let server = own.serve();
    let page = "/api/v1/events?order=position_asc&limit=1000";
    let before = get(&mut server.client(), page);
    server.stop();
    let (places, foreign) = (segments(&own), segments(&other));
    assert!(places.len() > 5 && foreign.len() > 5, "{places:?}");
    let [second, third] = [1, 2].map(|at| must("reading", fs::read(&places[at])));
    must("swapping", fs::write(&places[1], third));
    must("swapping", fs::write(&places[2], second));
    must("mixing up", fs::copy(&foreign[4], &places[4]));

    let (code, said) = own.verify(&[]);
    assert_eq!(code, Some(20), "{said}");
    for at in [1, 2, 4] {
        let name = places[at].file_name().expect("a file has a name");
        let name = name.to_string_lossy();
        assert!(said.contains(&*name), "{name} is not named: {said}");
    }

    let server = own.serve();
    let mut client = server.client();
    let after = get(&mut client, page);
    let damaged = &after["damaged"];
    let mut lost = 0;
    for event in before["events"].as_array().expect("events") {
        let position = event["position"].as_u64().expect("a position");
        let mut served = after["events"].as_array().expect("events").iter();
        match served.find(|served| served["position"] == position) {
            Some(served) => assert_eq!(served, event, "{position} is another one now"),
            None => {
                assert!(has(damaged, position), "{position} is lost: {damaged}");
                lost += 1;
            }
        }
    }
    assert!(lost > 10, "only {lost} events were lost");
    let health = get(&mut client, "/health");
    assert_eq!(health["status"], "degraded", "{health}");
    let event = super::event("Probe", "after", 1);
    must("appending", client.post("/api/v1/events", &event)).expect(201);
    server.stop();
}
