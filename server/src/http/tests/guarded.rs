//! What is kept from whom wherever it is asked for, and what takes whom however it is sent.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{PASSWORD, TestServer};
use super::lockout::patch;
use crate::projection::CATALOG;

const EVENTS: &str = "/api/v1/events";
const LINKS: &str = "/api/v1/docs/links";
/// What nobody below may read.
const CANARY: &str = "canary7f3a";

#[tokio::test]
async fn what_a_document_says_is_nowhere_for_those_who_may_not_read_it() {
    let server = TestServer::start();
    let manager = server.token(Role::FleetManager).await;
    let viewer = server.token(Role::Viewer).await;
    let vehicle = json!({ "asset_id": "185123", "model": "BR 185", "type": "electric" });
    server.create("/api/v1/vehicles", &manager, vehicle).await;
    let document = json!({
        "document_id": "C-1", "title": "Report", "document_type": "inspection_report", "vehicle_id": "185123",
        "access_level": "confidential", "description": CANARY, "file_url": format!("https://files/{CANARY}"),
        "metadata_json": { "note": CANARY },
    });
    let created = server.create(LINKS, &manager, document).await;
    let id = created["id"].as_str().unwrap();
    let version = json!({ "document_link_id": id, "version_number": 1, "change_description": CANARY, "file_url": CANARY });
    server
        .create("/api/v1/docs/versions", &manager, version)
        .await;
    let agent = [("user-agent", CANARY)];
    server
        .get_with(&format!("{LINKS}/{id}"), &manager, &agent)
        .await
        .expect(200);
    let changed = json!({ "description": format!("{CANARY} again") });
    patch(&server, &format!("{LINKS}/{id}"), &manager, changed)
        .await
        .expect(200);
    let position = server.state.log.durable_position().get();
    let reached = server.state.projections.reach(
        CATALOG,
        storage::Position::new(position),
        std::time::Duration::from_secs(30),
    );
    assert!(reached.await);

    let of_it = format!("aggregate_type=Document&aggregate_id={id}");
    let mut paths = vec![
        LINKS.to_owned(),
        format!("{EVENTS}?{of_it}"),
        format!("{EVENTS}/Document/{id}"),
        format!("{EVENTS}/{id}"),
        format!("{EVENTS}/type/DocumentCreated"),
        format!("{EVENTS}/stream?from_position=1&wait=0&aggregate_type=Document"),
        format!("/api/v1/time-travel/state-at?{of_it}&version=2"),
        format!("/api/v1/time-travel/history?{of_it}"),
        format!("/api/v1/time-travel/replay?{of_it}&capture_intermediate=true"),
        format!("/api/v1/time-travel/compare?{of_it}&version1=1&version2=4"),
        "/api/v1/time-travel/changes?aggregate_type=Document&from=2000-01-01T00:00:00Z".to_owned(),
        "/api/v1/time-travel/fleet?aggregate_type=Document".to_owned(),
        format!(
            "/api/v1/time-travel/Document/{id}/events-between?start_time=2000-01-01T00:00:00Z&end_time=2100-01-01T00:00:00Z"
        ),
        "/api/v1/audit/trail?aggregate_type=Document".to_owned(),
        "/api/v1/audit/trail?aggregate_type=Document&changes=true".to_owned(),
        "/api/v1/audit/trail?aggregate_type=Document&format=csv".to_owned(),
        "/api/v1/audit/trail?aggregate_type=Document&format=html".to_owned(),
        format!("/api/v1/audit/trail/Document/{id}"),
        format!("/api/v1/changes/Document/{id}/history"),
        format!("/api/v1/changes/Document/{id}/field/description"),
        format!("/api/v1/changes/Document/{id}/compare-versions?version_1=1&version_2=4"),
        format!("/api/v1/changes/Document/{id}/who-changed-what"),
        "/api/v1/projections/current_state/data?aggregate_type=Document".to_owned(),
        format!("/api/v1/projections/current_state/data?{of_it}"),
        "/api/v1/compliance/maintenance-record/185123".to_owned(),
        "/api/v1/compliance/maintenance-record/185123?format=html".to_owned(),
    ];
    paths.extend((1..=position).map(|at| format!("/api/v1/audit/proof/{at}")));
    let mut answered = 0;
    for path in &paths {
        let shown = server.get(path, &viewer).await;
        let text = String::from_utf8_lossy(&shown.body);
        assert!(!text.contains(CANARY), "{path}: {text}");
        // A proof's leaf is the record itself.
        let canary_in_base64 = ["Y2FuYXJ5N2YzY", "NhbmFyeTdmM2", "jYW5hcnk3ZjNh"];
        assert!(
            canary_in_base64.iter().all(|part| !text.contains(part)),
            "{path}: {text}"
        );
        answered += usize::from(shown.status.is_success());
        let known = server.get(path, &manager).await;
        // The accounts' own events are nobody's here.
        assert!(
            known.status.is_success() || path.contains("/proof/"),
            "{path}: {}",
            String::from_utf8_lossy(&known.body)
        );
    }
    assert!(
        answered + 4 > paths.len(),
        "{answered} of {} were answered",
        paths.len()
    );
    let by_manager = server.get(&format!("{EVENTS}?{of_it}"), &manager).await;
    assert!(String::from_utf8_lossy(&by_manager.body).contains(CANARY));

    let found = format!("{LINKS}?search={CANARY}");
    assert_eq!(server.get(&found, &viewer).await.expect(200)["total"], 0);
    assert_eq!(server.get(&found, &manager).await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_look_that_is_repeated_is_judged_again() {
    let server = TestServer::start();
    let manager = server.token(Role::FleetManager).await;
    let viewer = server.token(Role::Viewer).await;
    let document =
        json!({ "document_id": "C-1", "title": "Report", "document_type": "inspection_report" });
    let created = server.create(LINKS, &manager, document).await;
    let path = format!("{LINKS}/{}", created["id"].as_str().unwrap());
    let key = [("idempotency-key", "k")];
    server.get_with(&path, &viewer, &key).await.expect(200);
    let change = json!({ "access_level": "confidential", "file_url": CANARY });
    patch(&server, &path, &manager, change).await.expect(200);
    server
        .get_with(&path, &viewer, &key)
        .await
        .expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_raw_event_takes_the_role_of_the_route_that_decides_it() {
    let server = TestServer::start();
    let technician = server.token(Role::Technician).await;
    let foreman = server.token(Role::WorkshopManager).await;
    let manager = server.token(Role::FleetManager).await;
    let event = |aggregate_type: &str, event_type: &str, data: Value| json!({ "aggregate_type": aggregate_type, "aggregate_id": "x", "event_type": event_type, "data": data });
    let release = |by: &str| {
        event(
            "WorkOrder",
            "WorkOrderReleased",
            json!({ "released_by": by }),
        )
    };
    let approve = event("Invoice", "InvoiceApprovedEvent", json!({}));
    let hidden = event(
        "WorkOrder",
        "WorkOrderUpdated",
        json!({ "notes": "x", "released_at": "2024-01-01T00:00:00Z" }),
    );
    let deleted = event("Vehicle", "VehicleDeleted", json!({}));
    let dropped = event("WorkOrder", "WorkOrderDeleted", json!({}));
    let unknown = event(
        "WorkOrder",
        "WorkOrderLetGo",
        json!({ "old_released_at": null, "new_released_at": "2024-01-01T00:00:00Z" }),
    );
    let taken_back = event(
        "WorkOrder",
        "WorkOrderUpdated",
        json!({ "released_at": null }),
    );
    let opened = event(
        "Document",
        "DocumentOpened",
        json!({ "new_access_level": "public" }),
    );
    let waived = |waived: Value| {
        event(
            "WorkOrder",
            "WorkOrderUpdated",
            json!({ "requires_release": waived }),
        )
    };
    for refused in [
        &release("technician"),
        &approve,
        &hidden,
        &deleted,
        &dropped,
        &unknown,
        &taken_back,
        &opened,
        &waived(json!(false)),
        &waived(Value::Null),
    ] {
        server
            .post(EVENTS, &technician, refused.clone())
            .await
            .expect_problem(403, "forbidden");
        let batch = json!({ "events": [event("WorkOrder", "WorkOrderUpdated", json!({ "notes": "x" })), refused] });
        server
            .post("/api/v1/events/batch", &technician, batch)
            .await
            .expect_problem(403, "forbidden");
    }
    let durable = server.state.log.durable_position();
    let name = storage::StreamName::new("WorkOrder", "x");
    assert!(
        server.state.log.stream(&name).is_none(),
        "nothing was written up to {durable}"
    );
    server
        .post(EVENTS, &foreman, release("fleet_manager"))
        .await
        .expect_problem(403, "forbidden");
    server
        .create(EVENTS, &foreman, release("workshop_manager"))
        .await;
    server
        .post(EVENTS, &foreman, approve.clone())
        .await
        .expect_problem(403, "forbidden");
    server.create(EVENTS, &manager, approve).await;
    let report = event("WorkOrder", "WorkOrderUpdated", json!({ "notes": "y" }));
    server.create(EVENTS, &technician, report).await;
    // Who may write may ask for a release.
    let asked = waived(json!(true));
    server.create(EVENTS, &technician, asked).await;
    let spared = waived(json!(false));
    server.create(EVENTS, &foreman, spared).await;
    // By its own route, too, who may write makes an order that needs no release. Told of one that is there, it is a waiver.
    let made = |id: &str| json!({ "aggregate_type": "WorkOrder", "aggregate_id": id, "event_type": "WorkOrderCreatedEvent", "data": { "requires_release": false } });
    let batch = json!({ "events": [made("y")] });
    for (path, body) in [(EVENTS, made("z")), ("/api/v1/events/batch", batch)] {
        server.create(path, &technician, body.clone()).await;
        server
            .post(path, &technician, body)
            .await
            .expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn an_account_is_changed_whole_or_not_at_all() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    server.token(Role::Technician).await;
    let path = "/api/v1/users/technician";
    let short = json!({ "role": "VIEWER", "password": "short" });
    patch(&server, path, &admin, short)
        .await
        .expect_problem(422, "invalid");
    let account = server.read(path, &admin).await;
    assert_eq!(account["role"], "TECHNICIAN");
    let whole = json!({ "role": "VIEWER", "password": "Another-77x", "is_active": true });
    let account = patch(&server, path, &admin, whole).await.expect(200);
    assert_eq!(account["role"], "VIEWER");
    server.login("technician", PASSWORD).await.expect(401);
    server.login("technician", "Another-77x").await.expect(200);
}

#[tokio::test]
async fn no_login_outlives_another_password() {
    let server = TestServer::start_with(|config| config.auth.login_attempts_free = 1_000);
    let admin = server.token(Role::SuperAdmin).await;
    server.token(Role::Technician).await;
    for round in 0..10 {
        let (old, new) = (format!("Depot-77x{round}"), format!("Depot-77y{round}"));
        let set = |password: &str| json!({ "password": password });
        let path = "/api/v1/users/technician";
        patch(&server, path, &admin, set(&old)).await.expect(200);
        let login = || server.login("technician", &old);
        let (first, second, third, changed) = tokio::join!(
            login(),
            login(),
            login(),
            patch(&server, path, &admin, set(&new))
        );
        changed.expect(200);
        for answer in [first, second, third] {
            if answer.status.is_success() {
                let token = answer.json()["access_token"].as_str().unwrap().to_owned();
                server
                    .get("/api/v1/auth/me", &token)
                    .await
                    .expect_problem(401, "unauthenticated");
            }
        }
        server.login("technician", &old).await.expect(401);
        server.login("technician", &new).await.expect(200);
    }
}

#[tokio::test]
async fn many_faults_are_one_short_answer() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let tags = vec![1; 100_000];
    let event = json!({ "aggregate_type": "X", "aggregate_id": "1", "event_type": "Y", "data": {}, "tags": tags });
    let mut unknown = json!({ "events": [] });
    for number in 0..10_000 {
        unknown[format!("member{number}")] = json!(1);
    }
    let names: Vec<String> = (0..2_000).map(|number| format!("n{number}=1")).collect();
    let answers = [
        server.post(EVENTS, &token, event).await,
        server.post("/api/v1/events/batch", &token, unknown).await,
        server
            .get(&format!("{EVENTS}?{}", names.join("&")), &token)
            .await,
    ];
    for answer in answers {
        let problem = answer.expect_problem(422, "invalid");
        let errors = problem["errors"].as_array().unwrap().len();
        assert!((1..=100).contains(&errors), "{errors}");
    }
}
