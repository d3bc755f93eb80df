//! Push and pull: every operation once, judged by itself, in the log as an ordinary event; what tablets hold is what the read
//! models show, live and after a restart.

use axum::body::Body;
use axum::http::{Method, header};
use crdt::sync::{Page, PushAnswer, Tables as _, Tablet, Verdict};
use crdt::wire::{Reader, Wire as _};
use crdt::{Change, DeviceId, Value as Held};
use fleet::policy::Role;
use fleet::sync::TABLES;
use serde_json::{Value, json};

use super::harness::{Answer, TestServer, request};

const PUSH: &str = "/api/v1/sync/crdt/push";
const PULL: &str = "/api/v1/sync/crdt/pull";
const SYNC: &str = "/api/v1/sync/crdt/sync";
const NOW_MS: u64 = 1_700_000_000_000;

/// A server with one vehicle, and a technician's two tablets.
struct Depot {
    server: TestServer,
    technician: String,
    dispatcher: String,
}

impl Depot {
    async fn start() -> Self {
        Depot::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut crate::config::Config)) -> Self {
        let server = TestServer::start_with(change);
        let technician = server.token(Role::Technician).await;
        let dispatcher = server.token(Role::Dispatcher).await;
        let vehicle = json!({"asset_id": "185123", "model": "V180", "type": "diesel", "current_mileage_km": 1000});
        server
            .post("/api/v1/vehicles", &dispatcher, vehicle)
            .await
            .expect(201);
        server.clock.advance_seconds(1);
        Depot {
            server,
            technician,
            dispatcher,
        }
    }

    async fn device(&self, id: &str) -> String {
        self.device_of(id, &self.technician, json!({})).await
    }

    async fn device_of(&self, id: &str, user: &str, scope: Value) -> String {
        let body =
            json!({"device_id": id, "device_name": id, "device_type": "tablet", "scope": scope});
        let answer = self
            .server
            .post("/api/v1/sync/devices/register", user, body)
            .await
            .expect(201);
        answer["device_token"].as_str().unwrap().to_owned()
    }

    async fn order(&self) -> String {
        let body = json!({"vehicle_id": "185123", "work_description": "Brakes"});
        let order = self
            .server
            .post("/api/v1/maintenance/orders", &self.dispatcher, body)
            .await;
        order.expect(201)["id"].as_str().unwrap().to_owned()
    }

    async fn push(&self, token: &str, operations: Value) -> Value {
        let body = json!({ "operations": operations });
        self.server.post(PUSH, token, body).await.expect(200)
    }

    async fn pull(&self, token: &str, cursor: &str) -> Value {
        let path = format!("{PULL}?cursor={cursor}");
        self.server.get(&path, token).await.expect(200)
    }

    async fn patch_vehicle(&self, body: Value) {
        let headers = [("content-type", "application/json")];
        let path = "/api/v1/vehicles/185123";
        let body = Body::from(body.to_string());
        let request = request(Method::PATCH, path, &self.dispatcher, &headers, body);
        self.server.answer(request).await.expect(200);
    }

    async fn vehicle(&self) -> Value {
        self.server
            .get("/api/v1/vehicles/185123", &self.technician)
            .await
            .expect(200)
    }
}

fn set(id: &str, field: &str, value: Value) -> Value {
    json!({"id": id, "entity_type": "Vehicle", "entity_id": "185123", "field": field, "value": value})
}

fn at(mut operation: Value, timestamp: &str) -> Value {
    operation["timestamp"] = timestamp.into();
    operation
}

fn statuses(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["status"].as_str().unwrap())
        .collect()
}

fn state<'a>(page: &'a Value, entity_type: &str) -> &'a Value {
    let states = page["states"].as_array().unwrap();
    let found = states
        .iter()
        .find(|state| state["entity_type"] == entity_type);
    found.unwrap_or_else(|| panic!("no {entity_type} in {page}"))
}

#[tokio::test]
async fn an_operation_counts_once_however_often_it_comes() {
    let depot = Depot::start().await;
    let (first, second) = (depot.device("t1").await, depot.device("t2").await);
    let page = depot.pull(&second, "").await;
    assert_eq!(
        state(&page, "Vehicle")["fields"]["status"]["value"],
        "available"
    );
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();

    let operations = json!([
        set("a", "notes", json!("Squeaks")),
        set("b", "current_mileage_km", json!(1200)),
        set("c", "location", json!("Hall 2"))
    ]);
    let answer = depot.push(&first, operations.clone()).await;
    assert_eq!(
        statuses(&answer),
        ["applied", "applied", "applied"],
        "{answer}"
    );
    assert_eq!(answer["results"][1]["state"]["value"], 1200);
    let head = depot.server.state.log.durable_position();
    // The answer was lost; it comes again, whole, in pieces, and in another order.
    assert_eq!(
        statuses(&depot.push(&first, operations).await),
        ["duplicate"; 3]
    );
    let again = depot
        .push(
            &first,
            json!([
                set("c", "location", json!("Hall 2")),
                set("a", "notes", json!("Squeaks"))
            ]),
        )
        .await;
    assert_eq!(statuses(&again), ["duplicate"; 2]);
    assert_eq!(again["results"][0]["reason"], "applied");
    assert_eq!(depot.server.state.log.durable_position(), head);

    let vehicle = depot.vehicle().await;
    assert_eq!(
        (
            &vehicle["notes"],
            &vehicle["current_mileage_km"],
            &vehicle["current_location"]
        ),
        (&json!("Squeaks"), &json!(1200), &json!("Hall 2"))
    );
    let page = depot.pull(&second, &cursor).await;
    let fields = &state(&page, "Vehicle")["fields"];
    assert_eq!(fields["notes"]["value"], "Squeaks");
    assert_eq!(fields["notes"]["device_id"], "t1");
    assert!(fields.get("model").is_none(), "only what changed: {fields}");
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(depot.pull(&second, next).await["states"], json!([]));

    let events = depot
        .server
        .get("/api/v1/events/Vehicle/185123", &depot.technician)
        .await
        .expect(200);
    let event = events
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["event_type"] == "VehicleMileageUpdated")
        .unwrap();
    assert_eq!(
        (
            &event["metadata"]["device_id"],
            &event["metadata"]["crdt"]["operation"]
        ),
        (&json!("t1"), &json!("b"))
    );
    assert_eq!(
        event["data"],
        json!({"old_mileage": 1000, "new_mileage": 1200})
    );
}

#[tokio::test]
async fn what_was_not_seen_is_concurrent_and_stays_visible() {
    let depot = Depot::start().await;
    let (first, second) = (depot.device("t1").await, depot.device("t2").await);
    depot.server.clock.advance_seconds(60);
    // Both were offline. The later one by its own clock stands; the other stays to be seen.
    let late = at(set("x", "notes", json!("from one")), "2023-11-14T22:13:50Z");
    let early = at(set("x", "notes", json!("from two")), "2023-11-14T22:13:40Z");
    assert_eq!(
        statuses(&depot.push(&first, json!([late])).await),
        ["applied"]
    );
    let answer = depot.push(&second, json!([early])).await;
    assert_eq!(statuses(&answer), ["merged"], "{answer}");
    let shown = &answer["results"][0]["state"];
    assert_eq!(
        (&shown["value"], &shown["siblings"][0]["value"]),
        (&json!("from one"), &json!("from two"))
    );
    assert_eq!(answer["conflict_count"], 1);
    assert_eq!(depot.vehicle().await["notes"], "from one");

    // Who has seen both and writes settles it, whatever its clock says.
    let page = depot.pull(&second, "").await;
    let body = json!({
        "cursor": page["next_cursor"],
        "operations": [at(set("y", "notes", json!("settled")), "2001-01-01T00:00:00Z")],
    });
    let answer = depot.server.post(PUSH, &second, body).await.expect(200);
    assert_eq!(statuses(&answer), ["applied"], "{answer}");
    assert!(answer["results"][0]["state"].get("siblings").is_none());
    assert_eq!(depot.vehicle().await["notes"], "settled");
}

#[tokio::test]
async fn requests_are_decided_and_facts_are_held_or_compensated() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let order = depot.order().await;
    let step = |id: &str, status: &str| json!({"id": id, "entity_type": "WorkOrder", "entity_id": order, "field": "status", "value": status});
    let answer = depot.push(&token, json!([step("1", "completed")])).await;
    let refused = &answer["results"][0];
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&json!("rejected"), &json!("illegal_transition"))
    );
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("cannot become completed"),
        "{refused}"
    );
    assert_eq!(refused["state"]["value"], "draft");
    let check = |id: &str, field: &str, value: Value| json!({"id": id, "entity_type": "work_order", "entity_id": order, "field": "checklist", "op": "put", "key": "c1", "item_field": field, "value": value});
    let answer = depot
        .push(
            &token,
            json!([
                check("2", "text", json!("Pads")),
                step("3", "in_progress"),
                step("4", "completed"),
                check("5", "done", json!(true)),
                step("6", "completed")
            ]),
        )
        .await;
    assert_eq!(
        statuses(&answer),
        ["applied", "applied", "rejected", "applied", "applied"],
        "{answer}"
    );
    assert!(
        answer["results"][2]["detail"]
            .as_str()
            .unwrap()
            .contains("checklist"),
        "{answer}"
    );
    let shown = depot
        .server
        .get(&format!("/api/v1/maintenance/orders/{order}"), &token)
        .await;
    shown.expect_problem(403, "forbidden");
    let shown = depot
        .server
        .get(
            &format!("/api/v1/maintenance/orders/{order}"),
            &depot.technician,
        )
        .await
        .expect(200);
    assert_eq!(shown["status"], "completed");
    assert_eq!(shown["checklist"][0]["done"], true);

    let answer = depot
        .push(
            &token,
            json!([
                set("7", "current_mileage_km", json!(99_000)),
                set("8", "model", json!("V200"))
            ]),
        )
        .await;
    let (held, foreign) = (&answer["results"][0], &answer["results"][1]);
    assert_eq!(
        (&held["status"], &held["reason"]),
        (&json!("merged"), &json!("held_implausible"))
    );
    assert_eq!(
        (&foreign["status"], &foreign["reason"]),
        (&json!("rejected"), &json!("not_authorised"))
    );
    assert_eq!(depot.vehicle().await["current_mileage_km"], 1000);

    let part = json!({"part_no": "P-1", "name": "Pad", "current_stock": 1});
    depot
        .server
        .post("/api/v1/parts", &depot.dispatcher, part)
        .await
        .expect(201);
    let second = depot.order().await;
    let used = |id: &str, field: &str, value: Value| json!({"id": id, "entity_type": "WorkOrder", "entity_id": second, "field": "used_parts", "key": "u1", "item_field": field, "value": value});
    let answer = depot
        .push(
            &token,
            json!([
                used("9", "part_no", json!("P-1")),
                used("10", "quantity", json!(3))
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), ["applied", "applied"], "{answer}");
    let part = depot
        .server
        .get("/api/v1/parts/P-1", &depot.technician)
        .await
        .expect(200);
    assert_eq!(part["current_stock"], -2, "a fact below zero: {part}");
    let moves = depot
        .server
        .get("/api/v1/stock/moves?part_no=P-1", &depot.technician)
        .await
        .expect(200);
    assert_eq!(moves["total"], 1);
    let answer = depot
        .push(&token, json!([used("11", "quantity", json!(4))]))
        .await;
    assert_eq!(answer["results"][0]["reason"], "illegal_transition");

    let id = uuid::Uuid::new_v4().to_string();
    let of_move = |name: &str, field: &str, value: Value| json!({"id": format!("m-{name}"), "entity_type": "StockMove", "entity_id": id, "field": field, "value": value});
    let answer = depot
        .push(
            &token,
            json!([
                of_move("1", "part_no", json!("P-1")),
                of_move("2", "move_type", json!("USAGE")),
                of_move("3", "quantity", json!(2))
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), ["applied"; 3], "{answer}");
    let part = depot
        .server
        .get("/api/v1/parts/P-1", &depot.technician)
        .await
        .expect(200);
    assert_eq!(part["current_stock"], -4, "{part}");
}

#[tokio::test]
async fn older_bodies_work_and_repeat_without_effect() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let order = depot.order().await;
    let states = json!({"device_id": "t1", "states": [
        {"entity_type": "Vehicle", "entity_id": "185123", "device_id": "t1", "vector_clock": {"t1": 2}, "crdt_data": {
            "device_id": "t1", "asset_id": "185123", "clock": {"device_id": "t1", "clocks": {"t1": 2}},
            "location": {"device_id": "t1", "clock": {}, "value": {"value": "Hall 7", "timestamp": "2023-11-14T22:13:21.500000", "device_id": "t1"}},
            "current_mileage": {"device_id": "t1", "clock": {}, "value": {"value": 1500, "timestamp": "2023-11-14T22:13:21", "device_id": "t1"}}}},
        {"entity_type": "WorkOrder", "entity_id": order, "device_id": "t1", "vector_clock": {"t1": 1}, "crdt_data": {
            "tasks": {"device_id": "t1", "clock": {}, "elements": {"oil": [["tag-1", "t1"]], "belt": [["tag-2", "t1"]]}, "tombstones": []}}},
    ]});
    for path in ["/api/v1/crdt/sync/push", PUSH, "/api/v1/sync/push"] {
        let answer = depot
            .server
            .post(path, &depot.technician, states.clone())
            .await
            .expect(200);
        let result = &answer["result"];
        assert_eq!(
            (&result["entities_synced"], &result["errors"]),
            (&json!(2), &json!([])),
            "{answer}"
        );
        assert!(answer["session_id"].is_string());
        let expected = if path.contains("/crdt/sync") { 4 } else { 0 };
        assert_eq!(result["operations_applied"], expected, "{answer}");
    }
    let vehicle = depot.vehicle().await;
    assert_eq!(
        (&vehicle["current_location"], &vehicle["current_mileage_km"]),
        (&json!("Hall 7"), &json!(1500))
    );
    let shown = depot
        .server
        .get(
            &format!("/api/v1/maintenance/orders/{order}"),
            &depot.technician,
        )
        .await
        .expect(200);
    assert_eq!(shown["tasks"], json!(["belt", "oil"]));

    let changes = json!({"device_id": "t1", "changes": [{"aggregate_type": "Vehicle", "aggregate_id": "185123", "crdt_type": "LWW-Register",
        "state": {"value": {"notes": "doc"}, "timestamp": "2023-11-14T22:13:21Z", "node_id": "t1"}, "vector_clock": {"t1": 3}}]});
    let answer = depot
        .server
        .post("/api/v1/sync/push", &token, changes.clone())
        .await
        .expect(200);
    assert_eq!(
        (&answer["accepted"], statuses(&answer)),
        (&json!(1), vec!["applied"]),
        "{answer}"
    );
    assert_eq!(
        statuses(
            &depot
                .server
                .post("/api/v1/sync/push", &token, changes)
                .await
                .expect(200)
        ),
        ["duplicate"]
    );

    let events = json!({"device_id": "t1", "events": [
        {"id": "e1", "source_role": "workshop", "entity_type": "work_order", "entity_id": order, "field_changes": {"work_performed": "done", "priority": "high"}, "timestamp": "2023-11-14T22:13:21Z"},
        {"id": "e2", "source_role": "workshop", "entity_type": "work_order", "entity_id": order, "field_changes": {"findings": "rust"}},
        {"id": "e3", "source_role": "workshop", "entity_type": "work_order", "entity_id": "nothing", "field_changes": {"findings": "rust"}}]});
    // Twice: the first answer may be lost, and what was refused must not come back as applied.
    for _ in 0..2 {
        let answer = depot
            .server
            .post("/api/v1/sync/push", &depot.technician, events.clone())
            .await
            .expect(200);
        assert_eq!(
            (
                &answer["applied"],
                &answer["conflicts"],
                &answer["rejected"]
            ),
            (&json!(["e2"]), &json!(["e1"]), &json!(["e3"])),
            "{answer}"
        );
    }
    let shown = depot
        .server
        .get(
            &format!("/api/v1/maintenance/orders/{order}"),
            &depot.technician,
        )
        .await
        .expect(200);
    assert_eq!(
        (
            &shown["work_performed"],
            &shown["findings"],
            &shown["priority"]
        ),
        (&json!("done"), &json!("rust"), &json!("medium"))
    );
    let page = depot
        .server
        .post("/api/v1/crdt/sync/pull", &token, json!({"device_id": "t1"}))
        .await
        .expect(200);
    assert!(page["total_count"].as_u64().unwrap() >= 2);
    let page = depot
        .server
        .get("/api/v1/sync/pull/t1", &token)
        .await
        .expect(200);
    assert!(page["changes"].is_array());
    let page = depot
        .server
        .get("/api/v1/sync/pull?limit=1", &token)
        .await
        .expect(200);
    assert!(page["events"].is_array() && page["has_more"] == true);
    for wrong in [
        json!({"operations": {}}),
        json!({"states": [1]}),
        json!({"events": [{"id": "x"}]}),
        json!({"operations": [{"id": "x", "entity_type": "Vehicle", "entity_id": "185123", "field": "notes", "timestamp": "soon"}]}),
    ] {
        depot
            .server
            .post(PUSH, &token, wrong)
            .await
            .expect_problem(422, "invalid");
    }
}

/// A tablet of the protocol over HTTP.
struct Client {
    token: String,
    cursor: String,
    tablet: Tablet,
}

impl Client {
    async fn new(depot: &Depot, id: &str, number: u32) -> Self {
        Client {
            token: depot.device(id).await,
            cursor: String::new(),
            tablet: Tablet::new(DeviceId::new(number), &TABLES),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let frame = self.tablet.frame(1_000);
        let basis = self.tablet.basis();
        frame.map_or_else(Vec::new, |frame| frame.encode(&basis, &self.tablet))
    }

    async fn send(&self, depot: &Depot, path: &str, body: Vec<u8>) -> Answer {
        let path = format!("{path}?cursor={}", self.cursor);
        let headers = [("content-type", "application/octet-stream")];
        let request = request(Method::POST, &path, &self.token, &headers, Body::from(body));
        depot.server.answer(request).await
    }

    /// One round trip.
    async fn sync(&mut self, depot: &Depot) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        loop {
            let answer = self.send(depot, SYNC, self.bytes()).await;
            assert_eq!(
                answer.status.as_u16(),
                200,
                "{}",
                String::from_utf8_lossy(&answer.body)
            );
            assert_eq!(
                answer.headers[header::CONTENT_TYPE],
                "application/octet-stream"
            );
            let mut reader = Reader::new(&answer.body);
            let told = reader.bytes("answer", 1 << 20).unwrap();
            let told = PushAnswer::decode(&mut Reader::new(told)).unwrap();
            verdicts.extend(
                self.tablet
                    .answer(&told)
                    .into_iter()
                    .map(|(_, verdict)| verdict),
            );
            let page = Page::decode(reader.rest(), &self.tablet).unwrap();
            let last = page.is_last();
            assert!(self.tablet.page(&page));
            self.cursor = answer.header("x-sync-cursor").unwrap().to_owned();
            if last && self.tablet.unjudged() == 0 {
                return verdicts;
            }
        }
    }

    fn entity(&self, table: &str) -> crdt::sync::EntityRef {
        let found = self
            .tablet
            .entities()
            .find(|(_, known, _)| known.name == table);
        crdt::sync::EntityRef::Known(found.unwrap().0)
    }

    fn change(&mut self, table: &str, field: &str, change: Change, now_ms: u64) {
        let entity = self.entity(table);
        let number = self
            .tablet
            .table_of(entity)
            .unwrap()
            .field_named(field)
            .unwrap()
            .number;
        self.tablet
            .change(entity, number, change, 0, now_ms)
            .unwrap();
    }

    async fn digest_agrees(&self, depot: &Depot) {
        let path = format!("{PULL}?digest=true&limit=10000&cursor={}", self.cursor);
        let answer = depot
            .server
            .get_with(
                &path,
                &self.token,
                &[("accept", "application/octet-stream")],
            )
            .await;
        let page = Page::decode(&answer.body, &self.tablet).unwrap();
        assert_eq!(page.digest, Some(self.tablet.digest()));
    }
}

#[tokio::test]
async fn tablets_of_the_protocol_converge_and_a_restart_changes_nothing() {
    let mut depot = Depot::start_with(|config| config.sync.batch_size = 1).await;
    let mut one = Client::new(&depot, "t1", 1).await;
    let mut two = Client::new(&depot, "t2", 2).await;
    depot.order().await;
    one.sync(&depot).await;
    two.sync(&depot).await;
    let now = NOW_MS + 5_000;
    depot.server.clock.advance_seconds(10);
    one.change("Vehicle", "notes", Change::Set(Held::text("one")), now);
    one.change("WorkOrder", "tasks", Change::Insert(Held::text("oil")), now);
    one.change(
        "WorkOrder",
        "status",
        Change::Set(Held::text("in_progress")),
        now,
    );
    two.change("Vehicle", "notes", Change::Set(Held::text("two")), now + 1);
    two.change(
        "WorkOrder",
        "tasks",
        Change::Insert(Held::text("belt")),
        now,
    );
    let put = Change::Put {
        key: Held::text("f1"),
        field: 1,
        value: Held::text("crack"),
    };
    two.change("WorkOrder", "finding_items", put, now);
    depot.patch_vehicle(json!({"home_depot": "North"})).await;
    // The first answer is lost.
    one.send(&depot, PUSH, one.bytes()).await.expect_status(200);
    let verdicts = one.sync(&depot).await;
    assert_eq!(verdicts.len(), 3);
    assert!(verdicts.iter().all(Verdict::is_folded), "{verdicts:?}");
    two.sync(&depot).await;
    one.sync(&depot).await;
    one.digest_agrees(&depot).await;
    two.digest_agrees(&depot).await;
    assert_eq!(one.tablet.digest(), two.tablet.digest());
    assert_eq!(depot.vehicle().await["notes"], "two");

    let token = one.token.clone();
    let folder = depot.server.stop();
    depot.server = TestServer::start_in(folder, |_| {});
    one.digest_agrees(&depot).await;
    let order = one.entity("WorkOrder");
    assert!(one.tablet.view(order).is_some() && token == one.token);
    one.change(
        "Vehicle",
        "notes",
        Change::Set(Held::text("after")),
        now + 9,
    );
    assert_eq!(one.sync(&depot).await.len(), 1);
    two.sync(&depot).await;
    assert_eq!(one.tablet.digest(), two.tablet.digest());
    two.digest_agrees(&depot).await;

    // A copy of the tablet is noticed.
    let mut copy = Client {
        token: one.token.clone(),
        cursor: one.cursor.clone(),
        tablet: one.tablet.clone(),
    };
    one.change(
        "Vehicle",
        "notes",
        Change::Set(Held::text("original")),
        now + 20,
    );
    copy.change(
        "Vehicle",
        "notes",
        Change::Set(Held::text("copy")),
        now + 21,
    );
    one.sync(&depot).await;
    let refused = copy
        .send(&depot, SYNC, copy.bytes())
        .await
        .expect_problem(409, "conflict");
    assert_eq!(refused["code"], "cloned", "{refused}");
    let cloned = refused;
    let forged = Client {
        token: copy.token.clone(),
        cursor: two.cursor.clone(),
        tablet: copy.tablet.clone(),
    };
    let refused = forged
        .send(&depot, PUSH, forged.bytes())
        .await
        .expect_problem(409, "conflict");
    assert_eq!(refused["code"], "cursor_unknown");
    copy.send(&depot, PUSH, vec![7; 90])
        .await
        .expect_problem(400, "bad-request");

    // It registers anew, and what it alone has comes under its new number: nothing is lost, nothing counts twice.
    let created: Vec<(u64, crdt::collapsed::Handle)> = cloned["created"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let handle = u32::try_from(pair[1].as_u64().unwrap()).unwrap();
            (pair[0].as_u64().unwrap(), crdt::collapsed::Handle(handle))
        })
        .collect();
    let mut reborn = Client {
        token: depot.device("t1").await,
        cursor: copy.cursor.clone(),
        tablet: copy.tablet.clone(),
    };
    let agreed = cloned["agreed"].as_u64().unwrap();
    let left = reborn.tablet.reborn(DeviceId::new(3), agreed, &created);
    assert_eq!(left, []);
    let verdicts = reborn.sync(&depot).await;
    assert!(
        matches!(verdicts[..], [ref verdict] if verdict.is_folded()),
        "{verdicts:?}"
    );
    reborn.digest_agrees(&depot).await;
    let of = |found: &Value| found["value"].as_str().unwrap_or_default().to_owned();
    let page = depot.pull(&depot.device("t9").await, "").await;
    let notes = &state(&page, "Vehicle")["fields"]["notes"];
    let mut all = vec![of(notes)];
    all.extend(notes["siblings"].as_array().into_iter().flatten().map(of));
    all.sort_unstable();
    assert_eq!(all, ["copy", "original"], "{notes}");
}

#[tokio::test]
async fn a_scope_shows_what_is_in_it_and_takes_back_what_left() {
    let depot = Depot::start().await;
    depot.patch_vehicle(json!({"home_depot": "South"})).await;
    let scope = json!({"depot": "North"});
    let token = depot.device_of("t1", &depot.technician, scope).await;
    let page = depot.pull(&token, "").await;
    assert_eq!(page["states"], json!([]));
    depot.patch_vehicle(json!({"home_depot": "North"})).await;
    let page = depot
        .pull(&token, page["next_cursor"].as_str().unwrap())
        .await;
    assert_eq!(
        state(&page, "Vehicle")["fields"]["model"]["value"],
        "V180",
        "sent whole: {page}"
    );
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    depot.patch_vehicle(json!({"home_depot": "South"})).await;
    let page = depot.pull(&token, &cursor).await;
    assert_eq!(
        page["deleted"],
        json!([{"entity_type": "Vehicle", "entity_id": "185123"}])
    );
    // What it did before it heard of that still counts; what it does after does not.
    let body = json!({"cursor": cursor, "operations": [set("a", "notes", json!("before"))]});
    assert_eq!(
        statuses(&depot.server.post(PUSH, &token, body).await.expect(200)),
        ["applied"]
    );
    let body =
        json!({"cursor": page["next_cursor"], "operations": [set("b", "notes", json!("after"))]});
    let answer = depot.server.post(PUSH, &token, body).await.expect(200);
    assert_eq!(answer["results"][0]["reason"], "out_of_scope");
}

#[tokio::test]
async fn late_and_wrong_clocks_do_not_part_tablets_from_read_models() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    depot.server.clock.advance_seconds(1_200);
    // The dispatcher wrote long after the technician, who was offline and comes late, with a clock in 2038.
    depot
        .patch_vehicle(json!({"notes": "by HTTP", "current_location": "Yard"}))
        .await;
    let answer = depot
        .push(
            &token,
            json!([
                at(set("a", "notes", json!("offline")), "2023-11-14T22:13:30Z"),
                at(
                    set("b", "current_location", json!("Pit")),
                    "2038-01-01T00:00:00Z"
                )
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), ["merged", "applied"], "{answer}");
    assert_eq!(answer["results"][1]["reason"], "adjusted_clock");
    let vehicle = depot.vehicle().await;
    assert_eq!(
        (&vehicle["notes"], &vehicle["current_location"]),
        (&json!("by HTTP"), &json!("Pit"))
    );
    let page = depot.pull(&token, "").await;
    let fields = &state(&page, "Vehicle")["fields"];
    assert_eq!(
        (
            &fields["notes"]["value"],
            &fields["current_location"]["value"]
        ),
        (&json!("by HTTP"), &json!("Pit"))
    );
}
