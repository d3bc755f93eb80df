//! A depot that takes part in a federation: what it decides, and what it says of itself.

use fleet::Origin;
use fleet::policy::Role;
use serde_json::{Value, json};
use storage::{ExpectedVersion, NewEvent, StreamName, Transaction};
use uuid::Uuid;

use super::harness::TestServer;

/// A depot whose broker is not there: port 9 is nobody's.
fn taking_part() -> TestServer {
    TestServer::start_with(|config| {
        config.federation.servers = vec!["nats://127.0.0.1:9".to_owned()];
        config.federation.name = "Süd".to_owned();
    })
}

/// Has the log hold an event as it comes from another depot, and waits until it is seen. Returns its id.
async fn hear(
    server: &TestServer,
    aggregate: (&str, &str),
    event_type: &str,
    data: &Value,
) -> Uuid {
    hear_from(server, 0x1f, aggregate, event_type, data).await
}

/// The same, from the log `log`.
async fn hear_from(
    server: &TestServer,
    log: u128,
    aggregate: (&str, &str),
    event_type: &str,
    data: &Value,
) -> Uuid {
    let origin = Origin {
        log,
        position: 7,
        recorded_at: 1_700_000_000_000_000,
    };
    let mut event = NewEvent::new(event_type, data.to_string()).with_tag(origin.tag());
    let id = Uuid::new_v4();
    event.id = Some(id);
    let stream = StreamName::new(aggregate.0, aggregate.1);
    let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
    let position = server
        .state
        .log
        .append(transaction)
        .unwrap()
        .last_position();
    let projections = &server.state.projections;
    let patience = std::time::Duration::from_secs(60);
    assert!(projections.reach("current_state", position, patience).await);
    id
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
        .create("/api/v1/stock/locations", &token, location)
        .await;
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
    // Nor is it set back here.
    hear(
        &server,
        ("Part", "BRK/1"),
        "PartUpdated",
        &json!({ "name": "Pad" }),
    )
    .await;
    let manager = server.token(Role::FleetManager).await;
    let restore = json!({ "aggregate_type": "Part", "aggregate_id": "BRK/1", "version": 1, "fields": ["name"], "apply": true, "expected_version": 2 });
    server
        .post("/api/v1/time-travel/restore", &manager, restore)
        .await
        .expect_problem(409, "decided-elsewhere");

    let own =
        json!({ "part_no": "BRK/2", "name": "Brake disc", "min_stock": 2, "unit_price": "12.50" });
    server.create("/api/v1/parts", &token, own).await;
    server
        .create("/api/v1/stock/moves", &token, incoming("BRK/2"))
        .await;
}

#[tokio::test]
async fn a_part_that_two_depots_created_is_one_and_is_decided_where_it_was_created_first() {
    let server = taking_part();
    let token = server.token(Role::Dispatcher).await;
    let own =
        json!({ "part_no": "BRK/1", "name": "Brake pad", "min_stock": 2, "current_stock": 5 });
    server.create("/api/v1/parts", &token, own).await;
    let location =
        json!({ "location_code": "NORTH", "name": "North", "location_type": "WORKSHOP" });
    server
        .create("/api/v1/stock/locations", &token, location)
        .await;
    let incoming = || json!({ "part_no": "BRK/1", "move_type": "INCOMING", "quantity": 3, "to_location_id": "NORTH" });
    // Nobody else was heard of: it is this depot's.
    server
        .create("/api/v1/stock/moves", &token, incoming())
        .await;
    assert_eq!(server.stock(&token).await, 8);
    // The other depot had created it long before, and used two.
    let part = json!({ "part_no": "BRK/1", "name": "Pad", "min_stock": 1, "current_stock": 7 });
    hear(&server, ("Part", "BRK/1"), "PartCreated", &part).await;
    hear(
        &server,
        ("Part", "BRK/1"),
        "StockLevelChanged",
        &json!({ "old_current_stock": 7, "new_current_stock": 5 }),
    )
    .await;
    let refused = server.post("/api/v1/stock/moves", &token, incoming()).await;
    let problem = refused.expect_problem(409, "decided-elsewhere");
    assert_eq!(problem["depot"], OTHER);
    let shown = server.read("/api/v1/parts/BRK%2F1", &token).await;
    // The opening stock that was told last, here by who heard of it last, and what came and went at both.
    assert_eq!(shown["current_stock"], 7 + 3 - 2, "{shown}");
}

const OTHER: &str = "00000000-0000-0000-0000-00000000001f";

fn vehicle() -> Value {
    json!({ "asset_id": "218 001", "model": "218", "type": "diesel", "status": "available" })
}

#[tokio::test]
async fn a_vehicle_of_another_depot_is_told_of_here_and_decided_about_there() {
    let server = taking_part();
    let token = server.token(Role::FleetManager).await;
    hear(
        &server,
        ("Vehicle", "218 001"),
        "VehicleCreated",
        &vehicle(),
    )
    .await;
    let path = "/api/v1/vehicles/218%20001";
    let shown = server.read(path, &token).await;
    let home = &shown["home"];
    assert_eq!(
        (&home["state"], &home["log_id"]),
        (&json!("elsewhere"), &json!(OTHER))
    );
    let change = json!({ "notes": "seen here" });
    server.patch(path, &token, change).await.expect(200);
    let told = server
        .read(
            "/api/v1/events?aggregate_id=218%20001&order=position_asc",
            &token,
        )
        .await;
    let origin =
        json!({ "log_id": OTHER, "position": 7, "recorded_at": "2023-11-14T22:13:20.000000Z" });
    assert_eq!(told["events"][0]["origin"], origin);
    assert_eq!(
        told["events"][1].get("origin"),
        None,
        "this log had it first"
    );

    let raw = |event_type: &str| json!({ "aggregate_type": "Vehicle", "aggregate_id": "218 001", "event_type": event_type, "data": { "hand_over_id": OTHER, "from_log": OTHER } });
    for event_type in ["VehicleDeleted", "VehicleTakenOver", "VehicleCreated"] {
        let refused = server.post("/api/v1/events", &token, raw(event_type)).await;
        let problem = refused.expect_problem(409, "decided-elsewhere");
        assert_eq!(problem["depot"], OTHER, "{event_type}");
    }
    server
        .delete(path, &token)
        .await
        .expect_problem(409, "decided-elsewhere");
    let asked = server
        .post(&format!("{path}/hand-over"), &token, json!({ "to": OTHER }))
        .await;
    asked.expect_problem(409, "decided-elsewhere");
    let asked = server
        .post(&format!("{path}/take-over"), &token, json!({}))
        .await;
    asked.expect_problem(409, "conflict");
    server.read(path, &token).await;
}

#[tokio::test]
async fn a_vehicle_is_handed_over_and_taken_back() {
    let server = taking_part();
    let token = server.token(Role::FleetManager).await;
    server.create("/api/v1/vehicles", &token, vehicle()).await;
    let path = "/api/v1/vehicles/218%20001";
    let hand_over = format!("{path}/hand-over");
    let asked = server
        .post(&hand_over, &token, json!({ "to": "Nord" }))
        .await;
    asked.expect_problem(422, "invalid");
    let given = server
        .act(
            &hand_over,
            &token,
            json!({ "to": OTHER, "reason": "moves" }),
        )
        .await;
    let home = &given["home"];
    assert_eq!(
        (&home["state"], &home["depot"]),
        (&json!("on_its_way"), &json!("Süd"))
    );
    assert_eq!(home["handed_over_to"]["log_id"], OTHER);
    let problem = server.delete(path, &token).await;
    assert_eq!(
        problem.expect_problem(409, "decided-elsewhere")["depot"],
        OTHER
    );
    let asked = server
        .post(&hand_over, &token, json!({ "to": OTHER }))
        .await;
    asked.expect_problem(409, "decided-elsewhere");
    let back = server
        .act(&format!("{path}/take-over"), &token, json!({}))
        .await;
    assert_eq!(
        (&back["home"]["state"], &back["home"]["passed_over"]),
        (&json!("here"), &json!([]))
    );
    server.delete(path, &token).await.expect(204);
}

#[tokio::test]
async fn a_vehicle_that_was_handed_to_this_depot_is_taken_over() {
    let server = taking_part();
    let token = server.token(Role::SuperAdmin).await;
    let stream = ("Vehicle", "218 001");
    let claim = hear(&server, stream, "VehicleCreated", &vehicle()).await;
    let own = server.state.log.log_id();
    let data = json!({ "claim_id": claim, "from_log": OTHER, "to_log": own });
    hear(&server, stream, "VehicleHandedOver", &data).await;
    let standing = server.read("/api/v1/federation", &token).await;
    assert_eq!(standing["awaited_vehicles"], json!(["218 001"]));
    let path = "/api/v1/vehicles/218%20001";
    let early = server.delete(path, &token).await;
    assert_eq!(
        early.expect_problem(409, "decided-elsewhere")["depot"],
        "Süd"
    );
    let taken = server
        .act(&format!("{path}/take-over"), &token, json!({}))
        .await;
    assert_eq!(taken["home"]["state"], "here");
    let standing = server.read("/api/v1/federation", &token).await;
    assert_eq!(
        (&standing["awaited_total"], &standing["contested_total"]),
        (&json!(0), &json!(0))
    );
    server.delete(path, &token).await.expect(204);
}

#[tokio::test]
async fn a_vehicle_that_two_depots_claim_is_told() {
    let server = taking_part();
    let token = server.token(Role::SuperAdmin).await;
    server.create("/api/v1/vehicles", &token, vehicle()).await;
    // The other one recorded it long before.
    hear(
        &server,
        ("Vehicle", "218 001"),
        "VehicleCreated",
        &vehicle(),
    )
    .await;
    let path = "/api/v1/vehicles/218%20001";
    let shown = server.read(path, &token).await;
    assert_eq!(shown["home"]["state"], "elsewhere");
    assert_eq!(shown["home"]["passed_over"][0]["depot"], "Süd");
    server
        .delete(path, &token)
        .await
        .expect_problem(409, "decided-elsewhere");
    let standing = server.read("/api/v1/federation", &token).await;
    assert_eq!(
        (
            &standing["contested_total"],
            &standing["contested_vehicles"]
        ),
        (&json!(1), &json!(["218 001"]))
    );
}

#[tokio::test]
async fn what_belongs_to_a_depot_that_is_gone_is_taken_over() {
    let server = taking_part();
    let token = server.token(Role::SuperAdmin).await;
    let stream = ("Vehicle", "218 001");
    let claim = hear(&server, stream, "VehicleCreated", &vehicle()).await;
    let path = "/api/v1/vehicles/218%20001";
    let take_over = format!("{path}/take-over");
    let say = |what: &str| format!("/api/v1/federation/depots/{OTHER}/{what}");
    let reason = || json!({ "reason": "it burnt down" });
    // Of a log that nobody has heard of nothing is said, and nothing is taken over unless something was said.
    let early = server.post(&say("gone"), &token, reason()).await;
    early.expect_problem(409, "conflict");
    let refused = server.post(&take_over, &token, json!({})).await;
    refused.expect_problem(409, "conflict");

    let data = json!({ "reason": "it burnt down" });
    hear_decision(&server, "DepotDeclaredGone", &data).await;
    let refused = server.delete(path, &token).await;
    let problem = refused.expect_problem(409, "decided-elsewhere");
    assert!(
        problem["detail"].as_str().unwrap().contains("take-over"),
        "{problem}"
    );
    hear_decision(&server, "DepotCameBack", &data).await;
    let refused = server.post(&take_over, &token, json!({})).await;
    refused.expect_problem(409, "conflict");
    hear_decision(&server, "DepotDeclaredGone", &data).await;
    let taken = server.act(&take_over, &token, json!({})).await;
    let home = &taken["home"];
    assert_eq!(
        (&home["state"], &home["was_of_gone"]["log_id"]),
        (&json!("here"), &json!(OTHER))
    );
    let standing = server.read("/api/v1/federation", &token).await;
    assert_eq!(standing["contested_total"], 0, "it is not back");

    // It had handed it on to a third one, which took it over before: that counts, and this depot's claim is told.
    let own = server.state.log.log_id();
    let third = Uuid::from_u128(3);
    let data = json!({ "claim_id": claim, "from_log": OTHER, "to_log": third });
    let given = hear(&server, stream, "VehicleHandedOver", &data).await;
    let data = json!({ "hand_over_id": given, "from_log": OTHER });
    hear_from(&server, third.as_u128(), stream, "VehicleTakenOver", &data).await;
    let shown = server.read(path, &token).await;
    let home = &shown["home"];
    assert_eq!(
        (&home["log_id"], &home["passed_over"][0]["log_id"]),
        (&json!(third), &json!(own))
    );
    let standing = server.read("/api/v1/federation", &token).await;
    assert_eq!(standing["contested_vehicles"], json!(["218 001"]));
}

/// Has the log hold what an administrator decided about the other depot.
async fn hear_decision(server: &TestServer, event_type: &str, data: &Value) {
    let event = NewEvent::new(event_type, data.to_string());
    let stream = StreamName::new("FederatedDepot", OTHER);
    let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
    server.state.log.append(transaction).unwrap();
}

#[tokio::test]
async fn how_it_stands_is_told() {
    let server = taking_part();
    let token = server.token(Role::SuperAdmin).await;
    let standing = server.read("/api/v1/federation", &token).await;
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

#[tokio::test]
async fn who_is_erased_at_another_depot_is_erased_here() {
    let server = taking_part();
    let token = server.token(Role::SuperAdmin).await;
    let staff = ("Staff", "0f8fad5b-d9cb-469f-a165-70867728950e");
    let person = json!({ "staff_no": "7", "first_name": "Ida", "last_name": "Lovelace", "role": "TECHNICIAN" });
    hear(&server, staff, "StaffCreated", &person).await;
    let path = format!("/api/v1/events/{}/{}", staff.0, staff.1);
    let told = async || String::from_utf8(server.get(&path, &token).await.body).unwrap();
    assert!(told().await.contains("Lovelace"));

    let subject = format!("Staff:{}", staff.1);
    let erased = json!({ "subject": subject, "erased_at": "2026-01-01T00:00:00Z" });
    hear(&server, ("Erasure", &subject), "SubjectErased", &erased).await;
    let state = server.state.clone();
    let erase = move || crate::privacy::erase::erase_told(&state, storage::Position::FIRST);
    let up_to = tokio::task::spawn_blocking(erase).await.unwrap().unwrap();
    assert_eq!(up_to, server.state.log.durable_position());
    assert!(!told().await.contains("Lovelace"), "{}", told().await);
    // What the stream still has of them, and comes later, is not readable either.
    hear(
        &server,
        staff,
        "StaffUpdated",
        &json!({ "last_name": "Lovelace" }),
    )
    .await;
    assert!(!told().await.contains("Lovelace"), "{}", told().await);

    // Nobody loses their account because another depot says so.
    let me = server.read("/api/v1/auth/me", &token).await;
    let account = me["id"].as_str().unwrap();
    let subject = format!("User:{account}");
    hear(&server, ("Erasure", &subject), "SubjectErased", &erased).await;
    let state = server.state.clone();
    let erase = move || crate::privacy::erase::erase_told(&state, storage::Position::FIRST);
    tokio::task::spawn_blocking(erase).await.unwrap().unwrap();
    server.read("/api/v1/federation", &token).await;
    let status = server
        .state
        .privacy
        .store()
        .status(&crate::privacy::Subject::user(account));
    assert!(!matches!(
        status,
        Some(crate::privacy::SubjectStatus::Erased(_))
    ));
}
