//! No secret comes out: not in what the server logs at its most talkative, not in answers, figures or argument lists, and
//! not in a file that anybody else on the machine may read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use harness::contents::{files, unpacked};
use harness::process::{must, run, run_with_input, wait_for};
use harness::server::{COMMAND_LIMIT, DataFolder, START_LIMIT, Server};
use serde_json::{Value, json};

const PASSWORD: &str = "Canary-Password-8f2a61c04d";
const WRONG_PASSWORD: &str = "Canary-Wrong-Password-77b1e5";
const NEXT_PASSWORD: &str = "Canary-Next-Password-9d03aa";
const SIGNING_KEY: &str = "Canary-Signing-Key-5be0f2-of-more-than-32-bytes";
const MASTER_KEY: &str = "Canary-Master-Key-c61d07-of-more-than-32-bytes";
const BROKER_PASSWORD: &str = "canary-broker-password-41aa";
const BUCKET_KEY: &str = "CANARYBUCKETKEY0E7A";
const BUCKET_SECRET: &str = "canary-bucket-secret-3f9bd2";

/// Everything that must stay inside, by what it is.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn known() -> Self {
        let known = [
            ("password", PASSWORD),
            ("wrong password", WRONG_PASSWORD),
            ("next password", NEXT_PASSWORD),
            ("signing key", SIGNING_KEY),
            ("master key", MASTER_KEY),
            ("broker's password", BROKER_PASSWORD),
            ("bucket's secret", BUCKET_SECRET),
        ];
        Secrets(known.map(|(what, text)| (what, text.to_owned())).to_vec())
    }

    fn add(&mut self, what: &'static str, text: &Value) {
        let text = text.as_str().unwrap_or_default();
        assert!(text.len() > 20, "a {what}: {text:?}");
        self.0.push((what, text.to_owned()));
    }

    /// The first secret in `text`, if any.
    fn found_in(&self, text: &str) -> Option<&'static str> {
        let mut secrets = self.0.iter();
        secrets
            .find(|(_, secret)| text.contains(&**secret))
            .map(|(what, _)| *what)
    }

    #[track_caller]
    fn absent_from(&self, place: &str, text: &str) {
        assert_eq!(self.found_in(text), None, "in {place}: {text}");
    }
}

fn start(folder: &DataFolder) -> Server {
    let mut add = folder.command(&[
        "user",
        "add",
        "canary",
        "--role",
        "SUPER_ADMIN",
        "--password-stdin",
        "--data",
    ]);
    // What names people is sealed under the master key from the first account on: that of the folder has another.
    must("clearing", fs::remove_dir_all(folder.path()));
    add.env("RAILFLEET_PRIVACY_MASTER_KEY", MASTER_KEY);
    let (status, said) = run_with_input(
        add.arg(folder.path()),
        &format!("{PASSWORD}\n"),
        COMMAND_LIMIT,
    );
    assert!(status.success(), "{said}");
    let broker = format!("nats://depot:{BROKER_PASSWORD}@127.0.0.1:1");
    let environment = [
        ("RAILFLEET_AUTH_SIGNING_KEY", SIGNING_KEY),
        ("RAILFLEET_PRIVACY_MASTER_KEY", MASTER_KEY),
        ("RAILFLEET_FEDERATION_SERVERS", &broker),
        ("RAILFLEET_LOGS_LEVEL", "trace"),
        ("RAILFLEET_HTTP_ACCESS_LOG", "true"),
        ("RAILFLEET_LAKE_TO", "s3://canary/lake"),
        ("RAILFLEET_LAKE_INTERVAL_S", "1"),
        ("AWS_ACCESS_KEY_ID", BUCKET_KEY),
        ("AWS_SECRET_ACCESS_KEY", BUCKET_SECRET),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT", "http://127.0.0.1:1"),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    folder.serve_with(&[], &environment.map(|(name, value)| (name, value.into())))
}

/// Goes where secrets go, the right way and every wrong one. Gives each answer that is not meant to bring a secret.
fn journey(server: &Server, secrets: &mut Secrets) -> Vec<(String, String)> {
    let mut heard = Vec::new();
    let mut stranger = server.stranger();
    let login = json!({"username": "canary", "password": PASSWORD}).to_string();
    let tokens = must("logging in", stranger.post("/api/v1/auth/login", &login))
        .expect(200)
        .json();
    secrets.add("access token", &tokens["access_token"]);
    secrets.add("refresh token", &tokens["refresh_token"]);
    let access = tokens["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let refresh = tokens["refresh_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mut client = server.stranger().with_token(&access);

    let device = json!({"device_id": "tablet-canary", "device_name": "T", "device_type": "tablet", "platform": "android"}).to_string();
    let device = must(
        "registering",
        client.post("/api/v1/sync/devices/register", &device),
    )
    .json();
    let device_token = device["token"].as_str().or(device["device_token"].as_str());
    secrets.add("device token", &json!(device_token));

    // Wrong in every way in which a secret could be said back.
    let wrong_bodies = [
        ("/api/v1/auth/login", json!({"username": "canary", "password": WRONG_PASSWORD}).to_string()),
        ("/api/v1/auth/login", json!({"username": WRONG_PASSWORD, "password": 5}).to_string()),
        ("/api/v1/auth/login", json!({"username": "canary", "password": [WRONG_PASSWORD]}).to_string()),
        ("/api/v1/auth/login", format!("{{\"username\":\"canary\",\"password\":\"{WRONG_PASSWORD}")),
        ("/api/v1/auth/login", format!("\"{WRONG_PASSWORD}\"")),
        ("/api/v1/auth/refresh", json!({"refresh_token": format!("{refresh}x")}).to_string()),
        ("/api/v1/auth/refresh", json!({"refresh_token": [refresh]}).to_string()),
        ("/api/v1/auth/register", json!({"username": "x", "email": "x", "password": WRONG_PASSWORD, "role": "NONE"}).to_string()),
        ("/api/v1/users", json!({"username": "canary", "email": "c@d.example", "password": NEXT_PASSWORD, "role": "VIEWER"}).to_string()),
        ("/api/v1/users", json!({"username": "new", "email": "n@d.example", "password": NEXT_PASSWORD, "role": "BOSS"}).to_string()),
        ("/api/v1/auth/password", json!({"old_password": WRONG_PASSWORD, "new_password": NEXT_PASSWORD}).to_string()),
        ("/api/v1/auth/password", json!({"old": PASSWORD, "new": NEXT_PASSWORD}).to_string()),
        ("/api/v1/operations/backups", "{}".to_owned()),
    ];
    for (path, body) in &wrong_bodies {
        for client in [&mut stranger, &mut client] {
            let answer = must("asking", client.post(path, body));
            heard.push((format!("POST {path} {}", answer.status), answer.text()));
        }
    }
    let paths = [
        "/api/v1/auth/me".to_owned(),
        "/api/v1/users".to_owned(),
        "/api/v1/users/canary".to_owned(),
        "/api/v1/federation".to_owned(),
        "/api/v1/audit/security".to_owned(),
        "/api/v1/audit/trail?limit=100".to_owned(),
        "/api/v1/events?limit=100".to_owned(),
        "/api/v1/compliance/keys".to_owned(),
        "/api/v1/sync/devices".to_owned(),
        "/metrics".to_owned(),
        "/health".to_owned(),
        "/ready".to_owned(),
    ];
    for path in &paths {
        let answer = must("asking", client.get(path));
        heard.push((format!("GET {path} {}", answer.status), answer.text()));
        let mut forger = server.stranger().with_token(format!("{access}x"));
        let answer = must("asking", forger.get(path));
        heard.push((
            format!("GET {path} with a bad token {}", answer.status),
            answer.text(),
        ));
    }
    // Last, since it ends the session.
    let change = json!({"old_password": PASSWORD, "new_password": NEXT_PASSWORD}).to_string();
    let answer = must("changing", client.post("/api/v1/auth/password", &change));
    heard.push((format!("POST password {}", answer.status), answer.text()));
    assert!(answer.status < 300, "{}", answer.text());
    heard
}

#[test]
fn secrets_come_out_nowhere() {
    let folder = DataFolder::new();
    let mut secrets = Secrets::known();
    let mut server = start(&folder);
    let heard = journey(&server, &mut secrets);
    assert!(heard.len() > 40);
    for (asked, answer) in &heard {
        secrets.absent_from(asked, answer);
    }
    let process = server.process().id();
    let arguments = must(
        "reading",
        fs::read_to_string(format!("/proc/{process}/cmdline")),
    );
    assert!(arguments.contains("serve"));
    secrets.absent_from("the list of arguments", &arguments);
    // The check would be empty if the server had said nothing of these.
    let log = wait_for("the log tells of each", START_LIMIT, || {
        let log = server.process().output();
        let said = ["/api/v1/auth/login", "lake", "broker"];
        said.iter().all(|said| log.contains(said)).then_some(log)
    });
    server.stop();

    secrets.absent_from("the log", &log);
    let mut doctor = folder.command(&["doctor", "--data"]);
    doctor.env("RAILFLEET_AUTH_SIGNING_KEY", SIGNING_KEY);
    doctor.env("RAILFLEET_PRIVACY_MASTER_KEY", MASTER_KEY);
    doctor.env(
        "RAILFLEET_FEDERATION_SERVERS",
        format!("nats://depot:{BROKER_PASSWORD}@127.0.0.1:1"),
    );
    let (_, said) = run(doctor.arg(folder.path()), COMMAND_LIMIT);
    secrets.absent_from("the doctor's report", &said);
    let files = files(folder.path());
    assert!(files.len() > 5);
    for path in &files {
        let bytes = unpacked(path);
        secrets.absent_from(
            &path.display().to_string(),
            &String::from_utf8_lossy(&bytes),
        );
    }
}

/// Whoever else is on the machine reads nothing: each file is its owner's alone, or lies in a folder that is. The data
/// folder itself does not count: somebody may have made it before, for everybody.
#[test]
fn nobody_else_reads_the_data_folder() {
    let folder = DataFolder::new();
    let server = start(&folder);
    journey(&server, &mut Secrets::known());
    let open = open_files(folder.path());
    server.stop();
    assert_eq!(open, Vec::<String>::new());
}

fn open_files(data: &Path) -> Vec<String> {
    let mode = |path: &Path| must("looking", fs::metadata(path)).permissions().mode();
    let is_open = |path: &Path| mode(path) & 0o077 != 0;
    let open = files(data)
        .into_iter()
        .filter(|path| {
            path.ancestors()
                .take_while(|above| *above != data)
                .all(is_open)
        })
        .map(|path| {
            path.strip_prefix(data)
                .unwrap_or(&path)
                .display()
                .to_string()
        });
    open.collect()
}
