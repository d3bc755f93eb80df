//! The server against its own OpenAPI document: schemathesis makes requests that the document allows, and some that it does
//! not, and holds every answer against what it promises. No answer is a 5xx, has a status, a content type, or a body that is
//! not described.
//!
//! Seeded, short, and as the highest and the lowest role by default. `RAILFLEET_OPENAPI_EXAMPLES` asks for more requests of each
//! route, `RAILFLEET_OPENAPI_ROLES` for other roles: `all`, or names with commas between them. `RAILFLEET_FAULTS=all` asks for 200
//! requests of each route as every role.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fleet::policy::Role;
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
/// The variable that names roles.
const ROLES: &str = "RAILFLEET_OPENAPI_ROLES";
/// How long it may take, and how much longer for each request of every route.
const TIME_LIMIT: Duration = Duration::from_secs(3_600);
const TIME_LIMIT_EACH: Duration = Duration::from_secs(60);

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

/// The roles that are asked as, lowest first.
///
/// # Errors
/// A sentence, where the variable names a role that there is not.
fn roles(named: Option<&str>, everything: bool) -> Result<Vec<Role>, String> {
    match named {
        None if everything => Ok(Role::ALL.into()),
        None => Ok(vec![Role::Viewer, Role::SuperAdmin]),
        Some("all") => Ok(Role::ALL.into()),
        Some(names) => {
            let known = Role::ALL.map(Role::name);
            if let Some(name) = names.split(',').find(|name| !known.contains(name)) {
                return Err(format!("{ROLES} names {name:?}, and there are {known:?}"));
            }
            let mut roles = Role::ALL.to_vec();
            roles.retain(|role| names.split(',').any(|name| name == role.name()));
            Ok(roles)
        }
    }
}

/// A small demo depot, with an account of this role.
fn depot(role: &str) -> (DataFolder, Server, String) {
    let home = DataFolder::adopt(Path::new("nowhere"));
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
    let folder = home.with_data(&data);
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
    (folder, server, token)
}

fn ask_everything(role: Role, test: &str) {
    let named = std::env::var(ROLES).ok();
    let roles = roles(named.as_deref(), everything()).unwrap_or_else(|fault| panic!("{fault}"));
    let role_name = role.name();
    if !roles.contains(&role) {
        let reason = format!("as {role_name} with {ROLES}=all or RAILFLEET_FAULTS=all");
        return skipped(test, &reason);
    }
    let Some(programs) = schemathesis(test) else {
        return;
    };
    let (folder, server, token) = depot(role_name);
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
    let requests = u32::try_from(examples).unwrap_or(u32::MAX);
    let limit = TIME_LIMIT.saturating_add(TIME_LIMIT_EACH.saturating_mul(requests));
    let (status, said) = run(&mut command, limit);
    assert!(status.success(), "as {role_name}: {said}");
    server.stop();
}

#[test]
fn what_an_administrator_is_answered_is_as_described() {
    let test = "what_an_administrator_is_answered_is_as_described";
    ask_everything(Role::SuperAdmin, test);
}

#[test]
fn what_a_viewer_is_answered_is_as_described() {
    let test = "what_a_viewer_is_answered_is_as_described";
    ask_everything(Role::Viewer, test);
}

#[test]
fn what_everybody_else_is_answered_is_as_described() {
    let test = "what_everybody_else_is_answered_is_as_described";
    for role in Role::ALL {
        if ![Role::Viewer, Role::SuperAdmin].contains(&role) {
            ask_everything(role, test);
        }
    }
}

#[test]
fn roles_are_the_highest_and_the_lowest_all_or_those_that_are_named() {
    let usual = [Role::Viewer, Role::SuperAdmin];
    assert_eq!(roles(None, false), Ok(usual.into()));
    assert_eq!(roles(None, true), Ok(Role::ALL.into()));
    assert_eq!(roles(Some("all"), false), Ok(Role::ALL.into()));
    let named = roles(Some("FLEET_MANAGER,TECHNICIAN"), true);
    assert_eq!(named, Ok(vec![Role::Technician, Role::FleetManager]));
    let fault = roles(Some("ADMIN"), false).expect_err("there is no such role");
    assert!(fault.contains("names \"ADMIN\""), "{fault}");
}
