//! Documents over HTTP: who reads them, who did, and when they end.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{TestServer, request};
use crate::http::auth::PeerAddress;

const LINKS: &str = "/api/v1/docs/links";
const VERSIONS: &str = "/api/v1/docs/versions";

fn document(document_id: &str) -> Value {
    json!({ "document_id": document_id, "title": "Certificate", "document_type": "certificate" })
}

async fn server() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    (server, token)
}

async fn create(server: &TestServer, token: &str, document_id: &str, more: Value) -> Value {
    let mut body = document(document_id);
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    server.post(LINKS, token, body).await.expect(201)
}

fn link(row: &Value) -> String {
    format!("{LINKS}/{}", row["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_document_is_created_found_changed_and_deleted() {
    let (server, token) = server().await;
    let manager = server.token(Role::WorkshopManager).await;
    let vehicle = json!({ "asset_id": "185123", "model": "BR 185", "type": "electric" });
    let vehicle = server.create("/api/v1/vehicles", &manager, vehicle).await;
    let more = json!({ "vehicle_id": "185123", "tags_json": ["HU"], "file_hash": "ab".repeat(32) });
    let created = create(&server, &token, "C 1/2", more).await;
    assert_eq!(created["vehicle_id"], vehicle["id"]);
    for (field, value) in [
        ("status", json!("active")),
        ("access_level", json!("internal")),
        ("is_public", json!(false)),
        ("reminder_days_before", json!(30)),
        ("expiration_status", Value::Null),
        ("last_accessed_at", Value::Null),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    let newer = create(
        &server,
        &token,
        "C-3",
        json!({ "document_type": "license" }),
    )
    .await;

    for (query, ids) in [
        ("", vec![&newer, &created]),
        ("?vehicle_id=185123", vec![&created]),
        ("?document_type=license", vec![&newer]),
        ("?status=archived", vec![]),
        ("?search=c%201", vec![&created]),
    ] {
        let list = server.get(&format!("{LINKS}{query}"), &token).await;
        let list = list.expect(200);
        let found = list["documents"].as_array().unwrap().iter();
        let found: Vec<_> = found.map(|row| &row["id"]).collect();
        let ids: Vec<_> = ids.iter().map(|row| &row["id"]).collect();
        assert_eq!((found, &list["total"]), (ids.clone(), &json!(ids.len())));
    }
    let archived = server
        .patch(&link(&created), &manager, json!({ "status": "archived" }))
        .await
        .expect(200);
    assert_eq!(archived["status"], "archived");
    assert!(archived["position"].as_u64() > newer["position"].as_u64());
    server.delete(&link(&created), &manager).await.expect(204);
    for path in [
        link(&created),
        format!("{}/versions", link(&created)),
        format!("{}/access-log", link(&created)),
    ] {
        let gone = server.get(&path, &manager).await;
        assert_eq!(
            gone.expect_problem(404, "not-found")["detail"],
            "Document not found"
        );
    }
}

#[tokio::test]
async fn refusals_name_what_is_wrong() {
    let (server, token) = server().await;
    let created = create(&server, &token, "C-1", json!({})).await;
    let twice = server
        .post(LINKS, &token, document("C-1"))
        .await
        .expect(400);
    assert_eq!(
        twice["detail"],
        "Document with document_id 'C-1' already exists"
    );
    let bad = json!({ "document_id": "C-2", "title": "x", "document_type": "leaflet", "file_hash": "zz", "reminder_days_before": 366 });
    let problem = server.post(LINKS, &token, bad).await.expect(422);
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(3));
    let mut lost = document("C-2");
    lost["work_order_id"] = "WO-1".into();
    assert_eq!(
        server.post(LINKS, &token, lost).await.expect(404)["detail"],
        "Work order not found"
    );
    let mut late = document("C-2");
    late["issue_date"] = "2031-01-02".into();
    late["expiration_date"] = "2031-01-01".into();
    assert_eq!(
        server.post(LINKS, &token, late).await.expect(400)["detail"],
        "Expiration date must be after issue date"
    );
    let viewer = server.token(Role::Viewer).await;
    let dispatcher = server.token(Role::Dispatcher).await;
    for answer in [
        server.post(LINKS, &viewer, document("C-2")).await,
        server.post(VERSIONS, &viewer, json!({})).await,
        server
            .patch(&link(&created), &token, json!({ "title": "y" }))
            .await,
        server.delete(&link(&created), &dispatcher).await,
        server
            .get(&format!("{}/access-log", link(&created)), &token)
            .await,
    ] {
        answer.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_look_is_noted_with_its_address() {
    let (server, token) = server().await;
    let created = create(&server, &token, "C-1", json!({})).await;
    let headers = [("user-agent", "Tablet/1")];
    let mut look = request(
        Method::GET,
        &link(&created),
        &token,
        &headers,
        Body::empty(),
    );
    look.extensions_mut()
        .insert(PeerAddress(IpAddr::from([192, 0, 2, 7])));
    let seen = server.answer(look).await.expect(200);
    assert_ne!(seen["last_accessed_at"], Value::Null);
    assert_eq!(seen["version"], 2);
    server.clock.advance_seconds(1);
    let dispatcher = server.token(Role::Dispatcher).await;
    server.read(&link(&created), &dispatcher).await;

    let path = format!("{}/access-log", link(&created));
    let log = server.read(&path, &dispatcher).await;
    assert_eq!(log["total"], 2);
    let rows = log["access_logs"].as_array().unwrap();
    assert!(
        rows[0]["accessed_at"].as_str() > rows[1]["accessed_at"].as_str(),
        "the last comes first"
    );
    let first = &rows[1];
    for (field, value) in [
        ("access_type", json!("view")),
        ("ip_address", json!("192.0.2.7")),
        ("user_agent", json!("Tablet/1")),
        ("document_link_id", created["id"].clone()),
        ("accessed_by", created["created_by"].clone()),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    let page = server
        .read(&format!("{path}?skip=1&limit=1"), &dispatcher)
        .await;
    assert_eq!(
        (&page["total"], &page["access_logs"][0]),
        (&json!(2), first)
    );
    // Lists are no looks.
    server.read(LINKS, &dispatcher).await;
    assert_eq!(server.get(&path, &dispatcher).await.expect(200)["total"], 2);
}

#[tokio::test]
async fn what_a_document_says_is_for_those_who_may_read_it() {
    let (server, token) = server().await;
    let more = json!({ "access_level": "restricted", "file_url": "https://files.example/1", "description": "secret" });
    let created = create(&server, &token, "C-1", more).await;
    let refused = server.get(&link(&created), &token).await;
    assert_eq!(
        refused.expect_problem(403, "forbidden")["detail"],
        "This document is restricted; it takes the role DISPATCHER"
    );
    let versions = format!("{}/versions", link(&created));
    server.get(&versions, &token).await.expect(403);
    let version = json!({ "document_link_id": "C-1", "version_number": 1 });
    server.post(VERSIONS, &token, version).await.expect(403);
    let shown = server.get(LINKS, &token).await.expect(200)["documents"][0].clone();
    assert_eq!(
        (&shown["title"], &shown["file_url"], &shown["description"]),
        (&json!("Certificate"), &Value::Null, &Value::Null)
    );
    let dispatcher = server.token(Role::Dispatcher).await;
    let shown = server.get(LINKS, &dispatcher).await.expect(200)["documents"][0].clone();
    assert_eq!(shown["file_url"], "https://files.example/1");
    let log = format!("{}/access-log", link(&created));
    let log = server.read(&log, &dispatcher).await;
    assert_eq!(log["total"], 0, "who was refused has seen nothing");
    let confidential = json!({ "access_level": "confidential" });
    server
        .patch(&link(&created), &dispatcher, confidential)
        .await
        .expect(200);
    server.get(&link(&created), &dispatcher).await.expect(403);
}

#[tokio::test]
async fn versions_are_added_once_and_listed_from_the_highest() {
    let (server, token) = server().await;
    let created = create(&server, &token, "C-1", json!({})).await;
    for number in [1, 3, 2] {
        let body = json!({ "document_link_id": "C-1", "version_number": number, "version_label": format!("v{number}") });
        let version = server.create(VERSIONS, &token, body).await;
        assert_eq!(
            (&version["version_number"], &version["document_link_id"]),
            (&json!(number), &created["id"])
        );
        assert!(version["position"].as_u64() > created["position"].as_u64());
    }
    let again = json!({ "document_link_id": created["id"], "version_number": 3 });
    assert_eq!(
        server.post(VERSIONS, &token, again).await.expect(400)["detail"],
        "Version 3 already exists"
    );
    let nowhere = json!({ "document_link_id": "C-9", "version_number": 1 });
    assert_eq!(
        server.post(VERSIONS, &token, nowhere).await.expect(404)["detail"],
        "Document not found"
    );
    let zero = json!({ "document_link_id": "C-1", "version_number": 0 });
    server.post(VERSIONS, &token, zero).await.expect(422);
    let path = format!("{}/versions", link(&created));
    let list = server.read(&path, &token).await;
    let numbers = list["versions"].as_array().unwrap().iter();
    let numbers: Vec<_> = numbers.map(|row| row["version_label"].clone()).collect();
    assert_eq!(
        (numbers, &list["total"]),
        (vec![json!("v3"), json!("v2"), json!("v1")], &json!(3))
    );
}

#[tokio::test]
async fn what_ends_is_listed_by_how_near_its_end_is() {
    let (server, token) = server().await;
    // The clock stands at 2023-11-14T22:13:20Z.
    for (document_id, end, days, status) in [
        ("past", "2023-11-14T22:13:19Z", 30, "active"),
        ("soon", "2023-12-01", 30, "active"),
        ("early", "2024-10-01", 365, "active"),
        ("later", "2023-12-02", 5, "active"),
        ("far", "2031-01-01", 30, "expiring_soon"),
        ("put away", "2023-01-01", 30, "archived"),
    ] {
        let more =
            json!({ "expiration_date": end, "reminder_days_before": days, "status": status });
        create(&server, &token, document_id, more).await;
    }
    create(&server, &token, "for ever", json!({})).await;
    for (query, ids) in [
        ("", "past soon later early far"),
        ("expiration_status=expired", "past"),
        ("expiration_status=expiring_soon", "soon early"),
        ("expiration_status=ok", "later far"),
        ("expiration_status=ok&skip=1", "far"),
        ("limit=2&skip=1", "soon later"),
    ] {
        let list = server
            .read(&format!("/api/v1/docs/expiring?{query}"), &token)
            .await;
        let found = list["documents"].as_array().unwrap().iter();
        let found: Vec<_> = found
            .filter_map(|row| row["document_id"].as_str())
            .collect();
        assert_eq!(found.join(" "), ids, "{query}");
    }
    let ok = server
        .read("/api/v1/docs/expiring?expiration_status=ok&limit=1", &token)
        .await;
    assert_eq!(
        (&ok["total"], &ok["documents"][0]["days_until_expiration"]),
        (&json!(2), &json!(17))
    );
    // What is soon today is past in a year, without anybody writing anything.
    server.clock.advance_seconds(365 * 86_400);
    let token = server.token(Role::Technician).await;
    let past = server
        .read("/api/v1/docs/expiring?expiration_status=expired", &token)
        .await;
    assert_eq!(past["total"], 4);
    server
        .get("/api/v1/docs/expiring?expiration_status=never", &token)
        .await
        .expect(422);
}
