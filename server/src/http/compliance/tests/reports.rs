//! Reports over a real log: each fault is made, and found with the event that made it.

use std::io::Write as _;

use fleet::policy::Role;
use serde_json::{Value, json};

use crate::audit::checkpoints::NOTES_FILE;
use crate::audit::note::NOTES_BYTES_MAX;
use crate::http::tests::harness::TestServer;

fn event(kind: &str, id: &str, event_type: &str, data: Value) -> Value {
    json!({"aggregate_type": kind, "aggregate_id": id, "event_type": event_type, "data": data})
}

#[track_caller]
fn finding<'a>(report: &'a Value, check: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|finding| finding["check"] == check)
        .unwrap_or_else(|| panic!("{check} did not fail: {report}"))
}

fn passes(report: &Value, check: &str) -> bool {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .any(|one| one["check_name"] == check && one["passed"] == true)
}

const ORDER: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const OTHER: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

#[tokio::test]
async fn who_creates_may_not_approve() {
    let server = TestServer::start();
    let one = server.token(Role::WorkshopManager).await;
    let two = server.token(Role::FleetManager).await;
    let admin = server.token(Role::SuperAdmin).await;
    for (id, creator, approver) in [(ORDER, &admin, &admin), (OTHER, &one, &two)] {
        let created = event(
            "PurchaseOrder",
            id,
            "PurchaseOrderCreated",
            json!({"po_number": id}),
        );
        server
            .post("/api/v1/events", creator, created)
            .await
            .expect(201);
        let approved = event("PurchaseOrder", id, "PurchaseOrderApproved", json!({}));
        server
            .post("/api/v1/events", approver, approved)
            .await
            .expect(201);
    }
    let third = "16fd2706-8baf-433b-82eb-8c7fada847da";
    server
        .post(
            "/api/v1/events",
            &one,
            event(
                "PurchaseOrder",
                third,
                "PurchaseOrderCreated",
                json!({"po_number": "3"}),
            ),
        )
        .await
        .expect(201);
    let ordered = server
        .post(
            "/api/v1/events",
            &two,
            event("PurchaseOrder", third, "PurchaseOrderOrdered", json!({})),
        )
        .await
        .expect(201);
    let report = server
        .get("/api/v1/compliance/reports/sox", &admin)
        .await
        .expect(200);
    let own = finding(&report, "change_approval");
    assert_eq!(
        (
            own["severity"].as_str(),
            own["evidence"].as_array().unwrap().len()
        ),
        (Some("critical"), 1)
    );
    assert_eq!(
        own["evidence"][0]["stream"],
        format!("PurchaseOrder/{ORDER}")
    );
    let unapproved = finding(&report, "approval_before_commitment");
    assert_eq!(unapproved["evidence"][0]["position"], ordered["position"]);
    assert_eq!(report["statistics"]["approvals"], 2);
    assert!(passes(&report, "audit_integrity") && passes(&report, "financial_user_attribution"));
    assert_eq!(report["status"], "fail");
    // A checkpoint that is kept is one check less that fails.
    server
        .get("/api/v1/audit/checkpoint", &admin)
        .await
        .expect(200);
    let signed = server
        .get("/api/v1/compliance/reports/sox", &admin)
        .await
        .expect(200);
    assert!(passes(&signed, "checkpoints_kept") && !passes(&report, "checkpoints_kept"));
    let old =
        json!({"standard": "SOX", "start_date": "2023-01-01", "end_date": "2024-01-01T00:00:00Z"});
    let old = server
        .post("/api/v1/compliance/sox-report", &admin, old)
        .await
        .expect(200);
    assert_eq!(old["compliance_score"], signed["compliance_score"]);
    let bad = json!({"start_date": "x", "end_date": "2024-01-01", "scope": "y"});
    let problem = server
        .post("/api/v1/compliance/gdpr-report", &admin, bad)
        .await
        .expect_problem(422, "invalid");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2);
}

/// Only who had created a record was looked for: who changed another's lines before they approved them was not found.
#[tokio::test]
async fn who_changes_what_they_approve_is_found() {
    let server = TestServer::start();
    let clerk = server.token(Role::Dispatcher).await;
    let manager = server.token(Role::FleetManager).await;
    let admin = server.token(Role::SuperAdmin).await;
    let happened = async |by: &str, kind: &str, id: &str, what: &str, data: Value| {
        let told = event(kind, id, &format!("{kind}{what}"), data);
        server.create("/api/v1/events", by, told).await
    };
    for (kind, id) in [("PurchaseOrder", ORDER), ("Invoice", OTHER)] {
        let sum = |text: &str| json!({"total_amount": text});
        happened(&clerk, kind, id, "Created", sum("1.00")).await;
        happened(&admin, kind, id, "Updated", sum("900.00")).await;
        happened(&admin, kind, id, "Approved", json!({})).await;
    }
    // Notes and dates are anybody's.
    let third = "16fd2706-8baf-433b-82eb-8c7fada847da";
    let kind = "Invoice";
    happened(&clerk, kind, third, "Created", json!({})).await;
    let late = json!({"notes": "pay late", "due_date": "2023-12-01"});
    happened(&manager, kind, third, "Updated", late).await;
    happened(&manager, kind, third, "Approved", json!({})).await;
    let report = server
        .get("/api/v1/compliance/reports/sox", &admin)
        .await
        .expect(200);
    let own = finding(&report, "change_approval");
    let evidence = own["evidence"].as_array().unwrap();
    let streams: Vec<&Value> = evidence.iter().map(|line| &line["stream"]).collect();
    let expected = [
        json!(format!("PurchaseOrder/{ORDER}")),
        json!(format!("Invoice/{OTHER}")),
    ];
    assert_eq!(streams, expected.iter().collect::<Vec<_>>());
    assert_ne!(evidence[0]["created_by"], evidence[0]["user_id"]);
    assert_eq!(report["statistics"]["approvals"], 3);
}

#[tokio::test]
async fn plain_and_overdue_personal_data_is_found() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let report = server
        .get("/api/v1/compliance/reports/gdpr", &admin)
        .await
        .expect(200);
    assert!(passes(&report, "personal_data_sealed"), "{report}");
    let folder = server.stop();
    {
        // As a server wrote that did not seal.
        let log =
            storage::Log::open(&folder.path().join("log"), storage::LogOptions::default()).unwrap();
        let data = storage::NewEvent::new("StaffCreated", r#"{"last_name":"Lövenich"}"#);
        let stream = storage::StreamName::new("Staff", ORDER);
        log.append(storage::Transaction::single(
            stream,
            storage::ExpectedVersion::Any,
            data,
        ))
        .unwrap();
    }
    let server = TestServer::start_in(folder, |_| {});
    let admin = server.token(Role::SuperAdmin).await;
    // The machine's clock recorded it: a period without bounds has it.
    let all = "?start_date=2000-01-01&end_date=2100-01-01";
    let asked = json!({"request_only": true, "requested_at": "2023-01-01T00:00:00Z"});
    server
        .post(
            &format!("/api/v1/compliance/erase/Staff:{ORDER}"),
            &admin,
            asked,
        )
        .await
        .expect(202);
    let report = server
        .get(&format!("/api/v1/compliance/reports/gdpr{all}"), &admin)
        .await
        .expect(200);
    let plain = finding(&report, "personal_data_sealed");
    assert_eq!(
        (
            plain["evidence"][0]["stream"].as_str(),
            plain["evidence"][0]["field"].as_str()
        ),
        (Some(&*format!("Staff/{ORDER}")), Some("last_name"))
    );
    let overdue = finding(&report, "erasure_requests_served");
    assert_eq!(overdue["severity"], "critical");
    assert!(overdue["evidence"][0]["open_days"].as_i64().unwrap() > 300);
    finding(&report, "user_attribution");
    let narrowed = server
        .get(
            &format!("/api/v1/compliance/reports/gdpr{all}&scope=audit_only"),
            &admin,
        )
        .await
        .expect(200);
    assert!(
        narrowed["checks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|check| check["check_name"] != "personal_data_sealed")
    );
    server
        .post(
            &format!("/api/v1/compliance/erase/Staff:{ORDER}"),
            &admin,
            json!({}),
        )
        .await
        .expect(200);
    let report = server
        .get(&format!("/api/v1/compliance/reports/gdpr{all}"), &admin)
        .await
        .expect(200);
    assert!(passes(&report, "erasure_requests_served"));
}

/// Of whatever aggregate: who wrote an event eight years ago, and from where, is as personal as a name.
#[tokio::test]
async fn old_metadata_that_can_be_read_is_overdue() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let moved = |occurred_at: &str, metadata: Value| {
        let mut body = event("Crane", "7", "CraneMoved", json!({"bay": 1}));
        body["occurred_at"] = json!(occurred_at);
        body["metadata"] = metadata;
        body
    };
    let named = json!({"user_email": "ada@depot.example"});
    for body in [
        moved("2015-11-01T08:00:00Z", json!({"source": "crane"})),
        moved("2023-11-01T08:00:00Z", named.clone()),
    ] {
        server
            .post("/api/v1/events", &admin, body)
            .await
            .expect(201);
    }
    let gdpr = "/api/v1/compliance/reports/gdpr";
    let report = server.get(gdpr, &admin).await.expect(200);
    assert!(passes(&report, "data_retention"), "{report}");
    let old = server
        .post(
            "/api/v1/events",
            &admin,
            moved("2015-11-02T08:00:00Z", named),
        )
        .await
        .expect(201);
    let report = server.get(gdpr, &admin).await.expect(200);
    let overdue = finding(&report, "data_retention");
    assert_eq!(overdue["evidence"].as_array().unwrap().len(), 1);
    let line = &overdue["evidence"][0];
    assert_eq!(
        (&line["position"], &line["field"]),
        (&old["position"], &json!("user_email"))
    );
}

/// What somebody did to a kept note is not passed over.
#[tokio::test]
async fn a_kept_checkpoint_that_cannot_be_opened_is_a_finding() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    server
        .get("/api/v1/audit/checkpoint", &admin)
        .await
        .expect(200);
    let sox = "/api/v1/compliance/reports/sox";
    let report = server.get(sox, &admin).await.expect(200);
    assert!(passes(&report, "audit_integrity"), "{report}");
    let file = server.folder.path().join(NOTES_FILE);
    let note = std::fs::read_to_string(&file).unwrap();
    let mut lines: Vec<String> = note.lines().map(str::to_owned).collect();
    lines[1] += "0";
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let report = server.get(sox, &admin).await.expect(200);
    let broken = finding(&report, "audit_integrity");
    let evidence = &broken["evidence"][0];
    assert!(
        evidence["note"]
            .as_str()
            .is_some_and(|note| note.contains(&lines[1])),
        "{broken}"
    );
    assert!(
        evidence["cannot_be_opened"]
            .as_str()
            .is_some_and(|why| why.contains("does not fit")),
        "{broken}"
    );
}

/// Of a long file of checkpoints the end is read: what the log was not held against is a finding.
#[tokio::test]
async fn older_checkpoints_that_are_not_read_are_a_finding() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    server
        .get("/api/v1/audit/checkpoint", &admin)
        .await
        .expect(200);
    let file = server.folder.path().join(NOTES_FILE);
    let note = std::fs::read(&file).unwrap();
    // A hole takes no room on the disk.
    let hole = std::fs::File::create(&file).unwrap();
    hole.set_len(NOTES_BYTES_MAX).unwrap();
    drop(hole);
    let mut long = std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .unwrap();
    long.write_all(b"\n").unwrap();
    long.write_all(&note).unwrap();
    let report = server
        .get("/api/v1/compliance/reports/soc2", &admin)
        .await
        .expect(200);
    let unread = finding(&report, "audit_integrity");
    assert_eq!(unread["severity"], "medium");
    assert_eq!(unread["evidence"][0]["bytes_not_read"], note.len() + 1);
}

#[tokio::test]
async fn access_is_reviewed_and_the_review_is_kept() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let report = server
        .get("/api/v1/compliance/reports/soc2", &admin)
        .await
        .expect(200);
    finding(&report, "access_reviews");
    finding(&report, "backups");
    let review = server
        .post(
            "/api/v1/compliance/access-reviews",
            &admin,
            json!({"note": "all as it should be"}),
        )
        .await
        .expect(201);
    assert_eq!(review["accounts"], 1);
    let report = server
        .get("/api/v1/compliance/reports/soc2", &admin)
        .await
        .expect(200);
    assert!(passes(&report, "access_reviews"));
    server.clock.advance_seconds(92 * 86_400);
    let admin = server.token(Role::SuperAdmin).await;
    let later = server
        .get("/api/v1/compliance/reports/soc2", &admin)
        .await
        .expect(200);
    finding(&later, "access_reviews");
    finding(&later, "dormant_accounts");
    let summary = "/api/v1/compliance/activity-summary?start_date=2023-01-01&end_date=2024-12-31";
    let counted = server.get(summary, &admin).await.expect(200);
    assert!(
        counted["events_by_type"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["event_type"] == "AccessReviewed")
    );
    server
        .get("/api/v1/compliance/activity-summary", &admin)
        .await
        .expect_problem(422, "invalid");
}

#[tokio::test]
async fn a_person_gets_what_is_held_on_them_and_nobody_elses() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let technician = server.token(Role::Technician).await;
    let viewer = server.token(Role::Viewer).await;
    server
        .append(&technician, "1", "CraneMoved", json!({"load": 3}))
        .await;
    let mut seen = event("Crane", "2", "CraneMoved", json!({}));
    seen["metadata"] = json!({"user_email": "technician@depot.example"});
    server
        .post("/api/v1/events", &technician, seen)
        .await
        .expect(201);
    let own = server
        .get("/api/v1/compliance/user-data/technician", &technician)
        .await
        .expect(200);
    assert_eq!(own["record"]["email"], "technician@depot.example");
    assert!(own["record"].get("password_hash").is_none());
    assert!(!own.to_string().contains("argon2"), "no secrets");
    let why: Vec<&str> = own["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["why"].as_str().unwrap())
        .collect();
    assert_eq!(
        why,
        ["their record", "done by them", "holds something of them"]
    );
    server
        .get("/api/v1/compliance/user-data/technician", &viewer)
        .await
        .expect_problem(403, "forbidden");
    let other = server
        .get("/api/v1/compliance/user-data/technician", &admin)
        .await
        .expect(200);
    assert_eq!(other["total_events"], own["total_events"]);
    let page = server
        .get(
            "/api/v1/compliance/user-data/technician?format=html",
            &technician,
        )
        .await;
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("technician@depot.example") && text.starts_with("<!doctype html>"));
    server
        .get("/api/v1/compliance/user-data/nobody", &admin)
        .await
        .expect_problem(404, "not-found");
    server
        .post("/api/v1/compliance/erase/technician", &admin, json!({}))
        .await
        .expect(200);
    let id = own["subject"].as_str().unwrap();
    let after = server
        .get(&format!("/api/v1/compliance/user-data/{id}"), &admin)
        .await
        .expect(200);
    assert_eq!(
        (&after["erased"], &after["record"]["email"]),
        (&json!(true), &json!("[erased]"))
    );
    assert!(!after.to_string().contains("technician@"));
}

#[tokio::test]
async fn a_maintenance_record_has_every_event_with_its_proof() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let mut position = json!(0);
    for body in [
        event(
            "Vehicle",
            "185 001",
            "VehicleCreated",
            json!({"asset_id": "185 001"}),
        ),
        event(
            "WorkOrder",
            ORDER,
            "WorkOrderCreated",
            json!({"vehicle_id": "185 001"}),
        ),
        event("Crane", "1", "CraneMoved", json!({})),
        event("WorkOrder", ORDER, "WorkOrderReleased", json!({})),
        event(
            "Document",
            OTHER,
            "DocumentCreated",
            json!({"vehicle_id": "185 001", "title": "Inspection <1>"}),
        ),
    ] {
        position = server
            .post("/api/v1/events", &token, body)
            .await
            .expect(201)["position"]
            .clone();
    }
    server
        .get(&format!("/api/v1/vehicles?min_position={position}"), &token)
        .await
        .expect(200);
    let record = server
        .get("/api/v1/compliance/maintenance-record/185%20001", &token)
        .await
        .expect(200);
    let functions: Vec<&str> = record["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["function"].as_str().unwrap())
        .collect();
    assert_eq!(
        functions,
        [
            "maintenance development",
            "fleet maintenance management",
            "release to service",
            "maintenance development"
        ]
    );
    for entry in record["entries"].as_array().unwrap() {
        assert_eq!(entry["proof"]["position"], entry["position"]);
        let path = format!(
            "/api/v1/audit/proof/{}?size={}",
            entry["position"], record["tree_size"]
        );
        let proof = server.get(&path, &token).await.expect(200);
        for member in ["leaf", "path", "names"] {
            assert_eq!(proof[member], entry["proof"][member], "{member}");
        }
        assert_eq!(proof["root_hash"], record["root_hash"]);
    }
    let page = server
        .get(
            "/api/v1/compliance/maintenance-record/185%20001?format=html",
            &token,
        )
        .await;
    let text = String::from_utf8(page.body).unwrap();
    assert!(
        text.contains("release to service")
            && text.contains("railfleet.log/")
            && text.contains("&lt;1&gt;")
    );
    server
        .get("/api/v1/compliance/maintenance-record/185%20009", &token)
        .await
        .expect_problem(404, "not-found");
    let none = server
        .get(
            "/api/v1/compliance/maintenance-record/185%20001?to=2000-01-01T00:00:00Z",
            &token,
        )
        .await
        .expect(200);
    assert_eq!(none["count"], 0);
}
