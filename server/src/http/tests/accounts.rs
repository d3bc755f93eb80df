//! Coming in, going out, and who may do what.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{Method, header};
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{PASSWORD, TestServer, request};
use crate::http::access::{Access, ROUTES};

fn registration(name: &str, role: &str) -> Value {
    json!({"username": name, "email": format!("{name}@depot.example"), "password": PASSWORD, "role": role})
}

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
            .get("/api/v1/auth/me", body["access_token"].as_str().unwrap())
            .await
            .expect(200);
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

#[tokio::test]
async fn nobody_picks_their_own_role() {
    let closed = TestServer::start();
    closed
        .post(
            "/api/v1/auth/register",
            "",
            registration("eve", "SUPER_ADMIN"),
        )
        .await
        .expect_problem(403, "forbidden");
    closed
        .post("/api/v1/auth/register", "", registration("eve", "VIEWER"))
        .await
        .expect_problem(403, "forbidden");
    let open = TestServer::start_with(|config| config.auth.open_registration = true);
    for role in Role::ALL.into_iter().filter(|role| *role > Role::Viewer) {
        open.post(
            "/api/v1/auth/register",
            "",
            registration("eve", role.name()),
        )
        .await
        .expect_problem(403, "forbidden");
    }
    let eve = open
        .post(
            "/api/v1/auth/register",
            "",
            json!({"username": "eve", "email": "eve@depot.example", "password": PASSWORD}),
        )
        .await;
    assert_eq!(eve.expect(201)["role"], "VIEWER");
    let manager = open.token(Role::FleetManager).await;
    open.post(
        "/api/v1/auth/register",
        &manager,
        registration("max", "DISPATCHER"),
    )
    .await
    .expect(201);
    open.post(
        "/api/v1/auth/register",
        &manager,
        registration("moe", "FLEET_MANAGER"),
    )
    .await
    .expect_problem(403, "forbidden");
    open.post(
        "/api/v1/auth/register",
        "garbage",
        registration("ned", "VIEWER"),
    )
    .await
    .expect_problem(401, "unauthenticated");
    let dispatcher = open.token(Role::Dispatcher).await;
    open.post(
        "/api/v1/auth/register",
        &dispatcher,
        registration("ned", "VIEWER"),
    )
    .await
    .expect_problem(403, "forbidden");
}

#[tokio::test]
async fn names_and_addresses_are_unique_without_regard_to_case() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let create = async |body: Value| server.post("/api/v1/users", &admin, body).await;
    create(registration("anna", "VIEWER")).await.expect(201);
    let mut same_name = registration("Anna", "VIEWER");
    same_name["email"] = json!("other@depot.example");
    let problem = create(same_name).await.expect_problem(400, "bad-request");
    assert_eq!(problem["detail"], "Username already registered");
    let mut same_email = registration("bert", "VIEWER");
    same_email["email"] = json!("ANNA@depot.example");
    let problem = create(same_email).await.expect_problem(400, "bad-request");
    assert_eq!(problem["detail"], "Email already registered");
    // At the same moment, too: the log decides.
    let mut asked = Vec::new();
    for _ in 0..4 {
        let (state, body) = (server.state.clone(), registration("carl", "VIEWER"));
        asked.push(tokio::spawn(async move {
            let new: crate::http::auth::Registration = serde_json::from_value(body).unwrap();
            state
                .accounts
                .register_locally(new.into_account().unwrap())
                .await
                .is_ok()
        }));
    }
    let mut registered = 0;
    for task in asked {
        registered += usize::from(task.await.unwrap());
    }
    assert_eq!(registered, 1);
}

#[tokio::test]
async fn writes_of_accounts_say_where_they_were_written() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let before = server.state.log.durable_position();
    let made = server
        .post(
            "/api/v1/auth/register",
            &admin,
            registration("anna", "VIEWER"),
        )
        .await
        .expect(201);
    assert_eq!(made["position"], before.get() + 1);
    let path = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    let changed = server
        .patch(&path, &admin, json!({ "role": "TECHNICIAN" }))
        .await
        .expect(200);
    assert_eq!(changed["position"], before.get() + 2);
    let shown = server.get(&path, &admin).await.expect(200);
    assert_eq!(shown["position"], changed["position"]);
    // Without a word about the role it is the least one.
    let mut body = registration("berta", "VIEWER");
    body.as_object_mut().unwrap().remove("role");
    let least = server
        .post("/api/v1/auth/register", &admin, body)
        .await
        .expect(201);
    assert_eq!(
        (&least["role"], &least["is_active"], &least["last_login"]),
        (&json!("VIEWER"), &json!(true), &Value::Null)
    );
}

#[tokio::test]
async fn bad_registrations_are_refused_with_the_old_texts() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let with = |member: &str, value: Value| {
        let mut body = registration("anna", "VIEWER");
        body[member] = value;
        body
    };
    for (body, status, part) in [
        (with("username", json!("an")), 422, "username"),
        (with("username", json!("a@b")), 422, "username"),
        (with("email", json!("nowhere")), 422, "email"),
        (
            with("password", json!("Ab1!")),
            422,
            "at least 8 characters",
        ),
        (
            with("password", json!("abcdefg1!")),
            400,
            "uppercase letter",
        ),
        (
            with("password", json!("Abcdefgh1")),
            400,
            "special character",
        ),
        (with("role", json!("MANAGER")), 422, "unknown role"),
        (with("role", json!(7)), 422, "string"),
        (json!({"username": "anna"}), 422, "email"),
        (json!([]), 422, "body"),
    ] {
        let problem = server.post("/api/v1/users", &admin, body.clone()).await;
        let detail = problem.expect(status)["detail"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(detail.contains(part), "{body}: {detail}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_copy_ends_the_session() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let first = server.login("viewer", PASSWORD).await.expect(200);
    let refresh = async |pair: &Value| {
        server
            .post(
                "/api/v1/auth/refresh",
                "",
                json!({"refresh_token": pair["refresh_token"]}),
            )
            .await
    };
    let second = refresh(&first).await.expect(200);
    let third = refresh(&second).await.expect(200);
    let access = third["access_token"].as_str().unwrap();
    server.get("/api/v1/auth/me", access).await.expect(200);
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
async fn tokens_end_with_their_time_and_with_logging_out() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let pair = server.login("viewer", PASSWORD).await.expect(200);
    let access = pair["access_token"].as_str().unwrap();
    let other = server.login("viewer", PASSWORD).await.expect(200);
    server.get("/api/v1/auth/me", access).await.expect(200);
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
    server
        .get("/api/v1/auth/me", other_access)
        .await
        .expect(200);
    server.clock.advance_seconds(1_801);
    server
        .get("/api/v1/auth/me", other_access)
        .await
        .expect(401);
    let renewed = server
        .post(
            "/api/v1/auth/refresh",
            "",
            json!({"refresh_token": other["refresh_token"]}),
        )
        .await
        .expect(200);
    server
        .get("/api/v1/auth/me", renewed["access_token"].as_str().unwrap())
        .await
        .expect(200);
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
async fn closing_an_account_ends_its_tokens_at_once() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    server.token(Role::Technician).await;
    let pair = server.login("technician", PASSWORD).await.expect(200);
    let access = pair["access_token"].as_str().unwrap();
    let me = server.get("/api/v1/auth/me", access).await.expect(200);
    let path = format!("/api/v1/users/{}", me["id"].as_str().unwrap());
    server
        .answer(request(Method::DELETE, &path, &admin, &[], Body::empty()))
        .await
        .expect(204);
    server.get("/api/v1/auth/me", access).await.expect(401);
    let problem = server
        .login("technician", PASSWORD)
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(problem["detail"], "User account is inactive");
    let answer = server
        .post(
            "/api/v1/auth/refresh",
            "",
            json!({"refresh_token": pair["refresh_token"]}),
        )
        .await;
    assert_eq!(answer.expect(401)["detail"], "User not found or inactive");
    let patch = |body: Value| {
        let headers = [("content-type", "application/json")];
        request(
            Method::PATCH,
            &path,
            &admin,
            &headers,
            Body::from(body.to_string()),
        )
    };
    assert_eq!(
        server
            .answer(patch(json!({"is_active": true})))
            .await
            .expect(200)["is_active"],
        true
    );
    server.login("technician", PASSWORD).await.expect(200);
    assert_eq!(
        server
            .answer(patch(json!({"role": "DISPATCHER"})))
            .await
            .expect(200)["role"],
        "DISPATCHER"
    );
    server
        .answer(patch(json!({})))
        .await
        .expect_problem(422, "invalid");
    server
        .answer(patch(json!({"is_admin": true})))
        .await
        .expect_problem(422, "invalid");
    server
        .get("/api/v1/users/nobody", &admin)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(
        server.get("/api/v1/users", &admin).await.expect(200)["total"],
        2
    );
}

#[tokio::test]
async fn a_manager_does_not_touch_those_above() {
    let server = TestServer::start();
    let manager = server.token(Role::FleetManager).await;
    server.token(Role::SuperAdmin).await;
    let headers = [("content-type", "application/json")];
    for (method, body) in [
        (Method::DELETE, Value::Null),
        (Method::PATCH, json!({"is_active": false})),
        (Method::PATCH, json!({"role": "VIEWER"})),
        (Method::PATCH, json!({"password": "Taken-over-1"})),
    ] {
        for name in ["super_admin", "fleet_manager"] {
            let path = format!("/api/v1/users/{name}");
            let body = if body.is_null() {
                Body::empty()
            } else {
                Body::from(body.to_string())
            };
            let answer = server
                .answer(request(method.clone(), &path, &manager, &headers, body))
                .await;
            answer.expect_problem(403, "forbidden");
        }
    }
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

/// Hashes of the old system come in through the importer, which writes the same events.
#[tokio::test]
async fn an_old_hash_is_replaced_at_login() {
    let server = TestServer::start();
    let id = uuid::Uuid::new_v4();
    let draft = fleet::user::events::registered(
        "old",
        "old@depot.example",
        Role::Viewer,
        &bcrypt::hash(PASSWORD, 4).unwrap(),
    );
    let event = storage::NewEvent::new(draft.event_type, draft.data.to_string());
    let stream = storage::StreamName::new("User", id.to_string());
    server
        .state
        .log
        .append(storage::Transaction::single(
            stream,
            storage::ExpectedVersion::NoStream,
            event,
        ))
        .unwrap();
    server.state.accounts.catch_up().unwrap();
    server.login("old", "Wrong-77x").await.expect(401);
    server.login("old", PASSWORD).await.expect(200);
    let hash = server
        .state
        .accounts
        .account(id)
        .unwrap()
        .state
        .password_hash
        .clone();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    server.login("old", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn accounts_are_still_there_after_a_restart() {
    let server = TestServer::start();
    server.token(Role::Viewer).await;
    let access = server.login("viewer", PASSWORD).await.expect(200)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let server = TestServer::start_in(server.stop(), |_| {});
    server.get("/api/v1/auth/me", &access).await.expect(200);
    server.login("viewer", PASSWORD).await.expect(200);
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

/// Every route of the table, asked by every role: in or out as the table says.
#[tokio::test]
async fn every_route_holds_every_role_to_the_table() {
    let server = TestServer::start();
    let mut tokens = vec![(None, String::new())];
    for role in Role::ALL {
        tokens.push((Some(role), server.token(role).await));
    }
    // Streams do not end, and whose actions and data one may see depends on whose they are: all have tests of their own.
    let by_role_alone = |path: &str| {
        !path.ends_with("/stream")
            && !path.starts_with("/api/v1/audit/user/")
            && !path.starts_with("/api/v1/compliance/user-data/")
    };
    for line in ROUTES.iter().filter(|line| by_role_alone(line.path)) {
        let path = line.path.replace(['{', '}', '*'], "");
        for (role, token) in &tokens {
            let answer = server
                .answer(request(
                    line.method.clone(),
                    &path,
                    token,
                    &[],
                    Body::empty(),
                ))
                .await;
            let status = answer.status.as_u16();
            let case = format!(
                "{} {} by {role:?} gave {status}: {}",
                line.method,
                line.path,
                String::from_utf8_lossy(&answer.body)
            );
            match line.access {
                Access::AtLeast(_) | Access::Device(_) if role.is_none() => {
                    assert_eq!(status, 401, "{case}")
                }
                Access::AtLeast(required) | Access::Device(required)
                    if !role.unwrap().reaches(required) =>
                {
                    assert_eq!(status, 403, "{case}")
                }
                Access::AtLeast(_) | Access::Device(_) => {
                    assert!(status != 401 && status != 403 && status < 500, "{case}")
                }
                Access::Open | Access::OpenOrKnown => {
                    assert!(status < 500 && status != 403, "{case}")
                }
            }
        }
    }
}
