//! Events of known aggregates that are appended raw: they hold business keys, and they do not take what is not there.
//! And commands that are sent at once, or twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fleet::policy::Role;
use serde_json::{Value, json};
use storage::{Query, QueryItem, ReadRequest};
use uuid::Uuid;

use super::harness::TestServer;
use super::stock::store;
use crate::command::key_tag;
use crate::projection::CATALOG;

const EVENTS: &str = "/api/v1/events";
const ORDERS: &str = "/api/v1/maintenance/orders";

fn event(aggregate_type: &str, id: &str, event_type: &str, data: Value) -> Value {
    json!({ "aggregate_type": aggregate_type, "aggregate_id": id, "event_type": event_type, "data": data })
}

/// Waits until the read model shows what raw events did: their answers do not wait for it.
async fn shown(server: &TestServer) {
    let durable = server.state.log.durable_position();
    let projections = &server.state.projections;
    let patience = Duration::from_secs(10);
    assert!(projections.reach(CATALOG, durable, patience).await);
}

/// How many events have this tag.
fn tagged(server: &TestServer, tag: Box<str>) -> usize {
    let request = ReadRequest {
        query: Query {
            items: vec![QueryItem {
                tags: vec![tag],
                ..QueryItem::default()
            }],
        },
        to: server.state.log.durable_position(),
        ..ReadRequest::default()
    };
    let mut reader = server.state.log.read(&request).unwrap();
    let mut count = 0;
    while let Some(found) = reader.next() {
        found.unwrap();
        count += 1;
    }
    count
}

#[tokio::test]
async fn raw_events_hold_the_keys_that_they_set() {
    let server = TestServer::start();
    let token = server.token(Role::Dispatcher).await;
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let data = json!({ "supplier_code": "SUP 1", "name": "Spares" });
    let first = event("Supplier", id, "SupplierCreatedEvent", data);
    server.post(EVENTS, &token, first).await.expect(201);
    let batch = json!({ "events": [event("Workshop", id, "WorkshopCreated", json!({ "code": "WS", "name": "x" }))] });
    server
        .post("/api/v1/events/batch", &token, batch)
        .await
        .expect(201);
    let renamed = event(
        "Supplier",
        id,
        "SupplierUpdated",
        json!({ "name": "Spare parts" }),
    );
    server.post(EVENTS, &token, renamed).await.expect(201);
    assert_eq!(
        tagged(&server, key_tag("Supplier", "supplier_code", "SUP 1")),
        1
    );
    assert_eq!(tagged(&server, key_tag("Workshop", "code", "WS")), 1);
    // A client cannot pass a tag of its own for one of these.
    let mut pretender = event("Crane", "1", "CraneMoved", json!({}));
    pretender["tags"] = json!(["key:Supplier:supplier_code:SUP 1"]);
    let answer = server.post(EVENTS, &token, pretender).await.expect(201);
    assert_eq!(answer["tags"][0], "key:Supplier:supplier_code:SUP 1");
    assert_eq!(
        tagged(&server, key_tag("Supplier", "supplier_code", "SUP 1")),
        1
    );

    shown(&server).await;
    let found = server
        .get("/api/v1/suppliers/SUP%201", &token)
        .await
        .expect(200);
    assert_eq!(
        (&found["id"], &found["name"]),
        (&json!(id), &json!("Spare parts"))
    );
    let taken = json!({ "supplier_code": "SUP 1", "name": "x" });
    server
        .post("/api/v1/suppliers", &token, taken)
        .await
        .expect(400);
}

#[tokio::test]
async fn metadata_of_the_servers_own_is_refused_by_name() {
    let server = TestServer::start();
    let token = server.token(Role::SuperAdmin).await;
    for (member, value) in [
        ("crdt", json!({ "v": 1 })),
        ("source", json!({ "system": "postgres" })),
    ] {
        let mut told = event("Crane", "1", "CraneMoved", json!({}));
        told["metadata"] = json!({ member: value });
        let one = server.post(EVENTS, &token, told.clone()).await;
        let batch = json!({ "events": [event("Crane", "1", "CraneMoved", json!({})), told] });
        let several = server.post("/api/v1/events/batch", &token, batch).await;
        for (answer, loc) in [
            (one, json!(["body", "metadata", member])),
            (several, json!(["body", "events", 1, "metadata", member])),
        ] {
            let problem = answer.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["type"], "internal_member");
            assert_eq!(problem["errors"][0]["loc"], loc);
        }
    }
    let mut fine = event("Crane", "1", "CraneMoved", json!({}));
    fine["metadata"] = json!({ "source": "a file" });
    server.post(EVENTS, &token, fine).await.expect(201);
}

#[tokio::test]
async fn raw_events_do_not_take_stock_below_zero() {
    let (server, token) = store().await;
    server.incoming(&token, 10).await;
    let north = server
        .get("/api/v1/stock/locations/NORTH", &token)
        .await
        .expect(200)["id"]
        .clone();
    let level = |delta: i64, at: Option<&Value>| {
        let mut told = event(
            "Part",
            "BRK/1",
            "StockLevelChanged",
            json!({ "delta": delta, "location_id": at }),
        );
        told["schema"] = json!(2);
        told
    };
    let refused = server
        .post(EVENTS, &token, level(-11, None))
        .await
        .expect_problem(409, "conflict");
    let why = "There are 10 pc of part 'BRK/1' in all, and these events take more; POST /stock/moves moves what is there";
    assert_eq!(refused["detail"], why);
    server
        .post(EVENTS, &token, level(-4, Some(&north)))
        .await
        .expect(201);
    server
        .post(EVENTS, &token, level(-7, Some(&north)))
        .await
        .expect(409);
    // The old form is the same: the level before, and the one after.
    let old = json!({ "old_current_stock": 6, "new_current_stock": -1 });
    let old = event("Part", "BRK/1", "StockLevelChangedEvent", old);
    server.post(EVENTS, &token, old).await.expect(409);
    // Together they come to what is there; one by one the second would not have.
    let both = json!({ "events": [level(-6, Some(&north)), level(2, Some(&north))] });
    server
        .post("/api/v1/events/batch", &token, both.clone())
        .await
        .expect(201);
    server
        .post("/api/v1/events/batch", &token, both)
        .await
        .expect(409);
    shown(&server).await;
    assert_eq!(server.stock(&token).await, 2);
    let owed = event(
        "Part",
        "NEW",
        "PartCreated",
        json!({ "name": "x", "current_stock": -1 }),
    );
    server.post(EVENTS, &token, owed).await.expect(409);

    // What the client expects of the stream is still what it is held to.
    let mut behind = level(-1, Some(&north));
    behind["expected_version"] = json!(1);
    server
        .post(EVENTS, &token, behind)
        .await
        .expect_problem(409, "wrong-version");
    // It is told of the stream that is not so, where nobody else was quicker.
    let mut elsewhere = event("Crane", "1", "CraneMoved", json!({}));
    elsewhere["expected_version"] = json!(9);
    let both = json!({ "events": [level(1, Some(&north)), elsewhere] });
    let batch = "/api/v1/events/batch";
    let refused = server.post(batch, &token, both).await;
    let refused = refused.expect_problem(409, "wrong-version");
    assert_eq!(refused["aggregate_type"], "Crane");
    // Twice is once, also when the second would be too much.
    let key = [("idempotency-key", "level-1")];
    let last = level(-2, Some(&north));
    let first = server.post_with(EVENTS, &token, &key, last.clone()).await;
    let again = server.post_with(EVENTS, &token, &key, last).await;
    assert_eq!(first.expect(201)["position"], again.expect(200)["position"]);
    shown(&server).await;
    assert_eq!(server.stock(&token).await, 0);
}

/// An event of no table once set any level, and one beside a difference counted twice, for ever.
#[tokio::test]
async fn a_level_that_comes_along_with_a_raw_event_is_none() {
    let (server, token) = store().await;
    server.incoming(&token, 10).await;
    let technician = server.token(Role::Technician).await;
    for (event_type, schema, data) in [
        ("PartRecounted", 1, json!({ "current_stock": -50 })),
        (
            "PartRecounted",
            1,
            json!({ "old_current_stock": 10, "new_current_stock": -50 }),
        ),
        ("PartUpdated", 1, json!({ "current_stock": -50 })),
        (
            "StockLevelChanged",
            2,
            json!({ "delta": -2, "current_stock": 8 }),
        ),
    ] {
        let mut told = event("Part", "BRK/1", event_type, data);
        told["schema"] = json!(schema);
        server.post(EVENTS, &technician, told).await.expect(201);
    }
    shown(&server).await;
    assert_eq!(server.stock(&token).await, 8);
}

#[tokio::test]
async fn a_number_of_no_series_does_not_end_the_numbers() {
    let server = TestServer::start();
    let token = server.token(Role::Dispatcher).await;
    let vehicle = json!({ "asset_id": "1", "model": "x", "type": "diesel" });
    server
        .post("/api/v1/vehicles", &token, vehicle)
        .await
        .expect(201);
    let create = async |server: &TestServer, token: &str| {
        let body = json!({ "vehicle_id": "1" });
        let created = server.post(ORDERS, token, body).await.expect(201);
        created["order_number"].as_str().unwrap().to_owned()
    };
    let tell = async |server: &TestServer, token: &str, number: &str| {
        let data = json!({ "order_number": number });
        let told = event("WorkOrder", number, "WorkOrderCreated", data);
        server.post(EVENTS, token, told).await.expect(201);
        shown(server).await;
    };
    // The test clock stands in 2023.
    assert_eq!(create(&server, &token).await, "WO-2023-0001");
    for number in ["WO-2023-18446744073709551615", "WO-2023-1000000000"] {
        tell(&server, &token, number).await;
    }
    assert_eq!(create(&server, &token).await, "WO-2023-0002");
    // The last that counts: what follows is not known as such after a start, and is not given again all the same.
    tell(&server, &token, "WO-2023-999999999").await;
    assert_eq!(create(&server, &token).await, "WO-2023-1000000001");
    let folder = server.stop();
    let server = TestServer::start_in(folder, |_| {});
    let token = server.token(Role::Dispatcher).await;
    shown(&server).await;
    assert_eq!(create(&server, &token).await, "WO-2023-1000000002");
}

#[tokio::test]
async fn a_vehicle_keeps_its_uuid() {
    let server = TestServer::start();
    let token = server.token(Role::Dispatcher).await;
    let mut ids = Vec::new();
    for asset_id in ["A", "B"] {
        let vehicle = json!({ "asset_id": asset_id, "model": "x", "type": "diesel" });
        let made = server.post("/api/v1/vehicles", &token, vehicle).await;
        ids.push(made.expect(201)["id"].as_str().unwrap().to_owned());
    }
    let technician = server.token(Role::Technician).await;
    for event_type in ["VehicleUpdated", "VehicleWashed"] {
        let told = event("Vehicle", "A", event_type, json!({ "id": ids[1] }));
        server.post(EVENTS, &technician, told).await.expect(201);
    }
    let free = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let creation = |id: &str, data: Value| event("Vehicle", id, "VehicleCreatedEvent", data);
    let (told, named): (&[&str], &[&str]) = (&["data", "id"], &["aggregate_id"]);
    for (id, data, place, kind) in [
        ("A", json!({ "id": ids[1] }), told, "row_id_kept"),
        ("A", json!({ "id": free }), told, "row_id_kept"),
        (
            "C",
            json!({ "id": ids[1].to_uppercase() }),
            told,
            "row_id_taken",
        ),
        // An aggregate whose id is a UUID has this one.
        (&*ids[1], json!({}), named, "row_id_taken"),
    ] {
        let told = creation(id, data);
        let batch = json!({ "events": [event("Crane", "1", "CraneMoved", json!({})), told] });
        let one = server.post(EVENTS, &technician, told).await;
        let several = server
            .post("/api/v1/events/batch", &technician, batch)
            .await;
        for (answer, outer) in [
            (one, json!(["body"])),
            (several, json!(["body", "events", 1])),
        ] {
            let problem = answer.expect_problem(422, "invalid");
            let mut loc = outer.as_array().unwrap().clone();
            loc.extend(place.iter().map(|name| json!(name)));
            assert_eq!(problem["errors"][0]["loc"], Value::from(loc), "{problem}");
            assert_eq!(problem["errors"][0]["type"], kind, "{problem}");
        }
    }
    // Told again as it is, and one that nobody has.
    for (id, uuid) in [("A", &*ids[0]), ("C", free)] {
        let told = creation(id, json!({ "id": uuid }));
        server.post(EVENTS, &technician, told).await.expect(201);
    }
    // Who expects no stream is told by the log that there is one.
    let mut first = creation("B", json!({ "id": Uuid::from_u128(7).to_string() }));
    first["expected_version"] = json!("no_stream");
    server
        .post(EVENTS, &technician, first)
        .await
        .expect_problem(409, "wrong-version");
    shown(&server).await;
    ids.push(free.to_owned());
    for (id, asset_id) in ids.iter().zip(["A", "B", "C"]) {
        let path = format!("/api/v1/vehicles/{id}");
        let found = server.get(&path, &token).await.expect(200);
        assert_eq!(
            (&found["asset_id"], &found["id"]),
            (&json!(asset_id), &json!(id))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stock_that_is_taken_at_once_is_taken_once() {
    let (server, token) = store().await;
    server.incoming(&token, 8).await;
    let server = Arc::new(server);
    let takers = (0..16).map(|number| {
        let (server, token) = (server.clone(), token.clone());
        tokio::spawn(async move {
            if number % 2 == 0 {
                let data = json!({ "delta": -1 });
                let mut told = event("Part", "BRK/1", "StockLevelChanged", data);
                told["schema"] = json!(2);
                server.post(EVENTS, &token, told).await.status
            } else {
                let usage = json!({ "part_no": "BRK/1", "move_type": "USAGE", "quantity": 1, "from_location_id": "NORTH" });
                server.post("/api/v1/stock/moves", &token, usage).await.status
            }
        })
    });
    let mut taken = 0;
    for taker in takers.collect::<Vec<_>>() {
        match taker.await.unwrap().as_u16() {
            201 => taken += 1,
            status => assert_eq!(status, 409),
        }
    }
    assert_eq!(taken, 8);
    shown(&server).await;
    assert_eq!(server.stock(&token).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn order_numbers_are_given_once_and_none_is_lost() {
    const ORDERS_AT_ONCE: usize = 64;
    let server = TestServer::start();
    let token = server.token(Role::Dispatcher).await;
    let vehicle = json!({ "asset_id": "1", "model": "x", "type": "diesel" });
    server
        .post("/api/v1/vehicles", &token, vehicle)
        .await
        .expect(201);
    let server = Arc::new(server);
    let creations: Vec<_> = (0..ORDERS_AT_ONCE)
        .map(|_| {
            let (server, token) = (server.clone(), token.clone());
            tokio::spawn(async move {
                let body = json!({ "vehicle_id": "1" });
                let created = server.post(ORDERS, &token, body).await.expect(201);
                created["order_number"].as_str().unwrap().to_owned()
            })
        })
        .collect();
    let mut numbers = BTreeSet::new();
    for creation in creations {
        let number = creation.await.unwrap();
        assert!(numbers.insert(number.clone()), "{number} was given twice");
    }
    let listed = server
        .get(&format!("{ORDERS}?limit=1000"), &token)
        .await
        .expect(200);
    let listed: BTreeSet<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["order_number"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, numbers);
    assert_eq!(numbers.len(), ORDERS_AT_ONCE);

    // A new process goes on behind the highest.
    let folder = Arc::into_inner(server).unwrap().stop();
    let server = TestServer::start_in(folder, |_| {});
    let token = server.token(Role::Dispatcher).await;
    let created = server
        .post(ORDERS, &token, json!({ "vehicle_id": "1" }))
        .await
        .expect(201);
    let next = created["order_number"].as_str().unwrap();
    assert!(numbers.iter().all(|number| **number < *next), "{next}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_command_that_is_sent_again_is_done_once() {
    let (server, token) = store().await;
    let vehicle = json!({ "asset_id": "1", "model": "x", "type": "diesel" });
    server
        .post("/api/v1/vehicles", &token, vehicle)
        .await
        .expect(201);
    let server = Arc::new(server);
    let cases = [
        (ORDERS, json!({ "vehicle_id": "1" })),
        (
            "/api/v1/suppliers",
            json!({ "supplier_code": "S", "name": "x" }),
        ),
        (
            "/api/v1/stock/moves",
            json!({ "part_no": "BRK/1", "move_type": "INCOMING", "quantity": 3, "to_location_id": "NORTH" }),
        ),
    ];
    for (path, body) in cases {
        let sendings: Vec<_> = (0..8)
            .map(|_| {
                let (server, token, body) = (server.clone(), token.clone(), body.clone());
                tokio::spawn(async move {
                    let key = [("idempotency-key", path)];
                    let answer = server.post_with(path, &token, &key, body).await;
                    let mut row = answer.expect(201);
                    row.as_object_mut().unwrap().remove("position");
                    row
                })
            })
            .collect();
        let mut answers = Vec::new();
        for sending in sendings {
            answers.push(sending.await.unwrap());
        }
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{path}: {answers:?}"
        );
        let key = [("idempotency-key", path)];
        let mut other = body.clone();
        other["notes"] = json!("another request");
        let refused = server.post_with(path, &token, &key, other).await;
        refused.expect_problem(409, "id-reused");
    }
    assert_eq!(server.stock(&token).await, 3);
    let orders = server.get(ORDERS, &token).await.expect(200);
    assert_eq!(orders.as_array().map(Vec::len), Some(1));
}
