//! What is written into work orders, and the tracks and teams that they are planned onto, over HTTP.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;
use super::stock::store;

const ORDERS: &str = "/api/v1/maintenance/orders";

/// A store with ten pads in the north, a vehicle with an order, tokens of a technician and of a workshop manager, and
/// the order's path.
async fn depot() -> (TestServer, String, String, String) {
    let (server, token) = store().await;
    server.incoming(&token, 10).await;
    let vehicle = json!({ "asset_id": "185123", "model": "x", "type": "electric" });
    server
        .post("/api/v1/vehicles", &token, vehicle)
        .await
        .expect(201);
    let order = server
        .post(ORDERS, &token, json!({ "vehicle_id": "185123" }))
        .await
        .expect(201);
    let path = format!("{ORDERS}/{}", order["order_number"].as_str().unwrap());
    let technician = server.token(Role::Technician).await;
    let manager = server.token(Role::WorkshopManager).await;
    (server, technician, manager, path)
}

async fn step(
    server: &TestServer,
    token: &str,
    path: &str,
    status: &str,
) -> super::harness::Answer {
    server.patch(path, token, json!({ "status": status })).await
}

#[tokio::test]
async fn an_order_is_done_when_its_checklist_is() {
    let (server, token, manager, path) = depot().await;
    step(&server, &token, &path, "in_progress")
        .await
        .expect(200);
    let list = format!("{path}/checklist");
    let nameless = server.post(&list, &token, json!({ "done": true })).await;
    nameless.expect_problem(422, "invalid");
    for text in ["brakes", "doors"] {
        let body = json!({ "text": text, "remark": null });
        server.post(&list, &token, body).await.expect(201);
    }
    let order = server.get(&path, &token).await.expect(200);
    let item = |number: usize| {
        let id = order["checklist"][number]["item_id"].as_str().unwrap();
        format!("{list}/{id}")
    };
    let measured = json!({ "done": true, "measured": 11.5, "unit": "mm" });
    let ticked = server.patch(&item(0), &token, measured).await.expect(200);
    assert_eq!(
        (
            &ticked["checklist"][0]["text"],
            &ticked["checklist"][0]["measured"]
        ),
        (&json!("brakes"), &json!(11.5))
    );
    assert!(ticked["checklist"][0]["done_by"].is_string());
    let open = step(&server, &token, &path, "completed").await.expect(409);
    assert_eq!(open["detail"], "1 of 2 checklist items are open");

    server.delete(&item(1), &token).await.expect(403);
    let left = server.delete(&item(1), &manager).await.expect(200);
    assert_eq!(left["checklist"].as_array().map(Vec::len), Some(1));
    let gone = server
        .patch(&item(1), &token, json!({ "done": true }))
        .await
        .expect(404);
    assert_eq!(gone["detail"], "The order has no such checklist item");
    step(&server, &token, &path, "completed").await.expect(200);
    let late = server.post(&list, &token, json!({ "text": "more" })).await;
    assert_eq!(late.expect(409)["detail"], "The work order is completed");
}

#[tokio::test]
async fn a_grave_finding_holds_up_the_release_until_it_is_resolved() {
    let (server, token, manager, path) = depot().await;
    for status in ["in_progress", "completed"] {
        step(&server, &token, &path, status).await.expect(200);
    }
    let findings = format!("{path}/findings");
    let bad = json!({ "text": "crack", "severity": "awful" });
    server
        .post(&findings, &token, bad)
        .await
        .expect_problem(422, "invalid");
    let crack = json!({ "text": "crack", "severity": "critical", "component": "axle 2" });
    let order = server.post(&findings, &token, crack).await.expect(201);
    let found = &order["finding_items"][0];
    assert_eq!(
        (&found["severity"], &found["component"]),
        (&json!("critical"), &json!("axle 2"))
    );
    let release = format!("{path}/release");
    let refused = server.post(&release, &manager, json!({})).await;
    assert_eq!(refused.expect(409)["detail"], "A finding is open: crack");
    let resolve = |id: &str| format!("{findings}/{id}/resolve");
    let mended = json!({ "resolution": "axle changed" });
    let nowhere = server.post(&resolve("none"), &token, mended.clone()).await;
    nowhere.expect(404);
    let path_of_it = resolve(found["finding_id"].as_str().unwrap());
    let order = server.post(&path_of_it, &token, mended).await.expect(200);
    assert_eq!(order["finding_items"][0]["resolution"], "axle changed");
    server.post(&release, &manager, json!({})).await.expect(200);
    let late = json!({ "text": "scratch" });
    server
        .post(&findings, &token, late.clone())
        .await
        .expect(409);
    // A note can always be added.
    let noted = server.post(&format!("{path}/notes"), &token, late).await;
    assert_eq!(noted.expect(201)["note_items"][0]["text"], "scratch");
}

#[tokio::test]
async fn a_part_that_is_used_leaves_the_shelf() {
    let (server, token, _, path) = depot().await;
    let parts = format!("{path}/parts");
    let usage = |quantity: i64, from: Option<&str>| json!({ "part_no": "BRK/1", "quantity": quantity, "from_location_id": from });
    let used = server
        .post(&parts, &token, usage(3, Some("NORTH")))
        .await
        .expect(201);
    assert_eq!(server.stock(&token).await, 7);
    let kept = &used["used_parts"][0];
    assert_eq!(
        (&kept["quantity"], &kept["unit_price"]),
        (&json!(3), &json!("12.50"))
    );
    let moved = format!(
        "/api/v1/stock/moves/{}",
        kept["stock_move_id"].as_str().unwrap()
    );
    let moved = server.get(&moved, &token).await.expect(200);
    assert_eq!(
        (
            &moved["move_type"],
            &moved["work_order_id"],
            &moved["unit_price"]
        ),
        (&json!("USAGE"), &used["id"], &json!("12.50"))
    );
    for (body, status) in [
        (usage(8, Some("NORTH")), 409),
        (usage(1, Some("SOUTH")), 409),
        (usage(1, None), 400),
        (usage(1, Some("EAST")), 404),
        (usage(0, Some("NORTH")), 422),
    ] {
        server.post(&parts, &token, body).await.expect(status);
    }
    assert_eq!(server.stock(&token).await, 7, "refusals leave nothing");
    let order = server.get(&path, &token).await.expect(200);
    assert_eq!(order["used_parts"].as_array().map(Vec::len), Some(1));

    // The same request twice is one use.
    let key = [("idempotency-key", "use-1")];
    let body = usage(2, Some("NORTH"));
    let first = server.post_with(&parts, &token, &key, body.clone()).await;
    let again = server.post_with(&parts, &token, &key, body).await;
    assert_eq!(
        first.expect(201)["used_parts"],
        again.expect(201)["used_parts"]
    );
    assert_eq!(server.stock(&token).await, 5);
}

#[tokio::test]
async fn tracks_and_teams_are_kept_and_planned_onto() {
    let (server, technician, manager, path) = depot().await;
    let workshop = json!({ "code": "WS", "name": "Yard", "location": "x", "total_tracks": 2 });
    let workshop = server
        .post("/api/v1/workshops", &manager, workshop)
        .await
        .expect(201);
    for (kind, key) in [("tracks", "track_id"), ("teams", "team_id")] {
        let all = format!("/api/v1/{kind}");
        let body = json!({ key: "X 1", "name": "One", "workshop_id": "WS" });
        server
            .post(&all, &technician, body.clone())
            .await
            .expect(403);
        let made = server.post(&all, &manager, body.clone()).await.expect(201);
        assert_eq!(made["workshop_id"], workshop["id"], "{kind}");
        server.post(&all, &manager, body).await.expect(400);
        let lost = json!({ key: "X 2", "name": "Two", "workshop_id": "nowhere" });
        let lost = server.post(&all, &manager, lost).await.expect(404);
        assert_eq!(lost["detail"], "Workshop not found");

        let one = format!("{all}/X%201");
        let renamed = server
            .patch(&one, &manager, json!({ "name": "Uno" }))
            .await
            .expect(200);
        assert_eq!(
            (&renamed["name"], &renamed["id"]),
            (&json!("Uno"), &made["id"])
        );
        let listed = server
            .get(&format!("{all}?workshop_id=WS&search=uno"), &technician)
            .await
            .expect(200);
        assert_eq!(
            (&listed["total"], &listed[kind][0][key]),
            (&json!(1), &json!("X 1"))
        );

        let hours = format!("{one}/availability");
        let backwards = json!({ "start_ts": "2031-01-02", "end_ts": "2031-01-01" });
        server.post(&hours, &manager, backwards).await.expect(400);
        let away =
            json!({ "start_ts": "2031-01-01", "end_ts": "2031-01-02", "is_available": false });
        let away = server.post(&hours, &manager, away).await.expect(201);
        let plan = json!({ "workshop_id": "WS", "status": "scheduled", (if kind == "tracks" { "assigned_track" } else { "assigned_team" }): "X 1",
            "scheduled_start": "2031-01-01T08:00:00Z", "scheduled_end": "2031-01-01T10:00:00Z" });
        let refused = server.patch(&path, &manager, plan).await.expect(409);
        let why = refused["detail"].as_str().unwrap();
        assert!(why.contains("X 1 is not available"), "{why}");
        let span = away["availability"][0]["availability_id"].as_str().unwrap();
        let span = format!("{hours}/{span}");
        let free = server.delete(&span, &manager).await.expect(200);
        assert_eq!(free["availability"], json!([]));
        server.delete(&span, &manager).await.expect(404);

        server.delete(&one, &manager).await.expect(204);
        let gone = server.get(&one, &manager).await.expect(404);
        assert_ne!(gone["detail"], Value::Null);
        let none = server.get(&all, &manager).await.expect(200);
        assert_eq!(none["total"], 0);
    }
}
