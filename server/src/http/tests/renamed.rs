//! Vehicles, parts and cost centers whose business key changed since they began, as an importer tells it that follows a
//! database.

use std::time::Duration;

use fleet::policy::Role;
use serde_json::{Value, json};
use storage::{ExpectedVersion, NewEvent, StreamName, Transaction};

use super::harness::TestServer;
use super::procurement::{delivery, order_body, shop};
use crate::projection::CATALOG;

/// A kind of aggregate whose id is a business key.
struct Kind {
    name: &'static str,
    path: &'static str,
    key: &'static str,
    /// What a creation needs beside the key.
    body: Value,
}

fn kinds() -> [Kind; 3] {
    let kind = |name, path, key, body| Kind {
        name,
        path,
        key,
        body,
    };
    [
        kind(
            "Vehicle",
            "/api/v1/vehicles",
            "asset_id",
            json!({ "model": "x", "type": "diesel" }),
        ),
        kind("Part", "/api/v1/parts", "part_no", json!({ "name": "x" })),
        kind(
            "CostCenter",
            "/api/v1/cost_centers",
            "code",
            json!({ "name": "x" }),
        ),
    ]
}

impl Kind {
    fn named(&self, key: &str) -> Value {
        let mut body = self.body.clone();
        body[self.key] = key.into();
        body
    }

    /// What an importer tells.
    async fn told(&self, server: &TestServer, id: &str, happened: &str, data: Value) {
        let event_type = format!("{}{happened}", self.name);
        let event = NewEvent::new(event_type, data.to_string());
        let stream = StreamName::new(self.name, id);
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        let (log, projections) = (&server.state.log, &server.state.projections);
        let position = log.append(transaction).unwrap().last_position();
        let patience = Duration::from_secs(10);
        assert!(projections.reach(CATALOG, position, patience).await);
    }

    /// One that began as `OLD` and is `NEW` now; its UUID.
    async fn renamed(&self, server: &TestServer, token: &str) -> Value {
        let created = server.post(self.path, token, self.named("OLD")).await;
        let uuid = created.expect(201)["id"].clone();
        let change = json!({ self.key: "NEW" });
        self.told(server, "OLD", "Updated", change).await;
        uuid
    }

    /// Key and UUID of the one that is found by `name`.
    async fn found(&self, server: &TestServer, token: &str, name: &str) -> (Value, Value) {
        let path = format!("{}/{name}", self.path);
        let found = server.get(&path, token).await.expect(200);
        (found[self.key].clone(), found["id"].clone())
    }
}

#[tokio::test]
async fn a_changed_key_is_shown_and_found_and_the_one_before_is_found() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    for kind in kinds() {
        let uuid = kind.renamed(&server, &token).await;
        for name in ["NEW", "OLD", uuid.as_str().unwrap()] {
            let found = kind.found(&server, &token, name).await;
            assert_eq!(found, (json!("NEW"), uuid.clone()), "{} {name}", kind.name);
        }
        let (field, _) = kind.body.as_object().unwrap().iter().next().unwrap();
        let change = json!({ field: "y" });
        let path = format!("{}/NEW", kind.path);
        let changed = server.patch(&path, &token, change).await.expect(200);
        assert_eq!(
            (&changed[kind.key], &changed[field]),
            (&json!("NEW"), &json!("y"))
        );
        let listed = server.get(kind.path, &token).await.expect(200);
        assert_eq!(listed["total"], 1);
        let path = format!("{}?search=new", kind.path);
        let found = server.get(&path, &token).await.expect(200);
        assert_eq!(found["total"], 1, "{path}");
        // The aggregate's id is what it was; its events are found by both.
        for id in ["OLD", "NEW"] {
            let path = format!("/api/v1/events/{}/{id}", kind.name);
            let events = server.get(&path, &token).await.expect(200);
            assert_eq!(events.as_array().unwrap().len(), 3, "{path}");
            let path = format!(
                "/api/v1/events?aggregate_type={}&aggregate_id={id}",
                kind.name
            );
            let page = server.get(&path, &token).await.expect(200);
            assert_eq!(page["total"], 3, "{path}");
        }
    }
}

#[tokio::test]
async fn neither_a_key_in_use_nor_a_former_one_begins_another() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    for kind in kinds() {
        kind.renamed(&server, &token).await;
        for (key, code) in [("NEW", "already_exists"), ("OLD", "former_key")] {
            let refused = server.post(kind.path, &token, kind.named(key)).await;
            let problem = refused.expect_problem(400, "bad-request");
            assert_eq!(problem["code"], code, "{problem}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("'NEW'"), "{detail}");
            assert!(detail.contains(kind.key), "{detail}");
        }
        server
            .post(kind.path, &token, kind.named("ANOTHER"))
            .await
            .expect(201);
    }
}

#[tokio::test]
async fn a_freed_key_that_the_database_gave_to_another_names_that_one() {
    const NEWCOMER: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    for kind in kinds() {
        let uuid = kind.renamed(&server, &token).await;
        let data = kind.named("OLD");
        kind.told(&server, NEWCOMER, "Created", data).await;
        let newcomer = (json!("OLD"), json!(NEWCOMER));
        for name in ["OLD", NEWCOMER] {
            assert_eq!(kind.found(&server, &token, name).await, newcomer);
        }
        let first = (json!("NEW"), uuid.clone());
        for name in ["NEW", uuid.as_str().unwrap()] {
            assert_eq!(kind.found(&server, &token, name).await, first);
        }
        let refused = server.post(kind.path, &token, kind.named("OLD")).await;
        let problem = refused.expect_problem(400, "bad-request");
        assert_eq!(problem["code"], "already_exists", "{problem}");
    }
}

/// An event that told another key renamed its row, be that key another's.
#[tokio::test]
async fn no_raw_event_has_a_row_go_by_another_key() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let events = "/api/v1/events";
    for kind in kinds() {
        let uuid = kind.renamed(&server, &token).await;
        let raw = |id: &str, happened: &str, data: Value| {
            let event_type = format!("{}{happened}", kind.name);
            json!({ "aggregate_type": kind.name, "aggregate_id": id, "event_type": event_type, "data": data })
        };
        let key = kind.key;
        let (old_key, new_key) = (format!("old_{key}"), format!("new_{key}"));
        let both = json!({ old_key: "NEW", new_key: "OTHER" });
        for (id, happened, data, named) in [
            ("OLD", "Updated", json!({ key: "OTHER" }), "'NEW'"),
            ("OLD", "UpdatedEvent", json!({ key: "OLD" }), "'NEW'"),
            ("OLD", "Created", json!({ key: "OLD" }), "'NEW'"),
            ("OLD", "Painted", json!({ key: null }), "'NEW'"),
            ("OLD", "Painted", both, "'NEW'"),
            ("FRESH", "Created", json!({ key: "ELSE" }), "'FRESH'"),
            // Begun under its own id, which another goes by.
            ("NEW", "Created", json!({}), "'OLD'"),
            // Meant for that one, and seen by nobody there.
            ("NEW", "Painted", json!({ "colour": "red" }), "'OLD'"),
        ] {
            let code = match id {
                "NEW" => "key_taken",
                _ => "key_fixed",
            };
            let told = raw(id, happened, data);
            let batch = json!({ "events": [raw("OLD", "Seen", json!({})), told.clone()] });
            for (path, body) in [(events, told), ("/api/v1/events/batch", batch)] {
                let refused = server.post(path, &token, body).await;
                let refused = refused.expect_problem(409, "conflict");
                let about = (&refused["field"], &refused["code"]);
                assert_eq!(about, (&json!(key), &json!(code)), "{refused}");
                let detail = refused["detail"].as_str().unwrap();
                assert!(detail.contains(named), "{detail}");
            }
        }
        for (id, happened, data) in [
            ("OLD", "Updated", json!({ key: "NEW" })),
            ("OLD", "Painted", json!({ "colour": "red" })),
            ("FRESH", "Created", json!({ key: "FRESH" })),
        ] {
            server.create(events, &token, raw(id, happened, data)).await;
        }
        let found = kind.found(&server, &token, "NEW").await;
        assert_eq!(found, (json!("NEW"), uuid));
    }
}

#[tokio::test]
async fn a_state_that_is_restored_keeps_the_present_key() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    for kind in kinds() {
        kind.renamed(&server, &token).await;
        let (field, before) = kind.body.as_object().unwrap().iter().next().unwrap();
        let path = format!("{}/NEW", kind.path);
        let change = json!({ field: "y" });
        server.patch(&path, &token, change).await.expect(200);
        server.clock.advance_seconds(60);
        let restored = json!({ "aggregate_type": kind.name, "aggregate_id": "OLD", "version": 1, "apply": true, "expected_version": 3 });
        let path = "/api/v1/time-travel/restore";
        let restored = server.act(path, &token, restored).await;
        assert_eq!(restored["applied"], true, "{restored}");
        let left = restored["not_restorable"].as_array().unwrap();
        let left: Vec<&Value> = left.iter().map(|left| &left["field"]).collect();
        assert_eq!(left, [&json!(kind.key)]);
        let position = &restored["position"];
        let path = format!("{}/NEW?min_position={position}", kind.path);
        let found = server.get(&path, &token).await.expect(200);
        assert_eq!((&found[kind.key], &found[field]), (&json!("NEW"), before));
    }
}

#[tokio::test]
async fn what_is_moved_under_a_new_number_is_the_part_s() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let [_, part, _] = kinds();
    part.renamed(&server, &token).await;
    let location =
        json!({ "location_code": "NORTH", "name": "North", "location_type": "WORKSHOP" });
    server
        .post("/api/v1/stock/locations", &token, location)
        .await
        .expect(201);
    for name in ["NEW", "OLD"] {
        let path = format!("/api/v1/stock/moves?part_no={name}");
        let before = server.get(&path, &token).await.expect(200);
        let incoming = json!({ "part_no": name, "move_type": "INCOMING", "quantity": 2, "to_location_id": "NORTH" });
        let moved = server.post("/api/v1/stock/moves", &token, incoming).await;
        assert_eq!(moved.expect(201)["part_no"], "NEW");
        let after = server.get(&path, &token).await.expect(200);
        let (before, after) = (before["total"].as_u64(), after["total"].as_u64());
        assert_eq!(after, before.map(|total| total + 1), "{name}");
    }
    let overview = server
        .get("/api/v1/stock/overview?part_no=NEW", &token)
        .await
        .expect(200);
    assert_eq!(overview["items"][0]["part_no"], "NEW");
    let held = server.get("/api/v1/parts/NEW", &token).await.expect(200);
    assert_eq!(held["current_stock"], 4);
}

/// A move keeps the number that the part had then: lists and the report of usage lost the earlier ones.
#[tokio::test]
async fn what_was_moved_before_a_part_got_another_number_is_still_its() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let [_, part, _] = kinds();
    let mut body = part.named("OLD");
    body["current_stock"] = json!(100);
    server.create(part.path, &token, body).await;
    let another = part.named("ANOTHER");
    server.create(part.path, &token, another).await;
    let moves = "/api/v1/stock/moves";
    let used = |name: &str, quantity: i64| json!({ "part_no": name, "move_type": "USAGE", "quantity": quantity, "unit_price": "2.00" });
    server.create(moves, &token, used("OLD", 3)).await;
    let change = json!({ "part_no": "NEW" });
    part.told(&server, "OLD", "Updated", change).await;
    server.create(moves, &token, used("NEW", 4)).await;
    for name in ["NEW", "OLD"] {
        let path = format!("{moves}?part_no={name}&limit=1");
        let listed = server.get(&path, &token).await.expect(200);
        assert_eq!(listed["total"], 2, "{name}");
        let cursor = listed["next_cursor"].as_str().unwrap();
        let path = format!("{path}&cursor={cursor}");
        let rest = server.get(&path, &token).await.expect(200);
        // Both were made in the same moment.
        let quantities = [&listed, &rest].map(|page| page["moves"][0]["quantity"].as_i64());
        assert!(
            quantities.contains(&Some(3)) && quantities.contains(&Some(4)),
            "{name}"
        );
        let path = format!("{moves}?part_no={name}&move_type=INCOMING");
        assert_eq!(server.get(&path, &token).await.expect(200)["total"], 0);
    }
    let other = format!("{moves}?part_no=ANOTHER");
    assert_eq!(server.get(&other, &token).await.expect(200)["total"], 0);
    let usage = "/api/v1/reports/parts_usage?period=2023-11";
    for path in [usage.to_owned(), format!("{usage}&part_no=NEW")] {
        let report = server.get(&path, &token).await.expect(200);
        let metrics = report["metrics"].as_array().unwrap();
        assert_eq!(metrics.len(), 1, "{path}: {report}");
        let told = (&metrics[0]["part_no"], &metrics[0]["total_quantity_used"]);
        assert_eq!(told, (&json!("NEW"), &json!(7)), "{path}");
    }
    // Who was given the freed number has moves of its own.
    let newcomer = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let data = part.named("OLD");
    part.told(&server, newcomer, "Created", data).await;
    let path = format!("{moves}?part_no=NEW");
    assert_eq!(server.get(&path, &token).await.expect(200)["total"], 1);
}

/// A line names the part by the number that it has, and goes on naming it, whoever has the former one now.
#[tokio::test]
async fn a_delivery_on_an_order_for_the_new_number_is_the_part_s() {
    let (server, token, manager) = shop().await;
    let [_, part, _] = kinds();
    let change = json!({ "part_no": "NEW" });
    part.told(&server, "BRK/1", "Updated", change).await;
    let newcomer = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let data = part.named("BRK/1");
    part.told(&server, newcomer, "Created", data).await;
    let mut body = order_body("PO-1");
    body["lines"][0]["part_no"] = json!("NEW");
    let orders = "/api/v1/purchase_orders";
    let order = server.post(orders, &token, body).await.expect(201);
    assert_eq!(order["lines"][0]["part_no"], "NEW");
    for (step, token, body) in [
        ("approve", &manager, json!({})),
        ("order", &token, json!({})),
        ("receive", &token, delivery(&order, 10)),
    ] {
        let path = format!("{orders}/PO-1/{step}");
        server.post(&path, token, body).await.expect(200);
    }
    for (name, level) in [("NEW", 10), ("BRK%2F1", 0)] {
        let path = format!("/api/v1/parts/{name}");
        let held = server.get(&path, &token).await.expect(200);
        assert_eq!(held["current_stock"], level, "{name}");
    }
}
