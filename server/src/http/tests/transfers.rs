//! Transfers over HTTP: a vehicle and a driver are at one place at a time, whichever of the plans is written last.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

const PLANS: &str = "/api/v1/transfer/plans";
const ASSIGNMENTS: &str = "/api/v1/transfer/assignments";
const ORDERS: &str = "/api/v1/maintenance/orders";

fn at(hour: &str) -> String {
    format!("2031-01-01T{hour}:00Z")
}

/// A server with two vehicles and a driver: `T-1` runs from eight to twelve, `T-2` from fourteen to eighteen.
async fn depot() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::WorkshopManager).await;
    for asset_id in ["1", "2"] {
        let vehicle = json!({ "asset_id": asset_id, "model": "x", "type": "diesel" });
        server
            .post("/api/v1/vehicles", &token, vehicle)
            .await
            .expect(201);
    }
    let person =
        json!({ "staff_id": "S-1", "first_name": "A", "last_name": "B", "role": "driver" });
    server
        .post("/api/v1/hr/staff", &token, person)
        .await
        .expect(201);
    for (plan_id, departure, arrival) in [("T-1", "08:00", "12:00"), ("T-2", "14:00", "18:00")] {
        let plan = json!({ "plan_id": plan_id, "from_location": "A", "to_location": "B",
            "scheduled_departure_ts": at(departure), "scheduled_arrival_ts": at(arrival) });
        server.post(PLANS, &token, plan).await.expect(201);
    }
    (server, token)
}

async fn assign(server: &TestServer, token: &str, plan: &str, vehicle: &str, driver: Value) {
    let body = json!({ "transfer_plan_id": plan, "vehicle_id": vehicle, "driver_id": driver });
    server.post(ASSIGNMENTS, token, body).await.expect(201);
}

fn departing(hour: &str) -> Value {
    json!({ "scheduled_departure_ts": at(hour) })
}

/// Times of a plan were changed, and plans taken up again, whatever its vehicles did then.
#[tokio::test]
async fn a_plan_is_not_moved_to_where_its_vehicle_is_elsewhere() {
    let (server, token) = depot().await;
    for plan in ["T-1", "T-2"] {
        assign(&server, &token, plan, "1", Value::Null).await;
    }
    let (first, second) = (format!("{PLANS}/T-1"), format!("{PLANS}/T-2"));
    let refused = server.patch(&second, &token, departing("11:59")).await;
    let refused = refused.expect(409);
    assert_eq!(refused["code"], "vehicle_elsewhere", "{refused}");
    assert_eq!(
        refused["detail"],
        "1: The vehicle runs in transfer plan T-1 then"
    );
    server
        .patch(&second, &token, departing("12:00"))
        .await
        .expect(200);

    let off = json!({ "status": "cancelled" });
    server.patch(&second, &token, off).await.expect(200);
    let longer = json!({ "scheduled_arrival_ts": at("13:00") });
    server.patch(&first, &token, longer).await.expect(200);
    let again = json!({ "status": "draft", "reason": "after all" });
    let refused = server.patch(&second, &token, again).await.expect(409);
    assert_eq!(refused["code"], "vehicle_elsewhere", "{refused}");
}

#[tokio::test]
async fn a_plan_is_not_moved_to_where_its_driver_is_elsewhere() {
    let (server, token) = depot().await;
    assign(&server, &token, "T-1", "1", "S-1".into()).await;
    assign(&server, &token, "T-2", "2", "S-1".into()).await;
    let second = format!("{PLANS}/T-2");
    let refused = server.patch(&second, &token, departing("11:00")).await;
    let refused = refused.expect(409);
    assert_eq!(refused["code"], "staff_overlap", "{refused}");
    // What a train that runs tells of itself is taken in.
    let left = json!({ "status": "in_progress", "actual_departure_ts": at("11:00") });
    server.patch(&second, &token, left).await.expect(200);
    // Also of one that nobody has set under way yet: it left late, and runs while its driver drives the other one.
    let late = json!({ "actual_departure_ts": at("13:00") });
    let first = format!("{PLANS}/T-1");
    server.patch(&first, &token, late).await.expect(200);
}

#[tokio::test]
async fn a_vehicle_is_in_no_workshop_while_it_runs() {
    let (server, token) = depot().await;
    assign(&server, &token, "T-1", "1", Value::Null).await;
    let order = |start: &str, end: &str| {
        json!({ "vehicle_id": "1", "status": "scheduled",
            "scheduled_start": at(start), "scheduled_end": at(end) })
    };
    let refused = server.post(ORDERS, &token, order("10:00", "13:00")).await;
    let refused = refused.expect(409);
    assert_eq!(refused["code"], "vehicle_in_transfer", "{refused}");
    server
        .post(ORDERS, &token, order("12:00", "13:00"))
        .await
        .expect(201);
    let later = json!({ "scheduled_arrival_ts": at("12:30") });
    let refused = server.patch(&format!("{PLANS}/T-1"), &token, later).await;
    let refused = refused.expect(409);
    assert_eq!(refused["code"], "vehicle_in_workshop", "{refused}");
}

#[tokio::test]
async fn a_train_is_in_the_way_of_the_workshop_until_it_has_arrived() {
    let (server, token) = depot().await;
    assign(&server, &token, "T-1", "1", Value::Null).await;
    let order = json!({ "vehicle_id": "1", "status": "scheduled",
        "scheduled_start": at("10:00"), "scheduled_end": at("11:00") });
    for step in [
        json!({ "status": "scheduled" }),
        json!({ "status": "in_progress", "actual_departure_ts": at("08:00") }),
    ] {
        let plan = format!("{PLANS}/T-1");
        server.patch(&plan, &token, step).await.expect(200);
        let refused = server.post(ORDERS, &token, order.clone()).await;
        assert_eq!(refused.expect(409)["code"], "vehicle_in_transfer");
    }
    let arrived = json!({ "status": "completed", "actual_arrival_ts": at("10:30") });
    let plan = format!("{PLANS}/T-1");
    server.patch(&plan, &token, arrived).await.expect(200);
    server.post(ORDERS, &token, order).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_plans_that_move_at_once_one_gets_the_vehicle() {
    let (server, token) = depot().await;
    for plan in ["T-1", "T-2"] {
        assign(&server, &token, plan, "1", Value::Null).await;
    }
    let noon =
        json!({ "scheduled_departure_ts": at("12:30"), "scheduled_arrival_ts": at("13:30") });
    let (first, second) = (format!("{PLANS}/T-1"), format!("{PLANS}/T-2"));
    let (first, second) = tokio::join!(
        server.patch(&first, &token, noon.clone()),
        server.patch(&second, &token, noon.clone()),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}
