//! Maintenance tasks on tablets: that one is done is decided as by HTTP, what it is about is written as any field.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::harness::request;
use super::sync_depot::{Depot, at, state, statuses};

const TASKS: &str = "/api/v1/maintenance/tasks";

async fn task(depot: &Depot) -> String {
    let body = json!({"vehicle_id": "185123", "type": "INSPECTION", "due_date": "2024-01-01T00:00:00Z", "description": "Brakes"});
    let created = depot.server.post(TASKS, &depot.dispatcher, body).await;
    created.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn shown(depot: &Depot, task: &str) -> Value {
    let path = format!("{TASKS}/{task}");
    depot.server.get(&path, &depot.technician).await.expect(200)
}

fn set(task: &str, id: &str, field: &str, value: Value) -> Value {
    json!({"id": id, "entity_type": "MaintenanceTask", "entity_id": task, "field": field, "value": value})
}

/// The events of a stream that this tablet caused, as types and data.
async fn caused(depot: &Depot, stream: &str, device: &str) -> Vec<(String, Value)> {
    let path = format!("/api/v1/events/{stream}");
    let events = depot.server.get(&path, &depot.technician).await.expect(200);
    let events = events.as_array().unwrap().iter();
    let own = events.filter(|event| event["metadata"]["device_id"] == device);
    own.map(|event| {
        let event_type = event["event_type"].as_str().unwrap().to_owned();
        (event_type, event["data"].clone())
    })
    .collect()
}

#[tokio::test]
async fn a_technician_completes_and_describes_a_task_on_a_tablet() {
    let depot = Depot::start().await;
    let (token, other) = (depot.device("t1").await, depot.device("t2").await);
    let task = task(&depot).await;
    let cursor = depot.pull(&other, "").await["next_cursor"].clone();
    depot.server.clock.advance_seconds(600);
    let done = set(&task, "a", "is_completed", json!(true));
    let answer = depot
        .push(
            &token,
            json!([
                at(done, "2023-11-14T22:14:30Z"),
                set(&task, "b", "description", json!("Brakes, pads worn")),
                set(&task, "c", "due_date", json!("2025-01-01T00:00:00Z")),
                set(&task, "d", "is_completed", json!(false))
            ]),
        )
        .await;
    assert_eq!(
        statuses(&answer),
        ["applied", "applied", "rejected", "rejected"],
        "{answer}"
    );
    assert_eq!(answer["results"][0]["state"]["value"], true);
    assert_eq!(answer["results"][2]["reason"], "not_authorised");
    let opened = &answer["results"][3];
    assert_eq!(opened["reason"], "illegal_transition");
    let detail = opened["detail"].as_str().unwrap();
    assert!(detail.contains("only with a reason"), "{detail}");

    let row = shown(&depot, &task).await;
    assert_eq!(row["is_completed"], true);
    assert_eq!(row["description"], "Brakes, pads worn");
    let completed_at = row["completed_at"].as_str().unwrap();
    assert!(completed_at.starts_with("2023-11-14T22:14:30"), "{row}");
    let own = caused(&depot, &format!("MaintenanceTask/{task}"), "t1").await;
    let types: Vec<&str> = own.iter().map(|(event_type, _)| &**event_type).collect();
    assert_eq!(
        types,
        ["MaintenanceTaskCompleted", "MaintenanceTaskUpdated"]
    );
    assert_eq!(own[1].1["description"], "Brakes, pads worn");
    let of_vehicle = caused(&depot, "Vehicle/185123", "t1").await;
    assert_eq!(of_vehicle.len(), 1, "the vehicle is told: {of_vehicle:?}");

    let page = depot.pull(&other, cursor.as_str().unwrap()).await;
    let fields = &state(&page, "MaintenanceTask")["fields"];
    assert_eq!(fields["is_completed"]["value"], true, "{fields}");
    assert_eq!(fields["completed_at"]["value"], completed_at);
    assert_eq!(fields["description"]["device_id"], "t1");
}

#[tokio::test]
async fn a_task_that_was_done_meanwhile_stays_done_when_it_was() {
    let depot = Depot::start().await;
    let token = depot.device("t1").await;
    let task = task(&depot).await;
    let headers = [("content-type", "application/json")];
    let body = Body::from(json!({"is_completed": true}).to_string());
    let path = format!("{TASKS}/{task}");
    let patch = request(Method::PATCH, &path, &depot.technician, &headers, body);
    let before = depot.server.answer(patch).await.expect(200);
    depot.server.clock.advance_seconds(600);
    let done = set(&task, "a", "is_completed", json!(true));
    let answer = depot.push(&token, json!([done])).await;
    assert_eq!(statuses(&answer), ["applied"], "{answer}");
    let row = shown(&depot, &task).await;
    assert_eq!(row["completed_at"], before["completed_at"]);
    let own = caused(&depot, &format!("MaintenanceTask/{task}"), "t1").await;
    assert_eq!(own, []);
}

#[tokio::test]
async fn whoever_is_not_of_the_workshop_does_not_complete_a_task() {
    let depot = Depot::start().await;
    let token = depot.device_of("t1", &depot.dispatcher, json!({})).await;
    let task = task(&depot).await;
    depot.server.clock.advance_seconds(60);
    let answer = depot
        .push(
            &token,
            json!([
                set(&task, "a", "is_completed", json!(true)),
                set(&task, "b", "description", json!("In the yard"))
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), ["rejected", "applied"], "{answer}");
    assert_eq!(answer["results"][0]["reason"], "not_authorised");
    let row = shown(&depot, &task).await;
    assert_eq!(row["is_completed"], false);
    assert_eq!(row["description"], "In the yard");

    // Somebody who may takes its word for it.
    let conflicts = "/api/v1/sync/conflicts";
    let listed = depot
        .server
        .get(conflicts, &depot.manager)
        .await
        .expect(200);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    let id = listed[0]["conflict_id"].as_str().unwrap();
    let path = format!("{conflicts}/{id}/resolve");
    let choice = json!({"resolution": "client"});
    let answer = depot.server.post(&path, &depot.manager, choice).await;
    answer.expect(200);
    assert_eq!(shown(&depot, &task).await["is_completed"], true);
}
