//! Invoices, budgets and cost centers over HTTP.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{TestServer, request};
use super::procurement::{order_body, ordered, shop};

const INVOICES: &str = "/api/v1/invoices";
/// The month of the invoices here.
const PERIOD: &str = "2026-03";

fn invoice(number: &str, lines: Value) -> Value {
    json!({ "invoice_number": number, "supplier_id": "SUP-1", "invoice_date": "2026-03-05", "lines": lines })
}

fn pads(cost_center: Option<&str>) -> Value {
    json!([{
        "line_number": 1, "description": "pads", "part_no": "BRK/1", "quantity": 10, "unit_price": "13.00",
        "tax_amount": "24.70", "cost_center": cost_center,
    }])
}

async fn plan(server: &TestServer, manager: &str, category: Option<&str>, amount: &str) -> Value {
    let body = json!({ "period": PERIOD, "cost_center": "WS", "category": category, "planned_amount": amount });
    server
        .post("/api/v1/budget", manager, body)
        .await
        .expect(201)
}

/// Takes an invoice in, and has it matched and approved.
async fn approved(
    server: &TestServer,
    token: &str,
    manager: &str,
    number: &str,
    lines: Value,
) -> Value {
    server
        .post(&format!("{INVOICES}/inbox"), token, invoice(number, lines))
        .await
        .expect(201);
    let matched = json!({ "purchase_order_id": "PO-1" });
    server
        .post(&format!("{INVOICES}/{number}/match"), token, matched)
        .await
        .expect(200);
    server
        .post(&format!("{INVOICES}/{number}/approve"), manager, json!({}))
        .await
        .expect(200)
}

/// Category and actual amount of each budget of the month.
async fn spent(server: &TestServer, token: &str) -> Vec<(Value, Value)> {
    let path = format!("/api/v1/budget/overview?period={PERIOD}");
    let overview = server.get(&path, token).await.expect(200);
    let items = overview["items"].as_array().unwrap().iter();
    items
        .map(|item| (item["category"].clone(), item["actual"].clone()))
        .collect()
}

#[tokio::test]
async fn an_invoice_is_matched_approved_and_booked_on_its_budget() {
    let (server, token, manager) = shop().await;
    ordered(&server, &token, &manager, "PO-1").await;
    plan(&server, &manager, Some("PARTS"), "100.00").await;
    plan(&server, &manager, Some("LABOUR"), "500.00").await;

    let draft = server
        .post(
            &format!("{INVOICES}/inbox"),
            &token,
            invoice("R1", pads(Some("WS"))),
        )
        .await
        .expect(201);
    assert_eq!(
        (
            &draft["status"],
            &draft["total_amount"],
            &draft["tax_amount"]
        ),
        (&json!("DRAFT"), &json!("130.00"), &json!("24.70"))
    );
    let approve = format!("{INVOICES}/R1/approve");
    let early = server.post(&approve, &manager, json!({})).await.expect(400);
    assert_eq!(
        early["detail"],
        "Cannot approve invoice with status 'DRAFT'. Must be REVIEWED."
    );
    let matched = json!({ "purchase_order_id": "PO-1" });
    let matched = server
        .post(&format!("{INVOICES}/R1/match"), &token, matched)
        .await
        .expect(200);
    assert_eq!(
        (
            &matched["matched_lines"],
            &matched["unmatched_lines"],
            &matched["total_variance"]
        ),
        (&json!(1), &json!(0), &json!("5.00"))
    );
    server.post(&approve, &token, json!({})).await.expect(403);
    let done = server
        .post(&approve, &manager, json!({ "notes": "ok" }))
        .await
        .expect(200);
    assert_eq!(
        (&done["status"], &done["notes"]),
        (&json!("APPROVED"), &json!("[Approval] ok"))
    );

    let expected = [
        (json!("LABOUR"), json!("0.00")),
        (json!("PARTS"), json!("130.00")),
    ];
    assert_eq!(spent(&server, &token).await, expected);
    let path = format!("/api/v1/budget/overview?period={PERIOD}&cost_center=WS");
    let overview = server.get(&path, &token).await.expect(200);
    assert_eq!(overview["total_variance"], "-470.00");
    assert_eq!(overview["items"][1]["utilization_pct"], 130.0);
    assert_eq!(
        overview["warnings"],
        json!(["WS / PARTS is at 130.0 % of its plan: 130.00 of 100.00"])
    );
    server.post(&approve, &manager, json!({})).await.expect(400);
    assert_eq!(
        spent(&server, &token).await,
        expected,
        "approved twice is booked once"
    );
    let back = json!({ "aggregate_type": "Invoice", "aggregate_id": done["id"], "event_type": "InvoiceUpdated",
        "data": { "status": "REVIEWED" } });
    let refused = server.post("/api/v1/events", &manager, back).await;
    assert_eq!(refused.expect(409)["code"], "approved");
    let posted = server
        .post(&format!("{INVOICES}/R1/post"), &manager, json!({}))
        .await;
    assert_eq!(posted.expect(200)["status"], "EXPORTED");
}

#[tokio::test]
async fn a_budget_of_its_own_is_made_only_where_there_is_none() {
    let (server, token, manager) = shop().await;
    ordered(&server, &token, &manager, "PO-1").await;
    approved(&server, &token, &manager, "R1", pads(Some("WS"))).await;
    assert_eq!(
        spent(&server, &token).await,
        [(json!("AUTO"), json!("130.00"))]
    );
    approved(&server, &token, &manager, "R2", pads(Some("WS"))).await;
    assert_eq!(
        spent(&server, &token).await,
        [(json!("AUTO"), json!("260.00"))]
    );
    let auto = server
        .get("/api/v1/budget?category=AUTO", &token)
        .await
        .expect(200);
    assert_eq!(
        (&auto["total"], &auto["budgets"][0]["planned_amount"]),
        (&json!(1), &json!("0.00"))
    );
}

/// Regression: the first invoice in USD of a month without budgets held up those in EUR until somebody planned one.
#[tokio::test]
async fn a_budget_that_nobody_planned_holds_up_no_invoice_in_another_currency() {
    let (server, token, manager) = shop().await;
    for (number, currency) in [("R1", "USD"), ("R2", "EUR"), ("R3", "EUR")] {
        let mut order = order_body(&format!("PO-{number}"));
        order["currency"] = json!(currency);
        let path = "/api/v1/purchase_orders";
        server.post(path, &token, order).await.expect(201);
        let mut billed = invoice(number, pads(Some("WS")));
        billed["currency"] = json!(currency);
        server.post(INVOICES, &token, billed).await.expect(201);
        let matched = json!({ "purchase_order_id": format!("PO-{number}") });
        server
            .post(&format!("{INVOICES}/{number}/match"), &token, matched)
            .await
            .expect(200);
        server
            .post(&format!("{INVOICES}/{number}/approve"), &manager, json!({}))
            .await
            .expect(200);
    }
    assert_eq!(
        spent(&server, &token).await,
        [
            (json!("AUTO"), json!("130.00")),
            (json!("AUTO EUR"), json!("260.00"))
        ]
    );
}

/// Regression: an invoice in USD was added to a budget in EUR as it stood, and so were the sums of reports.
#[tokio::test]
async fn an_invoice_is_booked_on_a_budget_in_its_currency_or_not_at_all() {
    let (server, token, manager) = shop().await;
    for (number, currency) in [("PO-EUR", "EUR"), ("PO-USD", "USD")] {
        let mut order = order_body(number);
        order["currency"] = json!(currency);
        let path = "/api/v1/purchase_orders";
        server.post(path, &token, order).await.expect(201);
    }
    plan(&server, &manager, Some("PARTS"), "100.00").await;
    let mut billed = invoice("R1", pads(Some("WS")));
    billed["currency"] = json!("USD");
    server.post(INVOICES, &token, billed).await.expect(201);
    let (matching, approve) = (
        format!("{INVOICES}/R1/match"),
        format!("{INVOICES}/R1/approve"),
    );
    let euros = json!({ "purchase_order_id": "PO-EUR" });
    let refused = server.post(&matching, &token, euros).await.expect(400);
    assert_eq!(refused["code"], "other_currency");
    let dollars = json!({ "purchase_order_id": "PO-USD" });
    server.post(&matching, &token, dollars).await.expect(200);

    let refused = server
        .post(&approve, &manager, json!({}))
        .await
        .expect_problem(409, "conflict");
    assert_eq!(
        (&refused["field"], &refused["code"]),
        (&json!("currency"), &json!("other_currency"))
    );
    assert_eq!(
        spent(&server, &token).await,
        [(json!("PARTS"), json!("0.00"))]
    );
    let planned = json!({ "period": PERIOD, "cost_center": "WS", "category": "PARTS USD", "planned_amount": "200.00", "currency": "USD" });
    let planned = server
        .post("/api/v1/budget", &manager, planned)
        .await
        .expect(201);
    server.post(&approve, &manager, json!({})).await.expect(200);

    let path = format!("/api/v1/budget/overview?period={PERIOD}");
    let overview = server.get(&path, &token).await.expect(200);
    assert_eq!(
        overview["totals"],
        json!([
            { "currency": "EUR", "planned": "100.00", "actual": "0.00", "variance": "-100.00" },
            { "currency": "USD", "planned": "200.00", "actual": "130.00", "variance": "-70.00" },
        ])
    );
    assert_eq!(overview["items"][1]["currency"], "USD");
    let path = format!("/api/v1/reports/costs?period={PERIOD}");
    let costs = server.get(&path, &token).await.expect(200);
    let why = "the budgets are in several currencies";
    for name in ["total_planned", "total_actual", "total_variance"] {
        assert_eq!(overview[name], Value::Null, "{name}");
        assert_eq!(costs[name], Value::Null, "{name}");
        assert_eq!(costs["reasons"][name], why);
    }
    assert_eq!(
        costs["summary"],
        "Spent in 2026-03: 0.00 of 100.00 EUR, a difference of -100.00; 130.00 of 200.00 USD, a difference of -70.00"
    );
    let path = format!("/api/v1/reports/dashboard?period={PERIOD}");
    let glance = server.get(&path, &token).await.expect(200);
    assert_eq!(glance["budget_utilization_pct"], Value::Null);
    assert_eq!(glance["reasons"]["budget_utilization_pct"], why);

    let path = format!("/api/v1/budget/{}", planned["id"].as_str().unwrap());
    let refused_by_command = server
        .patch(&path, &manager, json!({ "currency": "EUR" }))
        .await
        .expect_problem(409, "conflict");
    assert_eq!(refused_by_command["code"], "booked");
    // Nor by an event, whatever its name.
    let raw = |what: &str, data: Value| json!({ "aggregate_type": "Budget", "aggregate_id": planned["id"], "event_type": what, "data": data });
    for what in ["BudgetUpdated", "BudgetMoved"] {
        let told = raw(what, json!({ "currency": "EUR" }));
        let refused = server.post("/api/v1/events", &manager, told).await;
        let by_event = refused.expect_problem(409, "conflict");
        assert_eq!(by_event["detail"], refused_by_command["detail"], "{what}");
    }
    for told in [
        raw("BudgetMoved", json!({ "new_currency": "EUR" })),
        raw("BudgetUpdated", json!({ "planned_amount": "250.00" })),
        raw("BudgetUpdated", json!({ "currency": "usd" })),
    ] {
        let moved = told["event_type"] == "BudgetMoved";
        server.create("/api/v1/events", &manager, told).await;
        let held = server.get(&path, &token).await.expect(200);
        let held = held["currency"].as_str().unwrap();
        assert!(held == "USD" || !moved && held == "usd", "{held}");
    }
}

#[tokio::test]
async fn invoices_approved_at_once_are_all_booked() {
    let (server, token, manager) = shop().await;
    ordered(&server, &token, &manager, "PO-1").await;
    let numbers = ["R1", "R2", "R3", "R4"];
    for number in numbers {
        server
            .post(INVOICES, &token, invoice(number, pads(Some("WS"))))
            .await
            .expect(201);
        let matched = json!({ "purchase_order_id": "PO-1" });
        server
            .post(&format!("{INVOICES}/{number}/match"), &token, matched)
            .await
            .expect(200);
    }
    let server = std::sync::Arc::new(server);
    let approvals = numbers.map(|number| {
        let (server, manager) = (server.clone(), manager.clone());
        tokio::spawn(async move {
            let path = format!("{INVOICES}/{number}/approve");
            server.post(&path, &manager, json!({})).await.expect(200);
        })
    });
    for approval in approvals {
        approval.await.unwrap();
    }
    assert_eq!(
        spent(&server, &token).await,
        [(json!("AUTO"), json!("520.00"))]
    );
}

#[tokio::test]
async fn nothing_that_matches_leaves_the_invoice_a_draft() {
    let (server, token, _) = shop().await;
    let freight = json!([{ "line_number": 1, "description": "freight", "unit_price": "9.99" }]);
    server
        .post(INVOICES, &token, invoice("R1", freight))
        .await
        .expect(201);
    // A button sends no body.
    let bare = request(
        Method::POST,
        &format!("{INVOICES}/R1/match"),
        &token,
        &[],
        Body::empty(),
    );
    let matched = server.answer(bare).await.expect(200);
    assert_eq!(
        (&matched["matched_lines"], &matched["unmatched_lines"]),
        (&json!(0), &json!(1))
    );
    let kept = server
        .get(&format!("{INVOICES}/R1"), &token)
        .await
        .expect(200);
    assert_eq!(kept["status"], "DRAFT");
    let unknown = json!({ "purchase_order_id": "PO-9" });
    let path = format!("{INVOICES}/R1/match");
    server
        .post(&path, &token, unknown)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn invoices_are_listed_by_date_and_found_by_number() {
    let (server, token, _) = shop().await;
    let mut early = invoice("R 1/2026", pads(None));
    early["invoice_date"] = json!("2026-01-05");
    server
        .post(INVOICES, &token, early.clone())
        .await
        .expect(201);
    server
        .post(INVOICES, &token, invoice("R2", pads(None)))
        .await
        .expect(201);
    server.post(INVOICES, &token, early).await.expect(400);
    let list = server
        .get(
            &format!("{INVOICES}?supplier_id=SUP-1&status=DRAFT"),
            &token,
        )
        .await
        .expect(200);
    let numbers: Vec<_> = list["invoices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|invoice| &invoice["invoice_number"])
        .collect();
    assert_eq!(numbers, [&json!("R2"), &json!("R 1/2026")]);
    let path = format!("{INVOICES}/R%201%2F2026");
    let changed = server
        .patch(&path, &token, json!({ "due_date": "2026-02-05" }))
        .await
        .expect(200);
    assert_eq!(changed["due_date"], "2026-02-05T00:00:00.000000Z");
    server
        .patch(&path, &token, json!({ "payment_date": "2026-02-05" }))
        .await
        .expect(400);
    let problem = server
        .post(INVOICES, &token, json!({ "invoice_number": "" }))
        .await
        .expect_problem(422, "invalid");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 4);
}

/// An invoice number may be longer in bytes than a tag of the log.
#[tokio::test]
async fn a_long_number_is_unique_too() {
    let (server, token, _) = shop().await;
    let long = "\u{1f682}".repeat(100);
    server
        .post(INVOICES, &token, invoice(&long, pads(None)))
        .await
        .expect(201);
    server
        .post(INVOICES, &token, invoice(&long, pads(None)))
        .await
        .expect(400);
}

#[tokio::test]
async fn one_budget_for_a_month_a_cost_center_and_a_category() {
    let (server, token, manager) = shop().await;
    let planned = plan(&server, &manager, None, "10").await;
    let body = json!({ "period": PERIOD, "cost_center": "WS" });
    let problem = server
        .post("/api/v1/budget", &manager, body.clone())
        .await
        .expect(400);
    assert_eq!(
        problem["detail"],
        "Budget for period 2026-03, cost center WS and category none already exists"
    );
    server
        .post("/api/v1/budget", &token, body)
        .await
        .expect(403);
    let path = format!("/api/v1/budget/{}", planned["id"].as_str().unwrap());
    let changed = server
        .patch(&path, &manager, json!({ "planned_amount": 20 }))
        .await
        .expect(200);
    assert_eq!(changed["planned_amount"], "20.00");
    let bad = json!({ "period": "2026-13", "cost_center": "WS" });
    server
        .post("/api/v1/budget", &manager, bad)
        .await
        .expect_problem(422, "invalid");
    for query in ["", "?period=2026", "?period=2026-13"] {
        let path = format!("/api/v1/budget/overview{query}");
        server
            .get(&path, &token)
            .await
            .expect_problem(422, "invalid");
    }
    let twice = json!({ "period": "2026-04", "cost_center": "WS", "category": "PARTS" });
    let (first, second) = tokio::join!(
        server.post("/api/v1/budget", &manager, twice.clone()),
        server.post("/api/v1/budget", &manager, twice.clone()),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400]);
}

#[tokio::test]
async fn cost_centers_are_kept_under_their_codes() {
    let (server, token, manager) = shop().await;
    let path = "/api/v1/cost_centers";
    server
        .post(path, &manager, json!({ "code": "WS", "name": "Workshop" }))
        .await
        .expect(201);
    server
        .post(path, &manager, json!({ "code": "WS", "name": "x" }))
        .await
        .expect(400);
    let child = json!({ "code": "WS-1", "name": "Hall 1", "parent_code": "WS" });
    assert_eq!(
        server.post(path, &manager, child).await.expect(201)["parent_code"],
        "WS"
    );
    let orphan = json!({ "code": "X", "name": "x", "parent_code": "nobody" });
    server
        .post(path, &manager, orphan)
        .await
        .expect_problem(404, "not-found");
    let own = server
        .patch(
            &format!("{path}/WS"),
            &manager,
            json!({ "parent_code": "WS" }),
        )
        .await;
    own.expect(400);
    let list = server
        .get(&format!("{path}?search=hall"), &token)
        .await
        .expect(200);
    assert_eq!(
        (&list["total"], &list["cost_centers"][0]["code"]),
        (&json!(1), &json!("WS-1"))
    );
    server
        .delete(&format!("{path}/WS-1"), &manager)
        .await
        .expect(204);
    assert_eq!(server.get(path, &token).await.expect(200)["total"], 1);
}
