//! What the edge does around every request.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, header};
use axum::routing::get;
use fleet::policy::Role;
use serde_json::json;
use tower::Service as _;

use super::harness::{TestServer, request};
use crate::http::edge::{Edge, EdgeSettings};

#[tokio::test]
async fn request_ids_come_in_and_go_out() {
    let server = TestServer::start();
    let answer = server
        .get_with("/health", "", &[("x-request-id", "trace-42/a")])
        .await;
    assert_eq!(answer.header("x-request-id"), Some("trace-42/a"));
    let (first, second) = (
        server.get("/health", "").await,
        server.get("/health", "").await,
    );
    assert_ne!(
        first.header("x-request-id").unwrap(),
        second.header("x-request-id").unwrap()
    );
    for bad in ["", "has blank", &"x".repeat(129)] {
        let answer = server
            .get_with("/health", "", &[("x-request-id", bad)])
            .await;
        assert_ne!(answer.header("x-request-id"), Some(bad));
    }
    let problem = server
        .get_with("/nowhere?q=secret", "", &[("x-request-id", "r-7")])
        .await
        .expect_problem(404, "unknown-route");
    assert_eq!(
        (&problem["request_id"], &problem["instance"]),
        (&json!("r-7"), &json!("/nowhere"))
    );
}

#[tokio::test]
async fn a_trailing_slash_changes_nothing() {
    let server = TestServer::start();
    let token = server.token(Role::Viewer).await;
    for path in [
        "/health/",
        "/api/v1/events/",
        "/api/v1/events/?limit=1",
        "/api/v1/projections///",
        "/api/v1/auth/me/",
    ] {
        server.read(path, &token).await;
    }
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let server = TestServer::start();
    for path in ["/health", "/nowhere"] {
        let answer = server
            .answer(request(Method::HEAD, path, "", &[], Body::empty()))
            .await;
        assert!(answer.body.is_empty(), "{path}");
    }
}

fn edge_around(router: Router) -> Edge<Router> {
    let settings = EdgeSettings {
        request_timeout: std::time::Duration::from_secs(60),
        access_log: true,
        encrypted: false,
    };
    Edge::around(router, settings, 7)
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_next_request_is_answered() {
    let router = Router::new()
        .route(
            "/panic",
            get(async || -> &'static str { panic!("secret detail") }),
        )
        .route("/", get("fine"));
    let mut edge = edge_around(router);
    let answer = edge
        .call(request(Method::GET, "/panic", "", &[], Body::empty()))
        .await
        .unwrap();
    assert_eq!(answer.status(), 500);
    let body = axum::body::to_bytes(answer.into_body(), 10_000)
        .await
        .unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        text.contains("urn:railfleet:problem:internal") && !text.contains("secret"),
        "{text}"
    );
    let answer = edge
        .call(request(Method::GET, "/", "", &[], Body::empty()))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_given_up() {
    let router = Router::new().route(
        "/",
        get(async || std::future::pending::<&'static str>().await),
    );
    let answer = edge_around(router)
        .call(request(Method::GET, "/", "", &[], Body::empty()))
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_ask() {
    let server = TestServer::start();
    for encoding in ["gzip", "zstd"] {
        let answer = server
            .get_with("/openapi.json", "", &[("accept-encoding", encoding)])
            .await;
        assert_eq!(answer.header("content-encoding"), Some(encoding));
    }
    let answer = server.get("/openapi.json", "").await;
    assert_eq!(answer.header("content-encoding"), None);
    let answer = server
        .get_with("/", "", &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(
        answer.header("content-encoding"),
        None,
        "small ones stay as they are"
    );
}

#[tokio::test]
async fn other_origins_need_to_be_allowed() {
    let closed = TestServer::start();
    let answer = closed
        .get_with("/health", "", &[("origin", "https://evil.example")])
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let open = TestServer::start_with(|config| {
        config.http.cors_origins = vec!["https://depot.example".to_owned()]
    });
    let answer = open
        .get_with("/health", "", &[("origin", "https://depot.example")])
        .await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://depot.example")
    );
    let answer = open
        .get_with("/health", "", &[("origin", "https://evil.example")])
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let headers = [
        ("origin", "https://depot.example"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type",
        ),
    ];
    let answer = open
        .answer(request(
            Method::OPTIONS,
            "/api/v1/events",
            "",
            &headers,
            Body::empty(),
        ))
        .await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
}

#[tokio::test]
async fn nothing_is_sniffed() {
    let server = TestServer::start();
    for path in ["/health", "/nowhere", "/docs/"] {
        assert_eq!(
            server.get(path, "").await.header("x-content-type-options"),
            Some("nosniff")
        );
    }
    assert!(
        server
            .get("/docs/", "")
            .await
            .header("content-security-policy")
            .unwrap()
            .contains("default-src 'self'")
    );
}
