//! Whole states: what of them is new, what a tombstone takes away, and that what was pulled is nobody's new work.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

const PUSH: &str = "/api/v1/crdt/sync/push";
const OPERATIONS: &str = "/api/v1/sync/crdt/push";

struct Depot {
    server: TestServer,
    technician: String,
    order: String,
}

impl Depot {
    async fn start() -> Self {
        let server = TestServer::start();
        let technician = server.token(Role::Technician).await;
        let vehicle = json!({"asset_id": "185123", "model": "V180", "type": "diesel", "current_mileage_km": 1000});
        let dispatcher = server.token(Role::Dispatcher).await;
        server
            .post("/api/v1/vehicles", &dispatcher, vehicle)
            .await
            .expect(201);
        let order = json!({"vehicle_id": "185123", "work_description": "Brakes"});
        let order = server
            .post("/api/v1/maintenance/orders", &dispatcher, order)
            .await
            .expect(201);
        server.clock.advance_seconds(60);
        Depot {
            server,
            technician,
            order: order["id"].as_str().unwrap().to_owned(),
        }
    }

    async fn device(&self, id: &str) -> String {
        let body = json!({"device_id": id, "device_name": id, "device_type": "tablet"});
        let answer = self
            .server
            .post("/api/v1/sync/devices/register", &self.technician, body)
            .await
            .expect(201);
        answer["device_token"].as_str().unwrap().to_owned()
    }

    /// Pushes the set of tasks as a state; answers how many operations of it were new.
    async fn tasks(&self, token: &str, cursor: &Value, elements: Value, dead: Value) -> u64 {
        let data = json!({ "tasks": {"device_id": "x", "clock": {}, "elements": elements, "tombstones": dead} });
        let state = json!({"entity_type": "WorkOrder", "entity_id": self.order, "vector_clock": {}, "crdt_data": data});
        self.states(token, cursor, json!([state])).await
    }

    async fn states(&self, token: &str, cursor: &Value, states: Value) -> u64 {
        let body = json!({"cursor": cursor, "states": states});
        let answer = self.server.post(PUSH, token, body).await.expect(200);
        let result = &answer["result"];
        assert_eq!(result["errors"], json!([]), "{answer}");
        result["operations_applied"].as_u64().unwrap()
    }

    async fn operations(&self, token: &str, operations: Value) -> Value {
        let body = json!({ "operations": operations });
        self.server.post(OPERATIONS, token, body).await.expect(200)
    }

    async fn cursor(&self, token: &str) -> Value {
        let path = "/api/v1/sync/crdt/pull?limit=1000";
        let page = self.server.get(path, token).await.expect(200);
        page["next_cursor"].clone()
    }

    async fn shown(&self) -> Value {
        let path = format!("/api/v1/maintenance/orders/{}", self.order);
        let order = self.server.get(&path, &self.technician).await.expect(200);
        order["tasks"].clone()
    }

    async fn vehicle(&self) -> Value {
        let path = "/api/v1/vehicles/185123";
        self.server.get(path, &self.technician).await.expect(200)
    }
}

fn dead(element: &str, tag: &str, device: &str) -> Value {
    json!({"element": element, "unique_id": tag, "device_id": device})
}

/// What was lost before: a task that was removed and added again came with its old tombstone, which took the new one too.
#[tokio::test]
async fn a_tombstone_takes_only_the_addition_that_it_names() {
    let depot = Depot::start().await;
    let (one, two) = (depot.device("t1").await, depot.device("t2").await);
    let none = Value::Null;
    let first = json!({"oil": [["a", "t1"]]});
    depot.tasks(&one, &none, first.clone(), json!([])).await;
    assert_eq!(depot.shown().await, json!(["oil"]));

    // Removed and added again on the same tablet, offline: one state says both.
    let again = json!({"oil": [["a", "t1"], ["b", "t1"]]});
    let tombs = json!([dead("oil", "a", "t1")]);
    for new in [2, 0] {
        let came = depot.tasks(&one, &none, again.clone(), tombs.clone()).await;
        assert_eq!(came, new);
        assert_eq!(depot.shown().await, json!(["oil"]));
    }
    // The state from before that comes late, and the one between that never came.
    depot.tasks(&one, &none, first, json!([])).await;
    let between = json!({"oil": [["a", "t1"]]});
    depot.tasks(&one, &none, between, tombs).await;
    assert_eq!(depot.shown().await, json!(["oil"]));

    // Another tablet added it as well; the first one removes what it knows of, and the other's stays.
    let others = json!({"oil": [["c", "t2"]]});
    depot.tasks(&two, &none, others, json!([])).await;
    let all = json!([dead("oil", "a", "t1"), dead("oil", "b", "t1")]);
    depot.tasks(&one, &none, json!({}), all).await;
    assert_eq!(depot.shown().await, json!(["oil"]));
    let third = json!([dead("oil", "c", "t2")]);
    depot.tasks(&one, &none, json!({}), third).await;
    assert_eq!(depot.shown().await, json!([]));

    // Who still has the addition that was removed does not bring it back.
    let stale = json!({"oil": [["a", "t1"], ["c", "t2"]]});
    assert_eq!(depot.tasks(&two, &none, stale, json!([])).await, 0);
    assert_eq!(depot.shown().await, json!([]));
}

#[tokio::test]
async fn a_tombstone_that_comes_first_and_one_behind_a_pull() {
    let depot = Depot::start().await;
    let (one, two) = (depot.device("t1").await, depot.device("t2").await);
    let none = Value::Null;
    // The tombstone overtakes its addition.
    let tomb = json!([dead("belt", "z", "t2")]);
    depot.tasks(&one, &none, json!({}), tomb).await;
    let late = json!({"belt": [["z", "t2"]], "pads": [["y", "t2"]]});
    depot.tasks(&two, &none, late, json!([])).await;
    assert_eq!(depot.shown().await, json!(["pads"]));

    // What a tablet pulled has no tags. With its cursor it says what it saw, and takes away that much.
    let cursor = depot.cursor(&one).await;
    let operation = json!([{"id": "i", "entity_type": "WorkOrder", "entity_id": depot.order, "field": "tasks", "op": "insert", "value": "fuses"}]);
    depot.operations(&two, operation.clone()).await;
    let both = json!([dead("pads", "own", "t1"), dead("fuses", "own", "t1")]);
    depot.tasks(&one, &cursor, json!({}), both).await;
    assert_eq!(depot.shown().await, json!(["fuses"]), "added since");
    // A whole set that comes again is not judged by what there is now.
    let whole = |id: &str, value: Value| json!([{"id": id, "entity_type": "WorkOrder", "entity_id": depot.order, "field": "tasks", "value": value}]);
    depot
        .operations(&two, whole("w", json!(["fuses", "horn"])))
        .await;
    depot.operations(&two, whole("x", json!([]))).await;
    let again = depot
        .operations(&two, whole("w", json!(["fuses", "horn"])))
        .await;
    assert_eq!(again["duplicate_count"], 1, "{again}");
    assert_eq!(depot.shown().await, json!([]));
}

#[tokio::test]
async fn what_was_pulled_is_not_new_when_it_comes_back() {
    let depot = Depot::start().await;
    let (one, two) = (depot.device("t1").await, depot.device("t2").await);
    let set = |id: &str, value: &str| json!([{"id": id, "entity_type": "Vehicle", "entity_id": "185123", "field": "current_location", "value": value}]);
    depot.operations(&two, set("a", "Hall 2")).await;
    let page = "/api/v1/sync/crdt/pull?limit=1000";
    let page = depot.server.get(page, &one).await.expect(200);
    let states = page["states"].as_array().unwrap();
    let shown = states
        .iter()
        .find(|state| state["entity_type"] == "Vehicle")
        .unwrap();
    let location = shown["fields"]["current_location"].clone();
    assert_eq!(location["device_id"], "t2");
    let mileage = shown["fields"]["current_mileage_km"].clone();
    let status = json!({ "value": shown["fields"]["status"] });
    let data = json!({"current_location": {"value": location}, "current_mileage_km": mileage, "status": status});
    let state = json!([{"entity_type": "Vehicle", "entity_id": "185123", "vector_clock": {}, "crdt_data": data}]);
    let cursor = page["next_cursor"].clone();
    let head = depot.server.state.log.durable_position();
    assert_eq!(depot.states(&one, &cursor, state.clone()).await, 0);
    assert_eq!(depot.server.state.log.durable_position(), head);

    // Nor does what is old by now undo what another has written since, whatever the cursor says.
    depot.server.clock.advance_seconds(5);
    depot.operations(&two, set("b", "Hall 3")).await;
    let cursor = depot.cursor(&one).await;
    assert_eq!(depot.states(&one, &cursor, state).await, 0);
    assert_eq!(depot.vehicle().await["current_location"], "Hall 3");
}

/// The contract's order between equal times: the greater name, whatever number the device has and whoever comes first.
#[tokio::test]
async fn equal_times_are_decided_by_the_names() {
    for (numbers, arrival) in [
        (["a-tab", "z-tab"], ["a-tab", "z-tab"]),
        (["a-tab", "z-tab"], ["z-tab", "a-tab"]),
        (["z-tab", "a-tab"], ["a-tab", "z-tab"]),
        (["z-tab", "a-tab"], ["z-tab", "a-tab"]),
    ] {
        let depot = Depot::start().await;
        let mut tokens = std::collections::BTreeMap::new();
        for name in numbers {
            tokens.insert(name, depot.device(name).await);
        }
        depot.server.clock.advance_seconds(60);
        for name in arrival {
            let write =
                json!({"value": name, "timestamp": "2023-11-14T22:14:50", "device_id": name});
            let data = json!({"current_location": {"value": write}});
            let state = json!([{"entity_type": "Vehicle", "entity_id": "185123", "device_id": name, "vector_clock": {}, "crdt_data": data}]);
            depot.states(&tokens[name], &Value::Null, state).await;
        }
        let shown = depot.vehicle().await;
        assert_eq!(
            shown["current_location"], "z-tab",
            "{numbers:?} {arrival:?}"
        );
    }
}

/// What was lost before: a count that went down and up again to where it had been, and one that came late.
#[tokio::test]
async fn counts_of_states_only_grow_in_each_direction() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let part = json!({"part_no": "P-1", "name": "Pad"});
    let dispatcher = depot.server.token(Role::Dispatcher).await;
    depot
        .server
        .post("/api/v1/parts", &dispatcher, part)
        .await
        .expect(201);
    let id = uuid::Uuid::new_v4().to_string();
    let state = |up: u64, down: u64| {
        let counter = |sum: u64| json!({"device_id": "t1", "clock": {}, "counters": {"t1": sum}});
        let data = json!({"quantity": {"device_id": "t1", "clock": {}, "increments": counter(up), "decrements": counter(down)}});
        json!([{"entity_type": "StockMove", "entity_id": id, "vector_clock": {}, "crdt_data": data}])
    };
    for (up, down) in [(5, 0), (5, 2), (7, 2), (5, 0), (3, 0), (9, 2)] {
        depot.states(&token, &Value::Null, state(up, down)).await;
    }
    let page = "/api/v1/sync/crdt/pull?limit=1000";
    let page = depot.server.get(page, &token).await.expect(200);
    let states = page["states"].as_array().unwrap();
    let shown = states
        .iter()
        .find(|state| state["entity_type"] == "StockMove")
        .unwrap();
    assert_eq!(shown["fields"]["quantity"]["value"], 7, "{shown}");
}

/// A state that says that its entity is gone is a request like any other, and is answered.
#[tokio::test]
async fn an_entity_is_not_deleted_by_a_state() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let state = json!([{"entity_type": "Vehicle", "entity_id": "185123", "device_id": "t1", "vector_clock": {}, "crdt_data": {}, "tombstone": true}]);
    for _ in 0..2 {
        let body = json!({ "states": state });
        let answer = depot.server.post(PUSH, &token, body).await.expect(200);
        let error = answer["result"]["errors"][0].as_str().unwrap_or_default();
        assert!(error.contains("not_authorised"), "{answer}");
    }
    assert_eq!(depot.vehicle().await["asset_id"], "185123");
}
