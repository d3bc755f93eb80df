//! Pushes in the shapes of the documents and of older clients.

use serde_json::json;

use super::sync_depot::{Depot, PUSH, statuses};

#[tokio::test]
async fn older_bodies_work_and_repeat_without_effect() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let order = depot.order().await;
    let states = json!({"device_id": "t1", "states": [
        {"entity_type": "Vehicle", "entity_id": "185123", "device_id": "t1", "vector_clock": {"t1": 2}, "crdt_data": {
            "device_id": "t1", "asset_id": "185123", "clock": {"device_id": "t1", "clocks": {"t1": 2}},
            "location": {"device_id": "t1", "clock": {}, "value": {"value": "Hall 7", "timestamp": "2023-11-14T22:13:21.500000", "device_id": "t1"}},
            "current_mileage": {"device_id": "t1", "clock": {}, "value": {"value": 1500, "timestamp": "2023-11-14T22:13:21", "device_id": "t1"}}}},
        {"entity_type": "WorkOrder", "entity_id": order, "device_id": "t1", "vector_clock": {"t1": 1}, "crdt_data": {
            "tasks": {"device_id": "t1", "clock": {}, "elements": {"oil": [["tag-1", "t1"]], "belt": [["tag-2", "t1"]]}, "tombstones": []}}},
    ]});
    for path in ["/api/v1/crdt/sync/push", PUSH, "/api/v1/sync/push"] {
        let answer = depot
            .server
            .post(path, &depot.technician, states.clone())
            .await
            .expect(200);
        let result = &answer["result"];
        assert_eq!(
            (&result["entities_synced"], &result["errors"]),
            (&json!(2), &json!([])),
            "{answer}"
        );
        assert!(answer["session_id"].is_string());
        let expected = if path.contains("/crdt/sync") { 4 } else { 0 };
        assert_eq!(result["operations_applied"], expected, "{answer}");
    }
    let vehicle = depot.vehicle().await;
    assert_eq!(
        (&vehicle["current_location"], &vehicle["current_mileage_km"]),
        (&json!("Hall 7"), &json!(1500))
    );
    let shown = depot.shown(&order).await;
    assert_eq!(shown["tasks"], json!(["belt", "oil"]));

    let changes = json!({"device_id": "t1", "changes": [{"aggregate_type": "Vehicle", "aggregate_id": "185123", "crdt_type": "LWW-Register",
        "state": {"value": {"notes": "doc"}, "timestamp": "2023-11-14T22:13:21Z", "node_id": "t1"}, "vector_clock": {"t1": 3}}]});
    let answer = depot
        .server
        .post("/api/v1/sync/push", &token, changes.clone())
        .await
        .expect(200);
    assert_eq!(
        (&answer["accepted"], statuses(&answer)),
        (&json!(1), vec!["applied"]),
        "{answer}"
    );
    assert_eq!(
        statuses(
            &depot
                .server
                .post("/api/v1/sync/push", &token, changes)
                .await
                .expect(200)
        ),
        ["duplicate"]
    );

    let events = json!({"device_id": "t1", "events": [
        {"id": "e1", "source_role": "workshop", "entity_type": "work_order", "entity_id": order, "field_changes": {"work_performed": "done", "priority": "high"}, "timestamp": "2023-11-14T22:13:21Z"},
        {"id": "e2", "source_role": "workshop", "entity_type": "work_order", "entity_id": order, "field_changes": {"findings": "rust"}},
        {"id": "e3", "source_role": "workshop", "entity_type": "work_order", "entity_id": "nothing", "field_changes": {"findings": "rust"}}]});
    // Twice: the first answer may be lost, and what was refused must not come back as applied.
    for _ in 0..2 {
        let answer = depot
            .server
            .post("/api/v1/sync/push", &depot.technician, events.clone())
            .await
            .expect(200);
        assert_eq!(
            (
                &answer["applied"],
                &answer["conflicts"],
                &answer["rejected"]
            ),
            (&json!(["e2"]), &json!(["e1"]), &json!(["e3"])),
            "{answer}"
        );
    }
    let shown = depot.shown(&order).await;
    assert_eq!(
        (
            &shown["work_performed"],
            &shown["findings"],
            &shown["priority"]
        ),
        (&json!("done"), &json!("rust"), &json!("medium"))
    );
    let page = depot
        .server
        .post("/api/v1/crdt/sync/pull", &token, json!({"device_id": "t1"}))
        .await
        .expect(200);
    assert!(page["total_count"].as_u64().unwrap() >= 2);
    let page = depot
        .server
        .get("/api/v1/sync/pull/t1", &token)
        .await
        .expect(200);
    assert!(page["changes"].is_array());
    let page = depot
        .server
        .get("/api/v1/sync/pull?limit=1", &token)
        .await
        .expect(200);
    assert!(page["events"].is_array() && page["has_more"] == true);
    for wrong in [
        json!({"operations": {}}),
        json!({"states": [1]}),
        json!({"events": [{"id": "x"}]}),
        json!({"operations": [{"id": "x", "entity_type": "Vehicle", "entity_id": "185123", "field": "notes", "timestamp": "soon"}]}),
    ] {
        depot
            .server
            .post(PUSH, &token, wrong)
            .await
            .expect_problem(422, "invalid");
    }
}
