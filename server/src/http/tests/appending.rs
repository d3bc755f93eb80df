//! Writing events.

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{TestServer, request};

fn event(id: &str, data: Value) -> Value {
    json!({"aggregate_type": "Crane", "aggregate_id": id, "event_type": "CraneLiftedEvent", "data": data})
}

#[tokio::test]
async fn an_event_is_answered_with_its_place_and_read_back() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let mut sent = event("C/7 ä?#%", json!({"z": 1.50, "a": [1]}));
    sent["occurred_at"] = json!("2019-03-01T08:15:30+01:00");
    sent["metadata"] = json!({"source": "yard"});
    sent["tags"] = json!(["night"]);
    let answer = server.post("/api/v1/events/", &token, sent).await;
    let body = answer.expect(201);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(body["event_type"], "CraneLifted");
    assert_eq!(body["occurred_at"], "2019-03-01T07:15:30.000000Z");
    assert!(
        body["recorded_at"]
            .as_str()
            .unwrap()
            .starts_with("2023-11-14T22:13:20.00000"),
        "the log took the time from its clock"
    );
    assert_eq!(
        (&body["version"], &body["position"]),
        (&json!(1), &json!(2)),
        "the account was first"
    );
    assert_eq!(body["data"], json!({"z": 1.5, "a": [1]}));
    assert_eq!(body["tags"], json!(["night"]));
    assert_eq!(body["metadata"]["source"], "yard");
    assert!(
        body["metadata"]["user_id"].is_string(),
        "the server names who did it"
    );
    let read = server
        .read("/api/v1/events/Crane/C%2F7%20%C3%A4%3F%23%25", &token)
        .await;
    assert_eq!(read, json!([body]));
}

/// States go by when things happened: what a clock that was a year ahead told outweighed for a year all that was done.
#[tokio::test]
async fn what_is_to_happen_after_tomorrow_is_refused() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    // The test clock stands at 2023-11-14T22:13:20Z.
    let at = |occurred_at: &str| {
        let mut sent = event("1", json!({}));
        sent["occurred_at"] = json!(occurred_at);
        sent
    };
    let near = at("2023-11-15T22:13:20Z");
    server.create("/api/v1/events", &token, near.clone()).await;
    let before = server.state.log.durable_position();
    let far = at("2023-11-15T23:13:20.000001+01:00");
    let one = server.post("/api/v1/events", &token, far.clone()).await;
    let batch = json!({"events": [near, far]});
    let several = server.post("/api/v1/events/batch", &token, batch).await;
    let msg = "is more than 24 hours ahead of the server's clock, which says 2023-11-14T22:13:20.000000Z: set the sender's clock, or leave `occurred_at` out";
    for (answer, loc) in [
        (one, json!(["body", "occurred_at"])),
        (several, json!(["body", "events", 1, "occurred_at"])),
    ] {
        let problem = answer.expect_problem(422, "invalid");
        let expected = json!([{"loc": loc, "msg": msg, "type": "datetime_past"}]);
        assert_eq!(problem["errors"], expected);
    }
    assert_eq!(server.state.log.durable_position(), before);
}

#[tokio::test]
async fn a_repeated_id_gives_the_first_answer_again() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let mut sent = event("1", json!({"kg": 1}));
    sent["id"] = json!("0191e9a4-7b1c-7c3d-8e4f-0123456789ab");
    let first = server.create("/api/v1/events", &token, sent.clone()).await;
    let again = server.act("/api/v1/events", &token, sent.clone()).await;
    assert_eq!(first, again);
    sent["data"] = json!({"kg": 2});
    let problem = server
        .post("/api/v1/events", &token, sent)
        .await
        .expect_problem(409, "id-reused");
    assert_eq!(problem["position"], first["position"]);
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_the_account_that_sends_it() {
    let server = TestServer::start();
    let (anna, bert) = (
        server.token(Role::Technician).await,
        server.token(Role::Dispatcher).await,
    );
    let key = [("idempotency-key", "k-1")];
    let first = server
        .post_with("/api/v1/events", &anna, &key, event("1", json!({})))
        .await
        .expect(201);
    let again = server
        .post_with("/api/v1/events", &anna, &key, event("1", json!({})))
        .await
        .expect(200);
    assert_eq!(first["id"], again["id"]);
    let other = server
        .post_with("/api/v1/events", &bert, &key, event("1", json!({})))
        .await
        .expect(201);
    assert_ne!(first["id"], other["id"]);
    let batch = json!({"events": [event("2", json!({})), event("2", json!({}))]});
    let first = server
        .post_with(
            "/api/v1/events/batch",
            &anna,
            &[("idempotency-key", "k-2")],
            batch.clone(),
        )
        .await
        .expect(201);
    let again = server
        .post_with(
            "/api/v1/events/batch",
            &anna,
            &[("idempotency-key", "k-2")],
            batch,
        )
        .await
        .expect(200);
    assert_eq!(first["events"], again["events"]);
    assert_eq!(again["duplicate"], true);
    let answer = server
        .post_with(
            "/api/v1/events",
            &anna,
            &[("idempotency-key", &"k".repeat(256))],
            event("1", json!({})),
        )
        .await;
    answer.expect_problem(400, "bad-request");
}

#[tokio::test]
async fn a_wrong_version_is_told_with_both_versions() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    server.append(&token, "1", "CraneLifted", json!({})).await;
    let mut stale = event("1", json!({}));
    stale["expected_version"] = json!(0);
    let problem = server
        .post("/api/v1/events", &token, stale)
        .await
        .expect_problem(409, "wrong-version");
    assert_eq!(
        (&problem["expected_version"], &problem["actual_version"]),
        (&json!(0), &json!(1))
    );
    for (expected, status) in [
        (json!("no_stream"), 409),
        (json!("exists"), 201),
        (json!("any"), 201),
        (json!(3), 201),
        (json!(9), 409),
    ] {
        let mut sent = event("1", json!({}));
        sent["expected_version"] = expected.clone();
        let answer = server.post("/api/v1/events", &token, sent).await;
        assert_eq!(answer.status.as_u16(), status, "{expected}");
    }
}

#[tokio::test]
async fn preconditions_of_http_work_on_versions() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let send = async |headers: &[(&str, &str)]| {
        server
            .post_with("/api/v1/events", &token, headers, event("1", json!({})))
            .await
    };
    send(&[("if-none-match", "*")]).await.expect(201);
    send(&[("if-none-match", "*")])
        .await
        .expect_problem(412, "precondition-failed");
    let answer = send(&[("if-match", "\"1\"")]).await;
    answer.expect(201);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    send(&[("if-match", "2")]).await.expect(201);
    send(&[("if-match", "*")]).await.expect(201);
    let problem = send(&[("if-match", "\"1\"")])
        .await
        .expect_problem(412, "precondition-failed");
    assert_eq!(
        (&problem["expected_version"], &problem["actual_version"]),
        (&json!(1), &json!(4))
    );
    send(&[("if-match", "soon")])
        .await
        .expect_problem(400, "bad-request");
    send(&[("if-match", "4"), ("if-none-match", "*")])
        .await
        .expect_problem(400, "bad-request");
    let mut both = event("1", json!({}));
    both["expected_version"] = json!(3);
    let answer = server
        .post_with("/api/v1/events", &token, &[("if-match", "4")], both)
        .await;
    answer.expect_problem(400, "bad-request");
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let mut wrong = event("2", json!({}));
    wrong["expected_version"] = json!(5);
    let before = server.state.log.durable_position();
    let batch = json!([event("1", json!({})), wrong, event("3", json!({}))]);
    server
        .post("/api/v1/events/batch", &token, batch)
        .await
        .expect_problem(409, "wrong-version");
    assert_eq!(server.state.log.durable_position(), before);
    let batch = json!({"events": [event("1", json!({"n": 1})), event("2", json!({"n": 2})), event("1", json!({"n": 3}))]});
    let body = server
        .create("/api/v1/events/batch", &token, batch.clone())
        .await;
    assert_eq!(
        (&body["count"], &body["first_position"], &body["position"]),
        (&json!(3), &json!(2), &json!(4))
    );
    let versions: Vec<&Value> = body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["version"])
        .collect();
    assert_eq!(versions, [&json!(1), &json!(1), &json!(2)]);
    let minimal = [("prefer", "return=minimal")];
    let body = server
        .post_with("/api/v1/events/batch", &token, &minimal, batch)
        .await
        .expect(201);
    assert!(body.get("events").is_none());
    let body = server
        .post_with("/api/v1/events", &token, &minimal, event("9", json!({})))
        .await
        .expect(201);
    assert!(body.get("data").is_none() && body["version"] == 1);
}

#[tokio::test]
async fn a_condition_holds_or_stops_the_batch() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let mut tagged = event("1", json!({}));
    tagged["tags"] = json!(["track-7"]);
    let batch = |after: u64| json!({"events": [tagged.clone()], "condition": {"after": after, "query": [{"tags": ["track-7"]}]}});
    let first = server
        .create("/api/v1/events/batch", &token, batch(0))
        .await;
    let problem = server
        .post("/api/v1/events/batch", &token, batch(0))
        .await
        .expect_problem(409, "condition-failed");
    assert_eq!(problem["position"], first["position"]);
    server
        .create(
            "/api/v1/events/batch",
            &token,
            batch(first["position"].as_u64().unwrap()),
        )
        .await;
}

#[tokio::test]
async fn known_event_types_are_checked_and_unknown_ones_are_free() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let sent = json!({"aggregate_type": "Vehicle", "aggregate_id": "V1", "event_type": "VehicleMileageUpdated", "data": {"new_mileage": "far"}});
    let problem = server
        .post("/api/v1/events", &token, sent)
        .await
        .expect_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["loc"][1], "data", "{problem}");
    server
        .append(&token, "1", "AnythingAtAll", json!({"new_mileage": "far"}))
        .await;
}

#[tokio::test]
async fn who_did_it_cannot_be_forged() {
    let server = TestServer::start();
    let technician = server.token(Role::Technician).await;
    let manager = server.token(Role::FleetManager).await;
    let as_user = |user: &str| {
        let mut sent = event("1", json!({}));
        sent["metadata"] = json!({"user_id": user});
        sent
    };
    server
        .post("/api/v1/events", &technician, as_user("somebody-else"))
        .await
        .expect_problem(403, "forbidden");
    server
        .post(
            "/api/v1/events/batch",
            &technician,
            json!([as_user("somebody-else")]),
        )
        .await
        .expect_problem(403, "forbidden");
    let own = server
        .create("/api/v1/events", &technician, as_user("technician"))
        .await;
    let id = server
        .state
        .accounts
        .directory()
        .find("technician")
        .unwrap()
        .id_text
        .clone();
    assert_eq!(own["metadata"]["user_id"], *id, "by id, not by name");
    let imported = server
        .create("/api/v1/events", &manager, as_user("u-old-7"))
        .await;
    assert_eq!(imported["metadata"]["user_id"], "u-old-7");
}

#[tokio::test]
async fn streams_of_the_server_itself_are_closed() {
    let server = TestServer::start();
    let token = server.token(Role::SuperAdmin).await;
    let sent = json!({"aggregate_type": "User", "aggregate_id": "x", "event_type": "UserRoleChanged", "data": {"new_role": "SUPER_ADMIN"}});
    let problem = server
        .post("/api/v1/events", &token, sent.clone())
        .await
        .expect_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["type"], "internal_stream");
    server
        .post("/api/v1/events/batch", &token, json!([sent]))
        .await
        .expect_problem(422, "invalid");
}

#[tokio::test]
async fn too_large_is_refused_with_its_limit_and_nothing_is_written() {
    let server = TestServer::start_with(|config| {
        config.http.body_bytes_max = 4_096;
        config.http.batch_bytes_max = 8_192;
        config.http.batch_events_max = 3;
        config.events.data_bytes_max = 2_048;
    });
    let token = server.token(Role::Technician).await;
    let before = server.state.log.durable_position();
    let large = event("1", json!({"x": "y".repeat(5_000)}));
    let problem = server
        .post("/api/v1/events", &token, large.clone())
        .await
        .expect_problem(413, "too-large");
    assert_eq!(problem["limit"], 4_096);
    let chunks = Body::new(http_body_util::StreamBody::new(Pieces(
        large.to_string().into_bytes(),
        0,
    )));
    let answer = server
        .answer(request(
            Method::POST,
            "/api/v1/events",
            &token,
            &[("content-type", "application/json")],
            chunks,
        ))
        .await;
    answer.expect_problem(413, "too-large");
    let data = event("1", json!({"x": "y".repeat(3_000)}));
    server
        .post("/api/v1/events", &token, data)
        .await
        .expect_problem(413, "too-large");
    let four = json!(vec![event("1", json!({})); 4]);
    let problem = server
        .post("/api/v1/events/batch", &token, four)
        .await
        .expect_problem(413, "too-large");
    assert_eq!(problem["limit"], 3);
    server
        .post("/api/v1/events/batch", &token, json!([large, large]))
        .await
        .expect_problem(413, "too-large");
    assert_eq!(server.state.log.durable_position(), before);
}

/// A body without a length, a few bytes at a time.
struct Pieces(Vec<u8>, usize);

impl futures_core::Stream for Pieces {
    type Item = Result<http_body::Frame<axum::body::Bytes>, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let from = self.1;
        let to = (from + 700).min(self.0.len());
        self.1 = to;
        let piece = (to > from).then(|| axum::body::Bytes::copy_from_slice(&self.0[from..to]));
        std::task::Poll::Ready(piece.map(|piece| Ok(http_body::Frame::data(piece))))
    }
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let sent = event("1", json!({"x": "y".repeat(5_000)})).to_string();
    let chunks = Body::new(http_body_util::StreamBody::new(Pieces(
        sent.into_bytes(),
        0,
    )));
    let answer = server
        .answer(request(
            Method::POST,
            "/api/v1/events",
            &token,
            &[("content-type", "application/json")],
            chunks,
        ))
        .await;
    assert_eq!(
        answer.expect(201)["data"]["x"].as_str().unwrap().len(),
        5_000
    );
}
