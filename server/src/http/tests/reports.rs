//! Reports over HTTP: they equal a count by hand, and say why where there is nothing to count.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

const ORDERS: &str = "/api/v1/maintenance/orders";
/// The month of the test's clock.
const NOW: &str = "2023-11";

async fn report(server: &TestServer, token: &str, path: &str) -> Value {
    server
        .get(&format!("/api/v1/reports/{path}"), token)
        .await
        .expect(200)
}

async fn vehicle(server: &TestServer, token: &str, id: &str, kind: &str, status: &str) {
    let body = json!({ "asset_id": id, "model": "x", "type": kind, "status": status, "current_mileage_km": 1_000 });
    server
        .post("/api/v1/vehicles", token, body)
        .await
        .expect(201);
}

/// An order of vehicle 1, done: planned to end at `planned`, ended at `ended`.
async fn order(
    server: &TestServer,
    token: &str,
    kind: Option<&str>,
    planned: Option<&str>,
    ended: &str,
) -> Value {
    let start = planned.map(|_| "2023-11-01T06:00:00Z");
    let body = json!({ "vehicle_id": "1", "maintenance_type": kind, "scheduled_start": start, "scheduled_end": planned });
    let created = server.post(ORDERS, token, body).await.expect(201);
    let path = format!("{ORDERS}/{}", created["id"].as_str().unwrap());
    let begun = json!({ "status": "in_progress", "actual_start": "2023-11-01T06:00:00Z" });
    server.patch(&path, token, begun).await.expect(200);
    let done = json!({ "status": "completed", "actual_end": ended });
    server.patch(&path, token, done).await.expect(200)
}

#[tokio::test]
async fn vehicles_are_counted_by_what_their_status_means() {
    let server = TestServer::start();
    let token = server.token(Role::Dispatcher).await;
    let empty = report(&server, &token, "availability").await;
    assert_eq!(
        (
            &empty["overall_availability_pct"],
            &empty["metrics"],
            &empty["period"]
        ),
        (&Value::Null, &json!([]), &json!(NOW))
    );
    assert_eq!(
        empty["reasons"]["overall_availability_pct"],
        "there are no vehicles"
    );
    assert_eq!(empty["reasons"]["time_availability_pct"], "no_exposure");

    for (id, kind, status) in [
        ("1", "electric", "available"),
        ("2", "electric", "in_service"),
        ("3", "electric", "workshop_planned"),
        ("4", "diesel", "in_workshop"),
        ("5", "diesel", "maintenance_due"),
        ("6", "diesel", "retired"),
    ] {
        vehicle(&server, &token, id, kind, status).await;
    }
    let told = json!({ "aggregate_type": "Vehicle", "aggregate_id": "7", "event_type": "VehicleCreated", "data": {} });
    let appended = server
        .post("/api/v1/events", &token, told)
        .await
        .expect(201);
    let path = format!("availability?min_position={}", appended["position"]);
    let found = report(&server, &token, &path).await;
    let metric =
        |kind: Option<&str>, total, available, in_service, in_workshop, out_of_service, share| {
            json!({ "vehicle_type": kind, "total_vehicles": total, "available_vehicles": available,
            "in_service_vehicles": in_service, "in_workshop_vehicles": in_workshop,
            "out_of_service_vehicles": out_of_service, "availability_pct": share })
        };
    assert_eq!(
        found["metrics"],
        json!([
            metric(Some("electric"), 3, 1, 1, 1, 0, 66.67),
            metric(Some("diesel"), 3, 0, 0, 1, 2, 0.0),
            metric(None, 1, 1, 0, 0, 0, 100.0),
        ])
    );
    assert_eq!(found["overall_availability_pct"], 42.86);
    assert_eq!(found["summary"], "3 of 7 vehicles can run (42.9 %)");
    let diesel = report(
        &server,
        &token,
        "availability?vehicle_type=DIESEL&period=2023-10",
    )
    .await;
    assert_eq!(diesel["metrics"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&diesel["overall_availability_pct"], &diesel["period"]),
        (&json!(0.0), &json!("2023-10"))
    );
}

#[tokio::test]
async fn orders_are_on_time_until_their_planned_end() {
    let server = TestServer::start();
    let token = server.token(Role::WorkshopManager).await;
    vehicle(&server, &token, "1", "electric", "in_service").await;
    let path = format!("on_time_ratio?period={NOW}");
    let empty = report(&server, &token, &path).await;
    assert_eq!(empty["overall_on_time_ratio_pct"], Value::Null);
    assert_eq!(
        empty["reasons"]["overall_on_time_ratio_pct"],
        "no order with a planned end was completed in this month"
    );

    let planned = Some("2023-11-02T12:00:00Z");
    order(&server, &token, Some("HU"), planned, "2023-11-02T12:00:00Z").await;
    order(&server, &token, Some("HU"), planned, "2023-11-02T15:30:00Z").await;
    order(&server, &token, Some("HU"), planned, "2023-11-02T13:30:00Z").await;
    order(&server, &token, Some("ECM"), None, "2023-11-03T00:00:00Z").await;
    order(&server, &token, None, planned, "2023-11-02T11:00:00Z").await;
    // Ended in another month.
    order(&server, &token, Some("HU"), planned, "2023-12-01T00:00:00Z").await;

    let metric = |kind: Option<&str>, total, on_time, late, unplanned, share, delay| {
        json!({ "maintenance_type": kind, "total_work_orders": total, "on_time": on_time, "late": late,
            "without_planned_end": unplanned, "on_time_ratio_pct": share, "avg_delay_hours": delay })
    };
    let found = report(&server, &token, &path).await;
    assert_eq!(
        found["metrics"],
        json!([
            metric(None, 1, 1, 0, 0, json!(100.0), json!(null)),
            metric(Some("ECM"), 1, 0, 0, 1, json!(null), json!(null)),
            metric(Some("HU"), 3, 1, 2, 0, json!(33.33), json!(2.5)),
        ])
    );
    assert_eq!(
        (
            &found["overall_on_time_ratio_pct"],
            &found["total_work_orders"]
        ),
        (&json!(50.0), &json!(5))
    );
    let only = report(&server, &token, &format!("{path}&maintenance_type=HU")).await;
    assert_eq!(only["overall_on_time_ratio_pct"], 33.33);
    let summary = "1 of 3 orders with a planned end were completed on time (33.3 %)";
    assert_eq!(only["summary"], summary);
}

/// Regression: an end that was planned as a date counted as late from the midnight at its begin.
#[tokio::test]
async fn an_order_that_should_end_on_a_day_is_on_time_until_the_day_is_over() {
    let server = TestServer::start();
    let token = server.token(Role::WorkshopManager).await;
    vehicle(&server, &token, "1", "electric", "in_service").await;
    let day = Some("2023-11-03");
    order(&server, &token, Some("HU"), day, "2023-11-03T15:30:00Z").await;
    order(&server, &token, Some("HU"), day, "2023-11-04T12:00:00Z").await;
    let found = report(&server, &token, &format!("on_time_ratio?period={NOW}")).await;
    let metric = &found["metrics"][0];
    assert_eq!(
        (&metric["on_time"], &metric["late"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(found["overall_on_time_ratio_pct"], 50.0);
}

#[tokio::test]
async fn parts_are_counted_by_orders_and_kilometres() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    vehicle(&server, &token, "1", "electric", "in_service").await;
    let part = json!({ "part_no": "BRK/1", "name": "Brake pad", "current_stock": 100 });
    server.post("/api/v1/parts", &token, part).await.expect(201);
    let mut orders = Vec::new();
    for _ in 0..2 {
        let created = server
            .post(ORDERS, &token, json!({ "vehicle_id": "1" }))
            .await
            .expect(201);
        orders.push(created["order_number"].clone());
    }
    let usage = |quantity: i64, order: Option<&Value>, price: Option<&str>| json!({ "part_no": "BRK/1", "move_type": "USAGE", "quantity": quantity, "work_order_id": order, "unit_price": price });
    for body in [
        usage(2, Some(&orders[0]), Some("10.50")),
        usage(3, Some(&orders[0]), Some("10.50")),
        usage(1, Some(&orders[1]), None),
        usage(4, None, Some("0.25")),
    ] {
        server
            .post("/api/v1/stock/moves", &token, body)
            .await
            .expect(201);
    }
    let path = format!("parts_usage?period={NOW}");
    let standing = report(&server, &token, &path).await;
    assert_eq!(standing["metrics"][0]["usage_per_1000km"], Value::Null);
    assert_eq!(
        standing["reasons"]["usage_per_1000km"],
        "no kilometres are known of this month"
    );

    server.clock.advance_seconds(60);
    let driven = json!({ "current_mileage_km": 1_500 });
    server
        .patch("/api/v1/vehicles/1", &token, driven)
        .await
        .expect(200);
    let found = report(&server, &token, &format!("{path}&part_no=BRK/1")).await;
    assert_eq!(
        found["metrics"],
        json!([{ "part_no": "BRK/1", "part_name": "Brake pad", "total_quantity_used": 10, "total_work_orders": 2,
            "avg_quantity_per_wo": 3.0, "usage_per_1000km": 20.0, "total_cost": "53.50", "moves": 4,
            "moves_without_price": 1 }])
    );
    assert_eq!(
        (
            &found["total_parts_cost"],
            &found["total_quantity"],
            &found["kilometres"]
        ),
        (&json!("53.50"), &json!(10), &json!(500))
    );
    let before = report(&server, &token, "parts_usage?period=2023-10").await;
    assert_eq!(
        (&before["metrics"], &before["total_parts_cost"]),
        (&json!([]), &json!("0.00"))
    );
}

#[tokio::test]
async fn costs_and_the_month_at_a_glance() {
    let server = TestServer::start();
    let token = server.token(Role::WorkshopManager).await;
    let path = format!("dashboard?period={NOW}");
    let empty = report(&server, &token, &path).await;
    for name in [
        "availability_pct",
        "on_time_ratio_pct",
        "budget_utilization_pct",
    ] {
        assert_eq!(empty[name], Value::Null, "{name}");
        assert!(empty["reasons"][name].is_string(), "{name}");
    }
    assert_eq!(empty["alerts"], json!([]), "nothing is wrong with nothing");

    vehicle(&server, &token, "1", "electric", "in_service").await;
    vehicle(&server, &token, "2", "electric", "out_of_service").await;
    let planned = Some("2023-11-02T12:00:00Z");
    order(&server, &token, Some("HU"), planned, "2023-11-02T13:00:00Z").await;
    for (category, planned) in [("PARTS", "100.00"), ("LABOUR", "0")] {
        let body = json!({ "period": NOW, "cost_center": "WS", "category": category, "planned_amount": planned });
        server
            .post("/api/v1/budget", &token, body)
            .await
            .expect(201);
    }
    let costs = report(&server, &token, &format!("costs?period={NOW}")).await;
    assert_eq!(
        costs["metrics"],
        json!([
            { "cost_center": "WS", "category": "LABOUR", "currency": "EUR", "planned_budget": "0.00", "actual_cost": "0.00",
              "variance": "0.00", "variance_pct": null, "status": "N/A" },
            { "cost_center": "WS", "category": "PARTS", "currency": "EUR", "planned_budget": "100.00", "actual_cost": "0.00",
              "variance": "-100.00", "variance_pct": -100.0, "status": "UNDER" },
        ])
    );
    assert_eq!(
        (&costs["total_planned"], &costs["total_variance"]),
        (&json!("100.00"), &json!("-100.00"))
    );
    let found = report(&server, &token, &path).await;
    assert_eq!(
        (
            &found["availability_pct"],
            &found["on_time_ratio_pct"],
            &found["total_work_orders"]
        ),
        (&json!(50.0), &json!(0.0), &json!(1))
    );
    assert_eq!(found["budget_utilization_pct"], 0.0);
    assert_eq!(
        found["alerts"],
        json!([
            "Only 50.0 % of the vehicles can run",
            "Only 0.0 % of the orders were on time"
        ])
    );
}

#[tokio::test]
async fn a_month_has_to_be_one() {
    let server = TestServer::start();
    let token = server.token(Role::Viewer).await;
    for path in [
        "availability?period=2023-13",
        "availability?vehicle_type=steam",
        "on_time_ratio",
        "on_time_ratio?period=2023-11&maintenance_type=hu",
        "parts_usage?period=november",
        "costs?period=2023-1",
        "dashboard?period=2023-11-01",
    ] {
        server
            .get(&format!("/api/v1/reports/{path}"), &token)
            .await
            .expect_problem(422, "invalid");
    }
}
