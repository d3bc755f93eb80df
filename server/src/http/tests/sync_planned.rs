//! Orders that `/hr/assignments` plans somebody for: in the scope `assigned_orders` from the first assignment to the end of
//! the last one.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{TestServer, request};
use super::sync_depot::{Depot, PULL, PUSH, statuses};
use crate::sync::engine::Engine;

const ASSIGNMENTS: &str = "/api/v1/hr/assignments";

/// A depot whose technician is `S-1` on the staff, and has a tablet of assigned orders.
async fn depot() -> (Depot, String) {
    let depot = Depot::start().await;
    let me = depot.server.get("/api/v1/auth/me", &depot.technician).await;
    let email = me.expect(200)["email"].clone();
    for (id, email) in [("S-1", email), ("S-2", json!("other@depot.example"))] {
        let person = json!({"staff_id": id, "first_name": "A", "last_name": "B", "role": "technician", "email": email});
        let staff = "/api/v1/hr/staff";
        let created = depot.server.post(staff, &depot.manager, person).await;
        created.expect(201);
    }
    let scope = json!({"assigned_orders": true});
    let token = depot.device_of("t1", &depot.technician, scope).await;
    (depot, token)
}

/// Plans somebody for an order for an hour of a day. Gives the assignment's path.
async fn plan(depot: &Depot, staff: &str, order: &str, hour: u32) -> String {
    let body = json!({
        "staff_id": staff,
        "work_order_id": order,
        "scheduled_start_ts": format!("2031-01-01T{hour:02}:00:00Z"),
        "scheduled_end_ts": format!("2031-01-01T{hour:02}:50:00Z"),
    });
    let created = depot.server.post(ASSIGNMENTS, &depot.manager, body).await;
    let id = created.expect(201)["id"].as_str().unwrap().to_owned();
    format!("{ASSIGNMENTS}/{id}")
}

async fn patch(depot: &Depot, assignment: &str, body: Value) {
    let headers = [("content-type", "application/json")];
    let body = Body::from(body.to_string());
    let manager = &depot.manager;
    let patch = request(Method::PATCH, assignment, manager, &headers, body);
    depot.server.answer(patch).await.expect(200);
}

/// What the orders of all pages behind a cursor are, which of them are to be dropped, and the cursor then. A page holds
/// one entity, so that every place where pages part is met.
async fn orders(depot: &Depot, token: &str, cursor: &mut String) -> (Vec<Value>, Vec<String>) {
    let (mut states, mut deleted) = (Vec::new(), Vec::new());
    let is_order = |named: &&Value| named["entity_type"] == "WorkOrder";
    loop {
        let path = format!("{PULL}?limit=1&cursor={cursor}");
        let page = depot.server.get(&path, token).await.expect(200);
        let list = |name: &str| page[name].as_array().unwrap().clone();
        states.extend(list("states").iter().filter(is_order).cloned());
        let gone = list("deleted");
        let gone = gone.iter().filter(is_order);
        deleted.extend(gone.map(|named| named["entity_id"].as_str().unwrap().to_owned()));
        *cursor = page["next_cursor"].as_str().unwrap().to_owned();
        if page["has_more"] == false {
            return (states, deleted);
        }
    }
}

/// The next pull brings the order whole, or takes it away; the one behind it neither.
async fn expect(depot: &Depot, token: &str, cursor: &mut String, order: &str, comes: bool) {
    let (states, deleted) = orders(depot, token, cursor).await;
    if comes {
        assert_eq!(states.len(), 1, "{states:?}");
        assert_eq!(states[0]["entity_id"], order);
        let fields = &states[0]["fields"];
        assert_eq!(fields["work_description"]["value"], "Brakes", "sent whole");
        assert!(deleted.is_empty(), "{deleted:?}");
    } else {
        assert!(states.is_empty(), "{states:?}");
        assert_eq!(deleted, [order]);
    }
    stays(depot, token, cursor).await;
}

async fn stays(depot: &Depot, token: &str, cursor: &mut String) {
    let (states, deleted) = orders(depot, token, cursor).await;
    assert!(
        states.is_empty() && deleted.is_empty(),
        "{states:?} {deleted:?}"
    );
}

#[tokio::test]
async fn an_order_comes_with_the_first_assignment_and_goes_with_the_last() {
    let (depot, token) = depot().await;
    let order = depot.order().await;
    let mut cursor = String::new();
    stays(&depot, &token, &mut cursor).await;
    plan(&depot, "S-2", &order, 1).await;
    stays(&depot, &token, &mut cursor).await;

    let first = plan(&depot, "S-1", &order, 2).await;
    expect(&depot, &token, &mut cursor, &order, true).await;
    let second = plan(&depot, "S-1", &order, 3).await;
    patch(&depot, &first, json!({"status": "confirmed"})).await;
    stays(&depot, &token, &mut cursor).await;
    patch(&depot, &first, json!({"status": "in_progress"})).await;
    patch(&depot, &first, json!({"status": "completed"})).await;
    stays(&depot, &token, &mut cursor).await;

    let before = cursor.clone();
    let note = |id: &str, cursor: &str| json!({"cursor": cursor, "operations": [{"id": id, "entity_type": "WorkOrder", "entity_id": order, "field": "notes", "value": id}]});
    patch(&depot, &second, json!({"status": "cancelled"})).await;
    expect(&depot, &token, &mut cursor, &order, false).await;
    // What the tablet did before it heard of that still counts; what it does after does not.
    let answer = depot.server.post(PUSH, &token, note("a", &before)).await;
    assert_eq!(statuses(&answer.expect(200)), ["applied"]);
    let answer = depot.server.post(PUSH, &token, note("b", &cursor)).await;
    assert_eq!(answer.expect(200)["results"][0]["reason"], "out_of_scope");
    stays(&depot, &token, &mut cursor).await;

    let again = json!({"status": "scheduled", "reason": "There is time after all"});
    patch(&depot, &second, again).await;
    expect(&depot, &token, &mut cursor, &order, true).await;
    let answer = depot.server.post(PUSH, &token, note("c", &cursor)).await;
    assert_eq!(statuses(&answer.expect(200)), ["applied"]);
    let manager = &depot.manager;
    let delete = request(Method::DELETE, &second, manager, &[], Body::empty());
    depot.server.answer(delete).await.expect_status(204);
    expect(&depot, &token, &mut cursor, &order, false).await;

    // A tablet that begins now is given what is so now.
    plan(&depot, "S-1", &order, 4).await;
    let other = depot.order().await;
    plan(&depot, "S-2", &other, 5).await;
    let mut start = String::new();
    let (states, _) = orders(&depot, &token, &mut start).await;
    assert_eq!(states.len(), 1);
    assert_eq!(states[0]["entity_id"], *order);
}

#[tokio::test]
async fn who_is_planned_for_what_is_known_after_a_restart() {
    let (mut depot, token) = depot().await;
    let (leaves, comes) = (depot.order().await, depot.order().await);
    let first = plan(&depot, "S-1", &leaves, 1).await;
    let second = plan(&depot, "S-1", &leaves, 2).await;
    let mut cursor = String::new();
    expect(&depot, &token, &mut cursor, &leaves, true).await;
    patch(&depot, &first, json!({"status": "cancelled"})).await;

    let live = depot.server.state.sync.engine.state_bytes();
    let folder = depot.server.stop();
    depot.server = TestServer::start_in(folder, |_| {});
    let engine = &depot.server.state.sync.engine;
    assert!(engine.position().get() > 0, "it began from what was saved");
    assert_eq!(engine.state_bytes(), live);
    let from_the_beginning = {
        let nowhere = tempfile::tempdir().unwrap();
        Engine::open(depot.server.state.log.clone(), nowhere.path()).state_bytes()
    };
    assert_eq!(from_the_beginning, live);

    stays(&depot, &token, &mut cursor).await;
    patch(&depot, &second, json!({"status": "cancelled"})).await;
    plan(&depot, "S-1", &comes, 3).await;
    let folder = depot.server.stop();
    depot.server = TestServer::start_in(folder, |_| {});
    let (states, deleted) = orders(&depot, &token, &mut cursor).await;
    assert_eq!(states.len(), 1);
    assert_eq!(states[0]["entity_id"], *comes);
    assert_eq!(deleted, [leaves]);
}

/// Orders of other systems have ids of their own, and clients name an order by its UUID or its number.
#[tokio::test]
async fn an_order_is_found_by_whatever_name_an_assignment_gives_it() {
    let (depot, token) = depot().await;
    let tell = async |aggregate_type: &str, id: &str, event_type: &str, data: Value| {
        let event = json!({"aggregate_type": aggregate_type, "aggregate_id": id, "event_type": event_type, "data": data});
        let told = depot.server.post("/api/v1/events", &depot.manager, event);
        told.await.expect(201);
    };
    let row = json!({"order_number": "WO-1999-0007", "vehicle_id": "185123", "work_description": "Brakes"});
    tell("WorkOrder", "old-7", "WorkOrderCreated", row).await;
    let mut cursor = String::new();
    stays(&depot, &token, &mut cursor).await;

    let first = plan(&depot, "S-1", "WO-1999-0007", 2).await;
    let shown = depot.server.get(&first, &depot.manager).await.expect(200);
    assert_ne!(shown["work_order_id"], "old-7", "events hold its UUID");
    expect(&depot, &token, &mut cursor, "old-7", true).await;
    patch(&depot, &first, json!({"status": "cancelled"})).await;
    expect(&depot, &token, &mut cursor, "old-7", false).await;

    let planned = json!({"staff_id": "S-1", "work_order_id": "WO-1999-0007"});
    tell("StaffAssignment", "a-1", "StaffAssignmentCreated", planned).await;
    expect(&depot, &token, &mut cursor, "old-7", true).await;
    tell("WorkOrder", "old-7", "WorkOrderDeleted", json!({})).await;
    expect(&depot, &token, &mut cursor, "old-7", false).await;
}
