//! An event rots while the server is down: of it only the position is known. Every answer that may lack it says so.

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{TestServer, request};
use super::procurement::{order_body, shop};
use crate::projection::CATALOG;

/// Flips a bit amid the data of the event that has `mark` in it.
fn rot(folder: &TempDir, mark: &str) {
    let path = folder.path().join("log/000000000001.log");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes
        .windows(mark.len())
        .position(|window| window == mark.as_bytes());
    bytes[at.unwrap() + mark.len() / 2] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

/// A server with three events of one crane and three of another, of which the crane 1's second one is lost; a token; and
/// the position of the lost event.
async fn damaged() -> (TestServer, String, u64) {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let mut lost = 0;
    for (crane, note) in [
        ("1", "a"),
        ("2", "b"),
        ("2", "c"),
        ("1", "rotting"),
        ("2", "d"),
        ("1", "e"),
    ] {
        let event = json!({"aggregate_type": "Crane", "aggregate_id": crane, "event_type": "CraneLifted",
            "occurred_at": "2023-11-01T00:00:00Z", "tags": ["heavy"], "data": {"note": note},
            "metadata": {"correlation_id": "shift-1"}});
        let receipt = server.create("/api/v1/events", &token, event).await;
        if note == "rotting" {
            lost = receipt["position"].as_u64().unwrap();
        }
    }
    let folder = server.stop();
    rot(&folder, "rotting");
    let server = TestServer::start_in(folder, |_| {});
    let token = server.token(Role::Technician).await;
    (server, token, lost)
}

fn notes(events: &Value) -> Vec<&str> {
    let events = events.as_array().unwrap().iter();
    events
        .filter_map(|event| event["data"]["note"].as_str())
        .collect()
}

#[tokio::test]
async fn lists_name_it_whatever_they_are_asked_for() {
    let (server, token, lost) = damaged().await;
    let user = server.get("/api/v1/auth/me", &token).await.expect(200)["id"].clone();
    let user = user.as_str().unwrap();
    for order in [
        "position_asc",
        "position_desc",
        "occurred_asc",
        "occurred_desc",
    ] {
        for filter in [
            "count=false",
            "aggregate_type=Crane",
            "aggregate_id=1",
            "aggregate_id=unknown",
            "aggregate_id=1&aggregate_type=Crane",
            "event_type=CraneLifted",
            "tag=heavy",
            "correlation_id=shift-1",
            &format!("user_id={user}"),
            "since=2023-10-31&until=2023-11-02",
            "since=2030-01-01",
            "recorded_since=2020-01-01&recorded_until=2030-01-01",
        ] {
            let path = format!("/api/v1/events?{filter}&order={order}");
            let page = server.read(&path, &token).await;
            assert_eq!(page["damaged"], json!([[lost, lost]]), "{path}: {page}");
        }
    }
    let page = server.read("/api/v1/events/type/CraneLifted", &token).await;
    assert_eq!(page["damaged"], json!([[lost, lost]]));
    assert_eq!(notes(&page["events"]).len(), 5);
    for path in [
        format!("/api/v1/events?to_position={}", lost - 1),
        format!("/api/v1/events?aggregate_id=1&from_position={}", lost + 1),
    ] {
        let page = server.read(&path, &token).await;
        assert!(page["damaged"].is_null(), "{path}: {page}");
    }
    let manager = server.token(Role::FleetManager).await;
    let replay = server
        .post(
            "/api/v1/events/replay?aggregate_type=Crane",
            &manager,
            json!({}),
        )
        .await;
    assert_eq!(replay.expect(200)["damaged"], json!([[lost, lost]]));
}

#[tokio::test]
async fn a_stream_has_a_mark_where_it_was() {
    let (server, token, lost) = damaged().await;
    let mark = json!({"damaged": true, "first_position": lost, "last_position": lost});
    for (order, at) in [("asc", 1), ("desc", 1)] {
        let path = format!("/api/v1/events/Crane/1?order={order}");
        let events = server.read(&path, &token).await;
        assert_eq!(
            (events.as_array().unwrap().len(), &events[at]),
            (3, &mark),
            "{events}"
        );
    }
    let whole = server.read("/api/v1/events/1", &token).await;
    assert_eq!((&whole["events"][1], &whole["total"]), (&mark, &json!(3)));
    // Its own versions are whole, so it cannot lack anything.
    let other = server.read("/api/v1/events/Crane/2", &token).await;
    assert_eq!(notes(&other), ["b", "c", "d"]);
    assert_eq!(other.as_array().unwrap().len(), 3);

    let state = "/api/v1/time-travel/state-at?aggregate_type=Crane&aggregate_id=";
    let past = server.read(&format!("{state}1"), &token).await;
    assert_eq!(
        (&past["damaged_events"], &past["event_count"]),
        (&json!(1), &json!(2))
    );
    let past = server.read(&format!("{state}2"), &token).await;
    assert_eq!(past["damaged_events"], 0);
}

#[tokio::test]
async fn audits_name_it() {
    let (server, token, lost) = damaged().await;
    let mark = json!([[lost, lost]]);
    let changes = "/api/v1/changes/Crane/1";
    let span = "start_time=2023-10-31T00:00:00Z&end_time=2023-11-02T00:00:00Z";
    for path in [
        format!("{changes}/history"),
        format!("{changes}/recent?hours=720"),
        format!("{changes}/field/note"),
        format!("{changes}/who-changed-what"),
        "/api/v1/audit/anomalies?aggregate_type=Crane&aggregate_id=1".to_owned(),
        "/api/v1/audit/Crane/1/timeline".to_owned(),
        format!("/api/v1/audit/Crane/1/anomalies?{span}"),
        format!("/api/v1/audit/user/technician/activity?{span}"),
    ] {
        let answer = server.read(&path, &token).await;
        assert_eq!(answer["damaged"], mark, "{path}: {answer}");
    }
    let history = server.get(&format!("{changes}/history"), &token).await;
    let history = history.expect(200);
    let versions = history["changesets"].as_array().unwrap().iter();
    let versions: Vec<_> = versions.map(|set| set["version"].as_u64()).collect();
    assert_eq!(versions, [Some(1), Some(3)]);

    let report = json!({"aggregate_type": "Crane", "aggregate_id": "1",
        "start_time": "2023-10-31T00:00:00Z", "end_time": "2023-11-02T00:00:00Z"});
    let report = server.act("/api/v1/audit/report", &token, report).await;
    assert_eq!(report["damaged"], mark, "{report}");
    let sentence =
        format!("The events at positions {lost} to {lost} are damaged and cannot be read");
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.contains(&json!(sentence)), "{report}");

    let admin = server.token(Role::SuperAdmin).await;
    let logins = server.get("/api/v1/audit/security", &admin).await;
    assert_eq!(logins.expect(200)["damaged"], mark);
}

#[tokio::test]
async fn comparisons_count_it() {
    let (server, token, _) = damaged().await;
    let versions = "/api/v1/changes/Crane/1/compare-versions?version_1=1&version_2=";
    // Also where the lost event is the last that counts.
    for (second, lacking) in [(1, 0), (2, 1), (3, 1)] {
        let path = format!("{versions}{second}");
        let compared = server.read(&path, &token).await;
        assert_eq!(compared["damaged_events"], lacking, "{path}: {compared}");
    }
    let of_it = "aggregate_type=Crane&aggregate_id=1";
    for path in [
        format!("/api/v1/time-travel/compare?{of_it}&version1=1&version2=3"),
        "/api/v1/audit/diff/1?aggregate_type=Crane&v1=1".to_owned(),
    ] {
        let compared = server.read(&path, &token).await;
        let lacking = ["time_point_1", "time_point_2"].map(|at| &compared[at]["damaged_events"]);
        assert_eq!(lacking, [&json!(0), &json!(1)], "{path}: {compared}");
    }
    let path = format!("/api/v1/time-travel/compare?{of_it}&version1=0&version2=3");
    let nothing = server.read(&path, &token).await;
    assert_eq!(
        (&nothing["snapshot_1"], &nothing["damaged_events"]),
        (&json!(false), &json!(1))
    );

    let path = "/api/v1/time-travel/fleet?aggregate_type=Crane";
    let fleet = server.read(path, &token).await;
    assert_eq!(
        (&fleet["total"], &fleet["damaged_events"]),
        (&json!(2), &json!(1))
    );
    let manager = server.token(Role::FleetManager).await;
    let back = json!({"aggregate_type": "Crane", "aggregate_id": "1", "version": 1});
    let proposed = server
        .act("/api/v1/time-travel/restore", &manager, back)
        .await;
    assert_eq!(proposed["damaged_events"], 1);
}

#[tokio::test]
async fn what_is_not_found_may_have_been_it() {
    let (server, token, lost) = damaged().await;
    for path in [
        "/api/v1/events/Crane/3",
        "/api/v1/events/3",
        "/api/v1/events/3/version",
        "/api/v1/time-travel/state-at?aggregate_type=Crane&aggregate_id=3",
    ] {
        let problem = server
            .get(path, &token)
            .await
            .expect_problem(404, "not-found");
        assert_eq!(problem["damaged"], json!([[lost, lost]]), "{path}");
    }
}

#[tokio::test]
async fn followers_are_told() {
    let (server, token, lost) = damaged().await;
    for filter in [
        "",
        "&aggregate_id=1",
        "&event_type=CraneLifted",
        "&tag=heavy",
    ] {
        let path = format!("/api/v1/events/stream?from_position=1{filter}");
        let page = server.read(&format!("{path}&limit=100"), &token).await;
        assert_eq!(page["damaged"], json!([[lost, lost]]), "{filter}: {page}");

        let open = request(Method::GET, &path, &token, &[], Body::empty());
        let mut body = server.send(open).await.into_body();
        let mut text = String::new();
        while !text.contains(r#""note":"e""#) {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            text.push_str(std::str::from_utf8(&frame).unwrap());
        }
        let message = format!(
            "id: {lost}\nevent: damaged\ndata: {{\"first_position\":{lost},\"last_position\":{lost}}}\n\n"
        );
        assert!(text.contains(&message), "{filter}: {text}");
    }
    // A poll that meets nothing but the damage says so at once.
    let path = format!("/api/v1/events/stream?from_position={lost}&aggregate_id=3&wait=25");
    let page = server.read(&path, &token).await;
    assert_eq!(
        (&page["events"], &page["damaged"]),
        (&json!([]), &json!([[lost, lost]]))
    );
}

/// The whole stream was read for each event of an order, whether it approved anything or not, and what was lost refused it.
#[tokio::test]
async fn an_order_of_which_an_event_is_lost_takes_events_that_approve_nothing() {
    let (server, token, _) = shop().await;
    let path = "/api/v1/purchase_orders";
    let order = server.create(path, &token, order_body("PO-1")).await;
    let told = |what: &str, data: Value| json!({"aggregate_type": "PurchaseOrder", "aggregate_id": order["id"], "event_type": what, "data": data});
    let noted = |notes: &str| told("PurchaseOrderUpdated", json!({ "notes": notes }));
    let events = "/api/v1/events";
    for notes in ["rotting", "urgent"] {
        server.create(events, &token, noted(notes)).await;
    }
    let folder = server.stop();
    rot(&folder, "rotting");
    let server = TestServer::start_in(folder, |_| {});
    let token = server.token(Role::Dispatcher).await;
    let manager = server.token(Role::FleetManager).await;
    let (log, projections) = (&server.state.log, &server.state.projections);
    let patience = std::time::Duration::from_secs(10);
    let reached = projections.reach(CATALOG, log.durable_position(), patience);
    assert!(reached.await);
    server.create(events, &token, noted("today")).await;
    // Who approves has to know who wrote it.
    let approved = told("PurchaseOrderApproved", json!({}));
    let refused = server.post(events, &manager, approved).await;
    assert!(refused.status.is_server_error(), "{}", refused.json());
}
