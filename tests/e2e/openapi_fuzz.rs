//! The server against its own OpenAPI document: schemathesis makes requests that the document allows, and some that it does
//! not, and holds every answer against what it promises. No answer is a 5xx, has a status, a content type, or a body that is
//! not described.
//!
//! Seeded and short by default; `RAILFLEET_OPENAPI_EXAMPLES` asks for more requests of each route, `RAILFLEET_FAULTS=all`
//! for 200 and as every role.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use harness::process::{must, run, run_with_input};
use harness::server::{COMMAND_LIMIT, DataFolder, Server};
use harness::skip::{everything, how_many, skipped, workspace};
use serde_json::json;

const PASSWORD: &str = "Correct-Horse7-Battery-Staple";
/// What is held against each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";
/// Left out, each for its reason: what ends the session that the rest is asked in, and streams, which do not end.
const LEFT_OUT: [&str; 5] = [
    "logout",
    "change_password",
    "follow_events",
    "follow_sync",
    "follow_training_job",
];
const TIME_LIMIT: Duration = Duration::from_secs(3_600);

/// The folder of its programs. Its Python is called: the scripts beside it name the folder that they were installed into first.
fn schemathesis(test: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), PathBuf::from);
    let programs = target.join("schemathesis/bin");
    if programs.join("st").exists() {
        return Some(programs);
    }
    skipped(
        test,
        "schemathesis is not installed: scripts/setup-schemathesis.sh",
    );
    None
}

/// A small demo depot, with an account of this role.
fn depot(role: &str) -> (DataFolder, Server, String) {
    let home = DataFolder::new();
    let data = home.beside("demo");
    let mut demo = home.command(&[
        "demo",
        "--vehicles",
        "6",
        "--days",
        "60",
        "--no-serve",
        "--data",
    ]);
    let (status, said) = run(demo.arg(&data), COMMAND_LIMIT);
    assert!(status.success(), "{said}");
    let folder = DataFolder::adopt(&data);
    let mut add = folder.command(&[
        "user",
        "add",
        "openapi",
        "--role",
        role,
        "--password-stdin",
        "--data",
    ]);
    let (status, said) = run_with_input(add.arg(&data), &format!("{PASSWORD}\n"), COMMAND_LIMIT);
    assert!(status.success(), "{said}");
    let server = folder.serve_with(&["--set", "auth.access_minutes=1440"], &[]);
    let login = json!({"username": "openapi", "password": PASSWORD}).to_string();
    let tokens = must(
        "logging in",
        server.stranger().post("/api/v1/auth/login", &login),
    )
    .expect(200)
    .json();
    let token = tokens["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    // The folder's home is kept with it: dropped, the data would go.
    std::mem::forget(home);
    (folder, server, token)
}

fn ask_everything(role: &str, test: &str) {
    let Some(programs) = schemathesis(test) else {
        return;
    };
    let (folder, server, token) = depot(role);
    let examples = how_many(
        "RAILFLEET_OPENAPI_EXAMPLES",
        if everything() { 200 } else { 2 },
    );
    // Waiting for a position that the log may never come to is answered 503, as it should be; other tests ask for that.
    let settings = folder.beside("schemathesis.toml");
    let bounds = "[parameters]\n\"query.min_position\" = 1\n\"query.wait_ms\" = 10\n";
    must("writing settings", std::fs::write(&settings, bounds));
    let mut command = Command::new(programs.join("python3"));
    command
        .arg(programs.join("st"))
        .current_dir(folder.beside("."))
        .arg("--config-file")
        .arg(&settings)
        .args([
            "run",
            &format!("http://127.0.0.1:{}/openapi.json", server.port()),
        ])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args([
            "--seed",
            "1",
            "--max-examples",
            &examples.to_string(),
            "--phases",
            "examples,fuzzing",
        ])
        .args([
            "--checks",
            CHECKS,
            "--request-timeout",
            "120",
            "--suppress-health-check",
            "all",
        ])
        .args(["--no-shrink", "--continue-on-failure", "--warnings", "off"])
        // An administrator could close the account that asks.
        .args(["--exclude-path-regex", "^/api/v1/users/"]);
    for operation in LEFT_OUT {
        command.args(["--exclude-operation-id", operation]);
    }
    let (status, said) = run(&mut command, TIME_LIMIT);
    assert!(status.success(), "as {role}: {said}");
    server.stop();
}

#[test]
fn what_an_administrator_is_answered_is_as_described() {
    ask_everything(
        "SUPER_ADMIN",
        "what_an_administrator_is_answered_is_as_described",
    );
}

#[test]
fn what_a_viewer_is_answered_is_as_described() {
    ask_everything("VIEWER", "what_a_viewer_is_answered_is_as_described");
}

#[test]
fn what_everybody_else_is_answered_is_as_described() {
    let test = "what_everybody_else_is_answered_is_as_described";
    if !everything() {
        return skipped(
            test,
            "the roles between are asked with RAILFLEET_FAULTS=all",
        );
    }
    for role in [
        "TECHNICIAN",
        "DISPATCHER",
        "WORKSHOP_MANAGER",
        "FLEET_MANAGER",
    ] {
        ask_everything(role, test);
    }
}
