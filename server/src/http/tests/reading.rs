//! Reading events.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

/// A server with `count` events of two cranes, each an hour after the one before; every third is of another type.
pub(super) async fn filled(count: u64) -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let events: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "aggregate_type": "Crane",
                "aggregate_id": (number % 2).to_string(),
                "event_type": if number % 3 == 0 { "CraneOiled" } else { "CraneLifted" },
                "data": {"n": number},
                "occurred_at": format!("2023-01-{:02}T{:02}:00:00Z", 1 + number / 24, number % 24),
                "tags": [if number % 2 == 0 { "even" } else { "odd" }],
                "metadata": {"correlation_id": format!("c-{}", number / 10)},
            })
        })
        .collect();
    server
        .create("/api/v1/events/batch", &token, json!(events))
        .await;
    (server, token)
}

pub(super) fn numbers(page: &Value) -> Vec<u64> {
    page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["data"]["n"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let (server, token) = filled(50).await;
    for (order, first) in [
        ("occurred_desc", 49),
        ("occurred_asc", 0),
        ("position_asc", 0),
        ("position_desc", 49),
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server
                .read(
                    &format!("/api/v1/events?order={order}&limit=7&cursor={cursor}"),
                    &token,
                )
                .await;
            assert_eq!(
                (&page["total"], &page["total_exact"]),
                (&json!(50), &json!(true))
            );
            seen.extend(numbers(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen[0], first);
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>(), "{order}");
    }
}

#[tokio::test]
async fn events_of_one_moment_page_too() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let event = |number: u64| json!({"aggregate_type": "Crane", "aggregate_id": "1", "event_type": "CraneLifted", "data": {"n": number}, "occurred_at": "2023-01-01"});
    server
        .create(
            "/api/v1/events/batch",
            &token,
            json!((0..20).map(event).collect::<Vec<_>>()),
        )
        .await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server
            .read(&format!("/api/v1/events?limit=3&cursor={cursor}"), &token)
            .await;
        seen.extend(numbers(&page));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = next.to_owned();
    }
    assert_eq!(seen, (0..20).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn filters_narrow_and_combine() {
    let (server, token) = filled(50).await;
    let total = async |query: &str| {
        let page = server
            .read(&format!("/api/v1/events?{query}"), &token)
            .await;
        page["total"].as_u64().unwrap()
    };
    assert_eq!(total("aggregate_type=Crane").await, 50);
    assert_eq!(total("aggregate_type=Vehicle").await, 0);
    assert_eq!(total("aggregate_id=1").await, 25);
    assert_eq!(total("aggregate_id=none").await, 0);
    assert_eq!(total("aggregate_type=Crane&aggregate_id=0").await, 25);
    assert_eq!(total("event_type=CraneOiled").await, 17);
    assert_eq!(total("event_type=CraneOiledEvent").await, 17);
    assert_eq!(total("tag=even").await, 25);
    assert_eq!(total("tag=even&tag=odd").await, 0);
    assert_eq!(total("tag=even&event_type=CraneOiled").await, 9);
    assert_eq!(total("correlation_id=c-2").await, 10);
    assert_eq!(total("user_id=nobody").await, 0);
    assert_eq!(total("since=2023-01-02").await, 26);
    assert_eq!(total("since=2023-01-02T00:00:00%2B01:00").await, 27);
    assert_eq!(total("until=2023-01-01T23:00:00Z").await, 24);
    assert_eq!(
        total("since=2023-01-01T05:00:00&until=2023-01-01T06:00:00").await,
        2
    );
    assert_eq!(total("recorded_since=2023-11-15").await, 0);
    assert_eq!(total("from_position=2&to_position=3").await, 2);
    let page = server
        .read("/api/v1/events/type/CraneOiled?limit=2&offset=1", &token)
        .await;
    assert_eq!((numbers(&page), &page["total"]), (vec![45, 42], &json!(17)));
    let page = server.read("/api/v1/events?offset=48", &token).await;
    assert_eq!(
        (numbers(&page), &page["next_cursor"]),
        (vec![1, 0], &Value::Null)
    );
    let page = server
        .read("/api/v1/events?count=false&limit=1", &token)
        .await;
    assert!(page.get("total").is_none());
}

#[tokio::test]
async fn one_streams_history_comes_page_by_page() {
    let (server, token) = filled(20).await;
    let answer = server.get("/api/v1/events/Crane/1?limit=4", &token).await;
    let events = answer.expect(200);
    assert_eq!(events.as_array().unwrap().len(), 4);
    assert_eq!(
        (answer.header("etag"), &events[3]["version"]),
        (Some("\"10\""), &json!(4))
    );
    let link = answer.header("link").unwrap().to_owned();
    let next = link.strip_prefix('<').unwrap().split('>').next().unwrap();
    let answer = server.get(next, &token).await;
    assert_eq!(answer.expect(200)[0]["version"], 5);
    let answer = server
        .get("/api/v1/events/Crane/1?limit=4&from_version=9", &token)
        .await;
    assert_eq!(answer.expect(200).as_array().unwrap().len(), 2);
    assert_eq!(answer.header("link"), None);
    let answer = server
        .get("/api/v1/events/Crane/1?order=desc&limit=3", &token)
        .await;
    assert_eq!(answer.expect(200)[0]["version"], 10);
    assert!(
        answer
            .header("link")
            .unwrap()
            .contains("to_version=7&limit=3&order=desc")
    );
    let all = server
        .read("/api/v1/events/Crane/1?from_version=0", &token)
        .await;
    assert_eq!(all.as_array().unwrap().len(), 10);
    let empty = server
        .read("/api/v1/events/Crane/1?from_version=11", &token)
        .await;
    assert_eq!(empty, json!([]));
    server
        .get_with(
            "/api/v1/events/Crane/1",
            &token,
            &[("if-none-match", "\"10\"")],
        )
        .await
        .expect(304);
    server
        .get("/api/v1/events/Crane/none", &token)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn an_id_alone_finds_the_streams_of_all_types() {
    let (server, token) = filled(6).await;
    let body = json!({"aggregate_type": "Track", "aggregate_id": "1", "event_type": "TrackClosed", "data": {"n": 99}});
    server.create("/api/v1/events", &token, body).await;
    let history = server.read("/api/v1/events/1", &token).await;
    assert_eq!(
        (&history["total"], numbers(&history)),
        (&json!(4), vec![1, 3, 5, 99])
    );
    let history = server
        .read(
            "/api/v1/events/1?aggregate_type=Crane&from_version=2",
            &token,
        )
        .await;
    assert_eq!(
        (&history["total"], numbers(&history)),
        (&json!(2), vec![3, 5])
    );
    let problem = server
        .get("/api/v1/events/1?from_version=9", &token)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(problem["detail"], "No events found for aggregate 1");
    let version = server.read("/api/v1/events/1/version", &token).await;
    assert_eq!(version["latest_version"], 3);
    assert_eq!(version["streams"].as_array().unwrap().len(), 2);
    let problem = server
        .get("/api/v1/events/none/version", &token)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(problem["detail"], "Aggregate none not found");
}

/// Longer than a chunk: made and sent in several.
#[tokio::test]
async fn a_long_history_arrives_whole() {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    let text = "x".repeat(300);
    for batch in 0..5 {
        let events: Vec<Value> = (0..1_000)
            .map(|number| json!({"aggregate_type": "Crane", "aggregate_id": "1", "event_type": "CraneLifted", "data": {"n": batch * 1_000 + number, "text": text}}))
            .collect();
        server
            .create("/api/v1/events/batch", &token, json!(events))
            .await;
    }
    let answer = server.get("/api/v1/events/Crane/1", &token).await;
    assert!(answer.header("content-length").is_none(), "sent in chunks");
    let events = answer.expect(200);
    let versions: Vec<u64> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, (1..=5_000).collect::<Vec<_>>());
    let down = server
        .read("/api/v1/events/Crane/1?order=desc", &token)
        .await;
    assert_eq!(down.as_array().unwrap().len(), 5_000);
    assert_eq!(down[0]["version"], 5_000);
    let history = server.read("/api/v1/events/1", &token).await;
    assert_eq!(
        (
            &history["total"],
            history["events"].as_array().unwrap().len()
        ),
        (&json!(5_000), 5_000)
    );
}

#[tokio::test]
async fn replay_gives_the_order_of_the_log_to_managers() {
    let (server, token) = filled(10).await;
    let manager = server.token(Role::FleetManager).await;
    server
        .post("/api/v1/events/replay", &token, Value::Null)
        .await
        .expect_problem(403, "forbidden");
    let page = server
        .act("/api/v1/events/replay?limit=4", &manager, Value::Null)
        .await;
    assert_eq!(
        (&page["total_events"], numbers(&page)),
        (&json!(10), vec![0, 1, 2, 3])
    );
    let path = format!(
        "/api/v1/events/replay?limit=100&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    assert_eq!(
        numbers(&server.post(&path, &manager, Value::Null).await.expect(200)),
        [4, 5, 6, 7, 8, 9]
    );
    let history = server
        .act("/api/v1/events/replay/1", &manager, Value::Null)
        .await;
    assert_eq!(
        (&history["total_events"], numbers(&history)),
        (&json!(5), vec![1, 3, 5, 7, 9])
    );
    server
        .post("/api/v1/events/replay/none", &manager, Value::Null)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn accounts_are_seen_by_the_highest_role_alone_and_their_secrets_by_nobody() {
    let (server, token) = filled(4).await;
    let admin = server.token(Role::SuperAdmin).await;
    let id = server
        .state
        .accounts
        .directory()
        .find("technician")
        .unwrap()
        .id_text
        .to_string();
    let user_path = format!("/api/v1/events/User/{id}");
    let state_path = format!("/api/v1/time-travel/state-at?aggregate_type=User&aggregate_id={id}");
    for path in [
        &user_path,
        &format!("/api/v1/events/{id}"),
        &format!("/api/v1/events/{id}/version"),
        &state_path,
    ] {
        server
            .get(path, &token)
            .await
            .expect_problem(404, "not-found");
    }
    assert_eq!(
        server.get("/api/v1/events", &token).await.expect(200)["total"],
        4
    );
    assert_eq!(
        server
            .get("/api/v1/events?aggregate_type=User", &token)
            .await
            .expect(200)["total"],
        0
    );
    let all = server.read("/api/v1/events?limit=1000", &admin).await;
    assert_eq!(all["total"], 6);
    let own = server.read(&user_path, &admin).await;
    assert_eq!(own[0]["data"]["username"], "technician");
    let state = server.read(&state_path, &admin).await;
    assert_eq!(state["state"]["username"], "technician");
    for shown in [
        all,
        own,
        state,
        server
            .get(
                "/api/v1/projections/current_state/data?min_position=6",
                &admin,
            )
            .await
            .expect(200),
    ] {
        assert!(!shown.to_string().contains("argon2"), "{shown}");
    }
}
