//! Key figures over HTTP: they equal a count by hand, open into their events, and can be asked as of before.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

async fn append(
    server: &TestServer,
    token: &str,
    id: &str,
    event_type: &str,
    at: &str,
    data: Value,
) {
    let event = json!({
        "aggregate_type": "Vehicle", "aggregate_id": id, "event_type": event_type, "occurred_at": at, "data": data,
    });
    server.create("/api/v1/events", token, event).await;
}

/// Vehicle 1 ran from 1 to 11 March, was down until the 13th, and failed on the 5th and the 11th.
async fn depot() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let created = json!({"asset_id": "1", "model": "BR 185", "status": "in_service", "current_mileage_km": 1000});
    append(
        &server,
        &token,
        "1",
        "VehicleCreated",
        "2023-03-01T00:00:00Z",
        created,
    )
    .await;
    let failed = json!({"is_failure": true, "delay_min": 12});
    append(
        &server,
        &token,
        "1",
        "VehicleIncidentReported",
        "2023-03-05T08:00:00Z",
        failed.clone(),
    )
    .await;
    let down = json!({"new_status": "in_workshop"});
    append(
        &server,
        &token,
        "1",
        "VehicleStatusChanged",
        "2023-03-11T00:00:00Z",
        down,
    )
    .await;
    let up = json!({"new_status": "in_service"});
    append(
        &server,
        &token,
        "1",
        "VehicleStatusChanged",
        "2023-03-13T00:00:00Z",
        up,
    )
    .await;
    let read = json!({"new_mileage": 5000});
    append(
        &server,
        &token,
        "1",
        "VehicleMileageUpdated",
        "2023-03-20T00:00:00Z",
        read,
    )
    .await;
    // Reported last, happened before.
    append(
        &server,
        &token,
        "1",
        "VehicleIncidentReported",
        "2023-03-10T08:00:00Z",
        failed,
    )
    .await;
    (server, token)
}

/// Who works, what lies there, what is asked for and which trains leave, around vehicle 1 in March.
async fn staffed_depot() -> (TestServer, String) {
    let (server, token) = depot().await;
    let uuid = |number: u8| format!("00000000-0000-4000-8000-0000000000{number:02}");
    let (order, plan) = (uuid(1), uuid(2));
    let told = [
        (
            "Vehicle",
            "1".to_owned(),
            "VehicleUpdated",
            "01T00",
            json!({"purchase_price": "2000000.00", "purchase_date": "2023-03-01T00:00:00Z"}),
        ),
        (
            "Vehicle",
            "1".to_owned(),
            "VehicleStatusChanged",
            "15T00",
            json!({"new_status": "out_of_service"}),
        ),
        (
            "Vehicle",
            "1".to_owned(),
            "VehicleStatusChanged",
            "16T00",
            json!({"new_status": "in_service"}),
        ),
        (
            "Part",
            "P-1".to_owned(),
            "PartCreated",
            "01T00",
            json!({"part_no": "P-1", "name": "Pad", "current_stock": 10, "unit_price": "1.00"}),
        ),
        (
            "WorkOrder",
            order.clone(),
            "WorkOrderCreated",
            "02T00",
            json!({"order_number": "WO-1", "vehicle_id": "1", "status": "scheduled", "estimated_hours": 20.0,
                "scheduled_start": "2023-03-25T00:00:00Z", "required_parts": [{"part_no": "P-1", "quantity": 4}]}),
        ),
        (
            "StockMove",
            uuid(3),
            "StockMoveCreated",
            "11T00",
            json!({"part_no": "P-1", "move_type": "USAGE", "quantity": 5}),
        ),
        (
            "Part",
            "P-1".to_owned(),
            "StockLevelChanged",
            "11T00",
            json!({"delta": -5}),
        ),
        (
            "WorkOrder",
            uuid(4),
            "WorkOrderCreated",
            "12T00",
            json!({"order_number": "WO-2", "vehicle_id": "1", "status": "draft", "required_parts": [{"part_no": "P-1", "quantity": 6}]}),
        ),
        (
            "Staff",
            uuid(5),
            "StaffCreated",
            "01T00",
            json!({"staff_id": "S-1", "role": "mechanic", "max_weekly_hours": 40}),
        ),
        (
            "Staff",
            uuid(6),
            "StaffCreated",
            "01T00",
            json!({"staff_id": "S-2", "role": "driver"}),
        ),
        (
            "StaffAssignment",
            uuid(7),
            "StaffAssignmentCreated",
            "03T00",
            json!({"work_order_id": order, "actual_start_ts": "2023-03-03T06:00:00Z"}),
        ),
        (
            "StaffAssignment",
            uuid(7),
            "StaffAssignmentEnded",
            "03T12",
            json!({"actual_end_ts": "2023-03-03T12:00:00Z"}),
        ),
        (
            "StaffAssignment",
            uuid(8),
            "StaffAssignmentCreated",
            "04T00",
            json!({"actual_start_ts": "2023-03-04T06:00:00Z", "actual_end_ts": "2023-03-04T08:00:00Z"}),
        ),
        (
            "TransferAssignment",
            uuid(9),
            "TransferAssignmentCreated",
            "01T00",
            json!({"transfer_plan_id": plan, "vehicle_id": "1"}),
        ),
        (
            "TransferPlan",
            plan,
            "TransferPlanCreated",
            "01T00",
            json!({"scheduled_departure_ts": "2023-03-12T00:00:00Z"}),
        ),
        (
            "TransferPlan",
            uuid(10),
            "TransferPlanCreated",
            "01T00",
            json!({"scheduled_departure_ts": "2023-03-18T00:00:00Z"}),
        ),
        (
            "TransferAssignment",
            uuid(11),
            "TransferAssignmentCreated",
            "01T00",
            json!({"transfer_plan_id": uuid(10), "vehicle_id": "1"}),
        ),
    ];
    for (aggregate_type, id, event_type, at, data) in told {
        let event = json!({
            "aggregate_type": aggregate_type, "aggregate_id": id, "event_type": event_type,
            "occurred_at": format!("2023-03-{at}:00:00Z"), "data": data,
        });
        server.create("/api/v1/events", &token, event).await;
    }
    (server, token)
}

#[tokio::test]
async fn figures_of_staff_stores_and_departures_open_into_their_events() {
    let (server, token) = staffed_depot().await;
    for (key, expected) in [
        ("availability_restoration", 100.0 * 17.0 / 18.0),
        ("availability_inherent", 100.0),
        ("roll_out", 50.0),
        ("backlog_weeks", 0.5),
        ("wrench_time", 75.0),
        ("stock_outs", 50.0),
        (
            "inventory_turns",
            500.0 * 8_766.0 / (1_000.0 * 240.0 + 500.0 * 240.0),
        ),
        ("life_cycle_cost", 2_000_000.0),
    ] {
        let kpi = figure(&server, &token, key, MARCH).await;
        let value = kpi["value"].as_f64().unwrap_or(f64::NAN);
        assert!((value - expected).abs() < 1e-9, "{key}: {kpi}");
        let path = format!("/api/v1/analytics/drilldown/{key}?{MARCH}");
        let opened = server.read(&path, &token).await;
        for side in ["numerator", "denominator"] {
            let events = opened[side].as_array().unwrap().iter();
            let sum: i64 = events.map(|event| event["amount"].as_i64().unwrap()).sum();
            assert_eq!(json!(sum), kpi[side], "{key}, {side}");
        }
    }
    let of_one = format!("{MARCH}&vehicle_id=1");
    let backlog = figure(&server, &token, "backlog_weeks", &of_one).await;
    assert_eq!(
        (&backlog["value"], &backlog["reason"]),
        (&Value::Null, &json!("whole_fleet_only"))
    );
    assert_eq!(
        figure(&server, &token, "roll_out", &of_one).await["value"],
        50.0
    );
}

#[tokio::test]
async fn a_new_figure_says_what_it_misses() {
    let (server, token) = depot().await;
    for (key, reason) in [
        ("roll_out", "no_departures"),
        ("backlog_weeks", "no_staff"),
        ("wrench_time", "nothing_clocked"),
        ("stock_outs", "nothing_asked_for"),
        ("inventory_turns", "nothing_in_stock"),
        ("life_cycle_cost", "no_purchase_price"),
    ] {
        let kpi = figure(&server, &token, key, MARCH).await;
        assert_eq!(
            (&kpi["value"], &kpi["reason"]),
            (&Value::Null, &json!(reason))
        );
    }
}

const MARCH: &str = "from=2023-03-01T00:00:00Z&to=2023-03-21T00:00:00Z";

async fn figure(server: &TestServer, token: &str, key: &str, query: &str) -> Value {
    let path = format!("/api/v1/analytics/catalogue?{query}");
    let found = server.read(&path, token).await;
    let kpis = found["kpis"].as_array().unwrap();
    kpis.iter().find(|kpi| kpi["key"] == key).unwrap().clone()
}

#[tokio::test]
async fn figures_equal_a_count_by_hand() {
    let (server, token) = depot().await;
    let value = async |key: &str| figure(&server, &token, key, MARCH).await["value"].as_f64();
    assert_eq!(value("availability").await, Some(90.0));
    assert_eq!(value("mtbf").await, Some(18.0 * 24.0 / 2.0));
    assert_eq!(value("mdbf").await, Some(2_000.0));
    assert_eq!(value("mttrs").await, Some(48.0));
    let nothing = figure(&server, &token, "pm_compliance", MARCH).await;
    assert_eq!(
        (&nothing["value"], &nothing["reason"]),
        (&Value::Null, &json!("nothing_due"))
    );
    let other = figure(
        &server,
        &token,
        "availability",
        &format!("{MARCH}&vehicle_id=2"),
    )
    .await;
    assert_eq!(other["value"], Value::Null);
}

#[tokio::test]
async fn an_earlier_position_gives_what_was_known_then() {
    let (server, token) = depot().await;
    let now = figure(&server, &token, "mtbf", MARCH).await;
    assert_eq!(now["denominator"], 2);
    let path = format!("/api/v1/analytics/catalogue?{MARCH}");
    let position = server.get(&path, &token).await.expect(200)["position"]
        .as_u64()
        .unwrap();
    let then = format!("{MARCH}&as_of_position={}", position - 1);
    assert_eq!(
        figure(&server, &token, "mtbf", &then).await["denominator"],
        1
    );
}

#[tokio::test]
async fn a_number_opens_into_the_events_that_make_it() {
    let (server, token) = depot().await;
    let path = format!("/api/v1/analytics/drilldown/mtbf?{MARCH}");
    let opened = server.read(&path, &token).await;
    let total = |side: &str| -> i64 {
        let events = opened[side].as_array().unwrap();
        events
            .iter()
            .map(|event| event["amount"].as_i64().unwrap())
            .sum()
    };
    let kpi = figure(&server, &token, "mtbf", MARCH).await;
    assert_eq!(json!(total("numerator")), kpi["numerator"]);
    assert_eq!(json!(total("denominator")), kpi["denominator"]);
    assert!(
        opened["denominator"]
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event["event_type"] == "VehicleIncidentReported")
    );
    let first = server.read(&format!("{path}&limit=1"), &token).await;
    let next = first["next"].as_u64().unwrap();
    let next_denominator = first["next_denominator"].as_u64().unwrap();
    let page = format!("{path}&limit=1&after={next}&after_denominator={next_denominator}");
    let second = server.read(&page, &token).await;
    assert_ne!(first["denominator"], second["denominator"]);
}

#[tokio::test]
async fn the_pages_of_a_number_add_up_to_it() {
    let (server, token) = depot().await;
    let path = format!("/api/v1/analytics/drilldown/mtbf?{MARCH}&limit=1");
    let kpi = figure(&server, &token, "mtbf", MARCH).await;
    for (side, next, after) in [
        ("numerator", "next", "after"),
        ("denominator", "next_denominator", "after_denominator"),
    ] {
        let (mut sum, mut count, mut from) = (0, 0, 0);
        let events = loop {
            let page = server.read(&format!("{path}&{after}={from}"), &token).await;
            for event in page[side].as_array().unwrap() {
                sum += event["amount"].as_i64().unwrap();
                count += 1;
            }
            match page[next].as_u64() {
                Some(next) => from = next,
                None => break page[format!("{side}_events")].as_i64().unwrap(),
            }
        };
        assert_eq!((json!(sum), count), (kpi[side].clone(), events), "{side}");
    }
}

#[tokio::test]
async fn series_have_a_bucket_each_and_say_what_is_wrong() {
    let (server, token) = depot().await;
    let path = format!("/api/v1/analytics/timeseries/failures?{MARCH}&interval=day");
    let series = server.read(&path, &token).await;
    let values = series["series"][0]["values"].as_array().unwrap();
    assert_eq!(values.len(), 20);
    assert_eq!(values[4], 1.0);
    assert_eq!(values[9], 1.0);
    let csv = server.get(&format!("{path}&format=csv"), &token).await;
    assert!(
        String::from_utf8_lossy(&csv.body).contains("2023-03-05T00:00:00"),
        "{}",
        String::from_utf8_lossy(&csv.body)
    );
    let unknown = server
        .get("/api/v1/analytics/timeseries/luck", &token)
        .await
        .expect(400);
    assert!(
        unknown["known_metrics"]
            .as_array()
            .unwrap()
            .contains(&json!("mtbf"))
    );
    let reversed =
        "/api/v1/analytics/timeseries/mtbf?from=2023-03-02T00:00:00Z&to=2023-03-01T00:00:00Z";
    server.get(reversed, &token).await.expect(422);
    for to_come in [
        "catalogue?from=2040-01-01T00:00:00Z",
        "metrics/mtbf?start_time=2040-01-01T00:00:00Z",
    ] {
        let path = format!("/api/v1/analytics/{to_come}");
        server.get(&path, &token).await.expect(422);
    }
    server
        .get(
            "/api/v1/analytics/timeseries/mtbf?interval=fortnight",
            &token,
        )
        .await
        .expect(422);
    let long = "/api/v1/analytics/timeseries/mtbf?from=1900-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&interval=day";
    server.get(long, &token).await.expect(400);
}

#[tokio::test]
async fn a_month_of_a_series_can_be_asked_for_as_it_is() {
    let server = TestServer::start_with(|config| {
        config.analytics.time_zone = chrono_tz::Europe::Berlin;
    });
    let token = server.token(Role::FleetManager).await;
    let created = json!({"asset_id": "1", "model": "BR 185", "status": "in_service"});
    let begin = "2023-03-01T00:00:00Z";
    append(&server, &token, "1", "VehicleCreated", begin, created).await;
    // In UTC it is still April.
    let at = "2023-04-30T22:30:00Z";
    let failed = json!({"is_failure": true, "delay_min": 12});
    append(&server, &token, "1", "VehicleIncidentReported", at, failed).await;
    let path =
        "/api/v1/analytics/timeseries/failures?from=2023-04-10T00:00:00Z&to=2023-05-20T00:00:00Z";
    let series = server.read(path, &token).await;
    let edges = [
        "2023-04-01T00:00:00+02:00",
        "2023-05-01T00:00:00+02:00",
        "2023-06-01T00:00:00+02:00",
    ];
    assert_eq!(series["edges"], json!(edges));
    assert_eq!(series["series"][0]["values"][1], 1.0);
    for (month, count) in [(0, 0), (1, 1)] {
        let [from, to] = [edges[month], edges[month + 1]].map(|edge| edge.replace('+', "%2B"));
        let path = format!("/api/v1/analytics/drilldown/failures?from={from}&to={to}");
        let found = server.read(&path, &token).await;
        assert_eq!(found["numerator_events"], count, "{from}");
    }
}

#[tokio::test]
async fn amounts_are_shown_as_they_lie() {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    for hours in 1..=10 {
        let event = json!({
            "aggregate_type": "WorkOrder", "aggregate_id": format!("00000000-0000-4000-8000-0000000000{hours:02}"),
            "event_type": "WorkOrderCreated", "occurred_at": "2023-03-01T00:00:00Z",
            "data": {"order_number": format!("WO-{hours}"), "status": "completed", "tasks": ["REPAIR"],
                "actual_start": "2023-03-02T00:00:00Z", "actual_end": format!("2023-03-02T{hours:02}:00:00Z")},
        });
        server.create("/api/v1/events", &token, event).await;
    }
    let path = format!("/api/v1/analytics/distribution/mttr?{MARCH}&bins=5");
    let found = server.read(&path, &token).await;
    let number = |key: &str| found[key].as_f64().unwrap();
    assert_eq!(
        (found["count"].as_u64(), &found["unit"]),
        (Some(10), &json!("h"))
    );
    assert!(
        (number("p50") - 5.0).abs() <= 0.05 && (number("p90") - 9.0).abs() <= 0.09,
        "{found}"
    );
    let counts = found["counts"].as_array().unwrap().iter();
    let counted: i64 = counts.map(|count| count.as_i64().unwrap()).sum();
    assert_eq!(counted + found["overflow"].as_i64().unwrap(), 10);
    assert_eq!(found["edges"].as_array().unwrap().len(), 6);
    let csv = server.get(&format!("{path}&format=csv"), &token).await;
    assert_eq!(String::from_utf8_lossy(&csv.body).lines().count(), 6);
    let empty = "/api/v1/analytics/distribution/mttr?to=2020-01-01T00:00:00Z";
    let empty = server.read(empty, &token).await;
    assert_eq!((&empty["p50"], &empty["edges"]), (&Value::Null, &json!([])));
    let unknown = "/api/v1/analytics/distribution/luck";
    let unknown = server.get(unknown, &token).await.expect(400);
    assert!(
        unknown["known_metrics"]
            .as_array()
            .unwrap()
            .contains(&json!("mttr"))
    );
}

#[tokio::test]
async fn an_empty_depot_has_no_figures_and_no_errors() {
    let server = TestServer::start();
    let token = server.token(Role::Viewer).await;
    let found = server.read("/api/v1/analytics/catalogue", &token).await;
    assert!(
        found["kpis"]
            .as_array()
            .unwrap()
            .iter()
            .all(|kpi| kpi["value"].is_null() || kpi["value"] == 0.0)
    );
    assert_eq!(
        server
            .get("/api/v1/analytics/fleet/heatmap", &token)
            .await
            .expect(200)["rows"],
        json!([])
    );
    assert_eq!(
        server
            .get("/api/v1/analytics/benchmark/workshops", &token)
            .await
            .expect(200)["workshops"],
        json!([])
    );
    server
        .get("/api/v1/analytics/forecast/costs", &token)
        .await
        .expect(404);
}

#[tokio::test]
async fn the_dashboard_is_in_the_binary() {
    let server = TestServer::start();
    let page = server.get("/app/vehicle/185%20123", "").await;
    assert!(
        String::from_utf8_lossy(&page.body).contains("<script type=\"module\""),
        "{}",
        String::from_utf8_lossy(&page.body)
    );
    let policy = page.header("content-security-policy").unwrap().to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"));
    server.get("/app/gone-ABC.js", "").await.expect(404);
}
