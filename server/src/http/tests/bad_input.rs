//! What clients send wrongly: each is refused with the place and the reason, and nothing is written.

use axum::body::Body;
use axum::http::{Method, Request, header};
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{TestServer, request};

#[tokio::test]
async fn bodies_that_are_no_event() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let before = server.state.log.durable_position();
    let good =
        r#"{"aggregate_type":"Crane","aggregate_id":"1","event_type":"CraneLifted","data":{}"#;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "json_invalid"),
        (b"null".to_vec(), "dict_type"),
        (b"[]".to_vec(), "dict_type"),
        (b"{".to_vec(), "json_invalid"),
        (b"{}".to_vec(), "missing"),
        (format!("{good}}}}}").into(), "json_invalid"),
        (format!("{good},\"data\":{{}}}}").into(), "json_invalid"),
        (
            format!("{good},\"occurred_at\":\"99999-01-01T00:00:00Z\"}}").into(),
            "datetime_parsing",
        ),
        (
            format!("{good},\"occurred_at\":\"0000-01-01\"}}").into(),
            "datetime_parsing",
        ),
        (format!("{good},\"occurred_at\":12}}").into(), "string_type"),
        (
            format!("{good},\"expected_version\":\"soon\"}}").into(),
            "expected_version",
        ),
        (format!("{good},\"id\":\"x\"}}").into(), "uuid_parsing"),
        (format!("{good},\"position\":1}}").into(), "extra_forbidden"),
        (
            good.replace("{}", "{\"a\":NaN}").into_bytes(),
            "json_invalid",
        ),
        (
            format!("{}}}", good.replace("{}", "{\"a\":1e999}")).into(),
            "json_invalid",
        ),
        (
            format!("{}}}", good.replace("{}", "{\"a\":1,\"a\":2}")).into(),
            "json_invalid",
        ),
        (
            format!(
                "{}}}",
                good.replace(
                    "{}",
                    &format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70))
                )
            )
            .into(),
            "json_invalid",
        ),
        (
            format!("{}}}", good.replace("\"1\"", "\"a\\u0000b\"")).into(),
            "string_pattern",
        ),
        (
            format!("{}}}", good.replace("\"1\"", "\"\"")).into(),
            "string_too_short",
        ),
        (
            format!(
                "{}}}",
                good.replace("\"1\"", &format!("\"{}\"", "x".repeat(1_025)))
            )
            .into(),
            "string_too_long",
        ),
        (
            format!("{}}}", good.replace("\"1\"", "\"\\ud83d\"")).into(),
            "json_invalid",
        ),
        (b"{\"aggregate_type\":\"\xff\"}".to_vec(), "json_invalid"),
    ];
    for (body, kind) in cases {
        let headers = [("content-type", "application/json")];
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = server
            .answer(request(
                Method::POST,
                "/api/v1/events",
                &token,
                &headers,
                Body::from(body),
            ))
            .await;
        let problem = answer.expect_problem(422, "invalid");
        let kinds: Vec<&Value> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| &error["type"])
            .collect();
        assert!(kinds.contains(&&json!(kind)), "{text}: {problem}");
        for error in problem["errors"].as_array().unwrap() {
            assert!(
                error["loc"].is_array() && error["msg"].is_string(),
                "{problem}"
            );
        }
    }
    assert_eq!(server.state.log.durable_position(), before);
}

#[tokio::test]
async fn ids_may_hold_whatever_a_url_can_carry() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    for (id, escaped) in [
        ("a/b", "a%2Fb"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("what?", "what%3F"),
        ("50 %", "50%20%25"),
        ("#7", "%237"),
        ("🚆 Ä", "%F0%9F%9A%86%20%C3%84"),
        ("+", "+"),
        ("a\"b\\c", "a%22b%5Cc"),
        ("\u{202e}rtl", "%E2%80%AErtl"),
        ("..", "%2E%2E"),
        (&"ä".repeat(512), &"%C3%A4".repeat(512)),
    ] {
        server.append(&token, id, "CraneLifted", json!({})).await;
        let events = server
            .read(&format!("/api/v1/events/Crane/{escaped}"), &token)
            .await;
        assert_eq!(events[0]["aggregate_id"], id);
        let version = server
            .read(&format!("/api/v1/events/{escaped}/version"), &token)
            .await;
        assert_eq!(
            (&version["aggregate_id"], &version["latest_version"]),
            (&json!(id), &json!(1))
        );
        let listed = server
            .read(
                &format!("/api/v1/events?aggregate_id={escaped}").replace('+', "%2B"),
                &token,
            )
            .await;
        assert_eq!(listed["total"], 1, "{id}");
    }
}

#[tokio::test]
async fn paths_that_are_no_text_are_refused() {
    let server = TestServer::start();
    let token = server.token(Role::Viewer).await;
    for path in [
        "/api/v1/events/Crane/%FF",
        "/api/v1/events/Crane/a%00b",
        "/api/v1/events/%C3%28/version",
    ] {
        server
            .get(path, &token)
            .await
            .expect_problem(422, "invalid");
    }
    server
        .get("/api/v1/events?aggregate_type=%FF", &token)
        .await
        .expect_problem(422, "invalid");
    server
        .read("/api/v1/events?aggregate_type=%EF%BF%BD", &token)
        .await;
}

#[tokio::test]
async fn query_parameters_out_of_range_are_named() {
    let server = TestServer::start();
    let token = server.token(Role::Viewer).await;
    for (path, parameter) in [
        ("/api/v1/events?limit=0", "limit"),
        ("/api/v1/events?limit=1001", "limit"),
        ("/api/v1/events?limit=many", "limit"),
        ("/api/v1/events?limit=1&limit=2", "limit"),
        ("/api/v1/events?offset=-1", "offset"),
        ("/api/v1/events?since=yesterday", "since"),
        ("/api/v1/events?until=99999-01-01", "until"),
        ("/api/v1/events?recorded_since=2024-13-01", "recorded_since"),
        ("/api/v1/events?from_position=x", "from_position"),
        ("/api/v1/events?order=random", "order"),
        ("/api/v1/events?cursor=garbage", "cursor"),
        ("/api/v1/events?cursor=0_0_n0_00000000", "cursor"),
        ("/api/v1/events?count=perhaps", "count"),
        ("/api/v1/events?min_position=x", "min_position"),
        ("/api/v1/events?wait_ms=99999999", "wait_ms"),
        ("/api/v1/events/Crane/1?from_version=-1", "from_version"),
        ("/api/v1/events/Crane/1?to_version=4294967296", "to_version"),
        ("/api/v1/events/stream?wait=9999", "wait"),
        (
            "/api/v1/time-travel/state-at?aggregate_type=Crane",
            "aggregate_id",
        ),
        (
            "/api/v1/time-travel/state-at?aggregate_type=C&aggregate_id=1&at=x",
            "at",
        ),
        ("/api/v1/time-travel/Crane/1/at-timestamp", "timestamp"),
        (
            "/api/v1/time-travel/Crane/1/at-version?version=-1",
            "version",
        ),
    ] {
        let problem = server
            .get(path, &token)
            .await
            .expect_problem(422, "invalid");
        assert_eq!(
            problem["errors"][0]["loc"],
            json!(["query", parameter]),
            "{path}"
        );
    }
    let problem = server
        .get("/api/v1/events?limit=0&since=x&order=y", &token)
        .await
        .expect_problem(422, "invalid");
    assert_eq!(
        problem["errors"].as_array().unwrap().len(),
        3,
        "every fault at once"
    );
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let server = TestServer::start();
    let token = server.token(Role::SuperAdmin).await;
    for path in [
        "/nowhere",
        "/api/v2/events",
        "/api/v1/eventz",
        "/%2e%2e/etc/passwd",
        "/api/v1/events/a/b/c/d",
    ] {
        server
            .get(path, &token)
            .await
            .expect_problem(404, "unknown-route");
        server
            .get(path, "")
            .await
            .expect_problem(404, "unknown-route");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/api/v1/events", "GET,HEAD,POST"),
        (Method::PUT, "/api/v1/events/Crane/1", "GET,HEAD"),
        (Method::GET, "/api/v1/auth/login", "POST"),
        (Method::from_bytes(b"FOO").unwrap(), "/health", "GET,HEAD"),
    ] {
        let answer = server
            .answer(request(method, path, "", &[], Body::empty()))
            .await;
        answer.expect_problem(405, "method-not-allowed");
        let mut allowed: Vec<&str> = answer
            .header("allow")
            .unwrap()
            .split(',')
            .map(str::trim)
            .collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow, "{path}");
    }
}

#[tokio::test]
async fn bodies_of_other_kinds_are_refused() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let body =
        r#"{"aggregate_type":"Crane","aggregate_id":"1","event_type":"CraneLifted","data":{}}"#;
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
        "",
    ] {
        let headers = [("content-type", media_type)];
        for path in ["/api/v1/events", "/api/v1/events/batch"] {
            let answer = server
                .answer(request(
                    Method::POST,
                    path,
                    &token,
                    &headers,
                    Body::from(body),
                ))
                .await;
            answer.expect_problem(415, "unsupported-media-type");
        }
    }
    for media_type in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/cloudevents+json",
    ] {
        let headers = [("content-type", media_type)];
        server
            .answer(request(
                Method::POST,
                "/api/v1/events",
                &token,
                &headers,
                Body::from(body),
            ))
            .await
            .expect(201);
    }
    server
        .answer(request(
            Method::POST,
            "/api/v1/events",
            &token,
            &[],
            Body::from(body),
        ))
        .await
        .expect(201);
}

/// The length that a client promises counts before its bytes come.
#[tokio::test]
async fn a_promise_of_too_much_is_refused_at_once() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let never = Body::new(http_body_util::StreamBody::new(Never));
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/events")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_LENGTH, "99999999999")
        .body(never)
        .unwrap();
    server
        .answer(request)
        .await
        .expect_problem(413, "too-large");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let never = Body::new(http_body_util::StreamBody::new(Never));
    let answer = server
        .answer(request(Method::POST, "/api/v1/events", &token, &[], never))
        .await;
    answer.expect_problem(408, "body-timeout");
}

/// A body that never gives anything.
struct Never;

impl futures_core::Stream for Never {
    type Item = Result<http_body::Frame<axum::body::Bytes>, std::convert::Infallible>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}
