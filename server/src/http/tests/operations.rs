//! Health, readiness, figures.

use std::os::unix::fs::FileExt as _;

use fleet::policy::Role;
use serde_json::json;

use super::harness::TestServer;
use crate::backups;

#[tokio::test]
async fn health_and_readiness_say_how_the_log_fares() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    server.append(&token, "1", "CraneLifted", json!({})).await;
    let health = server.read("/health", "").await;
    assert_eq!(
        (
            &health["status"],
            &health["log"]["state"],
            &health["log"]["position"]
        ),
        (&json!("ok"), &json!("writable"), &json!(2))
    );
    let ready = server.read("/ready", "").await;
    assert_eq!(ready["status"], "ready");
    server.state.stopping.send_replace(true);
    let answer = server.get("/ready", "").await;
    assert_eq!(answer.expect(503)["checks"]["stopping"], true);
    assert!(answer.header("retry-after").is_some());
    server.read("/health", "").await;
}

#[tokio::test]
async fn figures_are_there_for_prometheus() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    server
        .append(&token, "secret-id", "CraneLifted", json!({}))
        .await;
    server
        .get("/api/v1/events/none/version", &token)
        .await
        .expect(404);
    let answer = server.get("/metrics", "").await;
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        "railfleet_log_events 2\n",
        "railfleet_log_events_appended_total 2\n",
        "railfleet_log_writable 1\n",
        "railfleet_log_damaged_ranges 0\n",
        "railfleet_http_answers_total{method=\"POST\",route=\"/api/v1/events\",status=\"2xx\"} 1\n",
        "railfleet_http_answers_total{method=\"GET\",route=\"/api/v1/events/{aggregate_id}/version\",status=\"4xx\"} 1\n",
        "railfleet_http_request_duration_seconds_count{method=\"POST\",route=\"/api/v1/events\"} 1\n",
        "railfleet_projection_lag_events{projection=\"current_state\"}",
        "railfleet_http_subscribers 0\n",
        "# EOF\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(
        !text.contains("secret-id") && !text.contains("technician"),
        "no ids and no names"
    );
}

#[tokio::test]
async fn a_backup_is_taken_while_the_server_runs() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    server.append(&admin, "1", "CraneLifted", json!({})).await;
    let path = "/api/v1/operations/backups";
    let taken = server
        .create(path, &admin, json!({"name": "2026-10-31"}))
        .await;
    assert_eq!(taken["position"], 2);
    server.append(&admin, "1", "CraneLifted", json!({})).await;
    let folder = server.folder.path().join("backups/2026-10-31");
    let report = storage::verify(&folder, &storage::VerifyOptions::default()).unwrap();
    assert_eq!((report.events, report.problems), (2, vec![]));
    let again = server
        .post(path, &admin, json!({"name": "2026-10-31"}))
        .await;
    again.expect_problem(409, "conflict");
    for name in [
        "",
        "..",
        "../x",
        "a/b",
        ".hidden",
        "ä",
        "a b",
        "auto-before-the-upgrade",
        "monday.partial",
        &"x".repeat(101),
    ] {
        server
            .post(path, &admin, json!({"name": name}))
            .await
            .expect_problem(422, "invalid");
    }
    let manager = server.token(Role::FleetManager).await;
    server
        .post(path, &manager, json!({"name": "x"}))
        .await
        .expect_problem(403, "forbidden");
}

/// Names in the queries of the Grafana dashboard that is shipped.
fn names_in_the_dashboard() -> std::collections::BTreeSet<String> {
    let text = include_str!("../../../../packaging/grafana/dashboards/railfleet.json");
    let board: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let words = target["expr"].as_str().unwrap();
            let words = words.split(|char: char| !char.is_alphanumeric() && char != '_');
            names.extend(
                words
                    .filter(|word| word.starts_with("railfleet_"))
                    .map(str::to_owned),
            );
        }
    }
    names
}

const RULES: &str = include_str!("../../../../packaging/prometheus/railfleet.rules.yml");
const RUNBOOK: &str = include_str!("../../../../docs/operations.md");

/// What stands behind this key in the rules, a line each.
fn in_the_rules(key: &str) -> Vec<&'static str> {
    let lines = RULES
        .lines()
        .map(|line| line.trim().trim_start_matches("- "));
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
        .collect()
}

/// Names in the conditions of the alerts. What only a depot with an archive or with others has is left out.
fn names_in_the_alerts() -> std::collections::BTreeSet<String> {
    let words = in_the_rules("expr")
        .into_iter()
        .flat_map(|condition| condition.split(|char: char| !char.is_alphanumeric() && char != '_'));
    words
        .filter(|word| word.starts_with("railfleet_"))
        .filter(|word| {
            !word.starts_with("railfleet_archive_") && !word.starts_with("railfleet_federation_")
        })
        .map(str::to_owned)
        .collect()
}

/// Each alert has its place in the runbook, in the order of the rules, and the runbook no others.
#[test]
fn every_alert_stands_in_the_runbook() {
    let alerts = in_the_rules("alert");
    assert!(alerts.len() > 15, "{alerts:?}");
    let told: Vec<&str> = RUNBOOK
        .lines()
        .filter_map(|line| line.strip_prefix("| `RailFleet"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let alerts: Vec<&str> = alerts
        .iter()
        .filter_map(|alert| alert.strip_prefix("RailFleet"))
        .collect();
    assert_eq!(told, alerts);
}

#[tokio::test]
async fn every_name_in_the_dashboard_for_grafana_and_in_the_alerts_is_a_metric() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let vehicle = json!({
        "aggregate_type": "Vehicle", "aggregate_id": "1", "event_type": "VehicleCreated",
        "occurred_at": "2023-11-01T00:00:00Z", "data": {"asset_id": "1", "model": "BR 185", "status": "in_service"},
    });
    server.create("/api/v1/events", &token, vehicle).await;
    server.read("/api/v1/analytics/catalogue", &token).await;
    // What is counted by kind is there once it happened.
    server.state.metrics.count_operations("applied", 1);
    server.state.metrics.count_refusal("unknown_device");
    let answer = server.get("/metrics", "").await;
    let text = String::from_utf8(answer.body).unwrap();
    assert!(
        text.contains("railfleet_kpi{kpi=\"availability\"} 100.0"),
        "{text}"
    );
    assert!(text.contains("railfleet_figures_lag_events 0"), "{text}");
    let mut names = names_in_the_dashboard();
    assert!(names.len() > 20, "{names:?}");
    names.extend(names_in_the_alerts());
    for name in names {
        let is_there = text.lines().any(|line| {
            let rest = line.strip_prefix(&*name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        assert!(is_there, "{name} is no metric:\n{text}");
    }
}

#[tokio::test]
async fn backups_on_schedule_are_verified_and_the_oldest_put_away() {
    let server = TestServer::start_with(|config| config.backups.keep = 2);
    let token = server.token(Role::Technician).await;
    let folder = server.state.config.backups_folder();
    let names = || {
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let day = 24 * 3_600 * 1_000_000;
    let mut now = server.state.clock.now();
    let take = |now| backups::take_due(&server.state, now);
    let mut taken = Vec::new();
    for number in 0..3 {
        server
            .append(&token, "1", "CraneLifted", json!({"n": number}))
            .await;
        taken.push(take(now).unwrap().expect("one is due"));
        assert_eq!(take(now.plus_micros(day - 1)).unwrap(), None, "not yet");
        now = now.plus_micros(day);
    }
    assert_eq!(names(), taken[1..]);
    // What a power cut left of another one is no backup, and goes with the next.
    std::fs::create_dir(folder.join("auto-2030-01-01T000000Z.unverified")).unwrap();
    std::fs::create_dir(folder.join("monday")).unwrap();
    let newest = take(now).unwrap().expect("one is due");
    assert_eq!(names(), [&*taken[2], &*newest, "monday"]);
    let report = storage::verify(&folder.join(newest), &storage::VerifyOptions::default()).unwrap();
    assert!(
        report.problems.is_empty() && report.events == 4,
        "{report:?}"
    );

    // The log rots: what is taken of it does not count, and nothing is put away for it.
    let mut segments = std::fs::read_dir(server.state.config.log_folder()).unwrap();
    let segment = segments
        .find_map(|entry| {
            Some(entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|end| end == "log"))
        })
        .unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    let begin = bytes
        .windows(11)
        .position(|part| part == b"CraneLifted")
        .unwrap();
    // In place: the server maps the file, and one that is written anew is empty for a moment.
    let file = std::fs::OpenOptions::new().write(true).open(&segment);
    let rotten = [bytes[begin] ^ 1];
    file.unwrap().write_all_at(&rotten, begin as u64).unwrap();
    let before = names();
    let error = take(now.plus_micros(day)).unwrap_err();
    assert!(
        matches!(error, backups::ScheduledError::Damaged { .. }),
        "{error}"
    );
    assert!(before.iter().all(|name| names().contains(name)));
    assert_eq!(
        names().len(),
        before.len() + 1,
        "the damaged one stays to be looked at, unverified"
    );
}

#[tokio::test]
async fn predictions_can_be_switched_off_alone() {
    let server = TestServer::start_with(|config| config.ml.predictions_enabled = false);
    let token = server.token(Role::Viewer).await;
    for path in ["predict/failure/1", "fleet/risk", "forecast/parts"] {
        let answer = server.get(&format!("/api/v1/ml/{path}"), &token).await;
        let problem = answer.expect_problem(503, "unavailable");
        assert_eq!(
            problem["detail"],
            "predictions are switched off (ml.predictions_enabled)"
        );
    }
    server.read("/api/v1/ml/models", &token).await;
}
