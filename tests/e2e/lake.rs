//! The log as Parquet, read back by three engines that nobody here wrote, and kept in a real S3 server that refuses, dies and
//! comes back.

mod evolution;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::client::Client;
use harness::port::free_port;
use harness::process::{Process, must, run, wait_for};
use harness::server::{COMMAND_LIMIT, DataFolder};
use harness::skip;
use rustix::process::Signal;
use serde_json::{Value, json};

/// How long an engine may take for its questions: Spark starts a Java machine, and a busy machine has other things to do.
const ENGINE_LIMIT: Duration = Duration::from_secs(240);
const ENGINES: [&str; 3] = ["duckdb", "datafusion", "spark"];
const KEY: &str = "depot-key";
pub(crate) const SECRET: &str = "depot-secret";
/// Within the demo's history.
const THEN: &str = "2026-10-01T12:00:00Z";

const BY_TYPE: &str =
    r#"SELECT event_type, count(*) FROM "Vehicle" GROUP BY event_type ORDER BY event_type"#;
const STOCK: &str = r#"SELECT aggregate_id, current_stock FROM "Part_states" WHERE NOT deleted ORDER BY aggregate_id"#;
const MOVED: &str = r#"SELECT count(*), sum(quantity) FROM "StockMove" WHERE quantity IS NOT NULL"#;
/// The question of docs/LAKE.md, at another time.
const STATUSES_THEN: &str = r#"SELECT status, count(*) AS vehicles
FROM (SELECT coalesce(new_status, status) AS status,
             row_number() OVER (PARTITION BY aggregate_id ORDER BY occurred_at DESC, position DESC) AS nth
      FROM "Vehicle"
      WHERE coalesce(new_status, status) IS NOT NULL AND occurred_at <= TIMESTAMP '2026-10-01 12:00:00+00:00') AS told
WHERE nth = 1 GROUP BY status ORDER BY status"#;

/// A demo depot that nobody serves, with the test's account in it.
fn depot(home: &DataFolder) -> DataFolder {
    let data = home.beside("depot");
    let mut demo = home.command(&[
        "demo",
        "--no-serve",
        "--vehicles",
        "8",
        "--days",
        "60",
        "--data",
    ]);
    demo.arg(&data);
    let (status, said) = run(&mut demo, Duration::from_secs(120));
    assert!(status.success(), "the demo ended with {status}: {said}");
    DataFolder::adopt_new(&data)
}

fn export(depot: &DataFolder, to: &str, environment: &[(&str, String)]) -> (Option<i32>, String) {
    let mut command = depot.command(&["lake", "export", "--to", to, "--data"]);
    command.arg(depot.path());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let (status, said) = run(&mut command, Duration::from_secs(150));
    (status.code(), said)
}

#[track_caller]
fn exported(depot: &DataFolder, to: &str, environment: &[(&str, String)]) -> String {
    let (code, said) = export(depot, to, environment);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// The Python that has the engines; says so where there is none.
fn engines(test: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| skip::workspace().join("target"), PathBuf::from);
    let python = target.join("engines/bin/python");
    if python.exists() {
        return Some(python);
    }
    skip::skipped(
        test,
        "the engines are not installed: scripts/setup-engines.sh",
    );
    None
}

/// What an engine answers about these aggregate types, a list of rows for each question.
fn ask(python: &Path, engine: &str, place: &Path, types: &str, questions: &[&str]) -> Vec<Value> {
    let mut command = Command::new(python);
    command
        .arg(skip::workspace().join("scripts/ask_lake.py"))
        .arg(engine)
        .arg(place)
        .arg(types)
        .args(questions);
    let (status, said) = run(&mut command, ENGINE_LIMIT);
    assert!(status.success(), "{engine} ended with {status}: {said}");
    let answers = said.lines().filter(|line| line.starts_with("[["));
    let answers: Vec<Value> = answers
        .map(|line| serde_json::from_str(line).expect("JSON is printed"))
        .collect();
    assert_eq!(answers.len(), questions.len(), "{engine}: {said}");
    answers
}

/// What the server says to the same questions.
fn answers_of_the_server(depot: &DataFolder) -> Vec<Value> {
    let mut server = depot.serve();
    let mut client = server.client();
    let mut get = |path: &str| must("asking", client.get(path)).expect(200).json();
    let mut by_type = BTreeMap::<String, u64>::new();
    let mut path = "/api/v1/events?aggregate_type=Vehicle&limit=1000".to_owned();
    loop {
        let page = get(&path);
        for event in page["events"].as_array().expect("events") {
            let name = event["event_type"].as_str().expect("a type").to_owned();
            *by_type.entry(name).or_default() += 1;
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/events?aggregate_type=Vehicle&limit=1000&cursor={cursor}");
    }
    let parts = get("/api/v1/parts?limit=100");
    let mut stock: Vec<(String, i64)> = parts["parts"]
        .as_array()
        .expect("parts")
        .iter()
        .map(|part| {
            let id = part["part_no"].as_str().expect("a number").to_owned();
            (id, part["current_stock"].as_i64().expect("a level"))
        })
        .collect();
    stock.sort();
    let then = get(&format!("/api/v1/time-travel/fleet?at={THEN}&limit=100"));
    let mut statuses = BTreeMap::<String, u64>::new();
    for vehicle in then["vehicles"].as_array().expect("vehicles") {
        *statuses
            .entry(vehicle["status"].as_str().expect("a status").to_owned())
            .or_default() += 1;
    }
    server.process().signal(Signal::TERM);
    server.process().wait(Duration::from_secs(20));
    let rows = |counts: BTreeMap<String, u64>| json!(counts.into_iter().collect::<Vec<_>>());
    vec![rows(by_type), json!(stock), rows(statuses)]
}

#[test]
fn three_engines_and_the_server_agree() {
    const TEST: &str = "three_engines_and_the_server_agree";
    let home = DataFolder::new();
    let depot = depot(&home);
    let place = home.beside("lake");
    let url = format!("file://{}", place.display());
    let said = exported(&depot, &url, &[]);
    assert!(said.contains("holds the log up to position"), "{said}");
    let again = exported(&depot, &url, &[]);
    assert!(
        again.contains("0 events and 0 states written into 0 files"),
        "{again}"
    );

    let told = answers_of_the_server(&depot);
    // The server's own start and the logins are events: they come with the next export, and nothing else does.
    exported(&depot, &url, &[]);
    let Some(python) = engines(TEST) else {
        return;
    };
    let questions = [BY_TYPE, STOCK, STATUSES_THEN, MOVED];
    let mut moved = Vec::new();
    for engine in ENGINES {
        let answers = ask(
            &python,
            engine,
            &place,
            "Vehicle,Part,StockMove",
            &questions,
        );
        assert_eq!(answers[0], told[0], "{engine}: events by type");
        assert_eq!(answers[1], told[1], "{engine}: stock");
        assert_eq!(answers[2], told[2], "{engine}: statuses at {THEN}");
        moved.push(answers[3].clone());
    }
    assert!(
        moved[0][0][0].as_u64().is_some_and(|count| count > 0),
        "{moved:?}"
    );
    assert!(moved.iter().all(|answer| *answer == moved[0]), "{moved:?}");
}

#[test]
fn files_are_listed_and_nothing_is_refused_by_name() {
    let home = DataFolder::new();
    let place = home.beside("lake");
    let url = format!("file://{}", place.display());
    let list = |arguments: &[&str]| {
        let mut command = home.command(&["lake", "files", "--from", &url]);
        command.args(arguments);
        run(&mut command, COMMAND_LIMIT)
    };
    let (status, said) = list(&[]);
    assert!(
        !status.success() && said.contains("cannot use the folder"),
        "{said}"
    );
    exported(&home, &url, &[]);
    let (status, said) = list(&["--aggregate-type", "User"]);
    assert!(status.success(), "{said}");
    let files: Vec<&str> = said.lines().collect();
    assert!(!files.is_empty());
    assert!(files.iter().all(|file| Path::new(file).is_file()), "{said}");
    let (code, said) = export(&home, "ftp://host/lake", &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("neither file nor s3"), "{said}");
}

/// An S3 server with the bucket `history`, on a folder.
pub(crate) struct Bucket {
    server: Option<Process>,
    pub(crate) folder: PathBuf,
    log: PathBuf,
    port: u16,
}

impl Bucket {
    pub(crate) fn new(home: &DataFolder) -> Self {
        let folder = home.beside("s3");
        must(
            "making a bucket",
            std::fs::create_dir_all(folder.join("history")),
        );
        let mut bucket = Bucket {
            server: None,
            folder,
            log: home.beside("s3.log"),
            port: free_port(),
        };
        bucket.start();
        bucket
    }

    pub(crate) fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_railfleet-s3"));
        command
            .arg(&self.folder)
            .arg(self.port.to_string())
            .args([KEY, SECRET]);
        self.server = Some(Process::start(&mut command, &self.log));
        wait_for("the S3 server listens", Duration::from_secs(20), || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    pub(crate) fn environment(&self, secret: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
    }
}

#[test]
fn a_bucket_that_refuses_and_comes_back_holds_the_whole_log() {
    let home = DataFolder::new();
    let depot = depot(&home);
    let mut bucket = Bucket::new(&home);
    let url = "s3://history/depot-1";
    let (code, said) = export(&depot, url, &bucket.environment("wrong"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot read manifest.json"), "{said}");
    assert!(!said.contains("wrong"), "the secret is not told: {said}");

    // The server dies in the middle, and is back before the export gives up.
    let environment = bucket.environment(SECRET);
    let mut command = depot.command(&["lake", "export", "--to", url, "--data"]);
    command.arg(depot.path());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut exporting = Process::start(&mut command, &home.beside("export.out"));
    wait_for("the first file is there", Duration::from_secs(60), || {
        let first = bucket.folder.join("history/depot-1/events");
        (first.exists() || exporting.ended().is_some()).then_some(())
    });
    bucket.stop();
    std::thread::sleep(Duration::from_millis(700));
    bucket.start();
    let status = exporting.wait(Duration::from_secs(150));
    assert!(
        status.is_some_and(|status| status.success()),
        "{}",
        exporting.last_words()
    );

    let again = exported(&depot, url, &environment);
    assert!(
        again.contains("0 events and 0 states written into 0 files"),
        "{again}"
    );
    // What lies in the bucket is what a folder would hold.
    let local = home.beside("lake");
    exported(&depot, &format!("file://{}", local.display()), &[]);
    let names = |root: &Path| {
        let manifest = must("reading", std::fs::read(root.join("manifest.json")));
        let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        let files: Vec<Value> = manifest["events"]
            .as_array()
            .expect("spans")
            .iter()
            .flat_map(|span| span["files"].as_array().expect("files").clone())
            .collect();
        (manifest["position"].clone(), files)
    };
    assert_eq!(names(&bucket.folder.join("history/depot-1")), names(&local));
}

#[test]
fn a_running_server_keeps_the_lake_up_to_date() {
    let folder = DataFolder::new();
    let place = folder.beside("lake");
    let to = format!("lake.to=file://{}", place.display());
    let server = folder.serve_with(&["--set", &to, "--set", "lake.interval_s=1"], &[]);
    let mut client: Client = server.client();
    let body = super::event("Probe", "p-1", 1);
    let answer = must("writing", client.post("/api/v1/events", &body))
        .expect(201)
        .json();
    let position = answer["position"].as_u64().expect("a position");
    wait_for("the lake has it", Duration::from_secs(60), || {
        let manifest: Value =
            serde_json::from_slice(&std::fs::read(place.join("manifest.json")).ok()?).ok()?;
        (manifest["position"].as_u64()? >= position).then_some(())
    });
}
