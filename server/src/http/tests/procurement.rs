//! Suppliers and purchase orders over HTTP.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;
use super::stock::store;

const ORDERS: &str = "/api/v1/purchase_orders";

pub(super) fn order_body(number: &str) -> Value {
    json!({
        "po_number": number, "supplier_id": "SUP-1",
        "lines": [{ "line_number": 1, "part_no": "BRK/1", "quantity_ordered": 10, "unit_price": "12.50" }],
    })
}

/// A store with a supplier, and the tokens of a dispatcher and of a fleet manager.
pub(super) async fn shop() -> (TestServer, String, String) {
    let (server, token) = store().await;
    let supplier = json!({ "supplier_code": "SUP-1", "name": "Spares" });
    server
        .post("/api/v1/suppliers", &token, supplier)
        .await
        .expect(201);
    let manager = server.token(Role::FleetManager).await;
    (server, token, manager)
}

/// An order that went to its supplier.
pub(super) async fn ordered(
    server: &TestServer,
    token: &str,
    manager: &str,
    number: &str,
) -> Value {
    server
        .post(ORDERS, token, order_body(number))
        .await
        .expect(201);
    let path = format!("{ORDERS}/{number}");
    server
        .post(&format!("{path}/approve"), manager, json!({}))
        .await
        .expect(200);
    server
        .post(&format!("{path}/order"), token, json!({}))
        .await
        .expect(200)
}

pub(super) fn delivery(order: &Value, quantity: i64) -> Value {
    let line = &order["lines"][0]["id"];
    json!({ "delivery_location_id": "NORTH", "lines_received": [{ "line_id": line, "quantity_received": quantity }] })
}

#[tokio::test]
async fn a_supplier_is_kept_under_its_code() {
    let (server, token, manager) = shop().await;
    let twice = json!({ "supplier_code": "SUP-1", "name": "x" });
    server
        .post("/api/v1/suppliers", &token, twice)
        .await
        .expect(400);
    let found = server
        .get("/api/v1/suppliers?search=spar", &token)
        .await
        .expect(200);
    assert_eq!(
        (&found["total"], &found["suppliers"][0]["currency"]),
        (&json!(1), &json!("EUR"))
    );
    let changed = server
        .patch(
            "/api/v1/suppliers/SUP-1",
            &token,
            json!({ "payment_terms": "30 d" }),
        )
        .await;
    assert_eq!(changed.expect(200)["payment_terms"], "30 d");
    server
        .delete("/api/v1/suppliers/SUP-1", &manager)
        .await
        .expect(204);
    assert_eq!(
        server.get("/api/v1/suppliers", &token).await.expect(200)["total"],
        0
    );
    let problem = server
        .get("/api/v1/suppliers/SUP-2", &token)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(problem["detail"], "Supplier not found");
}

#[tokio::test]
async fn an_order_goes_from_draft_to_closed_and_its_deliveries_into_stock() {
    let (server, token, manager) = shop().await;
    let drafted = server
        .post(ORDERS, &token, order_body("PO-1"))
        .await
        .expect(201);
    assert_eq!(
        (&drafted["status"], &drafted["total_amount"]),
        (&json!("DRAFT"), &json!("125.00"))
    );
    let supplier = server
        .get("/api/v1/suppliers/SUP-1", &token)
        .await
        .expect(200);
    assert_eq!(drafted["supplier_id"], supplier["id"]);

    let approve = format!("{ORDERS}/PO-1/approve");
    server.post(&approve, &token, json!({})).await.expect(403);
    let approved = server
        .post(&approve, &manager, json!({ "notes": "fine" }))
        .await
        .expect(200);
    assert_eq!(
        (&approved["status"], &approved["notes"]),
        (&json!("APPROVED"), &json!("[Approval] fine"))
    );
    assert!(approved["approved_at"].is_string());
    let problem = server.post(&approve, &manager, json!({})).await.expect(400);
    assert_eq!(
        problem["detail"],
        "Cannot approve purchase order with status 'APPROVED'. Must be DRAFT."
    );
    let sent = server
        .post(&format!("{ORDERS}/PO-1/order"), &token, json!({}))
        .await
        .expect(200);
    assert_eq!(sent["status"], "ORDERED");

    let receive = format!("{ORDERS}/PO-1/receive");
    let part = server
        .post(&receive, &token, delivery(&sent, 4))
        .await
        .expect(200);
    assert_eq!(
        (&part["status"], &part["stock_moves_created"]),
        (&json!("ORDERED"), &json!(1))
    );
    let rest = server
        .post(&receive, &token, delivery(&sent, 6))
        .await
        .expect(200);
    assert_eq!(rest["status"], "RECEIVED");
    assert_eq!(server.stock(&token).await, 10);
    let order = server
        .get(&format!("{ORDERS}/PO-1"), &token)
        .await
        .expect(200);
    assert_eq!(order["lines"][0]["quantity_received"], 10);
    let moves = server.get("/api/v1/stock/moves", &token).await.expect(200);
    let (moved, price) = (
        &moves["moves"][0]["reference_doc"],
        &moves["moves"][0]["unit_price"],
    );
    assert_eq!((moved, price), (&json!("PO-PO-1"), &json!("12.50")));
    let closed = server
        .post(&format!("{ORDERS}/PO-1/close"), &token, json!({}))
        .await;
    assert_eq!(closed.expect(200)["status"], "CLOSED");
}

/// Regression: who was to approve another's draft filled in what they liked, and then approved it.
#[tokio::test]
async fn who_changed_an_order_by_whatever_route_does_not_approve_it() {
    let (server, token, manager) = shop().await;
    let chief = server.token(Role::WorkshopManager).await;
    let drafted = server
        .post(ORDERS, &token, order_body("PO-1"))
        .await
        .expect(201);
    let path = format!("{ORDERS}/PO-1");
    let approve = format!("{path}/approve");
    let lines = json!([{ "line_number": 1, "part_no": "BRK/1", "quantity_ordered": 10, "unit_price": "99.00" }]);
    let changed = json!({ "lines": lines });
    server.patch(&path, &manager, changed).await.expect(200);
    let refused = server
        .post(&approve, &manager, json!({}))
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(refused["code"], "own_work");

    let raw = json!({
        "aggregate_type": "PurchaseOrder", "aggregate_id": drafted["id"], "event_type": "PurchaseOrderUpdatedEvent",
        "data": { "total_amount": "1.00" },
    });
    server.post("/api/v1/events", &chief, raw).await.expect(201);
    let refused = server
        .post(&approve, &chief, json!({}))
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(refused["code"], "own_work");
    let admin = server.token(Role::SuperAdmin).await;
    server.post(&approve, &admin, json!({})).await.expect(200);
}

/// A raw creation says what its sender likes of who created the order; the log says who sent it.
#[tokio::test]
async fn who_created_an_order_in_anothers_name_does_not_approve_it() {
    let (server, token, manager) = shop().await;
    let chief = server.token(Role::WorkshopManager).await;
    let raw = json!({
        "aggregate_type": "PurchaseOrder", "aggregate_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "event_type": "PurchaseOrderCreated", "data": { "po_number": "PO-1", "created_by": "somebody else" },
    });
    server.post("/api/v1/events", &chief, raw).await.expect(201);
    // By its id, which needs no read model to be known by.
    let path = format!("{ORDERS}/0f8fad5b-d9cb-469f-a165-70867728950e");
    let approve = format!("{path}/approve");
    server
        .post(&approve, &chief, json!({}))
        .await
        .expect_problem(403, "forbidden");
    // What the approval does not cover makes nobody its writer.
    let noted = json!({ "notes": "urgent", "expected_delivery_date": "2023-12-01" });
    server.patch(&path, &token, noted).await.expect(200);
    let again = json!({ "notes": "still urgent" });
    server.patch(&path, &manager, again).await.expect(200);
    server.post(&approve, &manager, json!({})).await.expect(200);
}

#[tokio::test]
async fn more_than_was_ordered_and_malformed_lines_are_refused_whole() {
    let (server, token, manager) = shop().await;
    let order = ordered(&server, &token, &manager, "PO-1").await;
    let receive = format!("{ORDERS}/PO-1/receive");
    let problem = server
        .post(&receive, &token, delivery(&order, 11))
        .await
        .expect(409);
    assert_eq!(
        problem["detail"],
        "Line 1 has 10 of 10 pieces still to come, 11 cannot be received"
    );
    let mut mixed = delivery(&order, 1);
    let lines = mixed["lines_received"].as_array_mut().unwrap();
    lines.push(json!({ "line_id": "no such line", "quantity_received": 1 }));
    server
        .post(&receive, &token, mixed)
        .await
        .expect_problem(404, "not-found");
    let mut malformed = delivery(&order, 1);
    malformed["lines_received"][0]["quantity_received"] = json!(0);
    let problem = server
        .post(&receive, &token, malformed)
        .await
        .expect_problem(422, "invalid");
    assert_eq!(
        problem["errors"][0]["loc"],
        json!(["body", "lines_received", "0", "quantity_received"])
    );
    assert_eq!(
        server.stock(&token).await,
        0,
        "nothing of a refused delivery is booked"
    );
}

#[tokio::test]
async fn a_delivery_sent_twice_at_once_is_booked_once() {
    let (server, token, manager) = shop().await;
    let order = ordered(&server, &token, &manager, "PO-1").await;
    let receive = format!("{ORDERS}/PO-1/receive");
    let (first, second) = tokio::join!(
        server.post(&receive, &token, delivery(&order, 10)),
        server.post(&receive, &token, delivery(&order, 10)),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!([400, 409].contains(&statuses[1]), "{statuses:?}");
    assert_eq!(server.stock(&token).await, 10);
}

#[tokio::test]
async fn orders_are_listed_by_what_they_refer_to_and_drafts_change() {
    let (server, token, manager) = shop().await;
    server
        .post(ORDERS, &token, order_body("PO-1"))
        .await
        .expect(201);
    server.clock.advance_seconds(1);
    ordered(&server, &token, &manager, "PO-2").await;
    let numbers = async |query: &str| -> Vec<Value> {
        let list = server
            .get(&format!("{ORDERS}?{query}"), &token)
            .await
            .expect(200);
        let orders = list["purchase_orders"].as_array().unwrap().clone();
        orders
            .into_iter()
            .map(|order| order["po_number"].clone())
            .collect()
    };
    assert_eq!(numbers("supplier_id=SUP-1").await, ["PO-2", "PO-1"]);
    assert_eq!(numbers("status=DRAFT").await, ["PO-1"]);
    assert_eq!(numbers("supplier_id=nobody").await, [] as [&str; 0]);

    let lines =
        json!([{ "line_number": 1, "part_no": "BRK/1", "quantity_ordered": 2, "unit_price": 3 }]);
    let changed = server
        .patch(&format!("{ORDERS}/PO-1"), &token, json!({ "lines": lines }))
        .await;
    assert_eq!(changed.expect(200)["total_amount"], "6.00");
    server
        .patch(
            &format!("{ORDERS}/PO-2"),
            &token,
            json!({ "currency": "CHF" }),
        )
        .await
        .expect(400);

    server
        .post(ORDERS, &token, order_body("PO-1"))
        .await
        .expect(400);
    let mut unknown = order_body("PO-3");
    unknown["lines"][0]["part_no"] = json!("nothing");
    let problem = server
        .post(ORDERS, &token, unknown)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(problem["detail"], "Part not found");
    let mut unknown = order_body("PO-3");
    unknown["supplier_id"] = json!("nobody");
    server
        .post(ORDERS, &token, unknown)
        .await
        .expect_problem(404, "not-found");
    let mut empty = order_body("PO-3");
    empty["lines"] = json!([]);
    server
        .post(ORDERS, &token, empty)
        .await
        .expect_problem(422, "invalid");
}
