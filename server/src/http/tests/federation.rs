//! A depot that takes part in a federation: what it decides, and what it says of itself.

use fleet::Origin;
use fleet::policy::Role;
use serde_json::{Value, json};
use storage::{ExpectedVersion, NewEvent, StreamName, Transaction};

use super::harness::TestServer;

/// A depot whose broker is not there: port 9 is nobody's.
fn taking_part() -> TestServer {
    TestServer::start_with(|config| {
        config.federation.servers = vec!["nats://127.0.0.1:9".to_owned()];
        config.federation.name = "Süd".to_owned();
    })
}

/// Has the log hold an event as it comes from another depot, and waits until it is seen.
async fn hear(server: &TestServer, aggregate: (&str, &str), event_type: &str, data: &Value) {
    let origin = Origin {
        log: 0x1f,
        position: 7,
        recorded_at: 1_700_000_000_000_000,
    };
    let event = NewEvent::new(event_type, data.to_string()).with_tag(origin.tag());
    let stream = StreamName::new(aggregate.0, aggregate.1);
    let transaction = Transaction::single(stream, ExpectedVersion::NoStream, event);
    let position = server
        .state
        .log
        .append(transaction)
        .unwrap()
        .last_position();
    let projections = &server.state.projections;
    let patience = std::time::Duration::from_secs(60);
    assert!(projections.reach("current_state", position, patience).await);
}

#[tokio::test]
async fn stock_of_another_depot_is_read_here_and_decided_there() {
    let server = taking_part();
    let token = server.token(Role::Dispatcher).await;
    let part =
        json!({ "part_no": "BRK/1", "name": "Brake pad", "min_stock": 2, "current_stock": 5 });
    hear(&server, ("Part", "BRK/1"), "PartCreated", &part).await;
    assert_eq!(server.stock(&token).await, 5);
    let location =
        json!({ "location_code": "NORTH", "name": "North", "location_type": "WORKSHOP" });
    server
        .post("/api/v1/stock/locations", &token, location)
        .await
        .expect(201);
    let incoming = |part: &str| json!({ "part_no": part, "move_type": "INCOMING", "quantity": 3, "to_location_id": "NORTH" });
    let refused = server
        .post("/api/v1/stock/moves", &token, incoming("BRK/1"))
        .await;
    let problem = refused.expect_problem(409, "decided-elsewhere");
    assert_eq!(problem["depot"], "00000000-0000-0000-0000-00000000001f");
    let raw = json!({ "aggregate_type": "Part", "aggregate_id": "BRK/1", "event_type": "StockLevelChanged", "schema": 2, "data": { "delta": 3 } });
    let refused = server.post("/api/v1/events", &token, raw).await;
    refused.expect_problem(409, "decided-elsewhere");
    assert_eq!(server.stock(&token).await, 5);

    let own =
        json!({ "part_no": "BRK/2", "name": "Brake disc", "min_stock": 2, "unit_price": "12.50" });
    server.post("/api/v1/parts", &token, own).await.expect(201);
    server
        .post("/api/v1/stock/moves", &token, incoming("BRK/2"))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_vehicle_of_another_depot_is_written_here_too() {
    let server = taking_part();
    let token = server.token(Role::FleetManager).await;
    let vehicle =
        json!({ "asset_id": "218 001", "model": "218", "type": "diesel", "status": "available" });
    hear(&server, ("Vehicle", "218 001"), "VehicleCreated", &vehicle).await;
    let path = "/api/v1/vehicles/218%20001";
    server.get(path, &token).await.expect(200);
    let change = json!({ "notes": "seen here" });
    server.patch(path, &token, change).await.expect(200);
}

#[tokio::test]
async fn how_it_stands_is_told() {
    let server = taking_part();
    let token = server.token(Role::SuperAdmin).await;
    let standing = server.get("/api/v1/federation", &token).await.expect(200);
    assert_eq!(
        (&standing["enabled"], &standing["name"]),
        (&json!(true), &json!("Süd"))
    );
    assert_eq!(
        (&standing["publishes"], &standing["depots"]),
        (&json!(false), &json!([]))
    );
    let asked = server
        .post("/api/v1/federation/resync", &token, json!({}))
        .await;
    asked.expect_problem(503, "unavailable");
    let figures = server.get("/metrics", "").await;
    let figures = String::from_utf8(figures.body).unwrap();
    assert!(
        figures.contains("railfleet_federation_publishes 0\n"),
        "{figures}"
    );

    let alone = TestServer::start();
    let token = alone.token(Role::SuperAdmin).await;
    let standing = alone.get("/api/v1/federation", &token).await.expect(200);
    assert_eq!(
        (&standing["enabled"], &standing["name"]),
        (&json!(false), &json!(null))
    );
    let asked = alone
        .post("/api/v1/federation/resync", &token, json!({}))
        .await;
    asked.expect_problem(409, "conflict");
}
