//! Accounts: made, changed, closed; and who may do what.

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{PASSWORD, TestServer, request};
use crate::http::access::{Access, ROUTES};

fn registration(name: &str, role: &str) -> Value {
    json!({"username": name, "email": format!("{name}@depot.example"), "password": PASSWORD, "role": role})
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
        .create(
            "/api/v1/auth/register",
            &admin,
            registration("anna", "VIEWER"),
        )
        .await;
    assert_eq!(made["position"], before.get() + 1);
    let path = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    let changed = server
        .patch(&path, &admin, json!({ "role": "TECHNICIAN" }))
        .await
        .expect(200);
    assert_eq!(changed["position"], before.get() + 2);
    let shown = server.read(&path, &admin).await;
    assert_eq!(shown["position"], changed["position"]);
    // Without a word about the role it is the least one.
    let mut body = registration("berta", "VIEWER");
    body.as_object_mut().unwrap().remove("role");
    let least = server.create("/api/v1/auth/register", &admin, body).await;
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
async fn closing_an_account_ends_its_tokens_at_once() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    server.token(Role::Technician).await;
    let pair = server.login("technician", PASSWORD).await.expect(200);
    let access = pair["access_token"].as_str().unwrap();
    let me = server.read("/api/v1/auth/me", access).await;
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
    server.read("/api/v1/auth/me", &access).await;
    server.login("viewer", PASSWORD).await.expect(200);
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
