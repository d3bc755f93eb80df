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
    server
        .post("/api/v1/events", token, event)
        .await
        .expect(201);
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

const MARCH: &str = "from=2023-03-01T00:00:00Z&to=2023-03-21T00:00:00Z";

async fn figure(server: &TestServer, token: &str, key: &str, query: &str) -> Value {
    let path = format!("/api/v1/analytics/catalogue?{query}");
    let found = server.get(&path, token).await.expect(200);
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
    let opened = server.get(&path, &token).await.expect(200);
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
    let first = server
        .get(&format!("{path}&limit=1"), &token)
        .await
        .expect(200);
    let next = first["next"].as_u64().unwrap();
    let next_denominator = first["next_denominator"].as_u64().unwrap();
    let page = format!("{path}&limit=1&after={next}&after_denominator={next_denominator}");
    let second = server.get(&page, &token).await.expect(200);
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
            let page = server
                .get(&format!("{path}&{after}={from}"), &token)
                .await
                .expect(200);
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
    let series = server.get(&path, &token).await.expect(200);
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
async fn an_empty_depot_has_no_figures_and_no_errors() {
    let server = TestServer::start();
    let token = server.token(Role::Viewer).await;
    let found = server
        .get("/api/v1/analytics/catalogue", &token)
        .await
        .expect(200);
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
