//! Checkpoints and proofs over HTTP, checked from the answers alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fleet::policy::Role;
use serde_json::{Value, json};
use storage::{ConsistencyProof, InclusionProof, Position, TreeHash};

use crate::audit::{Checkpoint, Verifier};
use crate::http::tests::harness::TestServer;

async fn filled(events: u32) -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    for number in 0..events {
        server
            .append(
                &token,
                &(number % 3).to_string(),
                "CraneMoved",
                json!({"n": number}),
            )
            .await;
    }
    (server, token)
}

fn hash(text: &Value) -> TreeHash {
    let bytes = BASE64.decode(text.as_str().unwrap()).unwrap();
    TreeHash(bytes.try_into().unwrap())
}

fn path(proof: &Value) -> Vec<TreeHash> {
    proof["path"].as_array().unwrap().iter().map(hash).collect()
}

fn signed(answer: &Value, note: &str) -> Checkpoint {
    let verifier = Verifier::parse(answer["public_key"].as_str().unwrap()).unwrap();
    Checkpoint::parse(verifier.open(answer[note].as_str().unwrap()).unwrap()).unwrap()
}

fn inclusion(leaf: &Value, size: u64) -> InclusionProof {
    InclusionProof {
        position: Position::new(leaf["position"].as_u64().unwrap()),
        size: Position::new(size),
        leaf: BASE64.decode(leaf["leaf"].as_str().unwrap()).unwrap(),
        path: path(leaf),
    }
}

#[tokio::test]
async fn an_event_is_proved_with_the_names_it_uses() {
    let (server, token) = filled(20).await;
    let last = server.state.log.durable_position().get();
    let proof = server
        .read(&format!("/api/v1/audit/proof/{last}"), &token)
        .await;
    let checkpoint = signed(&proof, "checkpoint");
    assert_eq!(checkpoint.size, last);
    assert!(inclusion(&proof, last).holds(&checkpoint.root));
    assert_eq!(proof["event"]["data"]["n"], 19);
    let names = proof["names"].as_array().unwrap();
    assert!(!names.is_empty());
    let mut brought = Vec::new();
    for naming in names {
        let naming = inclusion(naming, last);
        assert!(naming.holds(&checkpoint.root));
        brought.extend_from_slice(&naming.leaf);
    }
    let brought = String::from_utf8_lossy(&brought).into_owned();
    assert!(brought.contains("Crane") && brought.contains("CraneMoved"));

    let earlier = server
        .read(&format!("/api/v1/audit/proof/5?size={}", last - 3), &token)
        .await;
    assert!(inclusion(&earlier, last - 3).holds(&signed(&earlier, "checkpoint").root));
    for (path, status) in [
        ("0", 404),
        ("999", 404),
        ("5?size=3", 404),
        ("5?size=999", 404),
        ("x", 422),
    ] {
        assert_eq!(
            server
                .get(&format!("/api/v1/audit/proof/{path}"), &token)
                .await
                .status,
            status,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_account_is_proved_without_its_secrets() {
    let (server, token) = filled(1).await;
    let first = server.get("/api/v1/audit/proof/1", &token).await;
    first.expect_problem(404, "not-found");
    let admin = server.token(Role::SuperAdmin).await;
    let proof = server.read("/api/v1/audit/proof/1", &admin).await;
    assert_eq!(
        (&proof["leaf"], &proof["event"]["data"]["password_hash"]),
        (&Value::Null, &Value::Null)
    );
    assert!(proof["leaf_hash"].is_string());
}

#[tokio::test]
async fn a_later_log_continues_an_earlier_checkpoint() {
    let (server, token) = filled(5).await;
    let before = server.read("/api/v1/audit/checkpoint", &token).await;
    let old = signed(&before, "note");
    server.append(&token, "9", "CraneMoved", json!({})).await;
    server.clock.advance_seconds(600);
    let between = server
        .read(
            &format!("/api/v1/audit/consistency?from={}", old.size),
            &token,
        )
        .await;
    let new = signed(&between, "checkpoint");
    let proof = ConsistencyProof {
        old: Position::new(old.size),
        new: Position::new(new.size),
        path: path(&between),
    };
    assert!(proof.holds(&old.root, &new.root));
    assert!(!proof.holds(&new.root, &old.root));
    server
        .get("/api/v1/audit/consistency", &token)
        .await
        .expect_problem(422, "invalid");
    server
        .get("/api/v1/audit/consistency?from=99", &token)
        .await
        .expect_problem(404, "not-found");

    let note = server
        .get("/api/v1/audit/checkpoint?format=note", &token)
        .await;
    assert_eq!(
        note.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let kept = server.read("/api/v1/audit/checkpoints", &token).await;
    assert_eq!(kept["total"], 2);
    assert_eq!(kept["checkpoints"][0]["note"], before["note"]);
    let same = server.read("/api/v1/audit/checkpoint", &token).await;
    assert_eq!(same["tree_size"], new.size);
    assert_eq!(
        server
            .get("/api/v1/audit/checkpoints", &token)
            .await
            .expect(200)["total"],
        2,
        "what is known is not kept twice"
    );
}

/// Whoever may read may ask: each answer signs the log as it is, and the file of notes does not grow with the asking.
#[tokio::test]
async fn checkpoints_asked_for_in_a_row_are_signed_and_one_is_kept() {
    let (server, _) = filled(1).await;
    let technician = server.token(Role::Technician).await;
    let viewer = server.token(Role::Viewer).await;
    let kept = async || {
        let kept = server.read("/api/v1/audit/checkpoints", &viewer).await;
        assert_eq!(kept["truncated"], false);
        let kept = kept["checkpoints"].as_array().unwrap().clone();
        kept.iter()
            .map(|one| signed(&json!({"public_key": server.state.checkpoints.verifier().to_string(), "note": one["note"]}), "note").size)
            .collect::<Vec<u64>>()
    };
    let mut sizes = Vec::new();
    for number in 0..100 {
        server
            .append(&technician, "1", "CraneMoved", json!({"n": number}))
            .await;
        let asked = server.read("/api/v1/audit/checkpoint", &viewer).await;
        let checkpoint = signed(&asked, "note");
        assert_eq!(
            checkpoint.size,
            server.state.log.durable_position().get(),
            "of all that there is"
        );
        sizes.push(checkpoint.size);
    }
    assert_eq!(kept().await, sizes[..1]);

    // What was not kept can be held against the log all the same.
    let path = format!("/api/v1/audit/consistency?from={}", sizes[50]);
    server.read(&path, &viewer).await;

    server.clock.advance_seconds(600);
    let asked = server.read("/api/v1/audit/checkpoint", &viewer).await;
    assert_eq!(
        kept().await,
        [sizes[0], asked["tree_size"].as_u64().unwrap()]
    );
}

/// A log that was exchanged for another is not signed for.
#[tokio::test]
async fn a_log_that_does_not_continue_its_checkpoint_is_not_signed() {
    let (server, token) = filled(3).await;
    server.read("/api/v1/audit/checkpoint", &token).await;
    let file = server.folder.path().join("checkpoints.txt");
    let id = server.state.log.log_id();
    let folder = server.stop();
    let secret = std::fs::read(folder.path().join("keys/checkpoint.key")).unwrap();
    let signer =
        crate::audit::Signer::new(&format!("railfleet.log/{id}"), &secret.try_into().unwrap());
    let other = Checkpoint {
        origin: format!("railfleet.log/{id}"),
        size: 3,
        root: TreeHash::leaf(b"another"),
    };
    std::fs::write(&file, signer.sign(&other.to_string())).unwrap();
    let server = TestServer::start_in(folder, |_| {});
    let token = server.token(Role::Technician).await;
    let problem = server
        .get("/api/v1/audit/checkpoint", &token)
        .await
        .expect_problem(409, "conflict");
    assert_eq!(problem["checkpoint_size"], 3);
}
