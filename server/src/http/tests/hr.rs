//! Staff and their assignments over HTTP.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

const STAFF: &str = "/api/v1/hr/staff";
const ASSIGNMENTS: &str = "/api/v1/hr/assignments";

fn person(staff_id: &str) -> Value {
    json!({ "staff_id": staff_id, "first_name": "Anna", "last_name": "Vogt", "role": "mechanic" })
}

/// A server with a vehicle, a workshop, two people and an order planned for eight hours.
async fn depot() -> (TestServer, String, Value) {
    let server = TestServer::start();
    let token = server.token(Role::WorkshopManager).await;
    let vehicle = json!({ "asset_id": "185123", "model": "BR 185", "type": "electric" });
    let workshop = json!({ "code": "WS-A", "name": "A", "location": "Yard" });
    for (path, body) in [
        ("/api/v1/vehicles", vehicle),
        ("/api/v1/workshops", workshop),
        (STAFF, person("S-1")),
        (STAFF, person("S-2")),
    ] {
        server.create(path, &token, body).await;
    }
    let order = json!({ "vehicle_id": "185123", "workshop_id": "WS-A", "status": "scheduled",
        "scheduled_start": "2031-01-01T08:00:00Z", "scheduled_end": "2031-01-01T16:00:00Z" });
    let order = server
        .create("/api/v1/maintenance/orders", &token, order)
        .await;
    (server, token, order)
}

fn shift(staff_id: &str, order: &Value, from: u32, to: u32) -> Value {
    json!({ "staff_id": staff_id, "work_order_id": order["order_number"],
        "scheduled_start_ts": format!("2031-01-01T{from:02}:00:00Z"), "scheduled_end_ts": format!("2031-01-01T{to:02}:00:00Z") })
}

#[tokio::test]
async fn a_person_is_taken_on_found_changed_and_deleted() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let workshop = json!({ "code": "WS-A", "name": "A", "location": "Yard" });
    let workshop = server.create("/api/v1/workshops", &token, workshop).await;
    let mut body = person("MA 1/7");
    body["workshop_id"] = "WS-A".into();
    body["certifications_json"] = json!({ "welding": "2030-01-01" });
    let created = server.create(STAFF, &token, body).await;
    assert_eq!(
        created["workshop_id"], workshop["id"],
        "a code becomes the row's id"
    );
    for (field, value) in [
        ("status", json!("active")),
        ("is_available", json!(true)),
        ("max_weekly_hours", json!(40)),
        ("email", Value::Null),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    assert!(created["position"].as_u64() > workshop["position"].as_u64());

    let uuid = created["id"].as_str().unwrap();
    for path in [format!("{STAFF}/{uuid}"), format!("{STAFF}/MA%201%2F7")] {
        assert_eq!(server.get(&path, &token).await.expect(200)["id"], uuid);
    }
    let path = format!("{STAFF}/{uuid}");
    let leave = json!({ "status": "on_leave", "phone": "+49 89 1" });
    let away = server.patch(&path, &token, leave).await.expect(200);
    assert_eq!(
        (&away["status"], &away["is_available"]),
        (&json!("on_leave"), &json!(false))
    );

    for (query, total) in [
        ("role=mechanic&status=on_leave", 1),
        ("role=driver", 0),
        ("is_available=true", 0),
        ("is_available=false&workshop_id=WS-A", 1),
        ("search=vOG", 1),
        ("search=nobody", 0),
    ] {
        let list = server.get(&format!("{STAFF}?{query}"), &token).await;
        let list = list.expect(200);
        assert_eq!(list["total"], total, "{query}");
        assert_eq!(list["staff"].as_array().map(Vec::len), Some(total));
    }
    server.delete(&path, &token).await.expect(204);
    let gone = server.get(&path, &token).await;
    assert_eq!(
        gone.expect_problem(404, "not-found")["detail"],
        "Staff not found"
    );
    server.create(STAFF, &token, person("MA 1/7")).await;
}

#[tokio::test]
async fn refusals_of_people_name_what_is_wrong() {
    let (server, token, _) = depot().await;
    let twice = server.post(STAFF, &token, person("S-1")).await.expect(400);
    assert_eq!(twice["detail"], "Staff with staff_id 'S-1' already exists");
    let bad =
        json!({ "staff_id": "S-9", "first_name": "", "role": "pilot", "max_weekly_hours": 0 });
    let problem = server.post(STAFF, &token, bad).await.expect(422);
    let fields = problem["errors"].as_array().unwrap().iter();
    let fields: Vec<_> = fields.map(|error| error["loc"][1].clone()).collect();
    assert_eq!(
        fields,
        ["first_name", "last_name", "role", "max_weekly_hours"]
    );
    let mut lost = person("S-9");
    lost["workshop_id"] = "nowhere".into();
    assert_eq!(
        server.post(STAFF, &token, lost).await.expect(404)["detail"],
        "Workshop not found"
    );
    server
        .get(&format!("{STAFF}?role=pilot"), &token)
        .await
        .expect(422);

    let viewer = server.token(Role::Viewer).await;
    let dispatcher = server.token(Role::Dispatcher).await;
    let path = format!("{STAFF}/S-1");
    server.read(&path, &viewer).await;
    for answer in [
        server.post(STAFF, &dispatcher, person("S-9")).await,
        server
            .patch(&path, &dispatcher, json!({ "phone": "1" }))
            .await,
        server.delete(&path, &token).await,
        server.post(ASSIGNMENTS, &viewer, json!({})).await,
    ] {
        answer.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn an_assignment_is_planned_worked_and_told() {
    let (server, token, order) = depot().await;
    let mut body = shift("S-1", &order, 8, 12);
    body["role_on_assignment"] = "lead".into();
    let created = server.create(ASSIGNMENTS, &token, body).await;
    assert_eq!(
        (&created["work_order_id"], &created["transfer_plan_id"]),
        (&order["id"], &Value::Null)
    );
    assert_eq!(
        (&created["status"], &created["warnings"]),
        (&json!("scheduled"), &json!([]))
    );
    let path = format!("{ASSIGNMENTS}/{}", created["id"].as_str().unwrap());
    for status in ["confirmed", "in_progress", "completed"] {
        let changed = server
            .patch(&path, &token, json!({ "status": status }))
            .await
            .expect(200);
        assert_eq!(changed["status"], status);
        server.clock.advance_seconds(8 * 60);
    }
    let done = server.read(&path, &token).await;
    assert_eq!(done["actual_hours"], 1, "hours begun count: {done}");

    let later = server
        .create(ASSIGNMENTS, &token, shift("S-1", &order, 13, 15))
        .await;
    let list = server
        .read(
            &format!(
                "{ASSIGNMENTS}?staff_id=S-1&work_order_id={}",
                order["order_number"].as_str().unwrap()
            ),
            &token,
        )
        .await;
    assert_eq!(list["total"], 2);
    assert_eq!(
        list["assignments"][0]["id"], later["id"],
        "the latest start comes first"
    );
    let completed = server
        .read(&format!("{ASSIGNMENTS}?status=completed"), &token)
        .await;
    assert_eq!(completed["assignments"][0]["id"], created["id"]);

    let path = format!("{ASSIGNMENTS}/{}", later["id"].as_str().unwrap());
    server.delete(&path, &token).await.expect(204);
    let gone = server.get(&path, &token).await.expect(404);
    assert_eq!(gone["detail"], "Staff assignment not found");
}

#[tokio::test]
async fn nobody_is_at_two_places_and_who_should_know_is_warned() {
    let (server, token, order) = depot().await;
    server
        .create(ASSIGNMENTS, &token, shift("S-1", &order, 8, 12))
        .await;
    let busy = server
        .post(ASSIGNMENTS, &token, shift("S-1", &order, 11, 13))
        .await
        .expect(409);
    assert_eq!(busy["code"], "staff_overlap", "{busy}");
    let other = server
        .create(ASSIGNMENTS, &token, shift("S-2", &order, 11, 18))
        .await;
    let warnings = other["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{other}");
    assert!(warnings[0].as_str().unwrap().contains("work order's time"));

    server
        .patch(
            &format!("{STAFF}/S-1"),
            &token,
            json!({ "status": "sick_leave" }),
        )
        .await
        .expect(200);
    let away = server
        .post(ASSIGNMENTS, &token, shift("S-1", &order, 13, 14))
        .await
        .expect(409);
    assert_eq!(away["detail"], "Staff S-1 is sick leave");
}

#[tokio::test]
async fn two_at_once_do_not_both_get_the_person() {
    let (server, token, order) = depot().await;
    let shifts = (0..6).map(|hour| shift("S-1", &order, 8, 10 + hour));
    let answers = shifts.map(|body| server.post(ASSIGNMENTS, &token, body));
    let mut statuses = Vec::new();
    let mut tasks: Vec<_> = answers.map(Box::pin).collect();
    // Polled together, so that their decisions overlap.
    std::future::poll_fn(|context| {
        tasks.retain_mut(|task| match task.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                statuses.push(answer.status.as_u16());
                false
            }
            std::task::Poll::Pending => true,
        });
        if tasks.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn refusals_of_assignments_name_what_is_wrong() {
    let (server, token, order) = depot().await;
    let none = json!({ "staff_id": "S-1", "scheduled_start_ts": "2031-01-01T08:00:00Z", "scheduled_end_ts": "2031-01-01T09:00:00Z" });
    let mut both = shift("S-1", &order, 8, 9);
    both["transfer_plan_id"] = "T-1".into();
    for body in [none, both] {
        let problem = server.post(ASSIGNMENTS, &token, body).await.expect(400);
        assert_eq!(
            problem["detail"],
            "Exactly one of work_order_id and transfer_plan_id must be given"
        );
    }
    let backwards = server
        .post(ASSIGNMENTS, &token, shift("S-1", &order, 9, 9))
        .await
        .expect(400);
    assert_eq!(
        backwards["detail"],
        "Scheduled end must be after scheduled start"
    );
    let nobody = server
        .post(ASSIGNMENTS, &token, shift("S-9", &order, 8, 9))
        .await
        .expect(404);
    assert_eq!(nobody["detail"], "Staff not found");
    let nothing = shift("S-1", &json!({ "order_number": "WO-1" }), 8, 9);
    let nothing = server.post(ASSIGNMENTS, &token, nothing).await.expect(404);
    assert_eq!(nothing["detail"], "Work order not found");
    let negative = json!({ "planned_hours": -1 });
    server.post(ASSIGNMENTS, &token, negative).await.expect(422);

    let created = server
        .create(ASSIGNMENTS, &token, shift("S-1", &order, 8, 9))
        .await;
    let path = format!("{ASSIGNMENTS}/{}", created["id"].as_str().unwrap());
    let leap = server
        .patch(&path, &token, json!({ "status": "completed" }))
        .await
        .expect(409);
    assert_eq!(leap["code"], "status_step", "{leap}");
    server
        .patch(&path, &token, json!({ "status": "in_progress" }))
        .await
        .expect(200);
    let under_way = server.delete(&path, &token).await.expect(409);
    assert_eq!(
        under_way["detail"],
        "The assignment is under way; cancel it first"
    );
}

#[tokio::test]
async fn who_leaves_is_planned_and_drives_no_more() {
    let (server, token, order) = depot().await;
    let planned = server
        .create(ASSIGNMENTS, &token, shift("S-1", &order, 8, 9))
        .await;
    let plan = json!({ "plan_id": "T-1", "from_location": "A", "to_location": "B",
        "scheduled_departure_ts": "2031-02-01T08:00:00Z", "scheduled_arrival_ts": "2031-02-01T12:00:00Z" });
    server.create("/api/v1/transfer/plans", &token, plan).await;
    let driven = json!({ "transfer_plan_id": "T-1", "vehicle_id": "185123", "driver_id": "S-1" });
    let driven = server
        .create("/api/v1/transfer/assignments", &token, driven)
        .await;
    assert_ne!(driven["driver_id"], Value::Null);

    let admin = server.token(Role::FleetManager).await;
    server
        .delete(&format!("{STAFF}/S-1"), &admin)
        .await
        .expect(204);
    let path = format!("{ASSIGNMENTS}/{}", planned["id"].as_str().unwrap());
    server.get(&path, &token).await.expect(404);
    let path = format!(
        "/api/v1/transfer/assignments/{}",
        driven["id"].as_str().unwrap()
    );
    let driven = server.read(&path, &token).await;
    assert_eq!(driven["driver_id"], Value::Null);
}
