//! Trails in pages and as files.

use fleet::policy::Role;
use serde_json::json;

use crate::http::tests::harness::TestServer;

async fn filled() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::Technician).await;
    for number in 0..6 {
        let data = json!({"n": number, "remark": "=1+1, \"<b>\""});
        server
            .append(&token, &(number % 2).to_string(), "CraneMoved", data)
            .await;
    }
    (server, token)
}

#[tokio::test]
async fn a_trail_pages_in_both_directions() {
    let (server, token) = filled().await;
    for order in ["asc", "desc"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/audit/trail/Crane/1?limit=2&order={order}{cursor}");
            let page = server.read(&path, &token).await;
            assert_eq!(page["total"], 3);
            for entry in page["entries"].as_array().unwrap() {
                seen.push(entry["changes"]["n"].as_u64().unwrap());
                assert!(entry["user_id"].is_string());
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let expected = if order == "asc" { [1, 3, 5] } else { [5, 3, 1] };
        assert_eq!(seen, expected);
    }
    let changed = server
        .read("/api/v1/audit/trail?aggregate_id=0&changes=true", &token)
        .await;
    assert_eq!(changed["entries"][1]["field_changes"][0]["old_value"], 0);
    server
        .get("/api/v1/audit/trail/Crane/9", &token)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn a_trail_is_a_file_too() {
    let (server, token) = filled().await;
    let csv = server
        .get("/api/v1/audit/trail/Crane/0?format=csv", &token)
        .await;
    let text = String::from_utf8(csv.body.clone()).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(text.starts_with("position,recorded_at,occurred_at,"));
    assert!(text.contains("\"\"remark\"\""));
    let lines = server
        .get("/api/v1/audit/trail/Crane/0?format=jsonl", &token)
        .await;
    let text = String::from_utf8(lines.body.clone()).unwrap();
    assert!(
        text.lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    let page = server
        .get(
            "/api/v1/audit/trail?format=html&aggregate_type=Crane",
            &token,
        )
        .await;
    let text = String::from_utf8(page.body.clone()).unwrap();
    assert!(text.contains("&lt;b&gt;") && !text.contains("<b>"));
    assert!(
        text.contains("railfleet.log/"),
        "it says which log it was printed from"
    );
}

#[tokio::test]
async fn what_somebody_did_is_for_them_and_those_above() {
    let (server, token) = filled().await;
    let own = server
        .read("/api/v1/audit/user/technician/actions", &token)
        .await;
    assert_eq!(
        (&own["count"], &own["entries"][0]["changes"]["n"]),
        (&json!(6), &json!(5))
    );
    let viewer = server.token(Role::Viewer).await;
    server
        .get("/api/v1/audit/user/technician/actions", &viewer)
        .await
        .expect_problem(403, "forbidden");
    let manager = server.token(Role::FleetManager).await;
    let seen = server
        .read("/api/v1/audit/user/technician/actions?limit=4", &manager)
        .await;
    assert!(seen["next_cursor"].is_string());
}
