//! The old interface's analytics: its shapes and its values.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

/// The test clock stands at 2023-11-14T22:13:20Z.
pub(super) const TODAY: &str = "2023-11-14T10:00:00Z";

pub(super) async fn append(
    server: &TestServer,
    token: &str,
    of: (&str, &str),
    what: &str,
    at: &str,
    data: Value,
) {
    let event = json!({
        "aggregate_type": of.0, "aggregate_id": of.1, "event_type": what, "occurred_at": at, "data": data,
    });
    server.create("/api/v1/events", token, event).await;
}

/// Two vehicles, three maintenances planned in the last 30 days, breakdowns, orders, parts.
pub(super) async fn depot() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    for id in ["1", "2"] {
        let data = json!({"asset_id": id, "model": "BR 185", "status": "in_service"});
        append(
            &server,
            &token,
            ("Vehicle", id),
            "VehicleCreated",
            "2023-01-01T00:00:00Z",
            data,
        )
        .await;
    }
    for at in [
        "2023-11-01T00:00:00Z",
        "2023-11-02T00:00:00Z",
        "2023-11-10T00:00:00Z",
        "2023-10-01T00:00:00Z",
    ] {
        let data = json!({"maintenance_type": "HU", "scheduled_date": "2023-11-18T08:00:00Z"});
        append(
            &server,
            &token,
            ("Vehicle", "1"),
            "VehicleMaintenanceScheduled",
            at,
            data,
        )
        .await;
    }
    for (id, at) in [
        ("1", "2023-11-10T00:00:00Z"),
        ("1", "2023-10-20T00:00:00Z"),
        ("2", "2023-09-20T00:00:00Z"),
        ("1", "2023-08-01T00:00:00Z"),
    ] {
        append(
            &server,
            &token,
            ("Vehicle", id),
            "VehicleBreakdownReported",
            at,
            json!({}),
        )
        .await;
    }
    let order =
        |priority: &str| json!({"vehicle_id": "1", "priority": priority, "status": "scheduled"});
    for (id, priority, at) in [
        ("O1", "high", "2023-11-10T00:00:00Z"),
        ("O2", "urgent", "2023-11-01T00:00:00Z"),
        ("O3", "low", "2023-11-13T00:00:00Z"),
    ] {
        append(
            &server,
            &token,
            ("WorkOrder", id),
            "WorkOrderCreated",
            at,
            order(priority),
        )
        .await;
    }
    let done = json!({"new_status": "completed"});
    append(
        &server,
        &token,
        ("WorkOrder", "O1"),
        "WorkOrderStatusChanged",
        "2023-11-12T12:00:00Z",
        done,
    )
    .await;
    for (number, level, least) in [("P1", 40, 50), ("P2", 20, 2)] {
        let data = json!({"name": number, "current_stock": level, "min_stock": least});
        append(
            &server,
            &token,
            ("Part", number),
            "PartCreated",
            "2023-01-01T00:00:00Z",
            data,
        )
        .await;
    }
    append(
        &server,
        &token,
        ("Part", "P1"),
        "InventoryItemUsed",
        TODAY,
        json!({"quantity": 45}),
    )
    .await;
    append(
        &server,
        &token,
        ("Part", "P1"),
        "InventoryLowStockAlert",
        TODAY,
        json!({"quantity": 40}),
    )
    .await;
    (server, token)
}

pub(super) async fn get(server: &TestServer, token: &str, path: &str) -> Value {
    server
        .get(&format!("/api/v1/analytics{path}"), token)
        .await
        .expect(200)
}

#[tokio::test]
async fn the_six_figures_are_those_of_the_old_formulas() {
    let (server, token) = depot().await;
    let found = get(&server, &token, "/kpis").await;
    let value = |name: &str| found["kpis"][name]["value"].as_f64().unwrap();
    assert_eq!(value("fleet_availability"), 90.0);
    assert_eq!(value("mtbf"), 720.0);
    assert_eq!(value("mttr"), 60.0);
    assert_eq!(value("workorder_completion_rate"), 50.0);
    assert_eq!(value("inventory_turnover"), 0.25);
    assert_eq!(value("stockout_rate"), 5.0);
    let availability = &found["kpis"]["fleet_availability"];
    assert_eq!(availability["trend"], "down");
    assert_eq!(availability["change_percentage"], -6.67);
    assert_eq!(availability["timestamp"], found["timestamp"]);
    let one = get(&server, &token, "/metrics/mtbf?vehicle_id=2").await;
    assert_eq!(
        (&one["value"], &one["unit"]),
        (&json!(2_160.0), &json!("hours"))
    );
    let unknown = server.get("/api/v1/analytics/metrics/luck", &token).await;
    let problem = unknown.expect_problem(400, "bad-request");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("Unknown metric: luck")
    );
    assert_eq!(problem["known_metrics"].as_array().unwrap().len(), 6);
    server
        .get(
            "/api/v1/analytics/metrics/mtbf?start_time=yesterday",
            &token,
        )
        .await
        .expect(422);
    let reversed = "/api/v1/analytics/metrics/mtbf?start_time=2023-02-01T00:00:00Z&end_time=2023-01-01T00:00:00Z";
    server.get(reversed, &token).await.expect(422);
}

#[tokio::test]
async fn the_summary_counts_what_there_is() {
    let (server, token) = depot().await;
    let found = get(&server, &token, "/metrics/summary").await;
    assert_eq!(found["fleet"]["total_vehicles"], 2);
    assert_eq!(found["workorders"]["pending"], 2);
    assert_eq!(found["workorders"]["active"], 0);
    assert_eq!(found["workorders"]["completed_today"], 0);
    assert_eq!(found["inventory"]["total_items"], 2);
    assert_eq!(found["inventory"]["low_stock_items"], 1);
    assert_eq!(found["staff"]["total_active"], 0);
}

#[tokio::test]
async fn series_have_the_old_shape_and_both_definitions_where_names_meet() {
    let (server, token) = depot().await;
    let month = "start_time=2023-11-01T00:00:00Z&end_time=2023-11-04T00:00:00Z";
    let found = get(
        &server,
        &token,
        &format!("/timeseries/fleet_availability?{month}"),
    )
    .await;
    assert_eq!(found["interval"], "day");
    assert_eq!(found["period"]["start"], "2023-11-01T00:00:00.000000Z");
    let data = found["data"].as_array().unwrap();
    let values: Vec<f64> = data
        .iter()
        .map(|point| point["value"].as_f64().unwrap())
        .collect();
    // Each point looks back a day, both ends included; two vehicles are 48 hours a day.
    assert_eq!(values, [0.0, 0.0, 0.0, 100.0]);
    let both = get(&server, &token, "/timeseries/mtbf").await;
    assert!(both["x"].is_array() && both["series"].is_array());
    assert_eq!(both["data"].as_array().unwrap().len(), 31);
    let old = get(
        &server,
        &token,
        &format!("/timeseries/mtbf?{month}&interval=week"),
    )
    .await;
    assert!(old["x"].is_null() && old["metric_name"] == "mtbf");
    let new = get(
        &server,
        &token,
        "/timeseries/mtbf?from=2023-01-01T00:00:00Z",
    )
    .await;
    assert!(new["x"].is_array() && new["data"].is_null());
    let none = get(&server, &token, "/timeseries/stockout_rate").await;
    assert_eq!(none["data"], json!([]));
    let long = "/api/v1/analytics/timeseries/fleet_availability?start_time=1900-01-01T00:00:00Z&end_time=2100-01-01T00:00:00Z&interval=hour";
    let problem = server
        .get(long, &token)
        .await
        .expect_problem(400, "bad-request");
    assert!(problem["detail"].as_str().unwrap().contains("buckets"));
    server
        .get(
            "/api/v1/analytics/timeseries/fleet_availability?interval=fortnight",
            &token,
        )
        .await
        .expect(422);
}

#[tokio::test]
async fn events_are_counted_by_local_day_week_and_month() {
    let (server, token) = depot().await;
    let counts = async |interval: &str| -> Vec<(String, u64)> {
        let path = format!(
            "/events/timeseries/VehicleBreakdownReported?start_time=2023-08-01T00:00:00Z&interval={interval}"
        );
        let found = get(&server, &token, &path).await;
        assert_eq!(found["total_count"], 4);
        let data = found["data"].as_array().unwrap().iter();
        data.map(|point| {
            let begin = point["timestamp"].as_str().unwrap()[..10].to_owned();
            (begin, point["value"].as_u64().unwrap())
        })
        .collect()
    };
    let day = |day: &str, count| (day.to_owned(), count);
    assert_eq!(
        counts("month").await,
        [
            day("2023-08-01", 1),
            day("2023-09-01", 1),
            day("2023-10-01", 1),
            day("2023-11-01", 1)
        ]
    );
    assert_eq!(counts("week").await[3], day("2023-11-06", 1));
    assert_eq!(counts("day").await[3], day("2023-11-10", 1));
    assert_eq!(counts("hour").await.len(), 4);
    let none = get(&server, &token, "/events/timeseries/NothingOfThisName").await;
    assert_eq!(
        (&none["data"], &none["total_count"]),
        (&json!([]), &json!(0))
    );
}

#[tokio::test]
async fn days_of_23_and_25_hours_hold_what_happened_on_them() {
    let server = TestServer::start_with(|config| {
        config.analytics.time_zone = chrono_tz::Europe::Berlin;
    });
    let token = server.token(Role::FleetManager).await;
    // 26 March 2023 has 23 hours in Berlin, 29 October 25.
    for (at, id) in [
        ("2023-03-26T21:59:59Z", "1"),
        ("2023-03-26T22:00:00Z", "2"),
        ("2023-10-29T22:59:59Z", "3"),
    ] {
        append(
            &server,
            &token,
            ("Vehicle", id),
            "VehicleBreakdownReported",
            at,
            json!({}),
        )
        .await;
    }
    let days = async |from: &str, to: &str| -> Vec<String> {
        let path =
            format!("/events/timeseries/VehicleBreakdownReported?start_time={from}&end_time={to}");
        let found = get(&server, &token, &path).await;
        let data = found["data"].as_array().unwrap().iter();
        data.map(|point| point["timestamp"].as_str().unwrap()[..19].to_owned())
            .collect()
    };
    assert_eq!(
        days("2023-03-20T00:00:00Z", "2023-03-30T00:00:00Z").await,
        ["2023-03-25T23:00:00", "2023-03-26T22:00:00"]
    );
    assert_eq!(
        days("2023-10-25T00:00:00Z", "2023-10-30T00:00:00Z").await,
        ["2023-10-28T22:00:00"]
    );
}

#[tokio::test]
async fn lists_say_what_went_how() {
    let (server, token) = depot().await;
    let found = get(&server, &token, "/fleet/availability-by-vehicle?limit=1").await;
    assert_eq!(found["vehicles"].as_array().unwrap().len(), 1);
    assert_eq!(found["vehicles"][0]["vehicle_id"], "1");
    assert_eq!(found["vehicles"][0]["mtbf"]["value"], 1_080.0);
    assert_eq!(found["vehicles"][0]["availability"], 100.0);
    server
        .get(
            "/api/v1/analytics/fleet/availability-by-vehicle?limit=101",
            &token,
        )
        .await
        .expect(422);
    let found = get(&server, &token, "/workorders/performance").await;
    assert_eq!(
        found["status_distribution"],
        json!({"scheduled": 2, "completed": 1})
    );
    assert_eq!(
        found["priority_distribution"],
        json!({"low": 1, "high": 1, "urgent": 1})
    );
    assert_eq!(found["average_completion_hours"], 60.0);
    assert_eq!(found["overdue_count"], 1);
    assert_eq!(
        found["completion_hours"],
        json!({"edges": [0, 4, 8, 24, 48], "counts": [0, 0, 0, 0], "underflow": 0, "overflow": 1, "p50": 60.0, "p90": 60.0})
    );
    let found = get(&server, &token, "/inventory/analysis").await;
    assert_eq!(
        found["summary"],
        json!({"total_items": 2, "total_estimated_value": 3_000, "low_stock_count": 1, "overstock_count": 1})
    );
    assert_eq!(
        found["abc_analysis"]["top_10_by_value"][0],
        json!({"part_number": "P1", "estimated_value": 2_000})
    );
}

#[tokio::test]
async fn the_four_dashboards_have_their_charts_and_insights() {
    let (server, token) = depot().await;
    let titles = |board: &Value| -> Vec<String> {
        let charts = board["charts"].as_array().unwrap().iter();
        charts
            .map(|chart| {
                let labels = chart["labels"].as_array().unwrap().len();
                for dataset in chart["datasets"].as_array().unwrap() {
                    assert_eq!(dataset["data"].as_array().unwrap().len(), labels, "{chart}");
                }
                chart["title"].as_str().unwrap().to_owned()
            })
            .collect()
    };
    let board = get(&server, &token, "/dashboard/executive").await;
    assert_eq!(board["title"], "Executive Dashboard");
    assert_eq!(
        titles(&board),
        [
            "Fleet Availability Trend (30 Days)",
            "Work Order Status Distribution",
            "Daily Maintenance Costs"
        ]
    );
    assert_eq!(
        board["charts"][1]["datasets"][0]["data"],
        json!([2, 0, 1, 0])
    );
    let costs = board["charts"][2]["datasets"][0]["data"]
        .as_array()
        .unwrap();
    let sum: f64 = costs.iter().map(|cost| cost.as_f64().unwrap()).sum();
    assert_eq!(sum, 1_500.0);
    assert!(board["summary"]["fleet"].is_object() && board["period"]["end"].is_string());
    assert_eq!(board["insights"], json!([]));

    let board = get(&server, &token, "/dashboard/operations").await;
    assert_eq!(
        titles(&board),
        [
            "Work Order Timeline (7 Days)",
            "Vehicle Utilization (Top 10)",
            "Top 10 Parts Usage"
        ]
    );
    let operations = &board["operations"];
    assert_eq!(
        operations["active_workorders"],
        json!({"total": 2, "high_priority": 1, "overdue": 1})
    );
    assert_eq!(
        operations["vehicle_status"],
        json!({"active": 2, "maintenance": 0, "out_of_service": 0})
    );
    assert_eq!(
        operations["upcoming_maintenance"].as_array().unwrap().len(),
        4
    );
    assert_eq!(operations["upcoming_maintenance"][0]["type"], "HU");
    assert_eq!(board["charts"][1]["datasets"][0]["data"], json!([30]));
    assert_eq!(board["charts"][2]["datasets"][0]["data"], json!([45]));
    assert_eq!(board["insights"][0]["action"], "review_overdue_workorders");

    let board = get(&server, &token, "/dashboard/maintenance").await;
    assert_eq!(
        titles(&board)[0],
        "Failure Analysis - Top 10 Vehicles (90 Days)"
    );
    assert_eq!(board["charts"][0]["labels"], json!(["1", "2"]));
    assert_eq!(
        board["charts"][1]["datasets"][0]["data"],
        json!([1, 0, 0, 1])
    );
    assert_eq!(
        board["charts"][2]["datasets"][0]["data"],
        json!([0, 0, 0, 0, 1])
    );
    assert_eq!(board["metrics"]["mtbf"]["value"], 720.0);

    let board = get(&server, &token, "/dashboard/inventory").await;
    assert_eq!(
        board["alerts"]["low_stock"],
        json!([{"part_number": "P1", "quantity": 40, "reorder_point": 50, "deficit": 10}])
    );
    assert_eq!(
        board["alerts"]["overstock"],
        json!([{"part_number": "P2", "quantity": 20, "reorder_point": 2, "excess": 16}])
    );
    assert_eq!(board["charts"][0]["datasets"][1]["type"], "line");
    assert_eq!(board["insights"][0]["data"]["low_stock_count"], 1);
    titles(&board);
}

#[tokio::test]
async fn an_empty_depot_has_dashboards_without_an_error() {
    let server = TestServer::start();
    let token = server.token(Role::Viewer).await;
    for path in [
        "/kpis",
        "/metrics/summary",
        "/dashboard/executive",
        "/dashboard/operations",
        "/dashboard/maintenance",
        "/dashboard/inventory",
        "/workorders/performance",
        "/inventory/analysis",
        "/fleet/availability-by-vehicle",
        "/timeseries/fleet_availability",
    ] {
        get(&server, &token, path).await;
    }
    let found = get(&server, &token, "/metrics/fleet_availability").await;
    assert_eq!(
        (&found["value"], &found["trend"]),
        (&json!(0.0), &json!("stable"))
    );
}
