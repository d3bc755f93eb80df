//! Following the log.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Method;
use fleet::policy::Role;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::harness::{PASSWORD, TestServer, request};

/// An open event stream.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(server: &TestServer, token: &str, query: &str, headers: &[(&str, &str)]) -> Self {
        let path = format!("/api/v1/events/stream{query}");
        let response = server
            .send(request(Method::GET, &path, token, headers, Body::empty()))
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"));
        Stream {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event: its id and its data. Comments are passed over.
    async fn next(&mut self) -> Option<(u64, Value)> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    message
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::to_owned)
                };
                if let Some(data) = field("data: ") {
                    return Some((
                        field("id: ").unwrap().parse().unwrap(),
                        serde_json::from_str(&data).unwrap(),
                    ));
                }
                continue;
            }
            let frame = self.frame().await?;
            self.text.push_str(std::str::from_utf8(&frame).unwrap());
        }
    }

    async fn frame(&mut self) -> Option<Bytes> {
        let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame())
            .await
            .expect("a frame in time");
        frame.map(|frame| frame.unwrap().into_data().unwrap())
    }
}

#[tokio::test]
async fn what_was_and_what_comes_are_one_stream() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    for number in 0..3 {
        server
            .append(&token, "1", "CraneLifted", json!({"n": number}))
            .await;
    }
    let mut stream = Stream::open(&server, &token, "?from_position=1", &[]).await;
    for number in 0..3 {
        let (id, event) = stream.next().await.unwrap();
        assert_eq!(
            (id, &event["data"]["n"], &event["position"]),
            (number + 2, &json!(number), &json!(number + 2)),
            "the account is hidden"
        );
    }
    server
        .append(&token, "1", "CraneLifted", json!({"n": 3}))
        .await;
    assert_eq!(stream.next().await.unwrap().1["data"]["n"], 3);
}

#[tokio::test]
async fn without_a_place_only_new_events_come() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    server
        .append(&token, "1", "CraneLifted", json!({"n": 0}))
        .await;
    let mut stream = Stream::open(&server, &token, "", &[]).await;
    assert!(stream.frame().await.unwrap().starts_with(b": connected"));
    server
        .append(&token, "1", "CraneLifted", json!({"n": 1}))
        .await;
    assert_eq!(stream.next().await.unwrap().1["data"]["n"], 1);
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing_and_repeats_nothing() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let mut last = String::new();
    let mut seen = Vec::new();
    for round in 0..5 {
        for number in 0..3 {
            server
                .append(&token, "1", "CraneLifted", json!({"n": round * 3 + number}))
                .await;
        }
        let mut stream = match last.as_str() {
            "" => Stream::open(&server, &token, "?from_position=1", &[]).await,
            last => {
                Stream::open(
                    &server,
                    &token,
                    "?from_position=1",
                    &[("last-event-id", last)],
                )
                .await
            }
        };
        // Two are taken, the third is left for the next time.
        for _ in 0..2 {
            let (id, event) = stream.next().await.unwrap();
            last = id.to_string();
            seen.push(event["data"]["n"].as_u64().unwrap());
        }
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn filters_apply_to_the_stream() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let mut of_type = Stream::open(
        &server,
        &token,
        "?from_position=1&event_type=CraneOiledEvent",
        &[],
    )
    .await;
    let mut of_unborn = Stream::open(&server, &token, "?from_position=1&aggregate_id=7", &[]).await;
    server.append(&token, "1", "CraneLifted", json!({})).await;
    server
        .append(&token, "1", "CraneOiled", json!({"n": 1}))
        .await;
    server
        .append(&token, "7", "CraneLifted", json!({"n": 2}))
        .await;
    assert_eq!(of_type.next().await.unwrap().1["data"]["n"], 1);
    assert_eq!(of_unborn.next().await.unwrap().1["data"]["n"], 2);
}

#[tokio::test]
async fn a_quiet_stream_has_a_heartbeat_that_moves_its_place() {
    let server = TestServer::start_with(|config| config.http.heartbeat = Duration::from_millis(20));
    let token = server.token(Role::Technician).await;
    let mut stream = Stream::open(&server, &token, "?event_type=Nothing", &[]).await;
    stream.frame().await.unwrap();
    server.append(&token, "1", "CraneLifted", json!({})).await;
    let mut last = String::new();
    for _ in 0..20 {
        last = String::from_utf8(stream.frame().await.unwrap().to_vec()).unwrap();
        assert!(last.starts_with(": heartbeat\nid: "), "{last}");
        if last.contains("id: 2\n") {
            break;
        }
    }
    assert!(last.contains("id: 2\n"), "{last}");
}

#[tokio::test]
async fn a_long_history_comes_in_bounded_chunks() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let events: Vec<Value> = (0..2_000)
        .map(|number| json!({"aggregate_type": "Crane", "aggregate_id": "1", "event_type": "CraneLifted", "data": {"n": number, "text": "x".repeat(200)}}))
        .collect();
    server
        .create("/api/v1/events/batch", &token, json!(events))
        .await;
    let mut stream = Stream::open(&server, &token, "?from_position=1", &[]).await;
    for number in 0..2_000 {
        assert_eq!(stream.next().await.unwrap().1["data"]["n"], number);
        assert!(stream.text.len() < 200_000);
    }
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_server() {
    let server = TestServer::start_with(|config| config.http.subscribers_max = 1);
    let token = server.token(Role::Viewer).await;
    let mut stream = Stream::open(&server, &token, "", &[]).await;
    stream.frame().await.unwrap();
    server
        .get("/api/v1/events/stream", &token)
        .await
        .expect_problem(503, "busy");
    server.state.stopping.send_replace(true);
    assert!(stream.next().await.is_none(), "the stream ends");
    for _ in 0..100 {
        if server.state.metrics.subscribers.get() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the subscriber is still counted");
}

#[tokio::test]
async fn a_long_poll_gives_what_is_there_or_waits_for_it() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    for number in 0..5 {
        server
            .append(&token, "1", "CraneLifted", json!({"n": number}))
            .await;
    }
    let page = server.read("/api/v1/events/stream?limit=2", &token).await;
    let numbers = |page: &Value| {
        page["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["data"]["n"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(&page), [3, 4], "the most recent, oldest first");
    let page = server
        .read("/api/v1/events/stream?from_position=1&limit=3", &token)
        .await;
    assert_eq!(numbers(&page), [0, 1, 2]);
    let path = format!(
        "/api/v1/events/stream?from_position={}&wait=10",
        page["next_position"]
    );
    let page = server.read(&path, &token).await;
    assert_eq!(numbers(&page), [3, 4]);
    let path = format!(
        "/api/v1/events/stream?from_position={}&wait=10",
        page["next_position"]
    );
    let (answer, ()) = tokio::join!(server.get(&path, &token), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server
            .append(&token, "1", "CraneLifted", json!({"n": 5}))
            .await;
    });
    assert_eq!(numbers(&answer.expect(200)), [5]);
    let page = server
        .get_with(
            "/api/v1/events/stream?from_position=99",
            &token,
            &[("accept", "application/json")],
        )
        .await
        .expect(200);
    assert_eq!(
        (numbers(&page), &page["next_position"]),
        (vec![], &json!(99))
    );
    let since = server
        .read("/api/v1/events/stream?since=2023-01-01&limit=1", &token)
        .await;
    assert_eq!(numbers(&since), [0]);
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_shows_what_its_role_shows() {
    let server = TestServer::start();
    server.token(Role::SuperAdmin).await;
    let admin = server.token(Role::SuperAdmin).await;
    let login = server.login("super_admin", PASSWORD).await.expect(200);
    let token = login["access_token"].as_str().unwrap();
    let mut stream = Stream::open(&server, token, "?aggregate_type=Crane", &[]).await;
    server
        .append(&admin, "1", "CraneLifted", json!({"n": 0}))
        .await;
    assert_eq!(stream.next().await.unwrap().1["data"]["n"], 0);
    server
        .post("/api/v1/auth/logout", token, json!({}))
        .await
        .expect(204);
    server
        .append(&admin, "1", "CraneLifted", json!({"n": 1}))
        .await;
    assert_eq!(stream.next().await, None, "it ended, and told nothing more");

    // A token without a session ends by its time.
    let mut stream = Stream::open(&server, &admin, "?aggregate_type=Crane", &[]).await;
    assert!(stream.frame().await.unwrap().starts_with(b": connected"));
    server.clock.advance_seconds(3_600);
    let admin = server.token(Role::SuperAdmin).await;
    server
        .append(&admin, "1", "CraneLifted", json!({"n": 2}))
        .await;
    assert_eq!(stream.next().await, None);
}
