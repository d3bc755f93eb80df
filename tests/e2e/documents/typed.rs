//! Every command that stands in a document is run as it stands, or is named here with the reason why it is not.
//!
//! Places and names that the documents make up (`DIR`, `/var/lib/railfleet`, a vehicle) become those of the test; each
//! document begins with a demo depot of its own. Where a command speaks to a server there is one, else there is none.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::examples;
use harness::examples::typed::{self, Typed};
use harness::process::{must, run, run_with_input, wait_for};
use harness::server::{DataFolder, Server, railfleet};
use harness::skip::{self, workspace};

use super::CURL_SETTINGS;

const LIMIT: Duration = Duration::from_secs(300);
const PASSWORD: &str = "Correct-Horse7-Battery-Staple";

/// Commands that are not run, by how they begin, and why.
const NOT_RUN: [(&str, &str); 15] = [
    (
        "make ",
        "what the Makefile does is what runs this test, and takes long",
    ),
    (
        "cargo ",
        "builds the release, which this test has no time for; what it builds is what is run here",
    ),
    ("railfleet serve", "every test here starts the server"),
    (
        "curl --cacert",
        "tests/e2e/tls.rs asks a server that speaks TLS, by a name that resolves",
    ),
    (
        "curl -N",
        "does not end by itself; tests/e2e/crowd.rs listens",
    ),
    (
        "curl \"$ADDRESS/api/v1/auth/login\"",
        "its password is three dots; every test logs in",
    ),
    (
        "apt install",
        "installs on this machine; scripts/check-deb.sh does",
    ),
    (
        "printf %s \"$PASSWORD\" | sudo",
        "needs the account that the package makes; the same without sudo is run",
    ),
    ("systemctl ", "needs systemd as the first process"),
    (
        "target/release/bench",
        "the benches' own tests run each of them in small",
    ),
    (
        "python3 -m venv",
        "tests/e2e/lake.rs asks the engines that scripts/setup-engines.sh installed",
    ),
    ("engines/bin/python", "as above"),
    (
        "curl -X POST -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{\"to\": \"Süd\"",
        "needs two depots and a broker; tests/e2e/federation does it",
    ),
    (
        "curl -X POST -H \"Authorization: Bearer $TOKEN\" \"$SUED",
        "as above",
    ),
    (
        "railfleet federation gone",
        "needs another depot that was heard of; the server's own tests say that one is gone",
    ),
];

/// A document's depot, and what a reader would have beside it.
struct Desk {
    folder: DataFolder,
    server: Option<Server>,
    vehicle: String,
}

/// What the documents make up, as it is here. The longer ones come first.
fn substituted(desk: &Desk, command: &str) -> String {
    let home = desk.folder.beside("");
    let home = home.display().to_string();
    let home = home.trim_end_matches('/');
    let data = desk.folder.path().display().to_string();
    let address = match &desk.server {
        Some(server) => format!("127.0.0.1:{}", server.port()),
        None => "127.0.0.1:1".to_owned(),
    };
    let mut command = command.to_owned();
    for (there, here) in [
        ("/var/lib/railfleet-restored", format!("{home}/new")),
        ("/var/lib/railfleet", data.clone()),
        ("/mnt/backup", format!("{home}/backup")),
        ("file:///srv/lake", format!("file://{home}/lake")),
        (
            "s3://fleet-history/depot-1",
            format!("file://{home}/history"),
        ),
        (
            "s3://fleet-archive/depot-1",
            format!("file://{home}/old-segments"),
        ),
        ("localhost:8000", address),
        ("T1_5110-5111", desk.vehicle.clone()),
        (
            "Staff:0f8fad5b-d9cb-469f-a165-70867728950e",
            "Staff:reader".to_owned(),
        ),
        ("158319", "300".to_owned()),
        (
            "scripts/check_proof.py",
            workspace()
                .join("scripts/check_proof.py")
                .display()
                .to_string(),
        ),
    ] {
        command = command.replace(there, &here);
    }
    let named = |word: &str| match word {
        "DIR" => data.clone(),
        "BACKUP" => format!("{home}/backup/taken"),
        "KEYS" => format!("{data}/keys"),
        "TO" => format!("{home}/backup/to"),
        "NEW" => format!("{home}/new"),
        "ID" => desk.vehicle.clone(),
        word => word.to_owned(),
    };
    command.split(' ').map(named).collect::<Vec<_>>().join(" ")
}

impl Desk {
    fn new(document: &Path) -> Self {
        let home = DataFolder::adopt(Path::new("nowhere"));
        let data = home.beside("data");
        // What is learned from needs more history than the rest has use for.
        let (vehicles, days) = match document.ends_with("ML_MODELS.md") {
            true => ("56", "1100"),
            false => ("4", "60"),
        };
        let mut demo = home.command(&[
            "demo",
            "--no-serve",
            "--vehicles",
            vehicles,
            "--days",
            days,
            "--data",
        ]);
        demo.arg(&data);
        let (status, said) = run(&mut demo, LIMIT);
        assert!(status.success(), "the demo ended with {status}: {said}");
        drop(DataFolder::adopt_new(&data));
        let mut desk = Desk {
            folder: home.with_data(&data),
            server: None,
            vehicle: String::new(),
        };
        desk.prepare();
        desk
    }

    /// Files that the documents speak of: what was downloaded, backed up, received.
    fn prepare(&mut self) {
        let beside = |name: &str| self.folder.beside(name);
        let event = r#"{"aggregate_type":"Vehicle","aggregate_id":"185 123-4","event_type":"NoteAdded","occurred_at":"2026-03-01T05:00:00Z","data":{"text":"read"}}"#;
        let subway = "date,time,line,code,min_delay,min_gap,bound,vehicle,unit,fleet,group,fail\n2014-01-01,00:21,BD,MUPR1,55,60,W,5111,5110,T1,,0\n";
        let ingest = must(
            "reading",
            fs::read_to_string(workspace().join("docs/ingest.md")),
        );
        let mapping = ingest
            .split("```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        for folder in ["old", "backup"] {
            must("making a folder", fs::create_dir(beside(folder)));
        }
        for (name, text) in [
            (".curlrc", CURL_SETTINGS),
            ("events.jsonl", event),
            ("events.csv", subway),
            ("incidents.csv", subway),
            ("doors.toml", mapping.expect("the document has a mapping")),
            (
                "doors.csv",
                "unit;day;clock;door;side;state;line;km\n423 001;01.03.2026;06:00;3;L;open;S1;12\n",
            ),
            ("old/events", event),
        ] {
            must("writing", fs::write(beside(name), text));
        }
        self.shell(
            "gzip -k events.csv incidents.csv old/events && mkdir -p data/backups",
            "",
        );
        let zstd = must("packing", zstd_of(event.as_bytes()));
        must("writing", fs::write(beside("events.jsonl.zst"), zstd));
        self.shell("railfleet backup --data data backup/taken && cp -r backup/taken data/backups/auto-$(date -u +%Y-%m-%dT%H%M%SZ)", "");
        self.ask();
    }

    /// What a reader would have fetched from a server: a vehicle's name, proofs, a checkpoint.
    fn ask(&mut self) {
        let server = self.folder.serve();
        let mut client = server.client();
        // Read models take the history in first.
        self.vehicle = wait_for("there is a vehicle", LIMIT, || {
            let answer = client.get("/api/v1/vehicles?limit=1").ok()?;
            let vehicle = answer.json()["vehicles"][0]["asset_id"]
                .as_str()?
                .to_owned();
            Some(vehicle)
        });
        let person = r#"{"aggregate_type":"Staff","aggregate_id":"reader","event_type":"StaffCreated","data":{"staff_id":"R1","first_name":"Ada","last_name":"Reader"}}"#;
        must("appending", client.post("/api/v1/events", person)).expect(201);
        for (path, name) in [
            ("audit/checkpoint?format=note", "kept.txt"),
            ("audit/proof/5", "proof.json"),
        ] {
            let answer = must("asking", client.get(&format!("/api/v1/{path}"))).expect(200);
            must("writing", fs::write(self.folder.beside(name), answer.body));
        }
        let kept = must(
            "reading",
            fs::read_to_string(self.folder.beside("kept.txt")),
        );
        let size = kept.lines().nth(1).expect("a checkpoint has its size");
        must(
            "appending",
            client.post("/api/v1/events", &person.replace("reader", "later")),
        )
        .expect(201);
        let path = format!("/api/v1/audit/consistency?from={size}");
        let between = must("asking", client.get(&path)).expect(200);
        must(
            "writing",
            fs::write(self.folder.beside("between.json"), between.body),
        );
        let key = self.folder.path().join("keys/checkpoint.pub");
        must("copying", fs::copy(key, self.folder.beside("log.pub")));
        server.stop();
    }

    /// Runs the commands here, and says what they printed.
    fn shell(&self, commands: &str, context: &str) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let program = railfleet().parent().expect("a program lies in a folder");
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", commands])
            .current_dir(self.folder.beside(""))
            .env("PATH", format!("{}:{path}", program.display()))
            .env("CURL_HOME", self.folder.beside(""))
            .env("PASSWORD", PASSWORD);
        if let Some(server) = &self.server {
            shell
                .env("ADDRESS", format!("http://127.0.0.1:{}", server.port()))
                .env("TOKEN", server.token());
        }
        let (status, said) = run_with_input(&mut shell, &format!("{PASSWORD}\n"), LIMIT);
        assert!(
            status.success(),
            "{context}: {commands}\nended with {status}: {said}"
        );
        said
    }

    fn run(&mut self, typed: &Typed) {
        let asks_a_server = typed.command.contains("curl ");
        match (asks_a_server, self.server.take()) {
            (true, None) => self.server = Some(self.folder.serve()),
            (true, server) => self.server = server,
            (false, Some(server)) => server.stop(),
            (false, None) => {}
        }
        if typed.command.contains("restore ") || typed.command.contains(" backup ") {
            // Each stands for itself: neither writes over what is there.
            let _ = fs::remove_dir_all(self.folder.beside("new"));
        }
        let mut command = substituted(self, &typed.command);
        if typed.command.contains("--as-new-depot") {
            command = command.replace(
                &format!("--data {}", self.folder.path().display()),
                &format!("--data {}", self.folder.beside("new").display()),
            );
        }
        let context = format!("{}:{}", typed.document.display(), typed.line);
        self.shell(&command, &context);
    }
}

/// `bytes` as a zstd frame with one raw block (RFC 8878 §3.1.1): no packer is needed for so few.
fn zstd_of(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u8::try_from(bytes.len()).map_err(std::io::Error::other)?;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, length];
    let header = (u32::from(length) << 3) | 1;
    frame.extend_from_slice(&header.to_le_bytes()[..3]);
    frame.extend_from_slice(bytes);
    Ok(frame)
}

fn reason(typed: &Typed) -> Option<&'static str> {
    let found = NOT_RUN
        .iter()
        .find(|(begins, _)| typed.command.starts_with(begins));
    found.map(|(begins, _)| *begins)
}

#[test]
fn every_command_in_the_documents_is_run_or_says_why_not() {
    let test = "every_command_in_the_documents_is_run_or_says_why_not";
    if !skip::programs(test, &["bash", "curl", "python3", "gzip", "zcat"]) {
        return;
    }
    let mut used = BTreeSet::new();
    let mut count = 0;
    for document in must("listing the documents", examples::documents(workspace())) {
        let text = must("reading a document", fs::read_to_string(&document));
        let commands = typed::commands(&document, &text);
        let (left, to_run): (Vec<_>, Vec<_>) =
            commands.iter().partition(|typed| reason(typed).is_some());
        used.extend(left.iter().filter_map(|typed| reason(typed)));
        if to_run.is_empty() {
            continue;
        }
        let mut desk = Desk::new(&document);
        for typed in to_run {
            desk.run(typed);
            count += 1;
        }
        if let Some(server) = desk.server.take() {
            server.stop();
        }
    }
    assert!(count > 20, "only {count} commands were found to run");
    for (begins, _) in NOT_RUN {
        assert!(
            used.contains(begins),
            "no document says {begins:?} any more"
        );
    }
}
