//! Devices: registered with a token of their own, revoked, renewed, and kept to what is theirs.

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{Answer, TestServer, request};

const REGISTER: &str = "/api/v1/sync/devices/register";

fn tablet(id: &str) -> Value {
    json!({"device_id": id, "device_name": "Tablet", "device_type": "tablet", "platform": "android"})
}

async fn put_status(server: &TestServer, token: &str, id: &str) -> Answer {
    let path = format!("/api/v1/sync/devices/{id}/status?is_offline=true");
    server
        .answer(request(Method::PUT, &path, token, &[], Body::empty()))
        .await
}

async fn delete(server: &TestServer, token: &str, id: &str) -> Answer {
    let path = format!("/api/v1/sync/devices/{id}?reason=lost");
    server
        .answer(request(Method::DELETE, &path, token, &[], Body::empty()))
        .await
}

fn token_of(answer: &Value) -> String {
    answer["device_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_device_gets_a_token_that_opens_sync_alone_and_outlives_a_restart() {
    let server = TestServer::start();
    let technician = server.token(Role::Technician).await;
    let answer = server
        .post(REGISTER, &technician, tablet("t1"))
        .await
        .expect(201);
    assert_eq!(
        (
            &answer["device_id"],
            &answer["is_active"],
            &answer["role"],
            &answer["device_number"]
        ),
        (&json!("t1"), &json!(true), &json!("TECHNICIAN"), &json!(1))
    );
    let token = token_of(&answer);
    let shown = put_status(&server, &token, "t1").await.expect(200);
    assert_eq!(shown["is_offline"], true);
    let refused = server.get("/api/v1/vehicles", &token).await;
    assert_eq!(
        refused.expect_problem(403, "forbidden")["code"],
        "device_token"
    );
    server
        .get("/api/v1/vehicles", "rfd_nobody")
        .await
        .expect(401);
    put_status(&server, "rfd_nobody", "t1").await.expect(401);

    let folder = server.stop();
    let log = std::fs::read_dir(folder.path().join("log")).unwrap();
    for file in log
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        let secret = token.as_bytes();
        assert!(
            !bytes.windows(secret.len()).any(|part| part == secret),
            "{}",
            file.display()
        );
    }
    let server = TestServer::start_in(folder, |_| {});
    put_status(&server, &token, "t1").await.expect(200);
    let viewer = server.token(Role::Viewer).await;
    let list = server
        .get("/api/v1/sync/devices", &viewer)
        .await
        .expect(200);
    assert_eq!(
        (&list["total"], &list["devices"][0]["device_number"]),
        (&json!(1), &json!(1))
    );
    assert!(list["devices"][0].get("token_hash").is_none());
    assert!(list["devices"][0].get("device_token").is_none());
}

#[tokio::test]
async fn another_registration_begins_a_new_store_and_voids_the_old_token() {
    let server = TestServer::start();
    let technician = server.token(Role::Technician).await;
    let first = token_of(
        &server
            .post(REGISTER, &technician, tablet("t1"))
            .await
            .expect(201),
    );
    server
        .post(REGISTER, &technician, tablet("t2"))
        .await
        .expect(201);
    let again = server
        .post(REGISTER, &technician, tablet("t1"))
        .await
        .expect(201);
    assert_eq!(again["device_number"], 3);
    let refused = put_status(&server, &first, "t1")
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(refused["code"], "token_replaced");
    put_status(&server, &token_of(&again), "t1")
        .await
        .expect(200);
    let other = put_status(&server, &token_of(&again), "t2")
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(other["code"], "wrong_device");
}

#[tokio::test]
async fn a_renewal_keeps_the_number_and_may_lose_its_answer() {
    let server = TestServer::start_with(|config| {
        config.sync.device_token_lifetime = std::time::Duration::from_secs(3_600);
    });
    let technician = server.token(Role::Technician).await;
    let first = token_of(
        &server
            .post(REGISTER, &technician, tablet("t1"))
            .await
            .expect(201),
    );
    server.clock.advance_seconds(3_000);
    let path = "/api/v1/sync/devices/t1/renew";
    let renewed = server.post(path, &first, json!({})).await.expect(200);
    assert_eq!(renewed["device_number"], 1);
    // The answer was lost: the old token is still good, and renews again.
    let renewed = server.post(path, &first, json!({})).await.expect(200);
    let second = token_of(&renewed);
    put_status(&server, &second, "t1").await.expect(200);
    put_status(&server, &first, "t1").await.expect(401);
    server.clock.advance_seconds(3_601);
    let ended = put_status(&server, &second, "t1")
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(ended["code"], "token_expired");
}

#[tokio::test]
async fn a_token_that_ended_is_renewed_by_its_user_and_the_store_goes_on() {
    let server = TestServer::start_with(|config| {
        config.sync.device_token_lifetime = std::time::Duration::from_secs(3_600);
    });
    let technician = server.token(Role::Technician).await;
    let registered = server.post(REGISTER, &technician, tablet("t1")).await;
    let first = token_of(&registered.expect(201));
    let pull = "/api/v1/sync/crdt/pull";
    let page = server.get(pull, &first).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    server.clock.advance_seconds(3_601);
    let path = "/api/v1/sync/devices/t1/renew";
    let itself = server.post(path, &first, json!({})).await;
    let itself = itself.expect_problem(401, "unauthenticated");
    assert_eq!(itself["code"], "token_expired");
    // Sessions of people end too: whoever renews has logged in again.
    let other = server.token(Role::Dispatcher).await;
    server.post(path, &other, json!({})).await.expect(403);
    let technician = server.token(Role::Technician).await;
    let renewed = server.post(path, &technician, json!({})).await.expect(200);
    assert_eq!(renewed["device_number"], 1);
    let second = token_of(&renewed);
    let path = format!("{pull}?cursor={cursor}");
    let page = server.get(&path, &second).await.expect(200);
    assert_eq!(page["has_more"], false);
    put_status(&server, &first, "t1").await.expect(401);
}

#[tokio::test]
async fn devices_are_their_users_and_managers_revoke() {
    let server = TestServer::start();
    let technician = server.token(Role::Technician).await;
    let dispatcher = server.token(Role::Dispatcher).await;
    let manager = server.token(Role::WorkshopManager).await;
    let token = token_of(
        &server
            .post(REGISTER, &technician, tablet("t1"))
            .await
            .expect(201),
    );
    let taken = server.post(REGISTER, &dispatcher, tablet("t1")).await;
    assert_eq!(
        taken.expect_problem(403, "forbidden")["code"],
        "device_of_another"
    );
    delete(&server, &dispatcher, "t1").await.expect(403);
    put_status(&server, &dispatcher, "t1").await.expect(403);
    put_status(&server, &technician, "t1").await.expect(200);
    delete(&server, &manager, "t1").await.expect(204);
    let refused = put_status(&server, &token, "t1")
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(refused["code"], "device_revoked");
    let status = server
        .get("/api/v1/sync/devices/t1/status", &dispatcher)
        .await
        .expect(200);
    assert_eq!(status["is_active"], false);
    delete(&server, &manager, "t9").await.expect(404);
    let back = server
        .post(REGISTER, &manager, tablet("t1"))
        .await
        .expect(201);
    assert_eq!(back["is_active"], true);
    put_status(&server, &token, "t1").await.expect(401);
}

#[tokio::test]
async fn registrations_are_read_strictly_and_in_the_old_shapes() {
    let server = TestServer::start();
    let technician = server.token(Role::Technician).await;
    for (wrong, status) in [
        (json!({"device_id": "t"}), 422),
        (
            json!({"device_id": "t", "device_name": "n", "device_type": "t", "role": "SUPER_ADMIN"}),
            403,
        ),
        (
            json!({"device_id": "t", "device_name": "n", "device_type": "t", "role": 7}),
            422,
        ),
        (
            json!({"device_id": "t", "device_name": "n", "device_type": "t", "scope": {"shop": 1}}),
            422,
        ),
        (
            json!({"device_id": "t", "device_name": "n", "device_type": "t", "scope": {"workshop": "none"}}),
            404,
        ),
    ] {
        server
            .post(REGISTER, &technician, wrong)
            .await
            .expect(status);
    }
    let old = json!({"device_id": "t1", "device_name": "n", "device_type": "mobile", "user_id": 7, "capabilities": {"camera": true}});
    let answer = server
        .post("/api/v1/crdt/devices/register", &technician, old)
        .await
        .expect(200);
    assert!(answer["device_token"].is_string() && answer["registered_at"].is_string());
    let shown = server
        .get("/api/v1/crdt/devices/t1", &technician)
        .await
        .expect(200);
    assert_eq!(
        (&shown["capabilities"]["camera"], &shown["last_sync_at"]),
        (&json!(true), &Value::Null)
    );
    let documented = json!({"device_id": "t2", "device_info": {"name": "N", "type": "tablet", "platform": "ios", "os_version": "17"}});
    let answer = server
        .post(REGISTER, &technician, documented)
        .await
        .expect(201);
    assert_eq!(
        (
            &answer["device_name"],
            &answer["capabilities"]["os_version"]
        ),
        (&json!("N"), &json!("17"))
    );

    let off = TestServer::start_with(|config| config.sync.enabled = false);
    let technician = off.token(Role::Technician).await;
    off.post(REGISTER, &technician, tablet("t1"))
        .await
        .expect_problem(503, "unavailable");
}
