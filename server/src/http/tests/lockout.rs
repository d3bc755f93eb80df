//! What guessing leads to, and which passwords are taken.

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{Answer, PASSWORD, TestServer, request};

#[tokio::test]
async fn an_account_is_locked_until_somebody_sets_a_new_password() {
    let server = TestServer::start_with(|config| {
        config.auth.login_attempts_free = 100;
        config.auth.lockout_failures = 5;
    });
    let admin = server.token(Role::SuperAdmin).await;
    server.token(Role::Technician).await;
    for _ in 0..4 {
        server.login("technician", "Wrong-77x").await.expect(401);
    }
    server.login("technician", PASSWORD).await.expect(200);
    for _ in 0..5 {
        server.login("technician", "Wrong-77x").await.expect(401);
    }
    // The account's trail says so, so a restart forgets nothing.
    server.state.log.settle();
    let server = TestServer::start_in(server.stop(), |config| {
        config.auth.login_attempts_free = 100;
        config.auth.lockout_failures = 5;
    });
    for password in [PASSWORD, "Wrong-77x"] {
        let problem = server
            .login("technician", password)
            .await
            .expect_problem(403, "forbidden");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("the account is locked after 5 wrong passwords"),
            "{detail}"
        );
    }
    server.login("super_admin", PASSWORD).await.expect(200);

    let changed = json!({ "password": "Another-77x" });
    patch(&server, "/api/v1/users/technician", &admin, changed)
        .await
        .expect(200);
    server.login("technician", "Another-77x").await.expect(200);
}

#[tokio::test]
async fn new_passwords_are_long_and_no_thief_knows_them() {
    let list = tempfile::NamedTempFile::new().unwrap();
    // SHA-1 of "a horse of battery staples".
    let known = "a horse of battery staples";
    std::fs::write(
        list.path(),
        format!("{}:3\n", crate::auth::breached::digest(known)),
    )
    .unwrap();
    let path = list.path().to_owned();
    let server = TestServer::start_with(|config| {
        config.auth.password_chars_min = crate::config::Config::new(std::path::Path::new("x"))
            .auth
            .password_chars_min;
        config.auth.breached_passwords = Some(path);
    });
    let admin = accounts_of(&server, "a long sentence to log in").await;
    let new = |password: &str| json!({"username": "anna", "email": "anna@depot.example", "password": password});
    let create = |password| server.post("/api/v1/users", &admin, new(password));
    let problem = create("Depot-77x!").await.expect_problem(422, "invalid");
    assert_eq!(
        problem["errors"][0]["msg"],
        "Password must be at least 15 characters long"
    );
    let problem = create(known).await.expect_problem(400, "bad-request");
    assert_eq!(problem["detail"], "Password is on a list of breached ones");
    create("no capital, digit or sign here").await.expect(201);

    std::fs::remove_file(list.path()).unwrap();
    let changed = json!({ "password": "another sentence to log in" });
    let problem = patch(&server, "/api/v1/users/anna", &admin, changed)
        .await
        .expect_problem(503, "unavailable");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("auth.breached_passwords")
    );
    server
        .login("anna", "no capital, digit or sign here")
        .await
        .expect(200);
}

pub(super) async fn patch(server: &TestServer, path: &str, token: &str, body: Value) -> Answer {
    let headers = [("content-type", "application/json")];
    let body = Body::from(body.to_string());
    server
        .answer(request(Method::PATCH, path, token, &headers, body))
        .await
}

/// An administrator with this password, and a token.
async fn accounts_of(server: &TestServer, password: &str) -> String {
    let account = crate::auth::NewAccount {
        username: "root".to_owned(),
        email: "root@depot.example".to_owned(),
        password: password.to_owned(),
        role: Role::SuperAdmin,
    };
    let account = server
        .state
        .accounts
        .register_locally(account)
        .await
        .unwrap();
    server.state.accounts.local_token(&account).unwrap()
}
