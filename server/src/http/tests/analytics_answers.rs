//! Answers of the old interface's analytics: when they are made anew, as of when, and as what they can be taken along.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::analytics_former::{TODAY, append, depot, get};
use super::harness::TestServer;

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

/// Regression: bands of no width stood around a forecast from three months, as if it were sure.
#[tokio::test]
async fn a_forecast_from_few_months_has_no_bands() {
    let (server, token) = depot().await;
    for (id, month, cost) in [
        ("F1", "08", 900.0),
        ("F2", "09", 100.0),
        ("F3", "10", 500.0),
    ] {
        let order = json!({"vehicle_id": "1", "status": "scheduled", "actual_cost": cost});
        let done = json!({"new_status": "completed"});
        for (what, day, data) in [
            ("WorkOrderCreated", "09", order),
            ("WorkOrderStatusChanged", "10", done),
        ] {
            let at = format!("2023-{month}-{day}T00:00:00Z");
            append(&server, &token, ("WorkOrder", id), what, &at, data).await;
        }
    }
    let fan = get(&server, &token, "/forecast/costs?months=3").await;
    assert_eq!(fan["history"]["values"], json!([900.0, 100.0, 500.0]));
    assert_eq!(fan["point"], json!([500.0, 500.0, 500.0]));
    for end in ["lo80", "hi80", "lo95", "hi95"] {
        assert_eq!(fan[end], json!([null, null, null]), "{end}");
    }
    let path = "/api/v1/analytics/forecast/costs?months=3&format=csv";
    let table = server.get(path, &token).await;
    assert_eq!(
        String::from_utf8_lossy(&table.body).lines().count(),
        1 + 3 + 3
    );
}
