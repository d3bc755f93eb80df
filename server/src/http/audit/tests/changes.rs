//! What changed, by whom; what belongs to an aggregate; what looks odd.

use fleet::policy::Role;
use serde_json::{Value, json};

use crate::http::tests::harness::TestServer;

async fn filled() -> (TestServer, String, String) {
    let server = TestServer::start();
    let technician = server.token(Role::Technician).await;
    let dispatcher = server.token(Role::Dispatcher).await;
    let first = json!({"load": 5, "place": {"track": 1, "bay": "A"}});
    server.append(&technician, "7", "CraneMoved", first).await;
    server.clock.advance_seconds(60);
    let second = json!({"load": 8, "place": {"track": 2, "bay": "A"}});
    server.append(&dispatcher, "7", "CraneMoved", second).await;
    server.clock.advance_seconds(60);
    server
        .append(
            &dispatcher,
            "7",
            "CraneMoved",
            json!({"load": 8, "painted": true}),
        )
        .await;
    (server, technician, dispatcher)
}

fn id_of(server: &TestServer, name: &str) -> String {
    server
        .state
        .accounts
        .directory()
        .find(name)
        .unwrap()
        .id_text
        .to_string()
}

#[tokio::test]
async fn every_changed_field_is_told_with_both_values_and_nothing_else() {
    let (server, token, _) = filled().await;
    let history = server.read("/api/v1/changes/Crane/7/history", &token).await;
    let fields: Vec<Vec<(&str, &str)>> = history["changesets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| {
            let changes = set["field_changes"].as_array().unwrap().iter();
            changes
                .map(|change| {
                    (
                        change["field_name"].as_str().unwrap(),
                        change["change_type"].as_str().unwrap(),
                    )
                })
                .collect()
        })
        .collect();
    assert_eq!(
        fields,
        [
            vec![("load", "created"), ("place", "created")],
            vec![("load", "updated"), ("place", "updated")],
            vec![("painted", "created")],
        ],
        "what an event does not touch is not told as deleted"
    );
    assert_eq!(history["summary"]["total_field_changes"], 5);
    assert_eq!(history["summary"]["unique_users"], 2);
    let field = server
        .read("/api/v1/changes/Crane/7/field/load", &token)
        .await;
    assert_eq!(field["count"], 2);
    assert_eq!(
        (
            &field["changes"][1]["old_value"],
            &field["changes"][1]["new_value"]
        ),
        (&json!(5), &json!(8))
    );
    assert_eq!(field["changes"][1]["user_id"], id_of(&server, "dispatcher"));
    let recent = server
        .read("/api/v1/changes/Crane/7/recent?hours=1", &token)
        .await;
    assert_eq!(recent["summary"]["total_changesets"], 3);
    server
        .get("/api/v1/changes/Crane/7/recent?hours=721", &token)
        .await
        .expect_problem(422, "invalid");
    server
        .get("/api/v1/changes/Crane/8/history", &token)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn versions_and_accounts_are_compared_by_states() {
    let (server, token, _) = filled().await;
    let compared = server
        .read(
            "/api/v1/changes/Crane/7/compare-versions?version_1=1&version_2=3",
            &token,
        )
        .await;
    assert_eq!(compared["count"], 3);
    assert_eq!(compared["changes"][0]["field_name"], "load");
    assert_eq!(
        compared["changes"][0]["version"], 2,
        "the event that made it so"
    );
    server
        .get(
            "/api/v1/changes/Crane/7/compare-versions?version_1=1",
            &token,
        )
        .await
        .expect_problem(422, "invalid");
    let who = server
        .read("/api/v1/changes/Crane/7/who-changed-what", &token)
        .await;
    assert_eq!(
        who["user_changes"][id_of(&server, "technician")],
        json!(["load", "place"])
    );
    assert_eq!(
        who["user_changes"][id_of(&server, "dispatcher")],
        json!(["load", "painted", "place"])
    );
    let state = server.read("/api/v1/audit/state/7?version=1", &token).await;
    assert_eq!(state["state"]["load"], 5);
    let diff = server.read("/api/v1/audit/diff/7?v1=1&v2=2", &token).await;
    assert_eq!(diff["changed_fields"], json!(["load", "place"]));
    assert_eq!(diff["changes"][1]["field"], "place.track");
    let changes = server
        .read("/api/v1/audit/changes?field=painted", &token)
        .await;
    assert_eq!(changes["count"], 1);
}

#[tokio::test]
async fn a_report_counts_and_remarks() {
    let (server, token, _) = filled().await;
    let body = json!({
        "aggregate_type": "Crane", "aggregate_id": "7",
        "start_time": "2023-11-14T00:00:00Z", "end_time": "2023-11-15T00:00:00",
    });
    let report = server
        .act("/api/v1/audit/report", &token, body.clone())
        .await;
    assert_eq!(report["statistics"]["total_events"], 3);
    assert_eq!(report["statistics"]["unique_users"], 2);
    assert_eq!(report["statistics"]["time_span_hours"], 24.0);
    assert_eq!(report["entries"].as_array().unwrap().len(), 3);
    let mut reversed = body.clone();
    reversed["end_time"] = json!("2023-11-13T00:00:00Z");
    server
        .post("/api/v1/audit/report", &token, reversed)
        .await
        .expect_problem(422, "invalid");
    let mut bad = body;
    bad["start_time"] = json!("yesterday");
    server
        .post("/api/v1/audit/report", &token, bad)
        .await
        .expect_problem(422, "invalid");
}

/// What was told late lies outside a span by when things happened; the report once took it for lost.
#[tokio::test]
async fn a_report_does_not_miss_what_happened_outside_its_span() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    for (n, occurred_at) in [
        (1, "2023-11-13T08:00:00Z"),
        (2, "2023-11-07T08:00:00Z"),
        (3, "2023-11-14T08:00:00Z"),
    ] {
        let event = json!({"aggregate_type": "Crane", "aggregate_id": "7", "event_type": "CraneMoved",
            "occurred_at": occurred_at, "data": {"n": n}});
        server.create("/api/v1/events", &token, event).await;
    }
    let (start, end) = ("2023-11-13T00:00:00Z", "2023-11-14T23:59:59Z");
    let body = json!({"aggregate_type": "Crane", "aggregate_id": "7", "start_time": start, "end_time": end});
    let report = server.act("/api/v1/audit/report", &token, body).await;
    let versions: Vec<_> = report["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, [1, 3]);
    let old = format!("/api/v1/audit/Crane/7/anomalies?start_time={start}&end_time={end}");
    let old = server.read(&old, &token).await;
    for answer in [&report, &old] {
        let odd = answer["anomalies"].as_array().unwrap();
        assert!(
            odd.iter().all(|one| one["type"] != "missing_versions"),
            "{answer}"
        );
        assert_eq!(answer["damaged"], Value::Null);
    }
}

#[tokio::test]
async fn what_looks_odd_is_found_with_its_events() {
    let (server, token, _) = filled().await;
    for n in 0..12 {
        server
            .append(&token, "9", "CraneMoved", json!({"n": n}))
            .await;
    }
    let odd = server.read("/api/v1/audit/anomalies", &token).await;
    let kinds: Vec<&str> = odd["anomalies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["rapid_changes"], "{odd}");
    assert_eq!(odd["anomalies"][0]["count"], 12);
    assert_eq!(odd["anomalies"][0]["evidence"][0]["stream"], "Crane/9");
    let night = server
        .read(
            "/api/v1/audit/anomalies?type=out_of_hours&work_from=0&work_to=1",
            &token,
        )
        .await;
    assert_eq!(night["count"], 2, "one for each who wrote: {night}");
    let span = "start_time=2023-11-14T00:00:00Z&end_time=2023-11-16T00:00:00Z";
    let old = server
        .read(&format!("/api/v1/audit/Crane/9/anomalies?{span}"), &token)
        .await;
    assert_eq!(
        (
            old["count"].as_u64(),
            old["anomalies"][0]["event_2"]["version"].as_u64()
        ),
        (Some(1), Some(12))
    );
    server
        .get("/api/v1/audit/Crane/9/anomalies", &token)
        .await
        .expect_problem(422, "invalid");
    for bad in [
        "work_from=24",
        "utc_offset_minutes=900",
        "burst_events=1",
        "type=odd",
    ] {
        server
            .get(&format!("/api/v1/audit/anomalies?{bad}"), &token)
            .await
            .expect_problem(422, "invalid");
    }
}

#[tokio::test]
async fn older_spellings_answer() {
    let (server, token, dispatcher) = filled().await;
    let timeline = server
        .read("/api/v1/audit/Crane/7/timeline?limit=2", &token)
        .await;
    assert_eq!(
        (
            timeline["count"].as_u64(),
            timeline["timeline"][0]["version"].as_u64()
        ),
        (Some(2), Some(3))
    );
    let span = "start_time=2023-11-14T00:00:00Z&end_time=2023-11-16T00:00:00Z";
    let path = format!("/api/v1/audit/user/dispatcher/activity?{span}");
    let activity = server.read(&path, &dispatcher).await;
    assert_eq!(activity["count"], 2);
    server
        .get(&path, &token)
        .await
        .expect_problem(403, "forbidden");
}

/// A vehicle with a work order that has a move of stock, and a document.
#[tokio::test]
async fn a_trail_takes_what_belongs_to_a_vehicle() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let event = |kind: &str, id: &str, event_type: &str, data: Value| json!({"aggregate_type": kind, "aggregate_id": id, "event_type": event_type, "data": data});
    let order = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let mut position = json!(0);
    for body in [
        event(
            "Vehicle",
            "185 001",
            "VehicleCreated",
            json!({"asset_id": "185 001"}),
        ),
        event(
            "WorkOrder",
            order,
            "WorkOrderCreated",
            json!({"vehicle_id": "185 001"}),
        ),
        event(
            "StockMove",
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "StockMoveCreated",
            json!({"work_order_id": order, "part_no": "P1", "quantity": 1}),
        ),
        event(
            "Document",
            "16fd2706-8baf-433b-82eb-8c7fada847da",
            "DocumentCreated",
            json!({"vehicle_id": "185 001", "title": "Inspection"}),
        ),
        event(
            "Vehicle",
            "185 002",
            "VehicleCreated",
            json!({"asset_id": "185 002"}),
        ),
    ] {
        position = server
            .post("/api/v1/events", &token, body)
            .await
            .expect(201)["position"]
            .clone();
    }
    server
        .read(&format!("/api/v1/vehicles?min_position={position}"), &token)
        .await;
    let trail = server
        .read("/api/v1/audit/trail/Vehicle/185%20001?related=true", &token)
        .await;
    assert_eq!(
        trail["related"],
        json!({"Document": 1, "StockMove": 1, "WorkOrder": 1})
    );
    assert_eq!(trail["count"], 4, "{trail}");
    server
        .get("/api/v1/audit/trail?related=true", &token)
        .await
        .expect_problem(422, "invalid");
}

#[tokio::test]
async fn logins_and_refusals_are_kept() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let viewer = server.token(Role::Viewer).await;
    server
        .login("viewer", crate::http::tests::harness::PASSWORD)
        .await
        .expect(200);
    server.login("viewer", "wrong").await.expect(401);
    server.login("nobody", "wrong").await.expect(401);
    let crane = json!({"aggregate_type": "Crane", "aggregate_id": "1", "event_type": "CraneMoved", "data": {}});
    for _ in 0..5 {
        server
            .post("/api/v1/events", &viewer, crane.clone())
            .await
            .expect(403);
    }
    server
        .post("/api/v1/events", "", crane.clone())
        .await
        .expect(401);
    server.state.security.flush(true);
    // What was submitted is durable once something behind it is.
    let position = server
        .post("/api/v1/events", &admin, crane)
        .await
        .expect(201)["position"]
        .clone();
    let path = format!("/api/v1/audit/security?min_position={position}&kind=");
    let refused = server.read(&format!("{path}write_refused"), &admin).await;
    let counts: Vec<u64> = refused["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["count"].as_u64().unwrap())
        .collect();
    assert_eq!(
        (counts.len(), counts.iter().sum::<u64>()),
        (2, 6),
        "{refused}"
    );
    let by_viewer = refused["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["count"] == 5)
        .unwrap();
    assert_eq!(by_viewer["user_id"], id_of(&server, "viewer"));
    assert_eq!(by_viewer["details"]["path"], "/api/v1/events");
    assert_eq!(by_viewer["details"]["problem"], "forbidden");
    let logins = server.read(&format!("{path}login"), &admin).await;
    assert_eq!(logins["count"], 1);
    assert_eq!(logins["events"][0]["details"]["ip_address"], "127.0.0.1");
    let bad = server.read(&format!("{path}login_refused"), &admin).await;
    assert_eq!(bad["count"], 2, "one with an account, one without: {bad}");
    server
        .get("/api/v1/audit/security", &viewer)
        .await
        .expect_problem(403, "forbidden");
}
