//! Coming in and going out: names and passwords, tokens, and the brake on guessing.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{Method, header};
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{Answer, PASSWORD, TestServer, request};

#[tokio::test]
async fn login_takes_names_and_addresses_in_json_and_in_forms() {
    let server = TestServer::start();
    server.token(Role::Dispatcher).await;
    for name in [
        "dispatcher",
        "DISPATCHER",
        "dispatcher@depot.example",
        "Dispatcher@Depot.Example",
    ] {
        let body = server.login(name, PASSWORD).await.expect(200);
        assert_eq!(body["token_type"], "bearer");
        assert_eq!(body["expires_in"], 1_800);
        let me = server
            .read("/api/v1/auth/me", body["access_token"].as_str().unwrap())
            .await;
        assert_eq!(
            (&me["username"], &me["role"], &me["is_active"]),
            (&json!("dispatcher"), &json!("DISPATCHER"), &json!(true))
        );
        assert!(me["last_login"].is_string() && me["created_at"].is_string());
        assert!(!me.to_string().contains("argon2"));
    }
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = |text: &str| {
        request(
            Method::POST,
            "/api/v1/auth/login",
            "",
            &headers,
            Body::from(text.to_owned()),
        )
    };
    server
        .answer(form(
            "username=dispatcher%40depot.example&password=Depot-77x&grant_type=password",
        ))
        .await
        .expect(200);
    let problem = server
        .answer(form("username=dispatcher"))
        .await
        .expect_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["loc"], json!(["body", "password"]));
    let text = [("content-type", "text/plain")];
    let answer = server
        .answer(request(
            Method::POST,
            "/api/v1/auth/login",
            "",
            &text,
            Body::from("{}"),
        ))
        .await;
    answer.expect_problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let wrong = server.login("viewer", "Wrong-77x").await;
    let unknown = server.login("nobody", "Wrong-77x").await;
    for answer in [wrong, unknown] {
        let problem = answer.expect_problem(401, "unauthenticated");
        assert_eq!(problem["detail"], "Incorrect username or password");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn guessing_is_braked_per_account_and_per_address() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let other_address = IpAddr::from([10, 0, 0, 9]);
    for _ in 0..5 {
        server.login("viewer", "Wrong-77x").await.expect(401);
    }
    let answer = server.login("viewer", PASSWORD).await;
    answer.expect_problem(429, "too-many-attempts");
    assert_eq!(answer.header("retry-after"), Some("2"));
    server
        .login_from(other_address, "viewer", PASSWORD)
        .await
        .expect(429);
    server.clock.advance_seconds(2);
    server.login("viewer", PASSWORD).await.expect(200);
    for guess in 0..20 {
        server
            .login_from(other_address, &format!("name-{guess}"), "Wrong-77x")
            .await;
    }
    server
        .login_from(other_address, "viewer", PASSWORD)
        .await
        .expect(429);
    server.login("viewer", PASSWORD).await.expect(200);
}

async fn refresh(server: &TestServer, pair: &Value) -> Answer {
    let body = json!({"refresh_token": pair["refresh_token"]});
    server.post("/api/v1/auth/refresh", "", body).await
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_copy_ends_the_session() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let first = server.login("viewer", PASSWORD).await.expect(200);
    let refresh = async |pair: &Value| refresh(&server, pair).await;
    let second = refresh(&first).await.expect(200);
    let third = refresh(&second).await.expect(200);
    let access = third["access_token"].as_str().unwrap();
    server.read("/api/v1/auth/me", access).await;
    let problem = refresh(&first).await.expect_problem(401, "unauthenticated");
    assert_eq!(problem["detail"], "Invalid refresh token");
    refresh(&third).await.expect(401);
    server.get("/api/v1/auth/me", access).await.expect(401);
    let problem = server
        .post(
            "/api/v1/auth/refresh",
            "",
            json!({"refresh_token": first["access_token"]}),
        )
        .await;
    problem.expect_problem(401, "unauthenticated");
    server
        .get("/api/v1/auth/me", second["refresh_token"].as_str().unwrap())
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_is_answered_again_within_the_grace_alone() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let first = server.login("viewer", PASSWORD).await.expect(200);
    refresh(&server, &first).await.expect(200);
    // The answer was lost; the log remembers, and not the process.
    let server = TestServer::start_in(server.stop(), |_| {});
    server.clock.advance_seconds(59);
    let (one, other) = tokio::join!(refresh(&server, &first), refresh(&server, &first));
    let (one, other) = (one.expect(200), other.expect(200));
    for pair in [&one, &other] {
        let access = pair["access_token"].as_str().unwrap();
        server.read("/api/v1/auth/me", access).await;
    }
    // Both hold the same successor, so whichever a browser kept goes on.
    let third = refresh(&server, &one).await.expect(200);
    refresh(&server, &other).await.expect(200);
    server.clock.advance_seconds(62);
    refresh(&server, &other)
        .await
        .expect_problem(401, "unauthenticated");
    // By then it was a copy, and the session is over.
    refresh(&server, &third).await.expect(401);
    let access = third["access_token"].as_str().unwrap();
    server.get("/api/v1/auth/me", access).await.expect(401);
}

#[tokio::test]
async fn tokens_end_with_their_time_and_with_logging_out() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let pair = server.login("viewer", PASSWORD).await.expect(200);
    let access = pair["access_token"].as_str().unwrap();
    let other = server.login("viewer", PASSWORD).await.expect(200);
    server.read("/api/v1/auth/me", access).await;
    let answer = server
        .answer(request(
            Method::POST,
            "/api/v1/auth/logout",
            access,
            &[],
            Body::empty(),
        ))
        .await;
    answer.expect(204);
    server.get("/api/v1/auth/me", access).await.expect(401);
    let other_access = other["access_token"].as_str().unwrap();
    server.read("/api/v1/auth/me", other_access).await;
    server.clock.advance_seconds(1_801);
    server
        .get("/api/v1/auth/me", other_access)
        .await
        .expect(401);
    let renewed = server
        .act(
            "/api/v1/auth/refresh",
            "",
            json!({"refresh_token": other["refresh_token"]}),
        )
        .await;
    server
        .read("/api/v1/auth/me", renewed["access_token"].as_str().unwrap())
        .await;
    server.clock.advance_seconds(8 * 86_400);
    server
        .post(
            "/api/v1/auth/refresh",
            "",
            json!({"refresh_token": renewed["refresh_token"]}),
        )
        .await
        .expect(401);
}

#[tokio::test]
async fn a_new_password_ends_all_sessions() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let access = server.login("viewer", PASSWORD).await.expect(200)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let change = async |old: &str, new: &str| {
        server
            .post(
                "/api/v1/auth/password",
                &access,
                json!({"old_password": old, "new_password": new}),
            )
            .await
    };
    change("Wrong-77x", "Another-88y").await.expect(401);
    change(PASSWORD, "weak").await.expect(422);
    change(PASSWORD, "Another-88y").await.expect(204);
    server.get("/api/v1/auth/me", &access).await.expect(401);
    server.login("viewer", PASSWORD).await.expect(401);
    server.login("viewer", "Another-88y").await.expect(200);
}

#[tokio::test]
async fn strange_authorization_headers_open_nothing() {
    let server = TestServer::start();
    let token = server.token(Role::Viewer).await;
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic dTpw",
        "bearer x",
        "Bearer a b",
        &format!("Token {token}"),
        &format!("Bearer {token}x"),
        "Bearer \u{7f}",
    ] {
        let request = axum::http::Request::builder().uri("/api/v1/auth/me");
        let Ok(request) = request
            .header(header::AUTHORIZATION, value)
            .body(Body::empty())
        else {
            continue;
        };
        let answer = server.answer(request).await;
        answer.expect_problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let twice = request(
        Method::GET,
        "/api/v1/auth/me",
        &token,
        &[("authorization", &format!("Bearer {token}"))],
        Body::empty(),
    );
    server.answer(twice).await.expect(401);
    let good = request(
        Method::GET,
        "/api/v1/auth/me",
        "",
        &[("authorization", &format!("bEaReR {token}"))],
        Body::empty(),
    );
    server.answer(good).await.expect(200);
}
