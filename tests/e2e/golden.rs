//! Data folders as earlier programs left them, opened by this one: what an upgrade meets in a depot.
//!
//! `tests/golden/format-N.tar.gz` holds a small data folder and, beside it, what was true of it when it was made. Folders
//! are never made again: when a format number rises, the next one is added with
//! `RAILFLEET_WRITE_GOLDEN=1 cargo test -p railfleet-tests --test e2e golden::a_folder_is_written`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::client::Client;
use harness::process::{must, run};
use harness::server::{DataFolder, Server};
use harness::skip::{self, workspace};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::event_of_size;

mod formats;
mod future;

/// What a committed folder may weigh, packed.
const PACKED_BYTES_MAX: u64 = 200 << 10;
/// Small segments, so that some are sealed, and one of them can be sent away.
const SEGMENT_BYTES: (&str, &str) = ("RAILFLEET_EVENTS_SEGMENT_BYTES_MAX", "4194304");
/// Long enough for a state of the past to be saved.
const LONG_PAST_EVENTS: u32 = 1_030;
const COMMAND_LIMIT: Duration = Duration::from_secs(300);

/// What is asked of a folder. Each answer is that of the same question to the program that made it, though members may
/// have been added since.
const QUESTIONS: [&str; 9] = [
    "vehicles?limit=10",
    "maintenance/orders?limit=5",
    "events?limit=5&order=position_asc&aggregate_type=Vehicle",
    "events/long/version",
    "time-travel/state-at?aggregate_type=Probe&aggregate_id=long&version=1028",
    "projections/current_state/data?aggregate_type=Vehicle&busiest=3",
    "projections/event_counts/data?event_type=VehicleStatusChanged",
    "sync/devices",
    "ml/models",
];

/// The committed folders, oldest first, by their numbers.
fn committed() -> Vec<(u32, PathBuf)> {
    let entries = must(
        "listing the folders",
        fs::read_dir(workspace().join("tests/golden")),
    );
    let mut found: Vec<(u32, PathBuf)> = entries
        .map(|entry| must("listing the folders", entry).path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let number = name.strip_prefix("format-")?.strip_suffix(".tar.gz")?;
            Some((number.parse().ok()?, path))
        })
        .collect();
    found.sort();
    found
}

/// A golden folder, unpacked for one test.
struct Unpacked {
    folder: DataFolder,
    /// What was written down when it was made.
    told: Value,
    archive: String,
}

impl Unpacked {
    fn of(packed: &Path) -> Self {
        let home = DataFolder::adopt(Path::new("nowhere"));
        let place = home.beside("golden");
        must("making a folder", fs::create_dir(&place));
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(packed).arg("-C").arg(&place);
        let (status, said) = run(&mut tar, COMMAND_LIMIT);
        assert!(status.success(), "{said}");
        let told = must("reading", fs::read_to_string(place.join("told.json")));
        // The temporary folder lives as long as `home`, which therefore becomes the folder's own.
        let archive = format!("file://{}", place.join("archive").display());
        Unpacked {
            folder: home.with_data(&place.join("data")),
            told: serde_json::from_str(&told).expect("JSON"),
            archive,
        }
    }

    fn serve(&self) -> Server {
        let environment = [
            (SEGMENT_BYTES.0, SEGMENT_BYTES.1.into()),
            ("RAILFLEET_ARCHIVE_TO", self.archive.clone().into()),
        ];
        self.folder.serve_with(&[], &environment)
    }

    /// `verify` as JSON, held against the checkpoint that was signed when the folder was made.
    fn verify(&self) -> Value {
        let kept = self.folder.beside("golden/kept.txt");
        let key = self.folder.beside("golden/log.pub");
        let mut verify = self.folder.command(&["verify", "--json"]);
        verify
            .arg(self.folder.path())
            .arg("--checkpoint")
            .arg(&kept)
            .arg("--public-key")
            .arg(&key)
            .env("RAILFLEET_ARCHIVE_TO", &self.archive);
        let (status, said) = run(&mut verify, COMMAND_LIMIT);
        assert!(status.success(), "verify ended with {status}: {said}");
        let begin = said.find('{').expect("verify tells JSON");
        let end = said.rfind('}').expect("verify tells JSON");
        serde_json::from_str(&said[begin..=end]).expect("verify tells JSON")
    }
}

fn answers(client: &mut Client, position: u64) -> BTreeMap<String, Value> {
    let ask = |question: &&str| {
        // Lists and read models follow the log.
        let follows = ["vehicles", "maintenance", "projections"];
        let path = match follows.iter().any(|part| question.starts_with(part)) {
            true => format!("/api/v1/{question}&min_position={position}&wait_ms=30000"),
            false => format!("/api/v1/{question}"),
        };
        let answer = must("asking", client.get(&path));
        let answer = if answer.status == 200 {
            answer.json()
        } else {
            panic!(
                "{question} is answered {}: {}",
                answer.status,
                answer.text()
            )
        };
        ((*question).to_owned(), lasting(answer))
    };
    QUESTIONS.iter().map(ask).collect()
}

/// An answer without what depends on the day or the process that gives it.
fn lasting(answer: Value) -> Value {
    match answer {
        Value::Object(members) => {
            let passing = [
                "position",
                "lag_events",
                "next_cursor",
                "cursor",
                "now",
                "live",
            ];
            let kept = members
                .into_iter()
                .filter(|(name, _)| !passing.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name, lasting(value))).collect())
        }
        Value::Array(values) => values.into_iter().map(lasting).collect(),
        value => value,
    }
}

/// Whether everything that was told is told still; `at` says where not.
fn still_told(was: &Value, is: &Value, at: &str) -> Result<(), String> {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (name, value) in was {
                let now = is.get(name).unwrap_or(&Value::Null);
                still_told(value, now, &format!("{at}.{name}"))?;
            }
            Ok(())
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            for (number, (was, is)) in was.iter().zip(is).enumerate() {
                still_told(was, is, &format!("{at}[{number}]"))?;
            }
            Ok(())
        }
        _ if was == is => Ok(()),
        _ => Err(format!("{at} was {was} and is {is}")),
    }
}

#[test]
fn a_difference_is_seen_and_an_addition_is_none() {
    let was = json!({"a": [1, {"b": 2}]});
    assert_eq!(
        still_told(&was, &json!({"a": [1, {"b": 2, "new": 3}], "c": 4}), ""),
        Ok(())
    );
    for is in [
        json!({"a": [1, {"b": 3}]}),
        json!({"a": [1]}),
        json!({}),
        json!([]),
    ] {
        assert!(still_told(&was, &is, "").is_err(), "{is}");
    }
}

/// Every folder ever released: its states, its chain and its proofs are what they were; it takes events, and verifies
/// with them; and all of that also without what can be made again.
#[test]
fn folders_of_every_format_open_and_go_on() {
    if !skip::programs("folders_of_every_format_open_and_go_on", &["tar"]) {
        return;
    }
    let folders = committed();
    assert!(!folders.is_empty(), "there is no golden folder");
    for (number, packed) in folders {
        for derived in ["kept", "thrown away"] {
            let golden = Unpacked::of(&packed);
            let context = format!("format {number}, what is derived {derived}");
            let before = golden.verify();
            for member in ["events", "digest", "head"] {
                assert_eq!(
                    before[member], golden.told["verified"][member],
                    "{context}: {member}"
                );
            }
            if derived == "thrown away" {
                throw_away(golden.folder.path());
            }
            goes_on(&golden, &context);
        }
    }
}

fn goes_on(golden: &Unpacked, context: &str) {
    let position = golden.told["position"].as_u64().expect("a position");
    let server = golden.serve();
    let mut client = server.client();
    let now = answers(&mut client, position);
    for (question, was) in golden.told["answers"].as_object().expect("answers") {
        let is = &now[question];
        if let Err(difference) = still_told(was, is, "") {
            panic!("{context}: {question}: {difference}");
        }
    }
    let body = event_of_size("Probe", "long", 0, 100);
    let version = &now["events/long/version"]["latest_version"];
    let answer = must("appending", client.post("/api/v1/events", &body)).expect(201);
    let next = version.as_u64().map(|version| version + 1);
    assert_eq!(answer.json()["version"].as_u64(), next, "{context}");
    proved(golden, &mut client, position);
    server.stop();
    let after = golden.verify();
    let events = |told: &Value| told["events"].as_u64().expect("a count");
    assert!(
        events(&after) > events(&golden.told["verified"]),
        "{context}"
    );
}

/// The first event, and that the old log is the beginning of this one, by the script that knows the public key alone.
fn proved(golden: &Unpacked, client: &mut Client, position: u64) {
    if !skip::programs(
        "folders_of_every_format_open_and_go_on: proofs",
        &["python3"],
    ) {
        return;
    }
    let key = must(
        "reading",
        fs::read_to_string(golden.folder.beside("golden/log.pub")),
    );
    for (name, path, earlier) in [
        ("event.json", "/api/v1/audit/proof/1".to_owned(), false),
        (
            "between.json",
            format!("/api/v1/audit/consistency?from={position}"),
            true,
        ),
    ] {
        let proof = must("asking", client.get(&path)).expect(200);
        let file = golden.folder.beside(name);
        must("writing", fs::write(&file, &proof.body));
        let mut check = Command::new("python3");
        check
            .arg(workspace().join("scripts/check_proof.py"))
            .arg(&file)
            .args(["--key", key.trim()]);
        if earlier {
            // The file of checkpoints has an empty line behind each; a note by itself has none.
            let kept = must(
                "reading",
                fs::read_to_string(golden.folder.beside("golden/kept.txt")),
            );
            let note = golden.folder.beside("earlier.txt");
            must(
                "writing",
                fs::write(&note, format!("{}\n", kept.trim_end())),
            );
            check.arg("--earlier").arg(note);
        }
        let (status, said) = run(&mut check, COMMAND_LIMIT);
        assert!(status.success(), "{path}: {said}");
    }
}

/// Everything that docs/format.md and docs/configuration.md say may be deleted.
fn throw_away(data: &Path) {
    for folder in [
        "projections",
        "sync",
        "ingest",
        "fetched",
        "log/snapshots",
        "log/tree",
    ] {
        let _ = fs::remove_dir_all(data.join(folder));
    }
    let mut segments = BTreeSet::new();
    let entries = || {
        must("listing", fs::read_dir(data.join("log"))).map(|entry| must("listing", entry).path())
    };
    segments.extend(entries().filter(|path| path.extension().is_some_and(|end| end == "log")));
    for path in entries() {
        let derived = path
            .extension()
            .is_some_and(|end| end == "idx" || end == "state");
        // An archived segment's index stays with its stub: it can be made again only from the archive.
        let has_segment = segments.contains(&path.with_extension("log"));
        let is_state = path.extension().is_some_and(|end| end == "state");
        if derived && (has_segment || is_state) {
            must("removing", fs::remove_file(path));
        }
    }
}

/// Writes the next folder. Not a test of anything: it makes what the tests above are held against, when it is asked to.
#[test]
fn a_folder_is_written() {
    if std::env::var_os("RAILFLEET_WRITE_GOLDEN").is_none() {
        return;
    }
    let number = committed().last().map_or(1, |(number, _)| number + 1);
    let home = DataFolder::adopt(Path::new("nowhere"));
    let place = home.beside("golden");
    must("making a folder", fs::create_dir(&place));
    let data = place.join("data");
    demo(&home, &data, 2, 45);
    let folder = DataFolder::adopt_new(&data);
    let model = trained(&home);
    let archive = format!("file://{}", place.join("archive").display());
    let small = [(SEGMENT_BYTES.0, SEGMENT_BYTES.1.into())];

    let server = folder.serve_with(&[], &small);
    let mut client = server.client();
    let position = fill(&mut client, &model);
    server.stop();
    // The first sealed segment is sent away, so that a stub is there.
    let mut send = folder.command(&["archive", "--after-days", "0", "--to", &archive, "--data"]);
    send.arg(&data);
    let said = succeeds(&mut send);
    assert!(said.contains("sent 1 segments"), "{said}");
    let server = folder.serve_with(
        &[],
        &[
            small[0].clone(),
            ("RAILFLEET_ARCHIVE_TO", archive.clone().into()),
        ],
    );
    let mut client = server.client();
    let answers = answers(&mut client, position);
    server.stop();

    let mut sign = folder.command(&["checkpoint", "--data"]);
    sign.arg(&data).env("RAILFLEET_ARCHIVE_TO", &archive);
    succeeds(&mut sign);
    must(
        "copying",
        fs::copy(data.join("checkpoints.txt"), place.join("kept.txt")),
    );
    must(
        "copying",
        fs::copy(data.join("keys/checkpoint.pub"), place.join("log.pub")),
    );
    let mut golden = Unpacked {
        folder: DataFolder::adopt(&data),
        told: Value::Null,
        archive,
    };
    for file in ["kept.txt", "log.pub"] {
        let there = golden.folder.beside("golden");
        must("making a folder", fs::create_dir_all(&there));
        must("copying", fs::copy(place.join(file), there.join(file)));
    }
    let verified = golden.verify();
    golden.told = json!({
        "made_by": env!("CARGO_PKG_VERSION"),
        "formats": formats::on_disk(),
        "position": verified["head"],
        "verified": { "events": verified["events"], "digest": verified["digest"], "head": verified["head"] },
        "answers": answers,
    });
    let told = serde_json::to_string_pretty(&golden.told).expect("JSON");
    must("writing", fs::write(place.join("told.json"), told));
    for passing in [
        "log/lock",
        "log/spare-1",
        "log/spare-2",
        "fetched",
        "backups",
    ] {
        let path = data.join(passing);
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir_all(&path);
    }
    let packed = workspace().join(format!("tests/golden/format-{number}.tar.gz"));
    must(
        "making a folder",
        fs::create_dir_all(workspace().join("tests/golden")),
    );
    let mut pack = Command::new("bash");
    pack.args(["-euo", "pipefail", "-c"])
        .arg("tar -cf - -C \"$1\" --owner=0 --group=0 --sort=name . | gzip -9n > \"$2\"")
        .arg("pack")
        .arg(&place)
        .arg(&packed);
    succeeds(&mut pack);
    let weight = must("looking", fs::metadata(&packed)).len();
    assert!(
        weight <= PACKED_BYTES_MAX,
        "{} weighs {weight} bytes",
        packed.display()
    );
}

fn succeeds(command: &mut Command) -> String {
    let (status, said) = run(command, COMMAND_LIMIT);
    assert!(status.success(), "{command:?} ended with {status}: {said}");
    said
}

fn demo(home: &DataFolder, data: &Path, vehicles: u32, days: u32) {
    let mut demo = home.command(&["demo", "--no-serve", "--data"]);
    demo.arg(data).args([
        "--vehicles",
        &vehicles.to_string(),
        "--days",
        &days.to_string(),
    ]);
    succeeds(&mut demo);
}

/// A model file: trained on a depot of its own, for what it needs is too much history for a golden folder.
fn trained(home: &DataFolder) -> Vec<u8> {
    let data = home.beside("school");
    demo(home, &data, 36, 1_100);
    let mut train = home.command(&["train", "failure", "--data"]);
    train.arg(&data);
    succeeds(&mut train);
    let mut models = must("listing models", fs::read_dir(data.join("models")));
    let file = must("listing models", models.next().expect("a model"));
    must("reading the model", fs::read(file.path()))
}

/// What the demo has not: a model, a tablet, an aggregate with a long past, and enough bytes for sealed segments. The last
/// position.
fn fill(client: &mut Client, model: &[u8]) -> u64 {
    let octets = [("Content-Type", "application/octet-stream")];
    must(
        "uploading the model",
        client.request("POST", "/api/v1/ml/models/upload", &octets, model),
    )
    .expect(201);
    let tablet = r#"{"device_id":"golden","device_name":"golden","device_type":"tablet"}"#;
    let registered = client.post("/api/v1/sync/devices/register", tablet);
    let status = must("registering a tablet", registered).status;
    assert!(
        (200..300).contains(&status),
        "the tablet is answered {status}"
    );
    let long_past: Vec<String> = (0..LONG_PAST_EVENTS)
        .map(|number| event_of_size("Probe", "long", number, 10))
        .collect();
    let long_past = format!(r#"{{"events":[{}]}}"#, long_past.join(","));
    let mut position = 0;
    let mut append = |path: &str, body: &str| {
        let answer = must("appending", client.post(path, body))
            .expect(201)
            .json();
        position = answer["position"].as_u64().expect("a position");
    };
    // A sealed segment takes 4 MiB. What is sent away has to be hashed into full tiles of 256 events: others come behind.
    for number in 0..23 {
        append(
            "/api/v1/events",
            &event_of_size("Probe", "wide", number, 400_000),
        );
    }
    append("/api/v1/events/batch", &long_past);
    // The answer is of no interest; that its state is saved is.
    let past = "/api/v1/time-travel/state-at?aggregate_type=Probe&aggregate_id=long&version=1028";
    must("asking", client.get(past)).expect(200);
    position
}

/// SHA-256 of each file of a folder but the lock, which is written anew by whoever looks.
fn digests(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in must("listing", fs::read_dir(&folder)) {
            let path = must("listing", entry).path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "lock") {
                let digest = Sha256::digest(must("reading", fs::read(&path)));
                found.insert(
                    path,
                    digest.iter().map(|byte| format!("{byte:02x}")).collect(),
                );
            }
        }
    }
    found
}
