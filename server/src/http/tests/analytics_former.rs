//! The old interface's analytics: its shapes and its values, and answers that are not made twice.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

/// The test clock stands at 2023-11-14T22:13:20Z.
const TODAY: &str = "2023-11-14T10:00:00Z";

async fn append(
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
    server
        .post("/api/v1/events", token, event)
        .await
        .expect(201);
}

/// Two vehicles, three maintenances planned in the last 30 days, breakdowns, orders, parts.
async fn depot() -> (TestServer, String) {
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

async fn get(server: &TestServer, token: &str, path: &str) -> Value {
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

#[tokio::test]
async fn who_has_the_answer_is_told_so_until_the_log_grows_or_time_is_up() {
    let (server, token) = depot().await;
    let path = "/api/v1/analytics/catalogue";
    let first = server.get(path, &token).await;
    let tag = first.header("etag").unwrap().to_owned();
    let asked = async |tag: &str| {
        let headers = [("if-none-match", tag)];
        server.get_with(path, &token, &headers).await
    };
    server.clock.advance_seconds(899);
    let again = asked(&tag).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(&*tag));
    assert_eq!(asked("\"other\"").await.status, 200);
    // Time is up: the window ends later now.
    server.clock.advance_seconds(2);
    let later = asked(&tag).await;
    assert_eq!(later.status, 200);
    let tag = later.header("etag").unwrap().to_owned();
    append(
        &server,
        &token,
        ("Vehicle", "1"),
        "VehicleBreakdownReported",
        TODAY,
        json!({}),
    )
    .await;
    let grown = asked(&tag).await;
    assert_eq!(grown.status, 200);
    assert_ne!(grown.json()["position"], later.json()["position"]);
}

#[tokio::test]
async fn without_a_time_to_live_every_answer_is_made_anew() {
    let server = TestServer::start_with(|config| {
        config.analytics.cache_ttl = std::time::Duration::ZERO;
    });
    let token = server.token(Role::Viewer).await;
    let first = get(&server, &token, "/catalogue").await;
    server.clock.advance_seconds(1);
    assert_ne!(get(&server, &token, "/catalogue").await["to"], first["to"]);
}

#[tokio::test]
async fn tables_can_be_taken_along_in_every_format() {
    let (server, token) = depot().await;
    let taken = async |path: &str, format: &str| {
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("/api/v1/analytics{path}{joint}format={format}");
        let answer = server.get(&path, &token).await;
        answer.expect_status(200);
        let named = answer.header("content-disposition").unwrap().to_owned();
        assert!(named.starts_with("attachment; filename="), "{named}");
        answer.body
    };
    for path in [
        "/catalogue",
        "/timeseries/failures?interval=month",
        "/timeseries/fleet_availability",
        "/fleet/heatmap",
        "/drilldown/failures",
        "/benchmark/workshops",
        "/events/timeseries/VehicleBreakdownReported",
        "/fleet/availability-by-vehicle",
        "/inventory/analysis",
    ] {
        let comma = String::from_utf8(taken(path, "csv").await).unwrap();
        let lines = String::from_utf8(taken(path, "jsonl").await).unwrap();
        assert_eq!(comma.lines().count(), lines.lines().count() + 1, "{path}");
        let german = String::from_utf8(taken(path, "csv-de").await).unwrap();
        assert!(
            german.starts_with('\u{feff}') && german.contains(';'),
            "{path}"
        );
        assert!(taken(path, "xlsx").await.starts_with(b"PK"), "{path}");
        for line in lines.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
    let opened = String::from_utf8(taken("/drilldown/mtbf", "csv").await).unwrap();
    assert!(
        opened.contains(",denominator,1,VehicleBreakdownReported,Vehicle,1,"),
        "{opened}"
    );
    let wrong = "/api/v1/analytics/catalogue?format=pdf";
    server.get(wrong, &token).await.expect(422);
}

#[tokio::test]
async fn a_figure_as_of_an_earlier_position_is_what_was_computed_then() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let window = "from=2023-03-01T00:00:00Z&to=2023-04-01T00:00:00Z";
    let mut chance = 1_u64;
    let mut draw = |below: u64| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % below
    };
    let mut computed = Vec::new();
    for _ in 0..60 {
        let id = draw(3).to_string();
        let at = format!("2023-03-{:02}T{:02}:00:00Z", draw(28) + 1, draw(24));
        let statuses = ["available", "in_service", "in_workshop", "retired"];
        let status = statuses[usize::try_from(draw(4)).unwrap()];
        let (of, what, data) = match draw(5) {
            0 => (("Vehicle", &*id), "VehicleBreakdownReported", json!({})),
            1 => {
                let data = json!({"new_mileage": draw(9_000)});
                (("Vehicle", &*id), "VehicleMileageUpdated", data)
            }
            2 => {
                let data = json!({"vehicle_id": id, "tasks": ["REPAIR"], "actual_start_ts": at});
                (("WorkOrder", &*id), "WorkOrderCreated", data)
            }
            3 => {
                let data =
                    json!({"new_status": "completed", "actual_end_ts": at, "actual_cost": "12.50"});
                (("WorkOrder", &*id), "WorkOrderStatusChanged", data)
            }
            _ => (
                ("Vehicle", &*id),
                "VehicleStatusChanged",
                json!({"new_status": status}),
            ),
        };
        let event = json!({
            "aggregate_type": of.0, "aggregate_id": of.1, "event_type": what, "occurred_at": at, "data": data,
        });
        // What the domain refuses is as good as not drawn.
        if server.post("/api/v1/events", &token, event).await.status != 201 {
            continue;
        }
        let found = get(&server, &token, &format!("/catalogue?{window}")).await;
        computed.push((found["position"].as_u64().unwrap(), found["kpis"].clone()));
    }
    assert!(computed.len() > 20, "{}", computed.len());
    // Back and forth: what was folded for a position serves the later ones and no earlier one.
    for (position, kpis) in computed.iter().chain(computed.iter().rev()) {
        let path = format!("/catalogue?{window}&as_of_position={position}");
        let found = get(&server, &token, &path).await;
        assert_eq!(
            (&found["position"], &found["kpis"]),
            (&json!(position), kpis)
        );
    }
}
