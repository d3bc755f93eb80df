//! Looking after tablets: status, sessions, refused operations, conflicts and their choice, compaction, nudges, figures.

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::harness::request;
use super::sync_depot::{Depot, set};

impl Depot {
    async fn set(&self, token: &str, id: &str, field: &str, value: Value) -> Value {
        self.push(token, json!([set(id, field, value)])).await
    }

    async fn get(&self, path: &str) -> Value {
        self.server.get(path, &self.manager).await.expect(200)
    }

    async fn resolve(&self, conflict: &Value, body: Value) -> super::harness::Answer {
        let path = format!(
            "/api/v1/sync/conflicts/{}/resolve",
            conflict["conflict_id"].as_str().unwrap()
        );
        self.server.post(&path, &self.manager, body).await
    }
}

#[tokio::test]
async fn what_disagreed_is_listed_and_a_choice_is_an_event() {
    let depot = Depot::start().await;
    let (one, two) = (depot.device("t1").await, depot.device("t2").await);
    depot.set(&one, "a", "notes", json!("one")).await;
    depot.server.clock.advance_seconds(5);
    depot.set(&two, "b", "notes", json!("two")).await;
    depot
        .set(&two, "c", "current_mileage_km", json!(500_000))
        .await;
    depot.set(&two, "d", "model", json!("V200")).await;
    let open = depot.get("/api/v1/sync/conflicts").await;
    let kind = |wanted: &str| {
        let found = open
            .as_array()
            .unwrap()
            .iter()
            .find(|conflict| conflict["conflict_type"] == wanted);
        found
            .unwrap_or_else(|| panic!("no {wanted} in {open}"))
            .clone()
    };
    let concurrent = kind("CONCURRENT_UPDATE");
    assert_eq!(
        (
            &concurrent["server_value"],
            &concurrent["client_value"],
            &concurrent["field_name"]
        ),
        (
            &json!({"value": "one", "type": "str"}),
            &json!({"value": "two", "type": "str"}),
            &json!("notes")
        )
    );
    assert!(
        concurrent["conflict_id"]
            .as_str()
            .unwrap()
            .starts_with("CONFLICT-2023")
    );
    let held = kind("IMPLAUSIBLE");
    let foreign = kind("AUTHORITY_VIOLATION");

    depot
        .resolve(&concurrent, json!({"resolution": "neither"}))
        .await
        .expect_problem(422, "invalid");
    let done = depot
        .resolve(&concurrent, json!({"resolution": "server"}))
        .await
        .expect(200);
    assert_eq!(
        (&done["is_resolved"], &done["resolution"]),
        (&json!(true), &json!("server"))
    );
    let vehicle = depot.get("/api/v1/vehicles/185123").await;
    assert_eq!(vehicle["notes"], "one");
    let page = depot.pull(&one, "").await;
    let notes = &page["states"][0]["fields"]["notes"];
    assert_eq!(
        (&notes["value"], notes.get("siblings")),
        (&json!("one"), None),
        "{page}"
    );
    depot
        .resolve(&concurrent, json!({"resolution": "server"}))
        .await
        .expect(200);
    depot
        .resolve(&concurrent, json!({"resolution": "client"}))
        .await
        .expect_problem(409, "conflict");

    depot
        .resolve(&held, json!({"resolution": "client"}))
        .await
        .expect(200);
    depot
        .resolve(
            &foreign,
            json!({"resolution": "custom", "custom_value": "V210"}),
        )
        .await
        .expect(200);
    let vehicle = depot.get("/api/v1/vehicles/185123").await;
    assert_eq!(
        (&vehicle["current_mileage_km"], &vehicle["model"]),
        (&json!(500_000), &json!("V210"))
    );
    assert_eq!(depot.get("/api/v1/sync/conflicts").await, json!([]));
    assert_eq!(
        depot
            .get("/api/v1/sync/conflicts?resolved=true")
            .await
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let unknown = json!({"conflict_id": "CONFLICT-0"});
    depot
        .resolve(&unknown, json!({"resolution": "server"}))
        .await
        .expect(404);
}

#[tokio::test]
async fn sessions_refusals_and_lag_are_told() {
    let depot = Depot::start().await;
    let (one, two) = (depot.device("t1").await, depot.device("t2").await);
    let cursor = depot.pull(&two, "").await["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    depot.pull(&two, &cursor).await;
    depot.set(&one, "a", "notes", json!("x")).await;
    depot.set(&one, "b", "model", json!("V200")).await;
    let sessions = depot.get("/api/v1/sync/sessions/t1").await;
    assert_eq!(sessions["count"], 2);
    let (newest, oldest) = (&sessions["sessions"][0], &sessions["sessions"][1]);
    assert_eq!(
        (&newest["rejected"], &oldest["applied"], &oldest["status"]),
        (&json!(1), &json!(1), &json!("completed"))
    );
    let refused = depot.get("/api/v1/sync/devices/t1/refused").await;
    let operation = &refused["operations"][0];
    assert_eq!(
        (
            &operation["operation_id"],
            &operation["reason"],
            &operation["change"]["value"]
        ),
        (&json!("b"), &json!("not_authorised"), &json!("V200"))
    );
    let status = depot.get("/api/v1/sync/crdt/status").await;
    let of = |id: &str| {
        status["devices"]
            .as_array()
            .unwrap()
            .iter()
            .find(|device| device["device_id"] == id)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (&of("t2")["lag"], &of("t1")["operations_seen"]),
        (&json!(1), &json!(2)),
        "{status}"
    );
    assert_eq!(status["entities"], 1);
    let device = depot.get("/api/v1/sync/devices/t2/status").await;
    assert!(
        device["last_sync_at"].is_string() && device["lag"] == 1,
        "{device}"
    );
    assert_eq!(
        depot.get("/api/v1/crdt/sessions/t1?limit=1").await["count"],
        1
    );
    depot
        .server
        .get("/api/v1/sync/sessions/nobody", &depot.manager)
        .await
        .expect(404);

    // What no honest device sends is counted, and told in the log once an hour.
    for _ in 0..3 {
        let path = "/api/v1/sync/crdt/pull?cursor=Zm9yZ2VkLWN1cnNvci1vZi1ub2JvZHk";
        depot
            .server
            .get(path, &one)
            .await
            .expect_problem(409, "conflict");
    }
    let figures = depot.server.get("/metrics", "").await;
    let text = String::from_utf8(figures.body).unwrap();
    assert!(
        text.contains("railfleet_sync_refusals_total{code=\"cursor_unknown\"} 3"),
        "{text}"
    );
    assert!(text.contains("railfleet_sync_operations_total{verdict=\"applied\"} 1"));
    // It is told behind the answer's back.
    let told = async || {
        let refused = depot.get("/api/v1/sync/devices/t1/refused?limit=100").await;
        let told = refused["operations"].as_array().unwrap().iter();
        told.filter(|told| told["code"] == "cursor_unknown").count()
    };
    let mut looks = 0;
    while told().await == 0 && looks < 500 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        looks += 1;
    }
    assert_eq!(told().await, 1);
}

#[tokio::test]
async fn compaction_waits_for_devices_that_count_and_a_late_one_gets_the_list() {
    let depot = Depot::start().await;
    let (one, two) = (depot.device("t1").await, depot.device("t2").await);
    let order = json!({"vehicle_id": "185123", "tasks": ["oil", "belt"]});
    let order = depot
        .server
        .post("/api/v1/maintenance/orders", &depot.technician, order)
        .await
        .expect(201);
    let first = depot.pull(&one, "").await["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let old = depot.pull(&two, "").await["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    depot.pull(&two, &old).await;
    let remove = json!({"id": "r", "entity_type": "WorkOrder", "entity_id": order["id"], "field": "tasks", "op": "remove", "value": "oil"});
    let body = json!({"cursor": first, "operations": [remove]});
    depot
        .server
        .post("/api/v1/sync/crdt/push", &one, body)
        .await
        .expect(200);
    let cursor = depot.pull(&one, &first).await["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    depot.pull(&one, &cursor).await;
    let done = depot
        .server
        .post("/api/v1/sync/crdt/compact", &depot.manager, json!({}))
        .await
        .expect(200);
    assert!(
        done["waiting_for"]
            .as_array()
            .unwrap()
            .contains(&json!("t2")),
        "{done}"
    );
    let floor = done["floor"].as_u64().unwrap();

    // The second device stays away for too long; the first one does not.
    depot.server.clock.advance_seconds(46 * 86_400);
    let manager = depot.server.token(Role::FleetManager).await;
    depot.pull(&one, &cursor).await;
    let done = depot
        .server
        .post("/api/v1/sync/crdt/compact", &manager, json!({}))
        .await
        .expect(200);
    assert_eq!(done["expired"], json!(["t2"]), "{done}");
    assert!(
        done["floor"].as_u64().unwrap() > floor && done["compacted"] == true,
        "{done}"
    );

    // It comes back: what it has not sent is judged as ever, then it gets the list of what lives and its ordinary delta.
    let put = json!({"id": "n", "entity_type": "WorkOrder", "entity_id": order["id"], "field": "notes", "value": "late"});
    let body = json!({"cursor": old, "operations": [put]});
    let answer = depot
        .server
        .post("/api/v1/sync/crdt/push", &two, body)
        .await
        .expect(200);
    assert_eq!(answer["results"][0]["status"], "applied", "{answer}");
    let page = depot.pull(&two, &old).await;
    assert_eq!(page["manifest"].as_array().unwrap().len(), 2, "{page}");
    let states = page["states"].as_array().unwrap();
    let order = states
        .iter()
        .find(|state| state["entity_type"] == "WorkOrder")
        .unwrap();
    assert_eq!(
        order["fields"]["tasks"]["value"],
        json!(["belt"]),
        "sent whole: {page}"
    );
    assert!(
        states.iter().all(
            |state| state["entity_type"] != "Vehicle" || state["fields"].get("model").is_none()
        )
    );
}

#[tokio::test]
async fn a_stream_nudges_when_there_is_something_to_pull() {
    let depot = Depot::start().await;
    let (one, two) = (depot.device("t1").await, depot.device("t2").await);
    let request = request(Method::GET, "/api/v1/sync/stream", &one, &[], Body::empty());
    let mut body = depot.server.send(request).await.into_body();
    let mut text = String::new();
    let read = async |body: &mut Body, text: &mut String| {
        let frame = tokio::time::timeout(std::time::Duration::from_secs(20), body.frame()).await;
        let frame = frame.expect("a nudge in time").unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap()));
    };
    read(&mut body, &mut text).await;
    assert!(text.starts_with(": connected"));
    depot.set(&two, "a", "notes", json!("x")).await;
    while !text.contains("event: head") {
        read(&mut body, &mut text).await;
    }
    assert!(text.contains("data: {\"head\":"), "{text}");
}

#[tokio::test]
async fn what_was_given_to_a_tablet_is_its_own_and_comes_back() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let place = json!({"location_code": "L1", "name": "Shelf", "location_type": "WORKSHOP"});
    depot
        .server
        .post("/api/v1/stock/locations", &depot.manager, place)
        .await
        .expect(201);
    let part = json!({"part_no": "P-1", "name": "Pad"});
    depot
        .server
        .post("/api/v1/parts", &depot.manager, part)
        .await
        .expect(201);
    let stock =
        json!({"part_no": "P-1", "move_type": "INCOMING", "quantity": 10, "to_location_id": "L1"});
    depot
        .server
        .post("/api/v1/stock/moves", &depot.manager, stock)
        .await
        .expect(201);
    let lease = |quantity: u64| json!({"device_id": "t1", "part_no": "P-1", "quantity": quantity, "location_id": "L1"});
    depot
        .server
        .post("/api/v1/sync/leases", &depot.technician, lease(11))
        .await
        .expect_problem(409, "conflict");
    let held = depot
        .server
        .post("/api/v1/sync/leases", &depot.technician, lease(4))
        .await
        .expect(201);
    assert_eq!(held["quantity"], 4);
    // The rest is all that anybody else can take.
    let take =
        json!({"part_no": "P-1", "move_type": "USAGE", "quantity": 7, "from_location_id": "L1"});
    depot
        .server
        .post("/api/v1/stock/moves", &depot.manager, take)
        .await
        .expect_problem(409, "conflict");
    let order = json!({"vehicle_id": "185123"});
    let order = depot
        .server
        .post("/api/v1/maintenance/orders", &depot.technician, order)
        .await
        .expect(201);
    let used = |id: &str, key: &str, field: &str, value: Value| json!({"id": id, "entity_type": "WorkOrder", "entity_id": order["id"], "field": "used_parts", "key": key, "item_field": field, "value": value});
    let operations = json!([
        used("1", "a", "part_no", json!("P-1")),
        used("2", "a", "quantity", json!(3)),
        used("3", "b", "part_no", json!("P-1")),
        used("4", "b", "quantity", json!(2))
    ]);
    let answer = depot
        .server
        .post(
            "/api/v1/sync/crdt/push",
            &token,
            json!({ "operations": operations }),
        )
        .await
        .expect(200);
    assert_eq!(answer["applied_count"], 4, "{answer}");
    let leases = depot.get("/api/v1/sync/leases?device_id=t1").await;
    assert_eq!(
        leases["leases"],
        json!([{"part_no": "P-1", "quantity": 1}]),
        "three of the lease, two beyond it"
    );
    let part = depot.get("/api/v1/parts/P-1").await;
    assert_eq!(part["current_stock"], 5, "{part}");
    let back = depot
        .server
        .post("/api/v1/sync/leases/return", &depot.technician, lease(1))
        .await
        .expect(200);
    assert_eq!(back["quantity"], 0);
    depot
        .server
        .post("/api/v1/sync/leases/return", &depot.technician, lease(1))
        .await
        .expect_problem(409, "conflict");
    assert_eq!(depot.get("/api/v1/parts/P-1").await["current_stock"], 5);
    depot
        .server
        .get("/api/v1/sync/leases?device_id=t9", &depot.manager)
        .await
        .expect(404);
}

#[tokio::test]
async fn a_push_holds_a_thousand_operations_and_says_what_is_beyond() {
    let depot = Depot::start().await;
    let tablet = depot.device("t1").await;
    let operation = |number: usize| json!({"id": format!("op-{number}"), "entity_type": "Vehicle", "entity_id": "185123", "field": "notes", "value": number.to_string()});
    let push = async |count: usize, first: usize| {
        let operations: Vec<Value> = (first..first + count).map(operation).collect();
        let body = json!({ "operations": operations });
        depot
            .server
            .post("/api/v1/sync/crdt/push", &tablet, body)
            .await
    };
    let answer = push(1_000, 0).await.expect(200);
    assert_eq!(answer["applied_count"], 1_000, "{}", answer["results"][999]);
    let refused = push(1_001, 1_000).await.expect(413);
    assert_eq!(refused["limit"], 1_000);
}
