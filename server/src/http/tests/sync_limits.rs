//! What tablets that are gone, broken, copied or in wrong hands can do: nothing that others pay for, and nothing of theirs is
//! lost.

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{TestServer, request};
use crate::config::Config;

const PUSH: &str = "/api/v1/sync/crdt/push";
const DAY: i64 = 86_400;

struct Depot {
    server: TestServer,
    manager: String,
}

impl Depot {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let server = TestServer::start_with(change);
        let manager = server.token(Role::FleetManager).await;
        let vehicle = json!({"asset_id": "185123", "model": "V180", "type": "diesel", "current_mileage_km": 1000});
        server
            .post("/api/v1/vehicles", &manager, vehicle)
            .await
            .expect(201);
        server.clock.advance_seconds(60);
        Depot { server, manager }
    }

    async fn device(&self, id: &str, user: &str, scope: Value) -> String {
        let body =
            json!({"device_id": id, "device_name": id, "device_type": "tablet", "scope": scope});
        let path = "/api/v1/sync/devices/register";
        let answer = self.server.post(path, user, body).await.expect(201);
        answer["device_token"].as_str().unwrap().to_owned()
    }

    /// Writes over as many notes as there are ids, each by itself.
    async fn notes(&self, token: &str, ids: std::ops::Range<usize>) -> super::harness::Answer {
        let operation = |number: usize| json!({"id": format!("n{number}"), "entity_type": "Vehicle", "entity_id": "185123", "field": "notes", "value": number.to_string()});
        let operations: Vec<Value> = ids.map(operation).collect();
        let body = json!({ "operations": operations });
        self.server.post(PUSH, token, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let manager = self.server.token(Role::FleetManager).await;
        self.server.get(path, &manager).await.expect(200)
    }
}

#[tokio::test]
async fn a_tablet_that_pushes_beyond_its_share_keeps_what_it_has() {
    let depot = Depot::start(|config| config.sync.operations_per_day_max = 1_000).await;
    let token = depot.device("t1", &depot.manager, json!({})).await;
    depot.notes(&token, 0..700).await.expect(200);
    let head = depot.server.state.log.durable_position();
    let refused = depot.notes(&token, 700..1_100).await;
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    let problem = refused.expect_problem(429, "over-budget");
    assert_eq!(problem["code"], "rate", "{problem}");
    // What it repeats costs nothing, and others have a share of their own.
    depot.notes(&token, 0..700).await.expect(200);
    let other = depot.device("t2", &depot.manager, json!({})).await;
    depot.notes(&other, 0..400).await.expect(200);
    assert!(depot.server.state.log.durable_position() > head);
    let figures = depot.server.get("/metrics", "").await;
    let text = String::from_utf8(figures.body).unwrap();
    assert!(
        text.contains("railfleet_sync_refusals_total{code=\"rate\"} 1"),
        "{text}"
    );
    // Later it is taken as if nothing had been.
    depot
        .server
        .clock
        .advance_seconds(i64::try_from(seconds).unwrap());
    let answer = depot.notes(&token, 700..1_100).await.expect(200);
    assert_eq!(answer["applied_count"], 400, "{answer}");
}

#[tokio::test]
async fn conflicts_beyond_a_tablets_share_are_held_with_their_content() {
    let depot = Depot::start(|config| config.sync.conflicts_open_max = 2).await;
    for number in 0..4 {
        let vehicle = json!({"asset_id": format!("V{number}"), "model": "V180", "type": "diesel"});
        let path = "/api/v1/vehicles";
        let manager = &depot.manager;
        depot.server.post(path, manager, vehicle).await.expect(201);
        let notes = Body::from(json!({"notes": "by HTTP"}).to_string());
        let headers = [("content-type", "application/json")];
        let path = format!("/api/v1/vehicles/V{number}");
        let patch = request(Method::PATCH, &path, manager, &headers, notes);
        depot.server.answer(patch).await.expect(200);
    }
    depot.server.clock.advance_seconds(60);
    let token = depot.device("t1", &depot.manager, json!({})).await;
    let set = |id: &str, number: usize| json!({"id": id, "entity_type": "Vehicle", "entity_id": format!("V{number}"), "field": "notes", "value": "unseen"});
    let body = json!({"operations": [set("a", 0), set("b", 1), set("c", 2), set("d", 3)]});
    let answer = depot.server.post(PUSH, &token, body).await.expect(200);
    let reasons: Vec<&str> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["reason"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        reasons[2..],
        ["held_conflict_budget", "held_conflict_budget"],
        "{answer}"
    );
    assert_eq!(
        depot
            .get("/api/v1/sync/conflicts")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(depot.get("/api/v1/vehicles/V3").await["notes"], "by HTTP");
    let kept = depot.get("/api/v1/sync/devices/t1/refused").await;
    assert_eq!(kept["operations"][0]["change"]["value"], "unseen", "{kept}");
    // Settled, there is room again.
    for conflict in depot
        .get("/api/v1/sync/conflicts")
        .await
        .as_array()
        .unwrap()
    {
        let name = conflict["conflict_id"].as_str().unwrap();
        let path = format!("/api/v1/sync/conflicts/{name}/resolve");
        let body = json!({"resolution": "server"});
        depot
            .server
            .post(&path, &depot.manager, body)
            .await
            .expect(200);
    }
    let body = json!({"operations": [set("c2", 2)]});
    let answer = depot.server.post(PUSH, &token, body).await.expect(200);
    assert_ne!(
        answer["results"][0]["reason"], "held_conflict_budget",
        "{answer}"
    );
}

#[tokio::test]
async fn what_was_given_to_a_tablet_that_is_lost_comes_back_after_a_grace() {
    let depot = Depot::start(|_| {}).await;
    let manager = &depot.manager;
    let post =
        async |path: &str, body: Value| depot.server.post(path, manager, body).await.expect(201);
    let place = post(
        "/api/v1/stock/locations",
        json!({"location_code": "L1", "name": "Shelf", "location_type": "WORKSHOP"}),
    )
    .await;
    post("/api/v1/parts", json!({"part_no": "P-1", "name": "Pad"})).await;
    post(
        "/api/v1/stock/moves",
        json!({"part_no": "P-1", "move_type": "INCOMING", "quantity": 10, "to_location_id": "L1"}),
    )
    .await;
    let order = post(
        "/api/v1/maintenance/orders",
        json!({"vehicle_id": "185123"}),
    )
    .await;
    let token = depot.device("t1", manager, json!({})).await;
    post(
        "/api/v1/sync/leases",
        json!({"device_id": "t1", "part_no": "P-1", "quantity": 4, "location_id": "L1"}),
    )
    .await;
    let used = |id: &str, field: &str, value: Value| json!({"id": id, "entity_type": "WorkOrder", "entity_id": order["id"], "field": "used_parts", "key": "u1", "item_field": field, "value": value});
    let lost = json!({"operations": [used("1", "part_no", json!("P-1")), used("2", "quantity", json!(3))]});

    let compact = async || {
        let manager = depot.server.token(Role::FleetManager).await;
        let path = "/api/v1/sync/crdt/compact";
        depot
            .server
            .post(path, &manager, json!({}))
            .await
            .expect(200)
    };
    // Silent for too long: it keeps the parts for the grace, and no longer.
    depot.server.clock.advance_seconds(45 * DAY + 3 * DAY);
    assert_eq!(compact().await["leases_returned"], json!([]));
    depot.server.clock.advance_seconds(5 * DAY);
    let returned = compact().await["leases_returned"].clone();
    assert_eq!(
        returned,
        json!([{"device_id": "t1", "part_no": "P-1", "quantity": 4, "location_id": place["id"]}])
    );
    assert_eq!(compact().await["leases_returned"], json!([]), "once");
    let leases = depot.get("/api/v1/sync/leases?device_id=t1").await;
    assert_eq!(leases["leases"], json!([]));
    assert_eq!(depot.get("/api/v1/parts/P-1").await["current_stock"], 10);

    // It was only in a drawer: what it used is a fact, and somebody has to count.
    let answer = depot.server.post(PUSH, &token, lost).await.expect(200);
    assert_eq!(answer["applied_count"], 2, "{answer}");
    assert_eq!(depot.get("/api/v1/parts/P-1").await["current_stock"], 7);
    let events = depot.get("/api/v1/events/Part/P-1").await;
    let told = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event_type"] == "StockDiscrepancyDetected");
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1, "{events}");
    assert_eq!(told[0]["data"]["level_at_location"], -3, "{events}");
}

/// The move that gave it names the part by the number that it had then.
#[tokio::test]
async fn what_was_given_of_a_part_that_got_another_number_comes_back_as_well() {
    let depot = Depot::start(|_| {}).await;
    let (server, manager) = (&depot.server, &depot.manager);
    let post = async |path: &str, body: Value| server.post(path, manager, body).await.expect(201);
    let place = post(
        "/api/v1/stock/locations",
        json!({"location_code": "L1", "name": "Shelf", "location_type": "WORKSHOP"}),
    )
    .await;
    post("/api/v1/parts", json!({"part_no": "P-1", "name": "Pad"})).await;
    post(
        "/api/v1/stock/moves",
        json!({"part_no": "P-1", "move_type": "INCOMING", "quantity": 10, "to_location_id": "L1"}),
    )
    .await;
    depot.device("t1", manager, json!({})).await;
    post(
        "/api/v1/sync/leases",
        json!({"device_id": "t1", "part_no": "P-1", "quantity": 4, "location_id": "L1"}),
    )
    .await;
    // As an importer tells it.
    let renamed = storage::NewEvent::new("PartUpdated", r#"{"part_no":"P-2"}"#);
    let renamed = storage::Transaction::single(
        storage::StreamName::new("Part", "P-1"),
        storage::ExpectedVersion::Any,
        renamed,
    );
    let position = server.state.log.append(renamed).unwrap().last_position();
    let patience = std::time::Duration::from_secs(10);
    let reached = server
        .state
        .projections
        .reach(crate::projection::CATALOG, position, patience);
    assert!(reached.await);
    server.clock.advance_seconds(60 * DAY);
    let token = server.token(Role::FleetManager).await;
    let path = "/api/v1/sync/crdt/compact";
    let done = server.post(path, &token, json!({})).await.expect(200);
    assert_eq!(
        done["leases_returned"],
        json!([{"device_id": "t1", "part_no": "P-2", "quantity": 4, "location_id": place["id"]}])
    );
}

#[tokio::test]
async fn a_wrong_clock_is_clamped_and_told_of() {
    let depot = Depot::start(|_| {}).await;
    let token = depot.device("t1", &depot.manager, json!({})).await;
    let set = |id: &str, at: &str| json!({"operations": [{"id": id, "entity_type": "Vehicle", "entity_id": "185123", "field": "notes", "value": id, "timestamp": at}]});
    let body = set("a", "2023-11-15T01:14:20Z");
    let answer = depot.server.post(PUSH, &token, body).await.expect(200);
    assert_eq!(answer["results"][0]["reason"], "adjusted_clock", "{answer}");
    let status = depot.get("/api/v1/sync/crdt/status").await;
    let off = status["devices"][0]["clock_off_seconds"].as_i64().unwrap();
    assert!(
        (10_700..=10_900).contains(&off),
        "three hours ahead: {status}"
    );
    depot.server.clock.advance_seconds(60);
    let body = set("b", "2023-11-14T22:15:20Z");
    depot.server.post(PUSH, &token, body).await.expect(200);
    let device = depot.get("/api/v1/sync/devices/t1/status").await;
    assert_eq!(device["clock_off_seconds"], Value::Null, "{device}");
}

/// An order names its people by the ids of the staff; the tablet's user is an account.
#[tokio::test]
async fn orders_of_the_staff_member_that_the_user_is_are_in_scope() {
    let depot = Depot::start(|_| {}).await;
    let technician = depot.server.token(Role::Technician).await;
    let me = depot
        .server
        .get("/api/v1/auth/me", &technician)
        .await
        .expect(200);
    let person = |id: &str, email: &Value| json!({"staff_id": id, "first_name": "A", "last_name": "B", "role": "technician", "email": email});
    let post = async |path: &str, body: Value| {
        depot
            .server
            .post(path, &depot.manager, body)
            .await
            .expect(201)
    };
    let mine = post("/api/v1/hr/staff", person("ST-7", &me["email"])).await;
    post(
        "/api/v1/hr/staff",
        person("ST-8", &json!("other@depot.example")),
    )
    .await;
    let order = async |staff: Value| {
        let body = json!({"vehicle_id": "185123", "assigned_staff": staff});
        let order = post("/api/v1/maintenance/orders", body).await;
        order["id"].as_str().unwrap().to_owned()
    };
    let expected = [
        order(json!(["ST-7"])).await,
        order(json!([mine["id"]])).await,
        order(json!(["ST-8", me["id"]])).await,
        order(json!([me["username"]])).await,
    ];
    order(json!(["ST-8"])).await;
    order(json!([])).await;
    let scope = json!({"assigned_orders": true});
    let token = depot.device("t1", &technician, scope).await;
    let path = "/api/v1/sync/crdt/pull?limit=1000";
    let page = depot.server.get(path, &token).await.expect(200);
    let mut seen: Vec<&str> = page["states"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|state| state["entity_type"] == "WorkOrder")
        .map(|state| state["entity_id"].as_str().unwrap())
        .collect();
    seen.sort_unstable();
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    // Nothing that the log seals is among what it is given of people.
    let text = page.to_string();
    assert!(
        text.contains("ST-8") && !text.contains("other@depot.example"),
        "{text}"
    );
}
