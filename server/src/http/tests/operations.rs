//! Health, readiness, figures.

use fleet::policy::Role;
use serde_json::json;

use super::harness::TestServer;

#[tokio::test]
async fn health_and_readiness_say_how_the_log_fares() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    server.append(&token, "1", "CraneLifted", json!({})).await;
    let health = server.get("/health", "").await.expect(200);
    assert_eq!(
        (
            &health["status"],
            &health["log"]["state"],
            &health["log"]["position"]
        ),
        (&json!("ok"), &json!("writable"), &json!(2))
    );
    let ready = server.get("/ready", "").await.expect(200);
    assert_eq!(ready["status"], "ready");
    server.state.stopping.send_replace(true);
    let answer = server.get("/ready", "").await;
    assert_eq!(answer.expect(503)["checks"]["stopping"], true);
    assert!(answer.header("retry-after").is_some());
    server.get("/health", "").await.expect(200);
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
        .post(path, &admin, json!({"name": "2026-10-31"}))
        .await
        .expect(201);
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

#[tokio::test]
async fn every_name_in_the_dashboard_for_grafana_is_a_metric() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let vehicle = json!({
        "aggregate_type": "Vehicle", "aggregate_id": "1", "event_type": "VehicleCreated",
        "occurred_at": "2023-11-01T00:00:00Z", "data": {"asset_id": "1", "model": "BR 185", "status": "in_service"},
    });
    server
        .post("/api/v1/events", &token, vehicle)
        .await
        .expect(201);
    server
        .get("/api/v1/analytics/catalogue", &token)
        .await
        .expect(200);
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
    let names = names_in_the_dashboard();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let is_there = text.lines().any(|line| {
            let rest = line.strip_prefix(&*name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        assert!(is_there, "{name} is no metric:\n{text}");
    }
}
