//! Raw events around an approval: nobody approves by one what they wrote, and nobody changes by one what was approved.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;
use super::procurement::{order_body, shop};

const EVENTS: &str = "/api/v1/events";
const BATCH: &str = "/api/v1/events/batch";
const ORDERS: &str = "/api/v1/purchase_orders";
const RESTORE: &str = "/api/v1/time-travel/restore";
const CREATED_IT: &str = "Who created a purchase order may not approve it;";
const WROTE_IT: &str = "Who wrote some of what is approved of a purchase order (";

/// A raw event of this kind of aggregate.
fn raw(kind: &str, id: &Value, what: &str, data: Value) -> Value {
    json!({ "aggregate_type": kind, "aggregate_id": id, "event_type": format!("{kind}{what}"), "data": data })
}

/// The id of a new order.
async fn drafted(server: &TestServer, token: &str, number: &str) -> Value {
    let order = server.create(ORDERS, token, order_body(number)).await;
    order["id"].clone()
}

/// Refused as the command refuses it, in a sentence that begins so.
async fn is_own_work(server: &TestServer, path: &str, token: &str, body: Value, why: &str) {
    let refused = server.post(path, token, body).await;
    let refused = refused.expect_problem(403, "forbidden");
    assert_eq!(refused["code"], "own_work");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with(why), "{detail}");
}

/// The command refused it, and `POST /events` did not.
#[tokio::test]
async fn nobody_approves_by_an_event_what_they_wrote() {
    let (server, token, manager) = shop().await;
    let foreman = server.token(Role::WorkshopManager).await;
    let order = |what: &str, id: &Value, data: Value| raw("PurchaseOrder", id, what, data);
    let own = drafted(&server, &foreman, "PO-1").await;
    // By its event, by a status in another, and by the step behind it.
    for told in [
        order("ApprovedEvent", &own, json!({})),
        order("Updated", &own, json!({ "status": "APPROVED" })),
        order(
            "Haggled",
            &own,
            json!({ "old_status": "DRAFT", "new_status": "RECEIVED" }),
        ),
        order("Ordered", &own, json!({})),
    ] {
        is_own_work(&server, EVENTS, &foreman, told.clone(), CREATED_IT).await;
        let batch = json!({ "events": [raw("Crane", &own, "Moved", json!({})), told] });
        is_own_work(&server, BATCH, &foreman, batch, CREATED_IT).await;
    }
    // What is written and approved at once.
    let others = drafted(&server, &token, "PO-2").await;
    let written = order("Updated", &others, json!({ "total_amount": "9.00" }));
    let approved = order("Approved", &others, json!({}));
    let both = json!({ "events": [written, approved] });
    is_own_work(&server, BATCH, &foreman, both, WROTE_IT).await;
    let made = json!("0f8fad5b-d9cb-469f-a165-70867728950e");
    let at_once = json!({ "status": "APPROVED", "created_by": "somebody else" });
    let at_once = order("Created", &made, at_once);
    is_own_work(&server, EVENTS, &foreman, at_once, WROTE_IT).await;
    // Nor does who records for others say that they did.
    let foreman_id = server
        .state
        .accounts
        .directory()
        .find("workshop_manager")
        .unwrap()
        .id_text
        .clone();
    let mut in_their_name = order("Approved", &own, json!({}));
    in_their_name["metadata"] = json!({ "user_id": &*foreman_id });
    is_own_work(&server, EVENTS, &manager, in_their_name, WROTE_IT).await;

    // Somebody else, and who may everything.
    let approval = order("Approved", &own, json!({}));
    server.create(EVENTS, &manager, approval).await;
    let admin = server.token(Role::SuperAdmin).await;
    let admins = drafted(&server, &admin, "PO-3").await;
    let approval = order("Approved", &admins, json!({}));
    server.create(EVENTS, &admin, approval).await;
}

#[tokio::test]
async fn who_takes_an_invoice_in_does_not_approve_it_by_an_event() {
    let server = TestServer::start();
    let manager = server.token(Role::FleetManager).await;
    let id = json!("7c9e6679-7425-40de-944b-e07fc1f90ae7");
    let taken = json!({ "invoice_number": "R1", "total_amount": "1.00" });
    let taken = raw("Invoice", &id, "Created", taken);
    server.create(EVENTS, &manager, taken).await;
    for told in [
        raw("Invoice", &id, "Approved", json!({})),
        raw("Invoice", &id, "Exported", json!({})),
    ] {
        let refused = server.post(EVENTS, &manager, told).await;
        let refused = refused.expect_problem(403, "forbidden");
        assert_eq!(refused["code"], "own_work");
    }
}

/// One event behind the approval made it an approval of something else.
#[tokio::test]
async fn what_was_approved_stays_as_it_is() {
    let (server, token, _) = shop().await;
    let foreman = server.token(Role::WorkshopManager).await;
    let id = drafted(&server, &token, "PO-1").await;
    let approve = format!("{ORDERS}/PO-1/approve");
    server.act(&approve, &foreman, json!({})).await;
    let dearer = json!({ "total_amount": "900.00" });
    let dearer = raw("PurchaseOrder", &id, "Updated", dearer);
    let refused = server.post(EVENTS, &token, dearer.clone()).await;
    let refused = refused.expect_problem(409, "conflict");
    assert_eq!(refused["code"], "approved");
    let noted = json!({ "notes": "urgent", "expected_delivery_date": "2023-12-01" });
    let noted = raw("PurchaseOrder", &id, "Updated", noted);
    server.create(EVENTS, &token, noted).await;
    // Nor when it is closed: its invoices may still come.
    for step in ["Ordered", "Closed"] {
        let told = raw("PurchaseOrder", &id, step, json!({}));
        server.create(EVENTS, &token, told).await;
    }
    let refused = server.post(EVENTS, &token, dearer.clone()).await;
    assert_eq!(refused.expect(409)["code"], "approved");
    // A SUPER_ADMIN sets right what has to be.
    let admin = server.token(Role::SuperAdmin).await;
    server.create(EVENTS, &admin, dearer).await;
}

/// Events imply a status: a dispatcher sent the step behind an approval that nobody had given, and took one back.
#[tokio::test]
async fn whether_it_stands_as_approved_is_for_who_may_approve() {
    let (server, token, manager) = shop().await;
    let foreman = server.token(Role::WorkshopManager).await;
    let admin = server.token(Role::SuperAdmin).await;
    let order = drafted(&server, &foreman, "PO-1").await;
    let bill = json!("7c9e6679-7425-40de-944b-e07fc1f90ae7");
    let stands = json!({ "status": "APPROVED" });
    let stands = raw("Invoice", &bill, "Created", stands);
    server.create(EVENTS, &admin, stands).await;
    let ordered = raw("PurchaseOrder", &order, "Ordered", json!({}));
    let closed = raw("PurchaseOrder", &order, "Closed", json!({}));
    let reviewed = raw("Invoice", &bill, "Reviewed", json!({}));
    for (told, role) in [
        (&ordered, "WORKSHOP_MANAGER"),
        (&closed, "WORKSHOP_MANAGER"),
        (&reviewed, "FLEET_MANAGER"),
    ] {
        let refused = server.post(EVENTS, &token, told.clone()).await;
        let refused = refused.expect_problem(403, "forbidden");
        assert_eq!(refused["code"], "role_too_low");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.ends_with(role), "{detail}");
    }
    server.create(EVENTS, &manager, ordered).await;
    // What an approval booked would be booked again by the next.
    let dropped = raw("Invoice", &bill, "Deleted", json!({}));
    let back = raw("Invoice", &bill, "Updated", json!({ "status": "DRAFT" }));
    for told in [&reviewed, &dropped, &back] {
        let refused = server.post(EVENTS, &manager, told.clone()).await;
        let refused = refused.expect_problem(409, "conflict");
        assert_eq!(refused["code"], "approved", "{refused}");
    }
    server.create(EVENTS, &admin, reviewed).await;
}

/// The log said that another had written it, and its sender approved it.
#[tokio::test]
async fn what_is_approved_is_written_in_ones_own_name() {
    let (server, token, manager) = shop().await;
    let id = drafted(&server, &token, "PO-1").await;
    let made = json!("0f8fad5b-d9cb-469f-a165-70867728950e");
    let for_another = |id: &Value, what: &str, data: Value| {
        let mut told = raw("PurchaseOrder", id, what, data);
        told["metadata"] = json!({ "user_id": "u-old-7" });
        told
    };
    let begun = for_another(&made, "Created", json!({}));
    let dearer = for_another(&id, "Updated", json!({ "total_amount": "900.00" }));
    for told in [&begun, &dearer] {
        let refused = server.post(EVENTS, &manager, told.clone()).await;
        let refused = refused.expect_problem(403, "forbidden");
        assert_eq!(
            (&refused["code"], &refused["field"]),
            (&json!("other_name"), &json!("metadata.user_id"))
        );
    }
    let noted = for_another(&id, "Updated", json!({ "notes": "urgent" }));
    server.create(EVENTS, &manager, noted).await;
    let admin = server.token(Role::SuperAdmin).await;
    server.create(EVENTS, &admin, begun).await;
}

#[tokio::test]
async fn who_wrote_an_order_does_not_restore_its_approval() {
    let (server, _, manager) = shop().await;
    let foreman = server.token(Role::WorkshopManager).await;
    let id = drafted(&server, &manager, "PO-1").await;
    let approve = format!("{ORDERS}/PO-1/approve");
    server.act(&approve, &foreman, json!({})).await;
    let draft = json!({ "status": "DRAFT" });
    let back = raw("PurchaseOrder", &id, "Updated", draft);
    server.create(EVENTS, &foreman, back).await;
    server.clock.advance_seconds(60);
    let restored = json!({ "aggregate_type": "PurchaseOrder", "aggregate_id": id, "version": 2, "fields": ["status"],
        "apply": true, "expected_version": 3 });
    is_own_work(&server, RESTORE, &manager, restored.clone(), CREATED_IT).await;
    let admin = server.token(Role::SuperAdmin).await;
    let applied = server.act(RESTORE, &admin, restored).await;
    assert_eq!(applied["applied"], true);
}
