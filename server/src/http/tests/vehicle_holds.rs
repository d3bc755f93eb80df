//! Who keeps a vehicle in the workshop: several orders on it that step at once, the release that one waits for, and grave
//! findings.

use fleet::policy::Role;
use fleet::schema::body;
use fleet::work_order::{CHANGE, WorkOrderCommand};
use serde_json::{Value, json};
use storage::{AppendError, Receipt};

use super::harness::TestServer;
use crate::append::append;
use crate::command::Decision;
use crate::http::maintenance::step_order;

const EVENTS: &str = "/api/v1/events";
const ORDERS: &str = "/api/v1/maintenance/orders";

/// A server with a vehicle in service.
async fn depot() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::WorkshopManager).await;
    let vehicle = json!({ "asset_id": "185123", "model": "BR 185", "type": "electric", "status": "in_service" });
    server
        .post("/api/v1/vehicles", &token, vehicle)
        .await
        .expect(201);
    (server, token)
}

/// The id of a new order on the vehicle that took these steps.
async fn order(server: &TestServer, token: &str, steps: &[&str]) -> String {
    let body = json!({ "vehicle_id": "185123" });
    let created = server.post(ORDERS, token, body).await.expect(201);
    let id = created["id"].as_str().unwrap().to_owned();
    for status in steps {
        step(server, token, &id, status).await;
    }
    id
}

async fn step(server: &TestServer, token: &str, id: &str, status: &str) -> Value {
    let path = format!("{ORDERS}/{id}");
    let body = json!({ "status": status });
    server.patch(&path, token, body).await.expect(200)
}

/// Has the order take this step in a decision.
fn take_step(tx: &mut Decision<'_>, id: &str, status: &str) {
    let body = json!({ "status": status });
    let fields = body::parse(CHANGE, body.as_object().unwrap()).unwrap();
    step_order(tx, id, &WorkOrderCommand::Change { fields }, "somebody").unwrap();
}

/// The decision that the order takes this step, made on what is now, not appended yet.
fn stepping<'a>(server: &'a TestServer, id: &str, status: &str) -> Decision<'a> {
    let mut tx = Decision::of_many(&server.state);
    take_step(&mut tx, id, status);
    tx
}

async fn appended(server: &TestServer, tx: Decision<'_>) -> Result<Receipt, AppendError> {
    append(&server.state.log, tx.into_transaction().unwrap()).await
}

/// The vehicle's status, with all that is in the log.
async fn vehicle_status(server: &TestServer, token: &str) -> Value {
    let position = server.state.log.durable_position().get();
    let path = format!("/api/v1/vehicles/185123?min_position={position}");
    server.get(&path, token).await.expect(200)["status"].clone()
}

/// Of two decisions on the same state the second to be appended is refused.
async fn one_overtakes(server: &TestServer, earlier: (&str, &str), later: (&str, &str)) {
    let decided = stepping(server, earlier.0, earlier.1);
    let meanwhile = stepping(server, later.0, later.1);
    appended(server, decided).await.unwrap();
    let overtaken = appended(server, meanwhile).await;
    assert!(
        matches!(overtaken, Err(AppendError::ConditionFailed { .. })),
        "{overtaken:?}"
    );
}

/// The vehicle was set available under the order that was just begun: it got no event by that one, so nothing was claimed.
#[tokio::test]
async fn a_vehicle_is_not_let_go_while_work_is_begun_on_it() {
    let (server, token) = depot().await;
    let first = order(&server, &token, &["in_progress"]).await;
    let second = order(&server, &token, &["scheduled"]).await;
    one_overtakes(&server, (&second, "in_progress"), (&first, "completed")).await;
    // Decided again, on what is then.
    step(&server, &token, &first, "completed").await;
    assert_eq!(vehicle_status(&server, &token).await, "in_workshop");
    step(&server, &token, &second, "completed").await;
    assert_eq!(vehicle_status(&server, &token).await, "available");
}

/// The same, the completion being the quicker one: who begins has to see that the vehicle has left the workshop.
#[tokio::test]
async fn work_is_not_begun_on_a_vehicle_that_is_let_go() {
    let (server, token) = depot().await;
    let first = order(&server, &token, &["in_progress"]).await;
    let second = order(&server, &token, &["scheduled"]).await;
    one_overtakes(&server, (&first, "completed"), (&second, "in_progress")).await;
    step(&server, &token, &second, "in_progress").await;
    assert_eq!(vehicle_status(&server, &token).await, "in_workshop");
}

/// Each saw the other in work, and the vehicle stayed in the workshop for ever.
#[tokio::test]
async fn the_last_of_two_orders_that_end_at_once_lets_the_vehicle_go() {
    let (server, token) = depot().await;
    let first = order(&server, &token, &["in_progress"]).await;
    let second = order(&server, &token, &["in_progress"]).await;
    one_overtakes(&server, (&first, "completed"), (&second, "completed")).await;
    step(&server, &token, &second, "completed").await;
    assert_eq!(vehicle_status(&server, &token).await, "available");
}

/// What a tablet brings of several orders in one push is one decision: its steps see each other.
#[tokio::test]
async fn orders_that_step_in_one_decision_see_each_other() {
    let (server, token) = depot().await;
    let first = order(&server, &token, &["in_progress"]).await;
    let second = order(&server, &token, &["in_progress"]).await;
    let third = order(&server, &token, &[]).await;
    let mut tx = stepping(&server, &first, "completed");
    take_step(&mut tx, &third, "in_progress");
    take_step(&mut tx, &second, "completed");
    appended(&server, tx).await.unwrap();
    assert_eq!(vehicle_status(&server, &token).await, "in_workshop");

    let fourth = order(&server, &token, &["in_progress"]).await;
    let mut tx = stepping(&server, &third, "completed");
    take_step(&mut tx, &fourth, "completed");
    appended(&server, tx).await.unwrap();
    assert_eq!(vehicle_status(&server, &token).await, "available");
}

/// The ids of the orders that a list with these filters shows.
async fn listed(server: &TestServer, token: &str, filters: &str) -> Vec<String> {
    let path = format!("{ORDERS}?{filters}");
    let listed = server.get(&path, token).await.expect(200);
    let rows = listed.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The dispatcher's page asks for those alone: what is completed grows for ever.
#[tokio::test]
async fn those_that_are_done_and_wait_for_their_release_are_listed() {
    let (server, manager) = depot().await;
    let done_with = order(&server, &manager, &["in_progress", "completed"]).await;
    let waiting = order(&server, &manager, &["scheduled"]).await;
    let path = format!("{ORDERS}/{waiting}");
    let needing = json!({ "requires_release": true });
    server.patch(&path, &manager, needing).await.expect(200);
    step(&server, &manager, &waiting, "in_progress").await;
    let filters = "waits_for_release=true";
    assert!(listed(&server, &manager, filters).await.is_empty());
    step(&server, &manager, &waiting, "completed").await;
    assert_eq!(
        listed(&server, &manager, filters).await,
        [waiting.as_str()],
        "one that needs no release does not wait"
    );
    let done = "status=completed";
    let both = format!("{done}&{filters}");
    assert_eq!(listed(&server, &manager, &both).await, [waiting.as_str()]);
    assert_eq!(listed(&server, &manager, done).await.len(), 2);
    // As its siblings are read.
    for (flag, only) in [("false", &done_with), ("True", &waiting), ("1", &waiting)] {
        let filters = format!("waits_for_release={flag}");
        let shown = listed(&server, &manager, &filters).await;
        assert_eq!(shown, [only.as_str()], "{flag}");
    }
    let unknown = format!("{ORDERS}?waits_for_release=maybe");
    let refused = server.get(&unknown, &manager).await;
    refused.expect_problem(422, "invalid");
    let release = format!("{path}/release");
    server.post(&release, &manager, json!({})).await.expect(200);
    assert!(listed(&server, &manager, filters).await.is_empty());
}

#[tokio::test]
async fn who_may_not_release_does_not_spare_the_release() {
    let (server, manager) = depot().await;
    let technician = server.token(Role::Technician).await;
    let id = order(&server, &technician, &["scheduled"]).await;
    let path = format!("{ORDERS}/{id}");
    for needs_release in [true, false, true] {
        let plan = json!({ "requires_release": needs_release });
        let planned = server.patch(&path, &technician, plan).await.expect(200);
        assert_eq!(planned["requires_release"], needs_release);
    }
    step(&server, &technician, &id, "in_progress").await;
    let spared = json!({ "requires_release": false, "status": "completed" });
    let refused = server.patch(&path, &technician, spared.clone()).await;
    let refused = refused.expect_problem(403, "forbidden");
    assert_eq!(
        (&refused["role"], &refused["field"]),
        (&json!("WORKSHOP_MANAGER"), &json!("requires_release"))
    );
    assert_eq!(vehicle_status(&server, &manager).await, "in_workshop");
    // Sent back as it is, it changes nothing.
    let same = json!({ "requires_release": true });
    server.patch(&path, &technician, same).await.expect(200);

    server.patch(&path, &manager, spared).await.expect(200);
    assert_eq!(vehicle_status(&server, &manager).await, "available");
}

/// It walked around the refusal above in four steps.
#[tokio::test]
async fn who_may_not_release_does_not_say_that_nothing_was_begun() {
    let (server, manager) = depot().await;
    let technician = server.token(Role::Technician).await;
    let id = order(&server, &technician, &["scheduled"]).await;
    let path = format!("{ORDERS}/{id}");
    for body in [
        json!({ "requires_release": true, "status": "in_progress" }),
        json!({ "status": "cancelled" }),
        json!({ "status": "draft", "reason": "after all" }),
    ] {
        server.patch(&path, &technician, body).await.expect(200);
    }
    let unbegun = json!({ "actual_start": null });
    let refused = server.patch(&path, &technician, unbegun.clone()).await;
    let refused = refused.expect_problem(403, "forbidden");
    assert_eq!(
        (&refused["role"], &refused["field"]),
        (&json!("WORKSHOP_MANAGER"), &json!("actual_start"))
    );
    server.patch(&path, &manager, unbegun).await.expect(200);
    let spared = json!({ "requires_release": false });
    server.patch(&path, &technician, spared).await.expect(200);
}

/// A raw event took away what the routes above hold.
#[tokio::test]
async fn no_raw_event_says_that_nothing_was_begun() {
    let (server, manager) = depot().await;
    let technician = server.token(Role::Technician).await;
    let id = order(&server, &technician, &["in_progress"]).await;
    let path = format!("{ORDERS}/{id}");
    let raw = |event_type: &str, data: Value| json!({ "aggregate_type": "WorkOrder", "aggregate_id": id, "event_type": event_type, "data": data });
    let unbegun = || raw("WorkOrderUpdated", json!({ "actual_start": null }));
    let refused = server.post(EVENTS, &technician, unbegun()).await;
    let refused = refused.expect_problem(409, "conflict");
    assert_eq!(refused["field"], "actual_start");
    let why = "The work order is in progress: actual_start may be set right, not taken away";
    assert_eq!(refused["detail"], why);
    // Under its old name with a step, by an event of no table, and behind another event.
    let called_off = json!({ "new_status": "cancelled", "actual_start_ts": null });
    let called_off = raw("WorkOrderStatusChanged", called_off);
    let unheard = raw("WorkOrderForgotten", json!({ "actual_start": null }));
    for told in [called_off, unheard] {
        server.post(EVENTS, &technician, told).await.expect(409);
    }
    let noted = raw("WorkOrderUpdated", json!({ "notes": "x" }));
    let both = json!({ "events": [noted, unbegun()] });
    let batch = format!("{EVENTS}/batch");
    server.post(&batch, &technician, both).await.expect(409);
    let right = json!({ "actual_start": "2023-11-14T21:00:00Z" });
    let right = raw("WorkOrderUpdated", right);
    server.post(EVENTS, &technician, right).await.expect(201);

    let needing = json!({ "requires_release": true });
    server.patch(&path, &technician, needing).await.expect(200);
    step(&server, &technician, &id, "completed").await;
    let refused = server.post(EVENTS, &manager, unbegun()).await;
    let why = "The work order has begun and waits for its release: actual_start may be set right, not taken away";
    assert_eq!(refused.expect_problem(409, "conflict")["detail"], why);
    let shown = server.get(&path, &manager).await.expect(200);
    let begun = shown["actual_start"].as_str().unwrap();
    assert!(begun.starts_with("2023-11-14T21:00:00"), "{shown}");

    // What has not begun has nothing to lose.
    let other = order(&server, &technician, &[]).await;
    let mut untouched = unbegun();
    untouched["aggregate_id"] = json!(other);
    server
        .post(EVENTS, &technician, untouched)
        .await
        .expect(201);
}

#[tokio::test]
async fn a_grave_finding_keeps_the_vehicle_in_the_workshop() {
    let (server, manager) = depot().await;
    let technician = server.token(Role::Technician).await;
    let id = order(&server, &technician, &["in_progress"]).await;
    let findings = format!("{ORDERS}/{id}/findings");
    let crack = json!({ "text": "crack", "severity": "critical" });
    let found = server.post(&findings, &technician, crack).await.expect(201);
    let done = step(&server, &technician, &id, "completed").await;
    assert_eq!(done["requires_release"], true);
    assert_eq!(vehicle_status(&server, &manager).await, "in_workshop");
    let release = format!("{ORDERS}/{id}/release");
    server.post(&release, &manager, json!({})).await.expect(409);

    // Who mends it does not release the vehicle, whether that is told here or by a tablet.
    let finding = found["finding_items"][0]["finding_id"].as_str().unwrap();
    let mended = json!({ "resolution": "welded" });
    let resolve = format!("{findings}/{finding}/resolve");
    server.post(&resolve, &technician, mended).await.expect(200);
    assert_eq!(vehicle_status(&server, &manager).await, "in_workshop");
    server.post(&release, &manager, json!({})).await.expect(200);
    assert_eq!(vehicle_status(&server, &manager).await, "available");
}

/// An order of long ago held a vehicle that runs, and nothing that was done about its finding by another way let it go.
#[tokio::test]
async fn what_is_found_after_the_completion_holds_no_vehicle() {
    let (server, token) = depot().await;
    let old = order(&server, &token, &["in_progress", "completed"]).await;
    let crack = json!({ "text": "crack", "severity": "critical" });
    server
        .post(&format!("{ORDERS}/{old}/findings"), &token, crack)
        .await
        .expect(201);
    assert_eq!(vehicle_status(&server, &token).await, "available");
    order(&server, &token, &["in_progress", "completed"]).await;
    assert_eq!(vehicle_status(&server, &token).await, "available");
}
