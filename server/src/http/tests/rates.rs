//! Who asks too often is told so, in time and in the field's own headers.

use std::net::IpAddr;

use axum::http::StatusCode;
use fleet::policy::Role;
use serde_json::json;

use super::harness::{Answer, PASSWORD, TestServer};
use crate::config::rates::Profile;

fn documented() -> TestServer {
    TestServer::start_with(|config| config.rates.profile = Profile::Documented)
}

fn left(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (
        answer.header("ratelimit-policy"),
        answer.header("ratelimit"),
    )
}

#[tokio::test]
async fn the_documented_limits_hold_by_account_and_come_back() {
    let server = documented();
    let (viewer, technician) = (
        server.token(Role::Viewer).await,
        server.token(Role::Technician).await,
    );
    let path = "/api/v1/events?limit=1";
    let first = server.get(path, &viewer).await;
    first.expect(200);
    let policy = Some("\"events\";q=100;w=60");
    assert_eq!(left(&first), (policy, Some("\"events\";r=99;t=1")));
    for _ in 1..100 {
        server.read(path, &viewer).await;
    }
    let refused = server.get(path, &viewer).await;
    let problem = refused.expect_problem(429, "rate-limited");
    assert_eq!(
        (&problem["class"], &problem["limit"]),
        (&json!("events"), &json!("100/min"))
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(left(&refused), (policy, Some("\"events\";r=0;t=60")));

    // Others, and the same account's other classes, are not touched; what is no route of the class is not counted.
    server.read(path, &technician).await;
    let plain = server.get("/api/v1/vehicles", &viewer).await;
    plain.expect(200);
    assert_eq!(left(&plain), (None, None));
    server.read("/api/v1/analytics/health", &viewer).await;

    server.clock.advance_seconds(1);
    server.read(path, &viewer).await;
    server.get(path, &viewer).await.expect(429);
    let figures = server.get("/metrics", "").await;
    let text = String::from_utf8(figures.body).unwrap();
    assert!(
        text.contains("railfleet_http_rate_limited_total{class=\"events\"} 2\n"),
        "{text}"
    );
}

#[tokio::test]
async fn logins_are_counted_by_address_before_a_password_is_looked_at() {
    let server = TestServer::start_with(|config| {
        config.rates.profile = Profile::Careful;
        config.auth.login_attempts_free = 1_000;
    });
    server.token(Role::Viewer).await;
    let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
    for _ in 0..60 {
        server
            .login_from(one, "nobody", "Wrong-77x")
            .await
            .expect(401);
    }
    let refused = server.login_from(one, "viewer", PASSWORD).await;
    refused.expect_problem(429, "rate-limited");
    server
        .login_from(other, "viewer", PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn the_default_counts_nothing_that_people_do_all_day() {
    let server = TestServer::start();
    let technician = server.token(Role::Technician).await;
    for path in [
        "/api/v1/events?limit=1",
        "/api/v1/vehicles",
        "/api/v1/analytics/health",
        "/api/v1/sync/devices",
        "/health",
    ] {
        let answer = server.get(path, &technician).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(left(&answer), (None, None), "{path}");
    }
    let login = server.login("technician", PASSWORD).await;
    login.expect(200);
    assert_eq!(left(&login).0, Some("\"login\";q=1200;w=60"));
}
