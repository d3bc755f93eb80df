//! Policies over HTTP: what is signed may come into force, and nothing else.

use fleet::policy::{FieldRule, Role};
use serde_json::{Value, json};

use super::harness::TestServer;
use crate::policy;

const UPLOAD: &str = "/api/v1/policy/upload";
const LIST: &str = "/api/v1/policy/list";
const ACTIVE: &str = "/api/v1/policy/active";

/// A field policy in which the dispatcher, and nobody else, writes notes.
fn document() -> Value {
    json!({ "version": "1", "rules": { "notes": "dispatcher_authoritative" }, "permissions": { "dispatcher": ["notes"] } })
}

async fn server() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::SuperAdmin).await;
    (server, token)
}

async fn upload(server: &TestServer, token: &str, name: &str, document: Value) -> Value {
    let body = json!({ "policy_name": name, "policy_data": document });
    server.post(UPLOAD, token, body).await.expect(201)
}

fn path(verb: &str, name: &str) -> String {
    format!("/api/v1/policy/{verb}/{name}")
}

fn key(seed: u8) -> String {
    policy::to_hex(&[seed; 32])
}

async fn sign(server: &TestServer, token: &str, name: &str, seed: u8) -> Value {
    let body = json!({ "private_key_hex": key(seed) });
    server
        .post(&path("sign", name), token, body)
        .await
        .expect(200)
}

#[tokio::test]
async fn a_policy_is_uploaded_signed_put_into_force_and_deleted() {
    let (server, token) = server().await;
    let uploaded = upload(&server, &token, "depot-1", document()).await;
    assert_eq!(uploaded["policy_data"]["_hash"], uploaded["sha256_hash"]);
    assert_eq!(uploaded["signature_verified"], false);
    let early = server
        .post(&path("activate", "depot-1"), &token, json!({}))
        .await
        .expect(400);
    assert_eq!(early["code"], "not_signed");

    let signed = sign(&server, &token, "depot-1", 7).await;
    assert_eq!(signed["signature_file"], "depot-1.json.sig");
    let text = uploaded["signed_text"].as_str().unwrap();
    let (signature, public_key) = (
        signed["signature"].as_str().unwrap(),
        signed["public_key_hex"].as_str().unwrap(),
    );
    assert_eq!(policy::verify(text, signature, public_key), Ok(()));
    let loaded = server.get(&path("load", "depot-1"), &token).await;
    assert_eq!(loaded.expect(200)["signature_verified"], true);
    assert_eq!(policy::in_force(&server.state).unwrap(), None);

    let active = server
        .act(&path("activate", "depot-1"), &token, json!({}))
        .await;
    assert_eq!(active["is_active"], true);
    assert!(active["position"].as_u64() > signed["position"].as_u64());
    let viewer = server.token(Role::Viewer).await;
    let shown = server.read(ACTIVE, &viewer).await;
    assert_eq!(
        (&shown["policy_name"], &shown["policy_data"]["version"]),
        (&json!("depot-1"), &json!("1"))
    );
    let rules = policy::in_force(&server.state).unwrap().unwrap();
    assert_eq!(
        rules.line("notes").unwrap().rule,
        FieldRule::DispatcherAuthoritative
    );

    // Another one takes its place; of two at most one is in force.
    upload(&server, &token, "depot-2", document()).await;
    sign(&server, &token, "depot-2", 7).await;
    server
        .act(&path("activate", "depot-2"), &token, json!({}))
        .await;
    let list = server.read(LIST, &token).await;
    let shown: Vec<_> = list["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["name"].as_str().unwrap(),
                row["has_signature"] == true,
                row["is_active"] == true,
            )
        })
        .collect();
    assert_eq!(shown, [("depot-1", true, false), ("depot-2", true, true)]);

    let refused = server.delete("/api/v1/policy/depot-2", &token).await;
    refused.expect_problem(409, "conflict");
    server
        .delete("/api/v1/policy/depot-1", &token)
        .await
        .expect(204);
    let gone = server.get(&path("load", "depot-1"), &token).await;
    assert_eq!(
        gone.expect_problem(404, "not-found")["detail"],
        "Policy not found"
    );
    server
        .act(&path("deactivate", "depot-2"), &token, json!({}))
        .await;
    let built_in = server.read(ACTIVE, &viewer).await;
    assert_eq!(built_in["policy_name"], Value::Null);
    let rules = built_in["policy_data"].as_object().unwrap();
    fleet::policy::FieldRules::parse(rules).expect("the built-in policy is a document as well");
}

#[tokio::test]
async fn what_is_in_force_stays_as_it_was_signed() {
    let (server, token) = server().await;
    upload(&server, &token, "p", document()).await;
    sign(&server, &token, "p", 7).await;
    server.act(&path("activate", "p"), &token, json!({})).await;
    let mut other = document();
    other["version"] = "2".into();
    let replaced = upload(&server, &token, "p", other).await;
    assert_eq!(
        (&replaced["signature"], &replaced["is_active"]),
        (&Value::Null, &json!(true))
    );
    let active = server.read(ACTIVE, &token).await;
    assert_eq!(active["policy_data"]["version"], "1");
    let unsigned = server.post(&path("activate", "p"), &token, json!({})).await;
    unsigned.expect(400);
    assert!(policy::in_force(&server.state).unwrap().is_some());
}

#[tokio::test]
async fn only_keys_that_are_trusted_put_into_force() {
    let (_, trusted) = policy::sign("", &[1; 32]);
    let server = TestServer::start_with(|config| config.auth.policy_keys = vec![trusted.clone()]);
    let token = server.token(Role::SuperAdmin).await;
    upload(&server, &token, "p", document()).await;
    sign(&server, &token, "p", 2).await;
    let loaded = server.read(&path("load", "p"), &token).await;
    assert_eq!(
        loaded["signature_verified"], false,
        "a stranger's signature vouches for nothing"
    );
    let refused = server
        .post(&path("activate", "p"), &token, json!({}))
        .await
        .expect(400);
    assert_eq!(
        refused["detail"],
        "Policy verification failed: the key that signed it is none of auth.policy_keys"
    );
    sign(&server, &token, "p", 1).await;
    server.act(&path("activate", "p"), &token, json!({})).await;
}

#[tokio::test]
async fn the_key_may_stay_where_it_is() {
    let (server, token) = server().await;
    let uploaded = upload(&server, &token, "p", document()).await;
    let text = uploaded["signed_text"].as_str().unwrap();
    let (signature, public_key) = policy::sign(text, &[9; 32]);
    let elsewhere = json!({ "signature": signature, "public_key_hex": public_key });
    let signed = server
        .act(&path("sign", "p"), &token, elsewhere.clone())
        .await;
    assert_eq!(signed["public_key_hex"], public_key);
    // The same in one step.
    let mut whole = elsewhere.clone();
    whole["policy_name"] = "q".into();
    whole["policy_data"] = document();
    let whole = server.create(UPLOAD, &token, whole).await;
    assert_eq!(whole["signature_verified"], true);
    // A signature of another text.
    let mut forged = elsewhere;
    forged["policy_name"] = "r".into();
    forged["policy_data"] = json!({ "permissions": {} });
    let forged = server.post(UPLOAD, &token, forged).await.expect(400);
    assert_eq!(
        forged["detail"],
        "Policy verification failed: Ed25519 signature verification failed"
    );
    server.get(&path("load", "r"), &token).await.expect(404);
    // Older clients send the private key in the query.
    let old = format!("{}?private_key_hex={}", path("sign", "p"), key(3));
    server.act(&old, &token, json!({})).await;
}

#[tokio::test]
async fn loading_holds_the_signature_against_the_key_that_is_asked_for() {
    let (server, token) = server().await;
    upload(&server, &token, "p", document()).await;
    let (_, right) = policy::sign("", &[7; 32]);
    let (_, wrong) = policy::sign("", &[8; 32]);
    let with = |key: &str| format!("{}?public_key_hex={key}", path("load", "p"));
    let unsigned = server.get(&with(&right), &token).await.expect(400);
    assert_eq!(
        unsigned["detail"],
        "Policy verification failed: it is not signed"
    );
    sign(&server, &token, "p", 7).await;
    let loaded = server.read(&with(&right), &token).await;
    assert_eq!(loaded["signature_verified"], true);
    let forged = server.get(&with(&wrong), &token).await.expect(400);
    assert_eq!(
        forged["detail"],
        "Policy verification failed: Ed25519 signature verification failed"
    );
    server.get(&with("zz"), &token).await.expect(422);
}

#[tokio::test]
async fn refusals_name_what_is_wrong() {
    let (server, token) = server().await;
    for name in ["../etc/passwd", "a/b", "..", ".x", "", "list", "a b"] {
        let body = json!({ "policy_name": name, "policy_data": {} });
        let problem = server.post(UPLOAD, &token, body).await.expect(422);
        assert_eq!(
            problem["errors"][0]["loc"],
            json!(["body", "policy_name"]),
            "{name}"
        );
    }
    for verb in ["load", "sign", "activate", "deactivate"] {
        let path = path(verb, "..%2F..%2Fetc%2Fpasswd");
        let answer = match verb {
            "load" => server.get(&path, &token).await,
            _ => {
                server
                    .post(&path, &token, json!({ "private_key_hex": key(1) }))
                    .await
            }
        };
        let problem = answer.expect_problem(422, "invalid");
        assert_eq!(
            problem["errors"][0]["loc"],
            json!(["path", "policy_name"]),
            "{verb}"
        );
        let path = self::path(verb, "nothing");
        let answer = match verb {
            "load" => server.get(&path, &token).await,
            _ => {
                server
                    .post(&path, &token, json!({ "private_key_hex": key(1) }))
                    .await
            }
        };
        answer.expect_problem(404, "not-found");
    }
    server
        .delete("/api/v1/policy/..%2Fx", &token)
        .await
        .expect(422);
    let no_object = json!({ "policy_name": "p", "policy_data": [] });
    server.post(UPLOAD, &token, no_object).await.expect(422);
    let no_key = json!({ "policy_name": "p", "policy_data": {}, "signature": "ab".repeat(64) });
    server.post(UPLOAD, &token, no_key).await.expect(422);

    // Signed, but no field policy.
    upload(
        &server,
        &token,
        "p",
        json!({ "rules": { "status": "newest" } }),
    )
    .await;
    server
        .post(&path("sign", "p"), &token, json!({}))
        .await
        .expect(422);
    server
        .post(
            &path("sign", "p"),
            &token,
            json!({ "private_key_hex": "00" }),
        )
        .await
        .expect(422);
    sign(&server, &token, "p", 1).await;
    let refused = server
        .post(&path("activate", "p"), &token, json!({}))
        .await
        .expect(400);
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("rules.status must be one of"), "{detail}");
    assert_eq!(policy::in_force(&server.state).unwrap(), None);

    let manager = server.token(Role::FleetManager).await;
    for answer in [
        server.get(LIST, &manager).await,
        server.get(&path("load", "p"), &manager).await,
        server.post(UPLOAD, &manager, json!({})).await,
        server.post(&path("sign", "p"), &manager, json!({})).await,
        server
            .post(&path("activate", "p"), &manager, json!({}))
            .await,
        server
            .post("/api/v1/policy/generate-keypair", &manager, json!({}))
            .await,
        server.delete("/api/v1/policy/p", &manager).await,
    ] {
        answer.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_key_is_made_and_signs() {
    let (server, token) = server().await;
    let made = server
        .post("/api/v1/policy/generate-keypair", &token, json!({}))
        .await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.expect(200);
    upload(&server, &token, "p", document()).await;
    let body = json!({ "private_key_hex": made["private_key_hex"] });
    let signed = server.act(&path("sign", "p"), &token, body).await;
    assert_eq!(signed["public_key_hex"], made["public_key_hex"]);
    assert!(made["warning"].is_string());
}
