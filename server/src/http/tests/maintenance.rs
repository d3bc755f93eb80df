//! Maintenance and workshops over HTTP.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

const ORDERS: &str = "/api/v1/maintenance/orders";
const TASKS: &str = "/api/v1/maintenance/tasks";
const WORKSHOPS: &str = "/api/v1/workshops";

/// A server with a vehicle and a workshop of two tracks.
async fn depot() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::WorkshopManager).await;
    let vehicle = json!({ "asset_id": "185123", "model": "BR 185", "type": "electric", "status": "in_service", "current_mileage_km": 900 });
    server
        .post("/api/v1/vehicles", &token, vehicle)
        .await
        .expect(201);
    let workshop =
        json!({ "code": "WS-MUENCHEN", "name": "München", "location": "Yard", "total_tracks": 2 });
    server.post(WORKSHOPS, &token, workshop).await.expect(201);
    (server, token)
}

#[tokio::test]
async fn an_order_is_created_planned_done_and_released() {
    let (server, token) = depot().await;
    let body = json!({ "vehicle_id": "185123", "workshop_id": "WS-MUENCHEN", "tasks": ["HU"],
        "scheduled_start": "2031-01-01T08:00:00Z", "scheduled_end": "2031-01-01T16:00:00Z" });
    let created = server.post(ORDERS, &token, body).await.expect(201);
    assert!(
        created["order_number"].as_str().unwrap().ends_with("-0001"),
        "{created}"
    );
    assert_eq!(
        (&created["status"], &created["priority"]),
        (&json!("draft"), &json!("medium"))
    );
    assert!(created["position"].as_u64().unwrap() > 0);

    let path = format!("{ORDERS}/{}", created["order_number"].as_str().unwrap());
    for status in ["scheduled", "in_progress", "completed"] {
        let changed = server
            .patch(&path, &token, json!({ "status": status }))
            .await
            .expect(200);
        assert_eq!(changed["status"], status);
    }
    let back = server
        .patch(&path, &token, json!({ "status": "draft" }))
        .await;
    assert_eq!(
        back.expect(409)["detail"],
        "A work order that is completed cannot become draft; it may become in_progress"
    );
    let released = server
        .post(&format!("{path}/release"), &token, json!({}))
        .await
        .expect(200);
    assert_ne!(released["released_at"], Value::Null);
    let list = server
        .get(
            &format!("{ORDERS}?vehicle_id=185123&status=completed"),
            &token,
        )
        .await
        .expect(200);
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    assert_eq!(
        server.get(&path, &token).await.expect(200)["id"],
        created["id"]
    );
}

#[tokio::test]
async fn a_workshop_takes_no_more_orders_than_it_has_tracks() {
    let (server, token) = depot().await;
    let plan = |number: u32| {
        json!({ "vehicle_id": format!("V{number}"), "workshop_id": "WS-MUENCHEN", "status": "scheduled",
        "scheduled_start": "2031-01-01T08:00:00Z", "scheduled_end": "2031-01-01T16:00:00Z" })
    };
    for number in 0..3 {
        let vehicle = json!({ "asset_id": format!("V{number}"), "model": "x", "type": "diesel" });
        server
            .post("/api/v1/vehicles", &token, vehicle)
            .await
            .expect(201);
        let answer = server.post(ORDERS, &token, plan(number)).await;
        let problem = answer.expect(if number < 2 { 201 } else { 409 });
        if number == 2 {
            assert!(
                problem["detail"].as_str().unwrap().contains("has 2 tracks"),
                "{problem}"
            );
        }
    }
}

#[tokio::test]
async fn refusals_name_what_is_wrong() {
    let (server, token) = depot().await;
    let nowhere = server
        .post(ORDERS, &token, json!({ "vehicle_id": "none" }))
        .await;
    assert_eq!(nowhere.expect(404)["detail"], "Vehicle not found");
    let backwards = json!({ "vehicle_id": "185123", "scheduled_start": "2031-01-02", "scheduled_end": "2031-01-01" });
    assert_eq!(
        server.post(ORDERS, &token, backwards).await.expect(400)["detail"],
        "Scheduled end must be after scheduled start"
    );
    server
        .post(
            ORDERS,
            &token,
            json!({ "vehicle_id": "185123", "priority": "soon" }),
        )
        .await
        .expect(422);
    assert_eq!(
        server
            .get(&format!("{ORDERS}/WO-1"), &token)
            .await
            .expect(404)["detail"],
        "Work order not found"
    );
    let twice = json!({ "code": "WS-MUENCHEN", "name": "x", "location": "y" });
    server.post(WORKSHOPS, &token, twice).await.expect(400);
    let viewer = server.token(Role::Viewer).await;
    server
        .post(ORDERS, &viewer, json!({ "vehicle_id": "185123" }))
        .await
        .expect(403);
    server.get(ORDERS, &viewer).await.expect(200);
}

#[tokio::test]
async fn tasks_are_overdue_by_day_and_by_kilometres() {
    let (server, token) = depot().await;
    for (due, mileage) in [
        ("2031-01-01", Some(900)),
        ("2031-01-01", Some(901)),
        ("2001-01-01", None),
    ] {
        let body = json!({ "vehicle_id": "185123", "type": "HU", "due_date": due, "due_mileage_km": mileage });
        server.post(TASKS, &token, body).await.expect(201);
    }
    let overdue = server
        .get(&format!("{TASKS}?overdue_only=true"), &token)
        .await
        .expect(200);
    let overdue = overdue.as_array().unwrap();
    assert_eq!(overdue.len(), 2);
    assert!(overdue.iter().all(|task| task["is_overdue"] == true));
    let path = format!("{TASKS}/{}", overdue[0]["id"].as_str().unwrap());
    let one = server.get(&path, &token).await.expect(200);
    assert_eq!(one["is_overdue"], true, "one task says what the list says");
    let first = server.get(&format!("{TASKS}?limit=2"), &token).await;
    assert_eq!(first.header("x-total-count"), Some("3"));
    let next = first.header("x-next-cursor").unwrap();
    let rest = server
        .get(&format!("{TASKS}?limit=2&cursor={next}"), &token)
        .await;
    assert_eq!(rest.header("x-next-cursor"), None);
    assert_eq!(rest.expect(200).as_array().map(Vec::len), Some(1));
    let done = server
        .patch(&path, &token, json!({ "is_completed": true }))
        .await
        .expect(200);
    assert_ne!(done["completed_at"], Value::Null);
    let overdue = server
        .get(&format!("{TASKS}?overdue_only=true"), &token)
        .await
        .expect(200);
    assert_eq!(overdue.as_array().map(Vec::len), Some(1));
    assert_eq!(
        server.get(&path, &token).await.expect(200)["is_completed"],
        true
    );
}

/// The key figures counted a task as overdue that its own row called in time, or the other way round.
#[tokio::test]
async fn a_day_ends_when_it_does_in_the_depot() {
    // It is the evening of 2023-11-14, UTC.
    let server = TestServer::start_with(|config| {
        config.analytics.time_zone = chrono_tz::Asia::Tokyo;
    });
    let token = server.token(Role::WorkshopManager).await;
    let vehicle = json!({ "asset_id": "1", "model": "x", "type": "electric" });
    server
        .post("/api/v1/vehicles", &token, vehicle)
        .await
        .expect(201);
    for (due, is_overdue) in [
        ("2023-11-14", true),
        ("2023-11-14T23:00:00Z", false),
        ("2023-11-15", false),
    ] {
        let body = json!({ "vehicle_id": "1", "type": "HU", "due_date": due });
        let task = server.post(TASKS, &token, body).await.expect(201);
        assert_eq!(task["is_overdue"], is_overdue, "{due}");
    }
    let overdue = server
        .get(&format!("{TASKS}?overdue_only=true"), &token)
        .await
        .expect(200);
    assert_eq!(overdue.as_array().map(Vec::len), Some(1));
    // An order that has to be done on a day is in time until then, too.
    for (end, status) in [("2031-01-01T15:00:00Z", 201), ("2031-01-01T15:00:01Z", 409)] {
        let body = json!({ "vehicle_id": "1", "status": "scheduled", "hard_deadline_ts": "2031-01-01",
            "scheduled_start": "2031-01-01T08:00:00Z", "scheduled_end": end });
        server.post(ORDERS, &token, body).await.expect(status);
    }
}

#[tokio::test]
async fn tasks_are_listed_open_or_done() {
    let (server, token) = depot().await;
    for due in ["2001-01-01", "2001-01-02", "2031-01-01"] {
        let body = json!({ "vehicle_id": "185123", "type": "HU", "due_date": due });
        server.post(TASKS, &token, body).await.expect(201);
    }
    let all = server.get(TASKS, &token).await.expect(200);
    let first = all[0]["id"].as_str().unwrap();
    server
        .patch(
            &format!("{TASKS}/{first}"),
            &token,
            json!({ "is_completed": true }),
        )
        .await
        .expect(200);
    // What was done long ago stands before all that is due: whoever wants the open ones must not have to page past it.
    let cases: [(&str, &[usize]); 5] = [
        ("is_completed=false", &[1, 2]),
        ("is_completed=true", &[0]),
        ("is_completed=false&overdue_only=true", &[1]),
        ("is_completed=true&overdue_only=true", &[]),
        ("is_completed=false&vehicle_id=185123", &[1, 2]),
    ];
    for (asked, expected) in cases {
        let listed = server.get(&format!("{TASKS}?{asked}"), &token).await;
        let total = listed.header("x-total-count").map(str::to_owned);
        assert_eq!(total, Some(expected.len().to_string()), "{asked}");
        let listed = listed.expect(200);
        let ids: Vec<&Value> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["id"])
            .collect();
        let expected: Vec<&Value> = expected.iter().map(|index| &all[*index]["id"]).collect();
        assert_eq!(ids, expected, "{asked}");
    }
    server
        .get(&format!("{TASKS}?is_completed=perhaps"), &token)
        .await
        .expect(422);
}

#[tokio::test]
async fn beginning_an_order_takes_its_vehicle_into_the_workshop() {
    let (server, token) = depot().await;
    let order = server
        .post(
            ORDERS,
            &token,
            json!({ "vehicle_id": "185123", "workshop_id": "WS-MUENCHEN", "tasks": ["HU"] }),
        )
        .await
        .expect(201);
    let path = format!("{ORDERS}/{}", order["order_number"].as_str().unwrap());
    let begun = server
        .patch(&path, &token, json!({ "status": "in_progress" }))
        .await
        .expect(200);
    let vehicle = format!("/api/v1/vehicles/185123?min_position={}", begun["position"]);
    let vehicle = server.get(&vehicle, &token).await.expect(200);
    assert_eq!(vehicle["status"], "in_workshop");
}

/// The vehicle went on saying that it had been serviced.
#[tokio::test]
async fn what_is_opened_again_is_taken_back_from_the_vehicle() {
    let (server, token) = depot().await;
    let vehicle = async || {
        let shown = server.get("/api/v1/vehicles/185123", &token).await;
        shown.expect(200)
    };
    let body = json!({ "vehicle_id": "185123", "type": "HU", "due_date": "2031-01-01" });
    let task = server.post(TASKS, &token, body).await.expect(201);
    let body = json!({ "vehicle_id": "185123", "maintenance_type": "ECM" });
    let order = server.post(ORDERS, &token, body).await.expect(201);
    let (task_id, order_id) = (task["id"].as_str().unwrap(), order["id"].as_str().unwrap());
    let begin = json!({ "status": "in_progress", "reason": "it leaks" });
    let begun = server
        .patch(&format!("{ORDERS}/{order_id}"), &token, begin.clone())
        .await;
    begun.expect(200);
    for (path, done, open) in [
        (
            format!("{TASKS}/{task_id}"),
            json!({ "is_completed": true }),
            json!({ "is_completed": false, "reason": "wrong vehicle" }),
        ),
        (
            format!("{ORDERS}/{order_id}"),
            json!({ "status": "completed" }),
            begin,
        ),
    ] {
        for _ in 0..2 {
            server.patch(&path, &token, done.clone()).await.expect(200);
            let shown = vehicle().await;
            assert!(shown["last_service_date"].is_string(), "{shown}");
            assert_eq!(shown["next_maintenance"], Value::Null);
            server.patch(&path, &token, open.clone()).await.expect(200);
            let shown = vehicle().await;
            assert_eq!(shown["last_service_date"], Value::Null);
            assert_eq!(shown["next_maintenance"]["maintenance_type"], "HU");
        }
    }
    let events = server.get("/api/v1/events/Vehicle/185123", &token).await;
    let events = events.expect(200);
    let taken_back: Vec<&Value> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event_type"] == "VehicleMaintenanceReopened")
        .map(|event| &event["data"])
        .collect();
    let of_task = json!({ "maintenance_task_id": task_id });
    let of_order = json!({ "work_order_id": order_id });
    assert_eq!(taken_back, [&of_task, &of_task, &of_order, &of_order]);
}
