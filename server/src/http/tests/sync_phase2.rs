//! Clients of Phase 2: no registration, a person's token, events with a part that is claimed.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;
use crate::policy;

const PUSH: &str = "/api/v1/sync/push";
const PULL: &str = "/api/v1/sync/pull";
const CONFLICTS: &str = "/api/v1/sync/conflicts";

/// A server with a vehicle and an order that is planned, and a workshop's token.
async fn depot() -> (TestServer, String, String) {
    let server = TestServer::start();
    let dispatcher = server.token(Role::Dispatcher).await;
    let vehicle = json!({ "asset_id": "185123", "model": "BR 185", "type": "electric" });
    server
        .post("/api/v1/vehicles", &dispatcher, vehicle)
        .await
        .expect(201);
    let order = json!({ "vehicle_id": "185123", "status": "scheduled",
        "scheduled_start": "2023-11-20T08:00:00Z", "scheduled_end": "2023-11-20T16:00:00Z" });
    let order = server
        .post("/api/v1/maintenance/orders", &dispatcher, order)
        .await
        .expect(201);
    server.clock.advance_seconds(60);
    let technician = server.token(Role::Technician).await;
    let number = order["order_number"].as_str().unwrap().to_owned();
    (server, technician, number)
}

fn event(id: &str, part: &str, order: &str, fields: Value) -> Value {
    json!({ "id": id, "source_role": part, "entity_type": "work_order", "entity_id": order, "field_changes": fields })
}

async fn push(server: &TestServer, token: &str, events: Value) -> Value {
    let body = json!({ "device_id": "MOB-001", "events": events });
    server.post(PUSH, token, body).await.expect(200)
}

async fn order(server: &TestServer, number: &str) -> Value {
    let token = server.token(Role::Viewer).await;
    let path = format!("/api/v1/maintenance/orders/{number}");
    server.get(&path, &token).await.expect(200)
}

/// As in the old system's own guide, which its server refused.
#[tokio::test]
async fn a_workshop_reports_by_order_number_without_having_registered() {
    let (server, token, number) = depot().await;
    let fields = json!({ "status": "in_progress", "actual_start_ts": "2023-11-14T22:14:00Z" });
    let events = json!([event("7d0c1234", "workshop", &number, fields)]);
    for again in [false, true] {
        let answer = push(&server, &token, events.clone()).await;
        assert_eq!(
            (
                &answer["applied"],
                &answer["conflicts"],
                &answer["rejected"]
            ),
            (&json!(["7d0c1234"]), &json!([]), &json!([])),
            "again: {again}: {answer}"
        );
        assert_eq!(answer["next_cursor"], "log-idx-1");
    }
    let shown = order(&server, &number).await;
    assert_eq!(
        (&shown["status"], &shown["actual_start"]),
        (&json!("in_progress"), &json!("2023-11-14T22:14:00.000000Z"))
    );

    // The cursor of the old system says nothing, so the pull begins at the start; ours goes on.
    for path in [PULL.to_owned(), format!("{PULL}?cursor=log-idx-1")] {
        let page = server.get(&path, &token).await.expect(200);
        assert!(!page["events"].as_array().unwrap().is_empty(), "{page}");
        let next = page["next_cursor"].as_str().unwrap();
        let rest = server.get(&format!("{PULL}?cursor={next}"), &token).await;
        assert_eq!(rest.expect(200)["events"], json!([]));
    }
}

#[tokio::test]
async fn the_header_names_the_device_and_somebody_must() {
    let (server, token, number) = depot().await;
    let body = json!({ "device_id": "", "events": [event("e1", "workshop", &number, json!({ "findings": "rust" }))] });
    let headers = [("x-device-id", "MOB-002")];
    let answer = server
        .post_with(PUSH, &token, &headers, body.clone())
        .await
        .expect(200);
    assert_eq!(answer["device_id"], "MOB-002");
    let nobody = server.post(PUSH, &token, body).await;
    nobody.expect_problem(400, "bad-request");
    // Another account's device is not one's own.
    let other = server.token(Role::WorkshopManager).await;
    let body = json!({ "device_id": "MOB-002", "events": [] });
    server.post(PUSH, &other, body).await.expect(403);
    let viewer = server.token(Role::Viewer).await;
    let body = json!({ "device_id": "MOB-003", "events": [] });
    server.post(PUSH, &viewer, body).await.expect(403);
}

#[tokio::test]
async fn nobody_plays_a_part_that_is_not_theirs() {
    let (server, token, number) = depot().await;
    let events = json!([
        event("e1", "dispatcher", &number, json!({ "priority": "urgent" })),
        event("e2", "workshop", &number, json!({ "findings": "rust" })),
        event("e3", "boss", &number, json!({ "findings": "gold" })),
    ]);
    let answer = push(&server, &token, events).await;
    assert_eq!(
        (
            &answer["applied"],
            &answer["conflicts"],
            &answer["rejected"]
        ),
        (&json!(["e2"]), &json!([]), &json!(["e1", "e3"])),
        "{answer}"
    );
    let shown = order(&server, &number).await;
    assert_eq!(
        (&shown["priority"], &shown["findings"]),
        (&json!("medium"), &json!("rust"))
    );
    // What was refused is kept, once however often it comes, and may come again as a part that is played.
    push(
        &server,
        &token,
        json!([event("e3", "boss", &number, json!({ "findings": "gold" }))]),
    )
    .await;
    let manager = server.token(Role::FleetManager).await;
    let kept = "/api/v1/sync/devices/MOB-001/refused?limit=100";
    let kept = server.get(kept, &manager).await.expect(200);
    let kept: Vec<&Value> = kept["operations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|operation| operation["reason"] == "part_not_played")
        .collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let content = kept.iter().any(|operation| {
        operation["change"]["value"] == "gold" && operation["field"] == "findings"
    });
    assert!(content, "{kept:?}");
    let events = json!([event(
        "e3",
        "workshop",
        &number,
        json!({ "findings": "gold" })
    )]);
    let answer = push(&server, &token, events).await;
    assert_eq!(answer["applied"], json!(["e3"]), "{answer}");
    let events = json!([event(
        "e4",
        "workshop",
        &number,
        json!({ "findings": "rust" })
    )]);
    push(&server, &token, events).await;
    // Who may play several is judged as the one that is claimed.
    let admin = server.token(Role::SuperAdmin).await;
    let body = json!({ "device_id": "DESK-1", "events": [
        event("a1", "dispatcher", &number, json!({ "work_performed": "all" })),
        event("a2", "workshop", &number, json!({ "work_performed": "belt" })),
    ] });
    let answer = server.post(PUSH, &admin, body).await.expect(200);
    assert_eq!(
        (&answer["applied"], &answer["conflicts"]),
        (&json!(["a2"]), &json!(["a1"])),
        "{answer}"
    );
    let shown = order(&server, &number).await;
    assert_eq!(shown["work_performed"], "belt");
}

#[tokio::test]
async fn the_signed_policy_in_force_says_who_changes_what() {
    let (server, token, number) = depot().await;
    let admin = server.token(Role::SuperAdmin).await;
    let pushed = |id: &str| json!([event(id, "workshop", &number, json!({ "findings": id }))]);
    let answer = push(&server, &token, pushed("before")).await;
    assert_eq!(answer["applied"], json!(["before"]), "{answer}");

    // From here on findings are the dispatcher's alone.
    let document = json!({ "rules": { "findings": "dispatcher_authoritative" }, "permissions": { "dispatcher": ["findings"] } });
    let upload = json!({ "policy_name": "p", "policy_data": document });
    server
        .post("/api/v1/policy/upload", &admin, upload)
        .await
        .expect(201);
    let key = json!({ "private_key_hex": policy::to_hex(&[7; 32]) });
    for (verb, body) in [("sign", key), ("activate", json!({}))] {
        let path = format!("/api/v1/policy/{verb}/p");
        server.post(&path, &admin, body).await.expect(200);
    }
    let answer = push(&server, &token, pushed("during")).await;
    assert_eq!(answer["conflicts"], json!(["during"]), "{answer}");
    assert_eq!(order(&server, &number).await["findings"], "before");

    let open = server.get(CONFLICTS, &admin).await.expect(200);
    let conflict = open[0].clone();
    assert_eq!(open.as_array().map(Vec::len), Some(1));
    for (field, value) in [
        ("field_name", json!("findings")),
        ("client_value", json!({ "value": "during", "type": "str" })),
        ("server_value", json!({ "value": "before", "type": "str" })),
        ("is_resolved", json!(false)),
    ] {
        assert_eq!(conflict[field], value, "{field}");
    }
    let name = conflict["conflict_id"].as_str().unwrap();
    assert!(name.starts_with("CONFLICT-"), "{name}");
    let path = format!("{CONFLICTS}/{name}/resolve");
    let wrong = json!({ "resolution": "best" });
    server.post(&path, &admin, wrong).await.expect(422);
    let chosen = server
        .post(&path, &admin, json!({ "resolution": "client" }))
        .await
        .expect(200);
    assert_eq!(chosen["is_resolved"], true);
    assert_eq!(order(&server, &number).await["findings"], "during");
    assert_eq!(server.get(CONFLICTS, &admin).await.expect(200), json!([]));
    let all = format!("{CONFLICTS}?resolved=true");
    let all = server.get(&all, &admin).await.expect(200);
    assert_eq!(all.as_array().map(Vec::len), Some(1));
    let nothing = format!("{CONFLICTS}/CONFLICT-0/resolve");
    let nothing = server
        .post(&nothing, &admin, json!({ "resolution": "server" }))
        .await;
    assert_eq!(nothing.expect(404)["detail"], "Conflict not found");

    // Out of force, the built-in policy holds again.
    server
        .post("/api/v1/policy/deactivate/p", &admin, json!({}))
        .await
        .expect(200);
    let answer = push(&server, &token, pushed("after")).await;
    assert_eq!(answer["applied"], json!(["after"]), "{answer}");
    assert_eq!(order(&server, &number).await["findings"], "after");
}
