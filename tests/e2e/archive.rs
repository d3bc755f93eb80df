//! Old segments in a real S3 server: sent while the server serves, read through a folder smaller than they are, missed in good
//! order while the bucket is gone, and enough for a restored backup to be whole.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use harness::client::Client;
use harness::process::{must, run, wait_for};
use harness::server::{COMMAND_LIMIT, DataFolder, Server};
use harness::skip;

use super::lake::{Bucket, SECRET};
use super::operating::figures::{Group, hold};

const TO: &str = "s3://history/depot-1";
/// Room for one segment of 4 MiB and not for two.
const CACHE_BYTES: u64 = 6_000_000;
const BATCHES: u32 = 24;
/// Events of the first segment.
const OLDEST: &str = "/api/v1/events?to_position=40&limit=5";
/// The first event: what makes this depot the home of a vehicle lies in the first segment, too.
const CREATED: &str = r#"{"aggregate_type":"Vehicle","aggregate_id":"218 001","event_type":"VehicleCreated","data":{"asset_id":"218 001","model":"218","type":"diesel","status":"available"}}"#;
/// A position in the first segment, of an event of a vehicle.
const OLD: u64 = 30;
const BATCH_EVENTS: u32 = 1_000;

fn settings() -> Vec<(&'static str, OsString)> {
    let cache = CACHE_BYTES.to_string();
    [
        ("RAILFLEET_ARCHIVE_TO", TO),
        ("RAILFLEET_ARCHIVE_AFTER_DAYS", "0"),
        ("RAILFLEET_ARCHIVE_INTERVAL_S", "1"),
        ("RAILFLEET_ARCHIVE_CACHE_BYTES_MAX", &cache),
        ("RAILFLEET_EVENTS_SEGMENT_BYTES_MAX", "4194304"),
        ("RAILFLEET_EVENTS_SCRUB_BYTES_PER_MINUTE", "0"),
        // A broker that is not there: port 9 is nobody's.
        ("RAILFLEET_FEDERATION_SERVERS", "nats://127.0.0.1:9"),
        ("RAILFLEET_FEDERATION_NAME", "Nord"),
    ]
    .map(|(name, value)| (name, OsString::from(value)))
    .to_vec()
}

fn environment(bucket: &Bucket) -> Vec<(&'static str, OsString)> {
    let mut all = settings();
    let keys = bucket.environment(SECRET).into_iter();
    all.extend(keys.map(|(name, value)| (name, value.into())));
    all
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = must("asking for metrics", server.client().get("/metrics")).text();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().expect("a number"))
}

/// The ids of all events of vehicles, sorted.
fn history(client: &mut Client) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = "/api/v1/events?aggregate_type=Vehicle&limit=1000".to_owned();
    loop {
        let page = must("reading", client.get(&path)).expect(200).json();
        for event in page["events"].as_array().expect("events") {
            ids.push(
                event["event_id"]
                    .as_str()
                    .or(event["id"].as_str())
                    .expect("an id")
                    .to_owned(),
            );
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            ids.sort();
            return ids;
        };
        path = format!("/api/v1/events?aggregate_type=Vehicle&limit=1000&cursor={cursor}");
    }
}

fn verify(folder: &DataFolder, data: &std::path::Path, bucket: &Bucket) -> (Option<i32>, String) {
    let mut command = folder.command(&["verify"]);
    command.arg(data).envs(environment(bucket));
    let (status, said) = run(&mut command, Duration::from_secs(120));
    (status.code(), said)
}

#[test]
fn history_lies_in_a_bucket_and_is_missed_only_by_who_asks_for_it() {
    let folder = DataFolder::new();
    let mut bucket = Bucket::new(&folder);
    let server = folder.serve_with(&[], &environment(&bucket));
    let mut client = server.client();
    let created = must("writing", client.post("/api/v1/events", CREATED)).expect(201);
    let mut written = vec![created.json()["id"].as_str().expect("an id").to_owned()];
    for number in 0..BATCHES {
        let body = super::batch(number, BATCH_EVENTS);
        let answer = must("writing", client.post("/api/v1/events/batch", &body))
            .expect(201)
            .json();
        let events = answer["events"].as_array().expect("receipts");
        written.extend(
            events
                .iter()
                .map(|event| event["id"].as_str().expect("an id").to_owned()),
        );
    }
    written.sort();
    let away = wait_for(
        "old segments are in the bucket",
        Duration::from_secs(90),
        || Some(metric(&server, "railfleet_archive_segments")).filter(|&away| away >= 2),
    );
    let place = bucket.folder.join("history/depot-1");
    let objects = || {
        let logs = std::fs::read_dir(&place).into_iter().flatten().flatten();
        let files = logs.flat_map(|log| {
            std::fs::read_dir(log.path())
                .into_iter()
                .flatten()
                .flatten()
        });
        files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .collect::<Vec<_>>()
    };
    assert!(objects().len() as u64 >= away);
    assert!(!folder.log().join("000000000001.log").exists());

    assert!(
        history(&mut client) == written,
        "all of it comes through a folder smaller than it"
    );
    assert!(metric(&server, "railfleet_archive_cache_evictions_total") > 0);
    assert!(metric(&server, "railfleet_archive_cache_bytes") <= CACHE_BYTES);
    let figures = must("asking for metrics", server.stranger().get("/metrics")).text();
    hold(&figures, Group::Archive);
    let size = written.len();
    let prove = |client: &mut Client| {
        let path = format!("/api/v1/audit/proof/{OLD}?size={size}");
        let proof = must("proving", client.get(&path)).expect(200).json();
        let of = |name: &str| proof[name].clone();
        (of("root_hash"), of("leaf"), of("path"), of("leaf_hash"))
    };
    let proved = prove(&mut client);
    assert!(proved.0.is_string(), "{proved:?}");

    // The bucket is gone: what is here works, the rest says what it lacks, and a start does not need it.
    bucket.stop();
    server.stop();
    must(
        "clearing",
        std::fs::remove_dir_all(folder.path().join("fetched")),
    );
    let server = folder.serve_with(&[], &environment(&bucket));
    let mut client = server.client();
    let problem = must("reading", client.get(OLDEST)).expect(503);
    assert!(problem.header("retry-after").is_some());
    let problem = problem.json();
    assert_eq!(
        problem["type"], "urn:railfleet:problem:archive-unavailable",
        "{problem}"
    );
    assert_eq!(problem["segment"], 1);
    let answer = must(
        "writing",
        client.post("/api/v1/events", &super::event("Probe", "p", 1)),
    );
    let position = answer.expect(201).json()["position"]
        .as_u64()
        .expect("a position");
    let recent = format!("/api/v1/events?from_position={position}&limit=5");
    must("reading what is new", client.get(&recent)).expect(200);
    let vehicle = must("asking", client.get("/api/v1/vehicles/218%20001")).expect(200);
    let home = &vehicle.json()["home"];
    assert_eq!(
        home["state"], "here",
        "whose it is is known without the archive: {home}"
    );
    let health = must("asking", client.get("/health")).expect(200).json();
    assert_eq!(
        health["status"], "ok",
        "what is away is not damage: {health}"
    );
    let mut doctor = folder.command(&["doctor", "--data"]);
    doctor.arg(folder.path()).envs(environment(&bucket));
    let (_, said) = run(&mut doctor, COMMAND_LIMIT);
    assert!(
        said.contains("bad   the archive s3://history/depot-1 cannot be reached"),
        "{said}"
    );

    bucket.start();
    wait_for("history is back", Duration::from_secs(60), || {
        let answer = client.get(OLDEST).ok()?;
        (answer.status == 200).then_some(())
    });
    assert!(history(&mut client) == written);
    assert_eq!(prove(&mut client), proved);
    server.stop();
    let (code, said) = verify(&folder, folder.path(), &bucket);
    assert_eq!(code, Some(0), "{said}");

    // A backup has stubs for what lies in the bucket, and a log restored from it is whole.
    let copy = folder.beside("copy");
    let mut backup = folder.command(&["backup", "--data"]);
    backup
        .arg(folder.path())
        .arg(&copy)
        .envs(environment(&bucket));
    let (status, said) = run(&mut backup, COMMAND_LIMIT);
    assert!(
        status.success() && said.contains("lie in the archive"),
        "{said}"
    );
    let data = folder.beside("restored");
    let mut restore = folder.command(&["restore", "--data"]);
    restore.arg(&data).arg(&copy).envs(environment(&bucket));
    let (status, said) = run(&mut restore, Duration::from_secs(120));
    assert!(
        status.success() && said.contains("and verified them"),
        "{said}"
    );
    // Keys are no part of a backup: whoever restores brings them.
    let keys = must(
        "listing keys",
        std::fs::read_dir(folder.path().join("keys")),
    );
    must(
        "making a folder",
        std::fs::create_dir_all(data.join("keys")),
    );
    for key in keys {
        let key = must("listing keys", key);
        must(
            "copying a key",
            std::fs::copy(key.path(), data.join("keys").join(key.file_name())),
        );
    }
    let restored = DataFolder::adopt(&data);
    let server = restored.serve_with(&[], &environment(&bucket));
    let mut client = server.client();
    assert!(history(&mut client) == written);
    assert_eq!(prove(&mut client), proved, "the same tree");
    server.stop();

    // An object that somebody changed is named, and never read as if it were right.
    let object = objects().into_iter().min().expect("an object");
    let mut bytes = must("reading", std::fs::read(&object));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    must("changing", std::fs::write(&object, &bytes));
    must(
        "clearing",
        std::fs::remove_dir_all(folder.path().join("fetched")),
    );
    let (code, said) = verify(&folder, folder.path(), &bucket);
    assert_ne!(code, Some(0));
    let name = object
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    assert!(
        said.contains(&name) && said.contains("is not what was sent there"),
        "{said}"
    );
}

/// The names of the backups, and of what else lies in their folder.
fn backups(folder: &DataFolder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("backups"));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// The clock takes its first backup ten minutes after the start, which the long form waits for.
#[test]
fn backups_are_whole_together_with_their_archive() {
    let folder = DataFolder::new();
    let mut bucket = Bucket::new(&folder);
    let variables = environment(&bucket);
    let server = folder.serve_with(&[], &variables);
    let mut client = server.client();
    for number in 0..BATCHES {
        let body = super::batch(number, BATCH_EVENTS);
        must("writing", client.post("/api/v1/events/batch", &body)).expect(201);
    }
    wait_for(
        "old segments are in the bucket",
        Duration::from_secs(90),
        || Some(metric(&server, "railfleet_archive_segments")).filter(|&away| away >= 2),
    );
    let drill = |from: Option<&Path>| {
        let mut command = folder.command(&["drill", "--data"]);
        command
            .arg(folder.path())
            .args(from)
            .envs(variables.iter().map(|(name, value)| (name, value)));
        let (status, said) = run(&mut command, Duration::from_secs(120));
        (status.success(), said)
    };
    let body = r#"{"name":"monday"}"#;
    must(
        "backing up",
        client.post("/api/v1/operations/backups", body),
    )
    .expect(201);
    let monday = folder.path().join("backups/monday");
    // Beside the running server, which goes on fetching for itself.
    let (done, said) = drill(Some(&monday));
    assert!(
        done && said.contains("can be restored") && said.contains("lie in the archive"),
        "{said}"
    );
    assert_eq!(backups(&folder), ["monday"]);
    must("reading", client.get(OLDEST)).expect(200);

    if skip::everything() {
        let taken = |name: &String| name.starts_with("auto-") && !name.ends_with(".unverified");
        let limit = Duration::from_secs(720);
        wait_for("the clock has taken a verified backup", limit, || {
            backups(&folder).iter().any(taken).then_some(())
        });
        assert_eq!(metric(&server, "railfleet_backups_failed_total"), 0);
        let (done, said) = drill(None);
        assert!(done && said.contains("auto-"), "{said}");
    }

    // Settings that lie elsewhere, as the package has them, say where the archive is.
    let settings = folder.beside("railfleet.toml");
    let text = format!("[archive]\nto = \"{TO}\"\n");
    must("writing", std::fs::write(&settings, text));
    let verify = |arguments: &[&Path]| {
        let mut command = folder.command(&["verify"]);
        command
            .arg(&monday)
            .args(arguments)
            .envs(bucket.environment(SECRET));
        let (status, said) = run(&mut command, Duration::from_secs(120));
        (status.code(), said)
    };
    let (code, said) = verify(&[Path::new("--config"), &settings]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = verify(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no archive is configured"), "{said}");

    server.stop();
    bucket.stop();
    let (done, said) = drill(Some(&monday));
    assert!(!done && said.contains("cannot be reached"), "{said}");
}
