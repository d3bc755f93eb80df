//! What is shipped around the program: the unit for systemd, the rules for Prometheus, the collection for Postman, each
//! looked at by the tool that it is for.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use harness::process::{must, run};
use harness::server::{DataFolder, railfleet};
use harness::skip::{self, workspace};

use super::operating::figures::panels;

const LIMIT: Duration = Duration::from_secs(300);
/// How much a unit may leave open to a service that is taken over, of 100: systemd calls up to 20 "OK".
const EXPOSURE_MAX: &str = "--threshold=20";

/// The unit as it is shipped, for this build's program: a name that is not installed would be a fault.
#[test]
fn systemd_takes_the_unit_and_calls_it_well_confined() {
    if !skip::programs(
        "systemd_takes_the_unit_and_calls_it_well_confined",
        &["systemd-analyze"],
    ) {
        return;
    }
    let folder = DataFolder::new();
    let shipped = workspace().join("packaging/systemd");
    for name in ["railfleet.service", "railfleet.socket"] {
        let text = must("reading the unit", fs::read_to_string(shipped.join(name)));
        let text = text.replace("/usr/bin/railfleet", &railfleet().display().to_string());
        must("writing the unit", fs::write(folder.beside(name), text));
    }
    let unit = folder.beside("railfleet.service");
    for (arguments, unit) in [
        (&["verify", "--man=no"][..], &unit),
        (&["verify", "--man=no"], &folder.beside("railfleet.socket")),
        (
            &["security", "--offline=true", "--no-pager", EXPOSURE_MAX],
            &unit,
        ),
    ] {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(arguments).arg(unit);
        let (status, said) = run(&mut analyze, LIMIT);
        assert!(status.success(), "{arguments:?}: {said}");
        assert!(!said.contains("Unknown"), "{arguments:?}: {said}");
    }
}

/// What the unit allows is decided by its last line that names a call, itself or in a group: training asks for its own priority.
#[test]
fn the_unit_lets_training_give_way() {
    let unit = workspace().join("packaging/systemd/railfleet.service");
    let text = must("reading the unit", fs::read_to_string(unit));
    let mut filters = text
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let last = filters.rfind(|calls| calls.contains("@resources") || calls.contains("setpriority"));
    assert_eq!(last, Some("setpriority"));
}

/// The rules as they are shipped, and the dashboard's queries as rules: Grafana hands them to Prometheus as they stand.
#[test]
fn prometheus_takes_the_alerts_and_the_queries_of_the_dashboard() {
    let test = "prometheus_takes_the_alerts_and_the_queries_of_the_dashboard";
    if !skip::programs(test, &["promtool"]) {
        return;
    }
    let folder = must("making a folder", tempfile::tempdir());
    let queries = folder.path().join("queries.yml");
    let mut rules = "groups:\n  - name: panels\n    rules:\n".to_owned();
    for (number, query) in panels().iter().enumerate() {
        let expression = query.expression.replace('\'', "''");
        rules.push_str(&format!(
            "      - record: panel:{number}\n        expr: '{expression}'\n"
        ));
    }
    must("writing rules", fs::write(&queries, rules));
    for rules in [
        workspace().join("packaging/prometheus/railfleet.rules.yml"),
        queries,
    ] {
        let mut check = Command::new("promtool");
        check.args(["check", "rules"]).arg(&rules);
        let (status, said) = run(&mut check, LIMIT);
        assert!(status.success(), "{}: {said}", rules.display());
    }
}

/// Where `scripts/setup-tests.sh` put newman, Postman's own runner.
fn newman() -> Option<PathBuf> {
    let installed = workspace().join("target/newman/node_modules/.bin/newman");
    installed.is_file().then_some(installed)
}

/// The committed collection, run by Postman's runner against a server: each request of these folders is answered, and
/// none by a failure of the server's.
#[test]
fn postman_runs_the_collection() {
    let test = "postman_runs_the_collection";
    if !skip::programs(test, &["node"]) {
        return;
    }
    let Some(newman) = newman() else {
        skip::skipped(test, "not installed: newman (scripts/setup-tests.sh)");
        return;
    };
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut command = Command::new(newman);
    command
        .arg("run")
        .arg(workspace().join("docs/railfleet.postman_collection.json"))
        .args([
            "--env-var",
            &format!("base_url=http://127.0.0.1:{}", server.port()),
        ])
        .args(["--env-var", &format!("token={}", server.token())])
        .args([
            "--timeout-request",
            "60000",
            "--color",
            "off",
            "--reporter-cli-no-banner",
        ]);
    for folder in [
        "vehicles",
        "operations",
        "time-travel",
        "projections",
        "audit",
        "inventory",
    ] {
        command.args(["--folder", folder]);
    }
    let (status, said) = run(&mut command, LIMIT);
    assert!(status.success(), "newman ended with {status}: {said}");
    assert!(said.contains("requests"), "nothing was asked: {said}");
    server.stop();
}
