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
