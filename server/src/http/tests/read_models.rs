//! Reading read models and past states.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;
use super::reading::{filled, numbers};

#[tokio::test]
async fn a_read_waits_for_the_position_it_asks_for() {
    let (server, token) = filled(4).await;
    let state = server.state.clone();
    let durable = state.log.durable_position().get();
    let later = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        let event = storage::NewEvent::new("CraneLifted", "{\"n\":4}");
        let stream = storage::StreamName::new("Crane", "0");
        state
            .log
            .append(storage::Transaction::single(
                stream,
                storage::ExpectedVersion::Any,
                event,
            ))
            .unwrap();
    });
    let next = durable + 1;
    let page = server
        .read(
            &format!("/api/v1/events?min_position={next}&limit=1&order=position_desc"),
            &token,
        )
        .await;
    assert_eq!(numbers(&page), [4]);
    later.await.unwrap();
    let answer = server
        .get(
            &format!(
                "/api/v1/events/Crane/0?min_position={}&wait_ms=10",
                next + 1
            ),
            &token,
        )
        .await;
    let problem = answer.expect_problem(503, "position-not-reached");
    assert_eq!(
        (&problem["min_position"], &problem["position"]),
        (&json!(next + 1), &json!(next))
    );
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_past_state_is_told_in_both_times() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let append = async |event_type: &str, occurred_at: &str, data: Value| {
        let body = json!({"aggregate_type": "Vehicle", "aggregate_id": "185 123", "event_type": event_type, "occurred_at": occurred_at, "data": data});
        server
            .post("/api/v1/events", &token, body)
            .await
            .expect(201)
    };
    append("VehicleCreated", "2019-01-01T00:00:00Z", json!({"asset_id": "185 123", "model": "BR 185", "type": "electric", "status": "available"})).await;
    server.clock.advance_seconds(600);
    append(
        "VehicleStatusChanged",
        "2019-03-01T00:00:00Z",
        json!({"old_status": "available", "new_status": "in_service"}),
    )
    .await;
    let known_then = server
        .get("/api/v1/events/185%20123", &token)
        .await
        .expect(200)["events"][1]["recorded_at"]
        .as_str()
        .unwrap()
        .to_owned();
    server.clock.advance_seconds(600);
    // Reported late: in February it stood in the workshop.
    append(
        "VehicleStatusChanged",
        "2019-02-01T00:00:00Z",
        json!({"old_status": "available", "new_status": "in_workshop"}),
    )
    .await;
    let status = async |query: &str| {
        let path = format!(
            "/api/v1/time-travel/state-at?aggregate_type=Vehicle&aggregate_id=185%20123&{query}"
        );
        server.get(&path, &token).await.expect(200)["state"]["status"].clone()
    };
    assert_eq!(status("").await, "in_service");
    assert_eq!(status("at=2019-01-15").await, "available");
    assert_eq!(status("timestamp=2019-02-15").await, "in_workshop");
    assert_eq!(
        status(&format!("at=2019-02-15&as_of={known_then}")).await,
        "available",
        "nobody knew yet"
    );
    assert_eq!(status("version=2").await, "in_service");
    assert_eq!(status("version=99").await, "in_service");
    let snapshot = server
        .read(
            "/api/v1/time-travel/Vehicle/185%20123/at-timestamp?timestamp=2019-02-15T00:00:00Z",
            &token,
        )
        .await;
    assert_eq!(
        (&snapshot["version"], &snapshot["event_count"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(snapshot["timestamp"], "2019-02-01T00:00:00.000000Z");
    server
        .read(
            "/api/v1/time-travel/Vehicle/185%20123/at-version?version=1",
            &token,
        )
        .await;
    server
        .get(
            "/api/v1/time-travel/Vehicle/185%20123/at-version?version=0",
            &token,
        )
        .await
        .expect_problem(404, "not-found");
    let missing = server.get("/api/v1/time-travel/state-at?aggregate_type=Vehicle&aggregate_id=185%20123&at=2018-01-01", &token).await;
    assert!(
        missing.expect_problem(404, "not-found")["detail"]
            .as_str()
            .unwrap()
            .contains("No state found for Vehicle:185 123 at 2018")
    );
}

#[tokio::test]
async fn read_models_answer_with_the_position_they_reflect() {
    let (server, token) = filled(10).await;
    let durable = server.state.log.durable_position().get();
    let at = format!("min_position={durable}");
    let busiest = server
        .read(
            &format!("/api/v1/projections/current_state/data?aggregate_type=Crane&busiest=5&{at}"),
            &token,
        )
        .await;
    assert_eq!(
        busiest["aggregates"],
        json!([{"aggregate_id": "0", "events": 5}, {"aggregate_id": "1", "events": 5}])
    );
    assert_eq!(busiest["position"], durable);
    let one = server
        .read(
            &format!(
                "/api/v1/projections/current_state/data?aggregate_type=Crane&aggregate_id=1&{at}"
            ),
            &token,
        )
        .await;
    assert_eq!(one["stream"]["state"]["n"], 9);
    let days = server
        .read(
            &format!("/api/v1/projections/event_counts/data?event_type=CraneLifted&{at}"),
            &token,
        )
        .await;
    assert_eq!(
        (&days["total"], &days["days"][0]["day"]),
        (&json!(6), &json!("2023-01-01"))
    );
    let types = server
        .read(
            &format!("/api/v1/projections/event_counts/data?{at}"),
            &token,
        )
        .await;
    assert!(
        types["types"]
            .as_array()
            .unwrap()
            .iter()
            .any(|count| count["event_type"] == "CraneOiled" && count["events"] == 4)
    );
    let state = server
        .read(
            &format!("/api/v1/projections/current_state/state?{at}"),
            &token,
        )
        .await;
    assert_eq!(
        (&state["status"], &state["last_processed_version"]),
        (&json!("up_to_date"), &json!(durable))
    );
    server
        .read(&format!("/api/v1/projections/vehicles/data?{at}"), &token)
        .await;
    let list = server.read("/api/v1/projections", &token).await;
    assert_eq!(list["total"], 2);
    assert_eq!(
        server
            .get("/api/v1/projections/stats", &token)
            .await
            .expect(200)["total_projections"],
        2
    );
    assert_eq!(
        server
            .get("/api/v1/projections/VehicleProjection", &token)
            .await
            .expect(200)["name"],
        "current_state"
    );
    server
        .get("/api/v1/projections/nothing", &token)
        .await
        .expect_problem(404, "not-found");
    let late = server
        .get(
            &format!(
                "/api/v1/projections/vehicles/data?min_position={}&wait_ms=5",
                durable + 9
            ),
            &token,
        )
        .await;
    late.expect_problem(503, "position-not-reached");
}

#[tokio::test]
async fn a_rebuild_is_begun_and_gives_the_same() {
    let (server, token) = filled(10).await;
    let manager = server.token(Role::FleetManager).await;
    let durable = server.state.log.durable_position().get();
    let path = format!(
        "/api/v1/projections/current_state/data?aggregate_type=Crane&min_position={durable}"
    );
    let before = server.read(&path, &token).await;
    server
        .post(
            "/api/v1/projections/current_state/rebuild",
            &token,
            Value::Null,
        )
        .await
        .expect_problem(403, "forbidden");
    let body = server
        .post(
            "/api/v1/projections/current_state/rebuild",
            &manager,
            Value::Null,
        )
        .await
        .expect(202);
    assert_eq!(body["status"], "rebuilding");
    server
        .post("/api/v1/projections/nothing/rebuild", &manager, Value::Null)
        .await
        .expect_problem(404, "not-found");
    server
        .post("/api/v1/projections/rebuild", &manager, Value::Null)
        .await
        .expect(202);
    assert_eq!(server.get(&path, &token).await.expect(200), before);
}
