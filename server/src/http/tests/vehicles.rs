//! Vehicles over HTTP, and with them what every write and list of the fleet has in common.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use serde_json::{Value, json};
use storage::{ReadRequest, StreamName};

use super::harness::{Answer, TestServer, request};

const PATH: &str = "/api/v1/vehicles";

impl TestServer {
    pub(super) async fn patch_with(
        &self,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        let body = Body::from(body.to_string());
        self.answer(request(Method::PATCH, path, token, &all, body))
            .await
    }

    pub(super) async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        self.patch_with(path, token, &[], body).await
    }

    pub(super) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.answer(request(Method::DELETE, path, token, &[], Body::empty()))
            .await
    }
}

fn vehicle(asset_id: &str) -> Value {
    json!({ "asset_id": asset_id, "model": "BR 185", "type": "electric", "manufacturer": "Bombardier" })
}

async fn server() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    (server, token)
}

#[tokio::test]
async fn a_vehicle_is_created_read_changed_and_deleted() {
    let (server, token) = server().await;
    let answer = server.post(PATH, &token, vehicle("185 123/4")).await;
    let created = answer.expect(201);
    assert_eq!(created["asset_id"], "185 123/4");
    assert_eq!(
        (&created["status"], &created["current_mileage_km"]),
        (&json!("available"), &json!(0))
    );
    assert_eq!(created["last_service_date"], Value::Null);
    assert_eq!(created["version"], 1);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let position = created["position"].as_u64().unwrap();
    let uuid = created["id"].as_str().unwrap().to_owned();
    for id in ["185%20123%2F4", &uuid, &uuid.to_uppercase()] {
        let path = format!("{PATH}/{id}?min_position={position}");
        let read = server.get(&path, &token).await.expect(200);
        assert_eq!(read["id"], created["id"]);
        assert!(read["position"].as_u64().unwrap() >= position);
    }

    let changes = json!({ "status": "in_service", "current_mileage_km": 12, "notes": null });
    let changed = server
        .patch(&format!("{PATH}/{uuid}/"), &token, changes)
        .await
        .expect(200);
    assert_eq!(
        (&changed["status"], &changed["current_mileage_km"]),
        (&json!("in_service"), &json!(12))
    );
    assert_eq!(changed["version"], 3);

    server
        .delete(&format!("{PATH}/{uuid}"), &token)
        .await
        .expect(204);
    for answer in [
        server.get(&format!("{PATH}/{uuid}"), &token).await,
        server
            .patch(&format!("{PATH}/{uuid}"), &token, json!({}))
            .await,
        server.delete(&format!("{PATH}/{uuid}"), &token).await,
        server.get(&format!("{PATH}/185%20123%2F4"), &token).await,
    ] {
        let problem = answer.expect_problem(404, "not-found");
        assert_eq!(problem["detail"], "Vehicle not found");
    }
    // The number may be given again.
    let again = server.post(PATH, &token, vehicle("185 123/4")).await;
    assert_eq!(again.expect(201)["notes"], Value::Null);
}

#[tokio::test]
async fn events_say_who_caused_them_and_in_which_request() {
    let (server, token) = server().await;
    let headers = [("x-request-id", "shift-7")];
    server
        .post_with(PATH, &token, &headers, vehicle("1"))
        .await
        .expect(201);
    let events = server
        .get("/api/v1/events/Vehicle/1", &token)
        .await
        .expect(200);
    let event = &events[0];
    let me = server.get("/api/v1/auth/me", &token).await.expect(200);
    assert_eq!(event["event_type"], "VehicleCreated");
    assert_eq!(event["metadata"]["user_id"], me["id"]);
    assert_eq!(event["metadata"]["correlation_id"], "shift-7");
}

#[tokio::test]
async fn refusals_are_those_of_the_contract() {
    let (server, token) = server().await;
    server.post(PATH, &token, vehicle("1")).await.expect(201);
    let twice = server.post(PATH, &token, vehicle("1")).await;
    let problem = twice.expect_problem(400, "bad-request");
    assert_eq!(
        problem["detail"],
        "Vehicle with asset_id '1' already exists"
    );

    let path = format!("{PATH}/1");
    server
        .patch(&path, &token, json!({ "current_mileage_km": 10 }))
        .await
        .expect(200);
    let lower = server
        .patch(&path, &token, json!({ "current_mileage_km": 9 }))
        .await;
    let problem = lower.expect_problem(400, "bad-request");
    assert_eq!(problem["detail"], "Mileage can only increase");
    server
        .patch(&path, &token, json!({ "current_mileage_km": 10 }))
        .await
        .expect(200);

    let missing = server.post(PATH, &token, json!({ "type": "steam" })).await;
    let problem = missing.expect_problem(422, "invalid");
    let fields: Vec<&Value> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| &fault["loc"][1])
        .collect();
    assert_eq!(fields, ["asset_id", "model", "type"]);
    for body in ["[]", "7", "{", ""] {
        let headers = [("content-type", "application/json")];
        let answer = server
            .answer(request(
                Method::POST,
                PATH,
                &token,
                &headers,
                Body::from(body),
            ))
            .await;
        answer.expect_problem(422, "invalid");
    }
}

#[tokio::test]
async fn roles_are_held() {
    let server = TestServer::start();
    let viewer = server.token(Role::Viewer).await;
    let technician = server.token(Role::Technician).await;
    let dispatcher = server.token(Role::Dispatcher).await;
    server
        .post(PATH, &technician, vehicle("1"))
        .await
        .expect_problem(403, "forbidden");
    server
        .post(PATH, &dispatcher, vehicle("1"))
        .await
        .expect(201);
    let path = format!("{PATH}/1");
    server
        .patch(&path, &viewer, json!({ "notes": "x" }))
        .await
        .expect_problem(403, "forbidden");
    server
        .patch(&path, &technician, json!({ "notes": "x" }))
        .await
        .expect(200);
    server
        .delete(&path, &dispatcher)
        .await
        .expect_problem(403, "forbidden");
    server.get(&path, &viewer).await.expect(200);
    server
        .get(&path, "")
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_version_that_is_not_there_any_more_is_refused() {
    let (server, token) = server().await;
    server.post(PATH, &token, vehicle("1")).await.expect(201);
    let path = format!("{PATH}/1");
    let notes = |text: &str| json!({ "notes": text });
    server
        .patch_with(&path, &token, &[("if-match", "\"1\"")], notes("a"))
        .await
        .expect(200);
    let late = server
        .patch_with(&path, &token, &[("if-match", "\"1\"")], notes("b"))
        .await;
    let problem = late.expect_problem(412, "precondition-failed");
    assert_eq!(
        (&problem["expected_version"], &problem["actual_version"]),
        (&json!(1), &json!(2))
    );
    server
        .patch_with(&path, &token, &[("if-match", "*")], notes("c"))
        .await
        .expect(200);
    server
        .patch_with(&path, &token, &[("if-match", "x")], notes("d"))
        .await
        .expect_problem(400, "bad-request");
}

#[tokio::test]
async fn a_repeated_request_is_done_once() {
    let (server, token) = server().await;
    let key = [("idempotency-key", "k1")];
    let first = server
        .post_with(PATH, &token, &key, vehicle("1"))
        .await
        .expect(201);
    let again = server
        .post_with(PATH, &token, &key, vehicle("1"))
        .await
        .expect(201);
    assert_eq!(
        (&first["id"], &first["position"]),
        (&again["id"], &again["position"])
    );
    server
        .post_with(PATH, &token, &key, vehicle("2"))
        .await
        .expect_problem(409, "id-reused");
    // Somebody else's key of the same text is another one.
    let other = server.token(Role::SuperAdmin).await;
    server
        .post_with(PATH, &other, &key, vehicle("2"))
        .await
        .expect(201);
    let changes = json!({ "current_mileage_km": 5 });
    for _ in 0..3 {
        server
            .patch_with(
                &format!("{PATH}/1"),
                &token,
                &[("idempotency-key", "k2")],
                changes.clone(),
            )
            .await
            .expect(200);
    }
    let version = server.state.log.stream(&StreamName::new("Vehicle", "1"));
    assert_eq!(version.unwrap().version.get(), 2);
}

#[tokio::test]
async fn lists_are_narrowed_searched_and_read_in_pages() {
    let (server, token) = server().await;
    for number in 0..7 {
        let mut body = vehicle(&format!("{number}"));
        if number % 2 == 0 {
            body["status"] = json!("in_service");
            body["manufacturer"] = json!("Würzburg AG");
        }
        server.post(PATH, &token, body).await.expect(201);
    }
    let list = |query: &str| {
        let path = format!("{PATH}?{query}");
        let (server, token) = (&server, &token);
        async move { server.get(&path, token).await.expect(200) }
    };
    let ids = |list: &Value| -> Vec<String> {
        let rows = list["vehicles"].as_array().unwrap().iter();
        rows.map(|row| row["asset_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = list("").await;
    assert_eq!(ids(&all), ["0", "1", "2", "3", "4", "5", "6"]);
    assert_eq!(
        (&all["total"], &all["next_cursor"]),
        (&json!(7), &Value::Null)
    );
    assert_eq!(ids(&list("status=in_service").await).len(), 4);
    assert_eq!(list("status=retired").await["total"], 0);
    assert_eq!(ids(&list("search=W%C3%9CRZ").await).len(), 4);
    assert_eq!(
        ids(&list("search=bombardier&status=in_service").await).len(),
        0
    );
    let skipped = list("skip=2&limit=2").await;
    assert_eq!(
        (ids(&skipped), &skipped["total"]),
        (vec!["2".to_owned(), "3".to_owned()], &json!(7))
    );
    let mut seen = Vec::new();
    let mut query = "limit=3".to_owned();
    loop {
        let page = list(&query).await;
        assert_eq!(page["total"], 7);
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => query = format!("limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids(&all));
    for bad in ["limit=0", "limit=1001", "skip=-1", "status=x", "cursor=zz"] {
        server
            .get(&format!("{PATH}?{bad}"), &token)
            .await
            .expect_problem(422, "invalid");
    }
}

/// Sixty writers at one vehicle, each adding a kilometre to what it saw: none overwrites another.
#[tokio::test(flavor = "multi_thread")]
async fn writers_at_one_aggregate_take_turns() {
    let (server, token) = server().await;
    let server = Arc::new(server);
    server.post(PATH, &token, vehicle("1")).await.expect(201);
    let writers: Vec<_> = (0..60)
        .map(|number| {
            let (server, token) = (server.clone(), token.clone());
            tokio::spawn(async move {
                let body = json!({ "notes": format!("{number}") });
                server.patch(&format!("{PATH}/1"), &token, body).await
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().expect(200);
    }
    let events = server.state.log.read(&ReadRequest::default());
    let mut events = events.unwrap();
    let mut count = 0;
    while let Some(event) = events.next() {
        count += usize::from(event.unwrap().event_type() == "VehicleUpdated");
    }
    assert_eq!(count, 60);
}
