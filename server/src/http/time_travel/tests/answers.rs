//! Time travel over HTTP: a vehicle whose workshop stay was reported late, and the fleet around it.

use fleet::policy::Role;
use serde_json::{Value, json};

use crate::http::tests::harness::TestServer;

const STREAM: &str = "aggregate_type=Vehicle&aggregate_id=185%20123";

/// Three events: created in January 2019, in service from March, and, told last, in the workshop from February.
async fn depot() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let steps = [
        (
            "VehicleCreated",
            "2019-01-01T00:00:00Z",
            json!({"asset_id": "185 123", "model": "BR 185", "type": "electric", "status": "available", "current_mileage_km": 1000, "specifications": {"axles": 4, "brakes": "disc"}}),
        ),
        (
            "VehicleStatusChanged",
            "2019-03-01T00:00:00Z",
            json!({"old_status": "available", "new_status": "in_service"}),
        ),
        (
            "VehicleStatusChanged",
            "2019-02-01T00:00:00Z",
            json!({"old_status": "available", "new_status": "in_workshop"}),
        ),
        (
            "VehicleUpdated",
            "2019-04-01T00:00:00Z",
            json!({"specifications": {"axles": 6, "brakes": "disc"}, "home_depot": "Köln"}),
        ),
        (
            "VehicleMileageUpdated",
            "2019-05-01T00:00:00Z",
            json!({"new_mileage": 2500}),
        ),
    ];
    for (event_type, occurred_at, data) in steps {
        append(&server, &token, "185 123", event_type, occurred_at, data).await;
        server.clock.advance_seconds(60);
    }
    (server, token)
}

async fn append(
    server: &TestServer,
    token: &str,
    id: &str,
    event_type: &str,
    occurred_at: &str,
    data: Value,
) -> Value {
    let body = json!({"aggregate_type": "Vehicle", "aggregate_id": id, "event_type": event_type, "occurred_at": occurred_at, "data": data});
    server.post("/api/v1/events", token, body).await.expect(201)
}

async fn ask(server: &TestServer, token: &str, path: &str) -> Value {
    server
        .get(&format!("/api/v1/{path}"), token)
        .await
        .expect(200)
}

#[tokio::test]
async fn a_position_is_a_moment_too() {
    let (server, token) = depot().await;
    let events = ask(&server, &token, "events/Vehicle/185%20123").await;
    let second = events[1]["position"].as_u64().unwrap();
    let then = ask(
        &server,
        &token,
        &format!("time-travel/state-at?{STREAM}&position={second}"),
    )
    .await;
    assert_eq!(
        (&then["version"], &then["state"]["status"]),
        (&json!(2), &json!("in_service"))
    );
    assert_eq!(then["latest_version"], 5);
    let future = ask(
        &server,
        &token,
        &format!("time-travel/state-at?{STREAM}&at=2999-01-01"),
    )
    .await;
    assert_eq!(future["version"], 5);
    assert!(future["warnings"][0].as_str().unwrap().contains("future"));
}

#[tokio::test]
async fn an_unknown_aggregate_is_answered_with_similar_ones() {
    let (server, token) = depot().await;
    let path = "/api/v1/time-travel/state-at?aggregate_type=Vehicle&aggregate_id=185-123";
    let problem = server
        .get(path, &token)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(problem["similar_ids"], json!(["185 123"]));
    let path = "/api/v1/time-travel/state-at?aggregate_type=Vehicles&aggregate_id=1";
    let problem = server
        .get(path, &token)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(problem["similar_types"], json!(["Vehicle"]));
}

#[tokio::test]
async fn history_gives_true_states_from_any_start() {
    let (server, token) = depot().await;
    let whole = ask(&server, &token, &format!("time-travel/history?{STREAM}")).await;
    let statuses: Vec<_> = whole["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["state"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        statuses,
        [
            "available",
            "in_service",
            "in_service",
            "in_service",
            "in_service"
        ]
    );
    assert_eq!(whole["history"][3]["changes"][0]["field"], "home_depot");
    assert_eq!(
        whole["history"][3]["changes"][1]["field"],
        "specifications.axles"
    );
    let late = ask(
        &server,
        &token,
        &format!("time-travel/history?{STREAM}&start_time=2019-04-01"),
    )
    .await;
    assert_eq!(late["count"], 2);
    assert_eq!(
        late["history"][0], whole["history"][3],
        "a later start gives the same states"
    );
    let page = ask(
        &server,
        &token,
        &format!("time-travel/history?{STREAM}&limit=2&from_version=2"),
    )
    .await;
    assert_eq!(
        (&page["history"][0], &page["next_version"]),
        (&whole["history"][1], &json!(4))
    );
    let old = ask(
        &server,
        &token,
        "time-travel/Vehicle/185%20123/history?start_time=2019-04-01T00:00:00Z",
    )
    .await;
    assert_eq!(old["snapshots"], late["history"]);
    let none = ask(&server, &token, "time-travel/Vehicle/none/history").await;
    assert_eq!(
        (&none["count"], &none["snapshots"]),
        (&json!(0), &json!([]))
    );
}

#[tokio::test]
async fn compare_tells_what_changed_and_which_event_did_it() {
    let (server, token) = depot().await;
    let compared = ask(
        &server,
        &token,
        &format!("time-travel/compare?{STREAM}&time1=2019-01-15&time2=2019-02-15"),
    )
    .await;
    let change = &compared["changes"][0];
    assert_eq!(compared["changed_fields"], json!(["status"]));
    assert_eq!(
        (
            &change["old_value"],
            &change["new_value"],
            &change["changed_at"]
        ),
        (
            &json!("available"),
            &json!("in_workshop"),
            &json!("2019-02-01T00:00:00.000000Z")
        )
    );
    assert_eq!(change["event"]["version"], 3);
    assert!(change["user_id"].is_string());

    let old_style = json!({"aggregate_type": "Vehicle", "aggregate_id": "185 123", "time_point_1": {"version": 1}, "time_point_2": {"version": 5}});
    let compared = server
        .act("/api/v1/time-travel/compare", &token, old_style)
        .await;
    assert_eq!(compared["time_point_2"]["version"], 5);
    let differences = &compared["differences"];
    assert_eq!(
        differences["home_depot"],
        json!({"before": null, "after": "Köln", "changed": false, "added": true, "removed": false})
    );
    assert_eq!(differences["current_mileage_km"]["after"], 2500);
    let by_path: Vec<_> = compared["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        by_path,
        [
            "current_mileage_km",
            "home_depot",
            "specifications.axles",
            "status"
        ]
    );

    for point in [
        json!({}),
        json!({"timestamp": "2018-01-01"}),
        json!({"version": 0}),
    ] {
        let body = json!({"aggregate_type": "Vehicle", "aggregate_id": "185 123", "time_point_1": point, "time_point_2": {"version": 2}});
        let answer = server
            .act("/api/v1/time-travel/compare", &token, body)
            .await;
        assert_eq!(
            (&answer["snapshot_1"], &answer["snapshot_2"]),
            (&json!(false), &json!(true)),
            "{answer}"
        );
        assert!(answer["error"].is_string());
    }
}

#[tokio::test]
async fn changes_between_two_times_go_by_either_time() {
    let (server, token) = depot().await;
    let between = ask(
        &server,
        &token,
        &format!("time-travel/changes?{STREAM}&from=2019-01-15&to=2019-03-15"),
    )
    .await;
    let versions: Vec<_> = between["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, [3, 2], "by when it happened");
    assert_eq!(
        between["changes"][0]["changes"],
        json!([]),
        "it was told late and changed nothing any more"
    );
    let page = ask(
        &server,
        &token,
        "time-travel/changes?from=2019-01-01&aggregate_type=Vehicle&limit=2",
    )
    .await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = ask(
        &server,
        &token,
        &format!("time-travel/changes?from=2019-01-01&aggregate_type=Vehicle&cursor={cursor}"),
    )
    .await;
    assert_eq!((&page["count"], &rest["count"]), (&json!(2), &json!(3)));
    let recorded = ask(
        &server,
        &token,
        "time-travel/changes?from=2023-01-01&time=recorded&aggregate_id=185%20123&field=status",
    )
    .await;
    assert_eq!(recorded["count"], 2);
    let old = ask(
        &server,
        &token,
        "time-travel/Vehicle/185%20123/events-between?start_time=2019-01-15&end_time=2019-03-15",
    )
    .await;
    assert_eq!(
        (&old["count"], &old["events"][0]["version"]),
        (&json!(2), &json!(2))
    );
    server
        .get(
            "/api/v1/time-travel/changes?from=2020-01-01&to=2019-01-01",
            &token,
        )
        .await
        .expect_problem(422, "invalid");
    server
        .get(
            "/api/v1/time-travel/Vehicle/1/events-between?start_time=2019-01-15",
            &token,
        )
        .await
        .expect_problem(422, "invalid");
}

#[tokio::test]
async fn a_replay_from_the_first_event_agrees() {
    let (server, token) = depot().await;
    let replayed = ask(
        &server,
        &token,
        &format!("time-travel/replay?{STREAM}&to_version=3&capture_intermediate=true"),
    )
    .await;
    assert_eq!(
        (&replayed["agrees"], &replayed["events_replayed"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(
        replayed["intermediate_states"][0]["state"]["status"],
        "available"
    );
    let old = ask(&server, &token, "audit/Vehicle/185%20123/replay").await;
    assert_eq!(
        (
            &old["events_replayed"],
            &old["intermediate_states_count"],
            &old["errors"]
        ),
        (&json!(5), &json!(0), &json!([]))
    );
    let none = ask(&server, &token, "audit/Vehicle/none/replay").await;
    assert!(none["errors"][0].is_string());
}

#[tokio::test]
async fn the_fleet_at_a_time_takes_the_filters_of_todays_list() {
    let (server, token) = depot().await;
    for number in 0..5 {
        let data = json!({"asset_id": format!("5{number}"), "model": "Talent", "type": "electric", "status": "available"});
        append(
            &server,
            &token,
            &format!("5{number}"),
            "VehicleCreated",
            "2019-02-10T00:00:00Z",
            data,
        )
        .await;
    }
    append(
        &server,
        &token,
        "53",
        "VehicleDeleted",
        "2019-02-20T00:00:00Z",
        json!({}),
    )
    .await;
    let fleet =
        async |query: &str| ask(&server, &token, &format!("time-travel/fleet?{query}")).await;
    assert_eq!(fleet("at=2018-01-01").await["total"], 0);
    assert_eq!(fleet("at=2019-01-15").await["total"], 1);
    let february = fleet("at=2019-02-15").await;
    assert_eq!(february["total"], 6);
    assert_eq!(february["vehicles"][0]["status"], "in_workshop");
    assert_eq!(fleet("at=2019-02-15&status=available").await["total"], 5);
    assert_eq!(
        fleet("at=2019-02-25").await["total"],
        5,
        "one was deleted by then"
    );
    assert_eq!(fleet("at=2019-02-15&search=TALENT").await["total"], 5);
    let page = fleet("at=2019-02-15&limit=4").await;
    assert_eq!(page["vehicles"].as_array().unwrap().len(), 4);
    let next = page["next_cursor"].as_str().unwrap();
    let rest = fleet(&format!("at=2019-02-15&limit=4&cursor={next}")).await;
    assert_eq!(
        (
            rest["vehicles"].as_array().unwrap().len(),
            &rest["next_cursor"]
        ),
        (2, &Value::Null)
    );
    let known_then = ask(&server, &token, "events/Vehicle/185%20123").await[1]["recorded_at"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        fleet(&format!("at=2019-02-15&as_of={known_then}")).await["vehicles"][0]["status"],
        "available"
    );
    server
        .get("/api/v1/time-travel/fleet?version=3", &token)
        .await
        .expect_problem(422, "invalid");
}

#[tokio::test]
async fn todays_fleet_and_the_fleet_now_are_the_same() {
    let (server, token) = depot().await;
    let position = server.state.log.durable_position();
    assert!(
        server
            .state
            .projections
            .reach("vehicles", position, std::time::Duration::from_secs(20))
            .await
    );
    let today = server
        .state
        .projections
        .catalog()
        .page(&crate::projection::Ask {
            aggregate_type: "Vehicle",
            limit: 100,
            ..Default::default()
        })
        .unwrap()
        .value;
    let then = ask(&server, &token, "time-travel/fleet").await;
    assert_eq!(
        json!(crate::http::listing::rows(&today.entries)),
        then["vehicles"]
    );
}

#[tokio::test]
async fn fields_are_set_back_by_one_more_event() {
    let (server, token) = depot().await;
    let ask_for = json!({"aggregate_type": "Vehicle", "aggregate_id": "185 123", "version": 1, "fields": ["status", "specifications", "current_mileage_km"], "reason": "entered for the wrong vehicle"});
    let proposed = server
        .act("/api/v1/time-travel/restore", &token, ask_for.clone())
        .await;
    assert_eq!(
        (&proposed["applied"], &proposed["expected_version"]),
        (&json!(false), &json!(5))
    );
    let types: Vec<_> = proposed["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["VehicleMileageCorrected", "VehicleUpdated"]);
    assert_eq!(proposed["not_restorable"], json!([]));
    let now = ask(&server, &token, &format!("time-travel/state-at?{STREAM}")).await;
    assert_eq!(now["version"], 5, "a proposal writes nothing");

    let mut apply = ask_for;
    apply["apply"] = json!(true);
    server
        .post("/api/v1/time-travel/restore", &token, apply.clone())
        .await
        .expect_problem(422, "invalid");
    apply["expected_version"] = json!(4);
    server
        .post("/api/v1/time-travel/restore", &token, apply.clone())
        .await
        .expect_problem(409, "wrong-version");
    apply["expected_version"] = json!(5);
    let applied = server
        .act("/api/v1/time-travel/restore", &token, apply)
        .await;
    assert_eq!(applied["applied"], true);
    let now = ask(&server, &token, &format!("time-travel/state-at?{STREAM}")).await;
    assert_eq!(now["state"]["status"], "available");
    assert_eq!(now["state"]["current_mileage_km"], 1000);
    assert_eq!(now["state"]["specifications"]["axles"], 4);
    assert_eq!(
        now["state"]["home_depot"], "Köln",
        "what was not named stays"
    );
    assert_eq!(
        ask(
            &server,
            &token,
            &format!("time-travel/state-at?{STREAM}&version=5")
        )
        .await["state"]["status"],
        "in_service",
        "history is as it was"
    );
    let viewer = server.token(Role::Viewer).await;
    server
        .post("/api/v1/time-travel/restore", &viewer, json!({}))
        .await
        .expect_problem(403, "forbidden");
}
