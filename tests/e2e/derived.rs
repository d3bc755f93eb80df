//! Everything but the log itself can be deleted, or rot: the answers after it are the same, byte for byte.

use std::path::{Path, PathBuf};

use harness::client::Client;
use harness::load::Seeded;
use harness::process::must;
use harness::server::{DataFolder, Server};

use super::{batch, event_of_size};

/// Small segments, so that some are sealed and have indexes and saved tables to lose.
const SEGMENT_BYTES: (&str, &str) = ("RAILFLEET_EVENTS_SEGMENT_BYTES_MAX", "4194304");
const BATCHES: u32 = 14;
const BATCH_EVENTS: u32 = 500;
/// Events of one aggregate: enough that its past is saved once somebody asks for it.
const LONG_PAST_EVENTS: u32 = 1_500;

fn serve(folder: &DataFolder) -> Server {
    folder.serve_with(&[], &[(SEGMENT_BYTES.0, SEGMENT_BYTES.1.into())])
}

fn fill(client: &mut Client) -> u64 {
    let mut last = 0;
    let long_past: Vec<String> = (0..LONG_PAST_EVENTS)
        .map(|number| event_of_size("Probe", "long", number, 10))
        .collect();
    let long_past = format!(r#"{{"events":[{}]}}"#, long_past.join(","));
    let batches = (0..BATCHES).map(|number| batch(number, BATCH_EVENTS));
    for body in std::iter::once(long_past).chain(batches) {
        let answer = must("appending", client.post("/api/v1/events/batch", &body)).expect(201);
        last = answer.json()["position"]
            .as_u64()
            .expect("a batch has a position");
    }
    last
}

/// Answers from every index and every read model.
fn answers(client: &mut Client, position: u64) -> Vec<(String, String)> {
    let mut paths: Vec<String> = [
        "events?limit=200",
        "events?limit=200&order=position_asc&offset=3000",
        "events?limit=50&aggregate_type=Vehicle&event_type=AxleMeasured",
        "events?limit=50&tag=third",
        "events?limit=50&correlation_id=journey-3",
        "events?limit=50&user_id=planner-2",
        "events?limit=50&since=2024-03-01&until=2024-03-31",
        "events?limit=50&since=2024-03-01&until=2024-03-31&order=occurred_asc",
        "events/type/VehicleInspected?limit=50",
        "events/Vehicle/unit%207",
        "events/Vehicle/unit%207?order=desc&limit=20",
        "events/unit%2011",
        "events/unit%2011/version",
        "time-travel/state-at?aggregate_type=Vehicle&aggregate_id=unit%207&at=2024-06-01",
        "time-travel/state-at?aggregate_type=Vehicle&aggregate_id=unit%207&version=40",
        "time-travel/state-at?aggregate_type=Vehicle&aggregate_id=unit%207&at=2024-06-01&as_of=2030-01-01",
        "time-travel/state-at?aggregate_type=Probe&aggregate_id=long&version=1400",
        "time-travel/history?aggregate_type=Vehicle&aggregate_id=unit%207&limit=20",
        "time-travel/replay?aggregate_type=Vehicle&aggregate_id=unit%207",
        "time-travel/compare?aggregate_type=Vehicle&aggregate_id=unit%207&version1=10&version2=90",
        "time-travel/changes?from=2024-03-01&to=2024-03-03&aggregate_type=Vehicle",
        "time-travel/fleet?at=2024-06-01",
        "events?limit=50&recorded_since=2020-01-01&tag=third&order=position_desc",
        "events/stream?from_position=1&limit=200&event_type=VehicleInspected",
        "projections/current_state/data?limit=500",
        "projections/current_state/data?aggregate_type=Vehicle&busiest=50",
        "projections/event_counts/data",
        "projections/event_counts/data?event_type=*",
        "projections/event_counts/data?event_type=AxleMeasured&since=2024-02-01&until=2024-04-01",
        "projections/vehicles/data?limit=500",
        "projections/vehicles/state",
        "auth/me",
        "users",
    ]
    .map(str::to_owned)
    .into();
    for path in &mut paths {
        if path.starts_with("projections/") {
            let sign = if path.contains('?') { '&' } else { '?' };
            path.push_str(&format!("{sign}min_position={position}&wait_ms=30000"));
        }
    }
    let mut ask = |path: String| {
        let answer = must("asking", client.get(&format!("/api/v1/{path}"))).expect(200);
        (path, answer.text())
    };
    paths.into_iter().map(&mut ask).collect()
}

/// The files that follow from the log's records: all but those, the watermark, and what an operator put there.
pub(crate) fn derived_files(folder: &DataFolder) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.log(), folder.path().join("projections")];
    while let Some(next) = folders.pop() {
        for entry in must("listing the data folder", std::fs::read_dir(next)) {
            let path = must("listing the data folder", entry).path();
            let kept = ["log", "watermark"].contains(&kind(&path));
            if path.is_dir() {
                folders.push(path);
            } else if !kept {
                files.push(path);
            }
        }
    }
    files
}

/// A file's extension, or the name of one that has none.
fn kind(path: &Path) -> &str {
    let named = path.extension().or(path.file_name());
    named.and_then(|name| name.to_str()).unwrap_or_default()
}

/// Fills a folder, does something to its derived files while nobody uses them, and compares the answers before and after.
fn answers_stay_the_same_when(harm: impl Fn(&Path)) {
    let folder = DataFolder::new();
    let server = serve(&folder);
    let mut client = server.client();
    let position = fill(&mut client);
    let before = answers(&mut client, position);
    let token = client.token().expect("it has logged in").to_owned();
    drop(client);
    server.stop();

    let files = derived_files(&folder);
    for needed in ["idx", "state", "dat"] {
        let some = files.iter().any(|file| kind(file) == needed);
        assert!(some, "there is no .{needed} file to lose: {files:?}");
    }
    assert!(
        files
            .iter()
            .any(|file| file.starts_with(folder.path().join("projections"))),
        "no read model was saved: {files:?}"
    );
    files.iter().for_each(|file| harm(file));

    let server = serve(&folder);
    let mut client = server.stranger().with_token(token);
    let after = answers(&mut client, position);
    for ((path, before), (_, after)) in before.iter().zip(&after) {
        assert!(
            before == after,
            "{path} answered\n{before}\nand then\n{after}"
        );
    }
    drop(client);
    server.stop();
}

#[test]
fn without_its_derived_files_it_answers_the_same() {
    answers_stay_the_same_when(|file| must("removing", std::fs::remove_file(file)));
}

#[test]
fn with_noise_in_its_derived_files_it_answers_the_same() {
    answers_stay_the_same_when(|file| {
        let mut bytes = must("reading", std::fs::read(file));
        let mut noise = Seeded::new(bytes.len() as u64);
        let middle = bytes.len() / 3..bytes.len() * 2 / 3;
        for byte in &mut bytes[middle] {
            *byte = noise.next_number().to_be_bytes()[0];
        }
        must("writing", std::fs::write(file, bytes));
    });
}
