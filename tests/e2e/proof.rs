//! Proofs leave the house: a script that knows the public key alone takes true ones and refuses mutated ones, and a kept
//! checkpoint tells what was done to the log behind the server's back.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use harness::client::Client;
use harness::process::{must, run, wait_until_free};
use harness::server::{COMMAND_LIMIT, DataFolder};
use harness::skip;
use storage::{
    Clock, ExpectedVersion, Log, LogOptions, NewEvent, StreamName, Timestamp, Transaction,
};
use uuid::Uuid;

use super::event;

/// Lines of the script that checks proofs: few enough to be read by whoever is to believe it.
const CHECKER_LINES_MAX: usize = 100;
/// Mutations of each proof that the script is given.
const MUTATIONS: usize = 24;

/// Changes one thing of a proof after the other and asks the script about each; prints how many it refused.
const MUTATE: &str = r#"
import base64, copy, json, random, sys
sys.path.insert(0, sys.argv[1])
import check_proof
proof, key = json.load(open(sys.argv[2])), open(sys.argv[3]).read()
earlier = open(sys.argv[4]).read() if len(sys.argv) > 5 else None
check_proof.check(proof, key, earlier)
chance, refused = random.Random(1), 0
def flip(text):
    octets = bytearray(base64.b64decode(text))
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    return base64.b64encode(octets).decode()
def mutate(proof):
    leaves = [leaf for leaf in [proof, *proof.get("names", [])] if leaf.get("path")]
    leaf = chance.choice(leaves)
    way = chance.randrange(6)
    if way == 0: leaf["path"][chance.randrange(len(leaf["path"]))] = flip(chance.choice(leaf["path"]))
    elif way == 1: leaf["path"].pop(chance.randrange(len(leaf["path"])))
    elif way == 2: leaf["path"].append(leaf["path"][0])
    elif way == 3 and "leaf" in leaf: leaf["leaf"] = flip(leaf["leaf"])
    elif way == 4:
        lines = proof["checkpoint"].split("\n")
        lines[2] = flip(lines[2])
        proof["checkpoint"] = "\n".join(lines)
    else:
        lines = proof["checkpoint"].split("\n")
        head, signature = lines[4].rsplit(" ", 1)
        octets = bytearray(base64.b64decode(signature))
        octets[4 + chance.randrange(64)] ^= 1 << chance.randrange(8)
        lines[4] = head + " " + base64.b64encode(octets).decode()
        proof["checkpoint"] = "\n".join(lines)
    return proof
for _ in range(int(sys.argv[-1])):
    mutated = mutate(copy.deepcopy(proof))
    if mutated == proof:
        refused += 1
        continue
    try:
        check_proof.check(mutated, key, earlier)
    except (ValueError, KeyError, TypeError, IndexError, check_proof.struct.error):
        refused += 1
print("REFUSED", refused)
"#;

fn scripts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts")
}

fn saved(folder: &DataFolder, name: &str, client: &mut Client, path: &str) -> std::path::PathBuf {
    let text = must("asking", client.get(path)).expect(200).text();
    let file = folder.beside(name);
    must("saving", std::fs::write(&file, text));
    file
}

fn python(arguments: &[&std::ffi::OsStr]) -> (bool, String) {
    let mut command = Command::new("python3");
    command.args(arguments);
    let (status, said) = run(&mut command, COMMAND_LIMIT);
    (status.success(), said)
}

#[test]
fn a_script_with_the_public_key_takes_true_proofs_and_refuses_mutated_ones() {
    let name = "a_script_with_the_public_key_takes_true_proofs_and_refuses_mutated_ones";
    if !skip::programs(name, &["python3"]) {
        return;
    }
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut client = server.client();
    for number in 0..11 {
        let body = event("Probe", &format!("Köln/{}", number % 4), number);
        must("appending", client.post("/api/v1/events", &body)).expect(201);
    }
    let earlier = saved(
        &folder,
        "earlier",
        &mut client,
        "/api/v1/audit/checkpoint?format=note",
    );
    let mut last = 0;
    for number in 11..30 {
        let body = event("Probe", &format!("Köln/{}", number % 4), number);
        let answer = must("appending", client.post("/api/v1/events", &body)).expect(201);
        last = answer.json()["position"].as_u64().expect("a position");
    }
    let size = must("reading", std::fs::read_to_string(&earlier))
        .lines()
        .nth(1)
        .map(str::to_owned);
    let size = size.expect("a checkpoint has a size");
    let proof = saved(
        &folder,
        "proof",
        &mut client,
        &format!("/api/v1/audit/proof/{}", last - 9),
    );
    let between = saved(
        &folder,
        "between",
        &mut client,
        &format!("/api/v1/audit/consistency?from={size}"),
    );
    let key = folder.path().join("keys/checkpoint.pub");
    let vkey = must("reading", std::fs::read_to_string(&key));
    let checker = scripts().join("check_proof.py");

    let arguments = [
        checker.as_os_str(),
        proof.as_os_str(),
        "--key".as_ref(),
        vkey.trim().as_ref(),
    ];
    let (proved, said) = python(&arguments);
    assert!(proved, "{said}");
    assert!(
        said.contains("ProbeMeasured")
            && said.contains("Köln/")
            && said.contains("\\\"number\\\":20"),
        "{said}"
    );
    let arguments = [
        checker.as_os_str(),
        between.as_os_str(),
        "--key".as_ref(),
        vkey.trim().as_ref(),
        "--earlier".as_ref(),
        earlier.as_os_str(),
    ];
    let (proved, said) = python(&arguments);
    assert!(
        proved && said.contains(&format!("the first {size} events")),
        "{said}"
    );

    a_maintenance_record_is_checked_entry_by_entry(&folder, &mut client, vkey.trim());
    let mutate = folder.beside("mutate.py");
    must("writing", std::fs::write(&mutate, MUTATE));
    let count = MUTATIONS.to_string();
    let scripts = scripts();
    for (file, note) in [(&proof, None), (&between, Some(&earlier))] {
        let mut arguments = vec![
            mutate.as_os_str(),
            scripts.as_os_str(),
            file.as_os_str(),
            key.as_os_str(),
        ];
        arguments.extend(note.map(|note| note.as_os_str()));
        arguments.push(count.as_ref());
        let (ran, said) = python(&arguments);
        assert!(
            ran && said.contains(&format!("REFUSED {MUTATIONS}")),
            "{said}"
        );
    }
}

/// The record of a vehicle whose events hold somebody's address, sealed: true as it is, refused with one entry changed.
fn a_maintenance_record_is_checked_entry_by_entry(
    folder: &DataFolder,
    client: &mut Client,
    vkey: &str,
) {
    let created = r#"{"aggregate_type":"Vehicle","aggregate_id":"185 123-4","event_type":"VehicleCreated","data":{"asset_id":"185 123-4"},"metadata":{"user_email":"ada@depot.example"}}"#;
    let reported = r#"{"aggregate_type":"Vehicle","aggregate_id":"185 123-4","event_type":"VehicleIncidentReported","data":{"fault_code":"EUDO"}}"#;
    for body in [created, reported] {
        must("appending", client.post("/api/v1/events", body)).expect(201);
    }
    let path = "/api/v1/compliance/maintenance-record/185%20123-4";
    let record = saved(folder, "record", client, path);
    let checker = scripts().join("check_proof.py");
    let check = |record: &std::path::Path| {
        python(&[
            checker.as_os_str(),
            record.as_os_str(),
            "--key".as_ref(),
            vkey.as_ref(),
        ])
    };
    let (proved, said) = check(&record);
    assert!(proved && said.contains("EUDO"), "{said}");
    assert!(
        said.contains("sealed:1:") && !said.contains("ada@depot"),
        "what is proved names nobody: {said}"
    );
    let text = must("reading", std::fs::read_to_string(&record));
    let mut changed: serde_json::Value = serde_json::from_str(&text).expect("a record is JSON");
    let leaf = changed["entries"][1]["proof"]["leaf"]
        .as_str()
        .expect("an entry has a leaf");
    let middle = leaf.len() / 2;
    let other = if &leaf[middle..=middle] == "A" {
        "B"
    } else {
        "A"
    };
    let forged = format!("{}{other}{}", &leaf[..middle], &leaf[middle + 1..]);
    changed["entries"][1]["proof"]["leaf"] = forged.into();
    must("writing", std::fs::write(&record, changed.to_string()));
    let (proved, said) = check(&record);
    assert!(!proved && said.contains("NOT PROVED"), "{said}");
}

#[test]
fn the_script_is_short_enough_to_be_read_and_needs_nothing_but_python() {
    let file = scripts().join("check_proof.py");
    let text = must("reading", std::fs::read_to_string(file));
    let lines = text.lines().count();
    assert!(lines <= CHECKER_LINES_MAX, "{lines} lines");
    assert!(
        text.lines().all(|line| line.chars().count() <= 160),
        "a line is a line"
    );
    let imports = text.lines().filter_map(|line| line.strip_prefix("import "));
    let modules: Vec<&str> = imports.flat_map(|names| names.split(", ")).collect();
    let standard = [
        "argparse", "base64", "hashlib", "json", "struct", "sys", "uuid",
    ];
    assert!(
        !modules.is_empty() && modules.iter().all(|name| standard.contains(name)),
        "{modules:?}"
    );
    assert!(
        !text.lines().any(|line| line.starts_with("from ")),
        "{text}"
    );
}

/// A clock that is set.
#[derive(Debug, Default)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Appends events, each a number and what it says, to the log in this folder, and gives the position behind which they are. When it records one depends on its position alone:
/// whoever forges a log has its times as well.
fn append(folder: &Path, events: &[(u64, String)]) -> u64 {
    let clock = Arc::new(SetClock::default());
    let options = LogOptions {
        clock: clock.clone(),
        ..LogOptions::default()
    };
    let log = Log::open(folder, options).expect("nobody has the log open");
    let behind = log.durable_position().get();
    for (number, text) in events {
        let position = i64::try_from(log.durable_position().get()).unwrap_or(i64::MAX);
        let time = 1_700_000_000_000_000 + position * 1_000_000;
        clock.0.store(time, Ordering::Relaxed);
        let event = NewEvent::new("ProbeMeasured", text.as_str())
            .with_id(Uuid::from_u128(u128::from(*number)));
        let name = StreamName::new("Probe", (number % 3).to_string());
        let transaction = Transaction::single(name, ExpectedVersion::Any, event);
        log.append(transaction).expect("the log takes it");
    }
    log.close();
    wait_until_free(folder);
    behind
}

fn copy_folder(from: &Path, to: &Path) {
    must("making a folder", std::fs::create_dir_all(to));
    for entry in must("listing", std::fs::read_dir(from)) {
        let path = must("listing", entry).path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            must("copying", std::fs::copy(&path, &target));
        }
    }
}

/// Somebody with every file in hand makes the log anew from its tenth event on, under the same id, with the same times, every
/// checksum and the whole chain: without a kept checkpoint nothing is wrong with it, with one everything done is found and placed.
#[test]
fn whatever_is_done_to_the_log_since_a_checkpoint_is_found() {
    let folder = DataFolder::new();
    let told = |number: u64| (number, format!("{{\"number\":{number}}}"));
    let as_it_was: Vec<_> = (11..=45).map(told).collect();
    // The folder's own account stands in front.
    let front = append(&folder.log(), &(1..=10).map(told).collect::<Vec<_>>());
    let begun = folder.beside("begun");
    copy_folder(&folder.log(), &begun);
    let kept = folder.beside("kept");
    let mut notes = String::new();
    for (from, to) in [(0, 10), (10, 30), (30, 35)] {
        append(&folder.log(), &as_it_was[from..to]);
        let mut command = folder.command(&["checkpoint", "--data"]);
        let output = must("signing", command.arg(folder.path()).output());
        assert!(output.status.success(), "{output:?}");
        notes += &String::from_utf8_lossy(&output.stdout);
        notes.push('\n');
    }
    must("writing", std::fs::write(&kept, notes));
    let verify = |data: &Path, checkpoint: bool| {
        let mut command = folder.command(&["verify"]);
        command.arg(data);
        if checkpoint {
            let key = folder.path().join("keys/checkpoint.pub");
            command.arg("--checkpoint").arg(&kept);
            command.arg("--public-key").arg(key);
        }
        let (status, said) = run(&mut command, COMMAND_LIMIT);
        (status.code(), said)
    };
    let (code, said) = verify(folder.path(), true);
    assert_eq!(code, Some(0), "{said}");

    let at = |number: usize| number - 11;
    let mut changed = as_it_was.clone();
    changed[at(31)].1 = "{\"number\":0}".to_owned();
    let mut removed = as_it_was.clone();
    removed.remove(at(31));
    removed.push(told(46));
    let mut inserted = as_it_was.clone();
    inserted.insert(at(31), (777, "{}".to_owned()));
    let mut reordered = as_it_was.clone();
    reordered.swap(at(31), at(34));
    let cut = as_it_was[..at(36)].to_vec();
    let between = format!(
        "something at positions {} to {} was changed, removed, inserted or reordered",
        front + 21,
        front + 40
    );
    let beyond = format!(
        "the log ends at position {}, the checkpoint was made at {}: events were removed",
        front + 35,
        front + 40
    );
    for (kind, events, finding) in [
        ("made again", as_it_was, None),
        ("changed", changed, Some(&between)),
        ("removed", removed, Some(&between)),
        ("inserted", inserted, Some(&between)),
        ("reordered", reordered, Some(&between)),
        ("cut", cut, Some(&beyond)),
    ] {
        let forged = folder.beside(kind);
        copy_folder(&begun, &forged.join("log"));
        append(&forged.join("log"), &events);
        let (code, said) = verify(&forged, false);
        assert_eq!(code, Some(0), "{kind}, without the checkpoint: {said}");
        let (code, said) = verify(&forged, true);
        assert_eq!(code, Some(finding.map_or(0, |_| 20)), "{kind}: {said}");
        let place = "PROBLEM 000000000001.log";
        assert!(
            finding.is_none_or(|finding| said.contains(finding) && said.contains(place)),
            "{kind}: {said}"
        );
    }
}

#[test]
fn a_kept_checkpoint_tells_what_was_done_to_the_log() {
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut client = server.client();
    for number in 0..20 {
        must(
            "appending",
            client.post("/api/v1/events", &event("Probe", "1", number)),
        )
        .expect(201);
    }
    let kept = saved(
        &folder,
        "kept",
        &mut client,
        "/api/v1/audit/checkpoint?format=note",
    );
    for number in 20..40 {
        must(
            "appending",
            client.post("/api/v1/events", &event("Probe", "1", number)),
        )
        .expect(201);
    }
    server.stop();
    let verify = |path: &Path, more: &[&str]| {
        let mut command = folder.command(&["verify"]);
        command.arg(path).arg("--checkpoint").arg(&kept).args(more);
        let (status, said) = run(&mut command, COMMAND_LIMIT);
        (status.code(), said)
    };
    let (code, said) = verify(folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");

    // Another log under the same key: all of its checksums and its chain are sound, and it is not the one.
    let other = DataFolder::new();
    let server = other.serve();
    let mut client = server.client();
    for number in 0..60 {
        must(
            "appending",
            client.post("/api/v1/events", &event("Probe", "2", number)),
        )
        .expect(201);
    }
    server.stop();
    let key = folder.path().join("keys/checkpoint.pub");
    let key = key.to_str().expect("a path of ours is UTF-8");
    let (code, said) = verify(other.path(), &["--public-key", key]);
    assert_eq!(code, Some(20), "{said}");
    assert!(said.contains("are not those of the checkpoint"), "{said}");

    // A checkpoint that somebody has edited is no checkpoint.
    let edited = must("reading", std::fs::read_to_string(&kept)).replacen("\n2", "\n1", 1);
    must("writing", std::fs::write(&kept, edited));
    let (code, said) = verify(folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("does not fit the text"), "{said}");
}
