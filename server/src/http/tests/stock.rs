//! Parts, locations, moves and the overview over HTTP.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

/// A server, a dispatcher's token, and a part `BRK/1` and locations `NORTH` and `SOUTH` to begin with.
pub(super) async fn store() -> (TestServer, String) {
    let server = TestServer::start();
    let token = server.token(Role::Dispatcher).await;
    let part =
        json!({ "part_no": "BRK/1", "name": "Brake pad", "min_stock": 2, "unit_price": "12.50" });
    server.post("/api/v1/parts", &token, part).await.expect(201);
    for code in ["NORTH", "SOUTH"] {
        let location = json!({ "location_code": code, "name": code, "location_type": "WORKSHOP" });
        server
            .post("/api/v1/stock/locations", &token, location)
            .await
            .expect(201);
    }
    (server, token)
}

impl TestServer {
    /// The stock of `BRK/1`.
    pub(super) async fn stock(&self, token: &str) -> i64 {
        let part = self.get("/api/v1/parts/BRK%2F1", token).await.expect(200);
        part["current_stock"].as_i64().unwrap()
    }

    pub(super) async fn incoming(&self, token: &str, quantity: i64) {
        let body = json!({ "part_no": "BRK/1", "move_type": "INCOMING", "quantity": quantity, "to_location_id": "NORTH" });
        self.post("/api/v1/stock/moves", token, body)
            .await
            .expect(201);
    }

    /// Location code and quantity of each item.
    async fn overview(&self, token: &str, query: &str) -> Vec<(String, i64)> {
        let path = format!("/api/v1/stock/overview?{query}");
        let overview = self.get(&path, token).await.expect(200);
        let items = overview["items"].as_array().unwrap().iter();
        let items: Vec<_> = items
            .map(|item| {
                let code = item["location_code"].as_str().unwrap().to_owned();
                (code, item["quantity"].as_i64().unwrap())
            })
            .collect();
        assert_eq!(overview["total_items"], items.len());
        items
    }
}

fn at(code: &str, quantity: i64) -> (String, i64) {
    (code.to_owned(), quantity)
}

#[tokio::test]
async fn a_part_is_found_by_number_and_uuid_changed_and_taken_out_of_use() {
    let (server, token) = store().await;
    let part = server
        .get("/api/v1/parts/BRK%2F1", &token)
        .await
        .expect(200);
    assert_eq!(
        (&part["unit_price"], &part["unit"], &part["current_stock"]),
        (&json!("12.50"), &json!("pc"), &json!(0))
    );
    let by_uuid = format!("/api/v1/parts/{}", part["id"].as_str().unwrap());
    let changed = server
        .patch(&by_uuid, &token, json!({ "min_stock": 4 }))
        .await;
    assert_eq!(changed.expect(200)["min_stock"], 4);
    let low = server
        .get("/api/v1/parts?low_stock=true&search=pad", &token)
        .await
        .expect(200);
    assert_eq!(
        (&low["total"], &low["parts"][0]["part_no"]),
        (&json!(1), &json!("BRK/1"))
    );

    let again = json!({ "part_no": "BRK/1", "name": "x" });
    let problem = server
        .post("/api/v1/parts", &token, again)
        .await
        .expect(400);
    assert_eq!(
        problem["detail"],
        "Part with part_no 'BRK/1' already exists"
    );
    let stock = server
        .patch(&by_uuid, &token, json!({ "current_stock": 9 }))
        .await;
    assert!(
        stock.expect(400)["detail"]
            .as_str()
            .unwrap()
            .contains("/stock/moves")
    );
    let supplier = json!({ "preferred_supplier_id": "nobody" });
    let problem = server
        .patch(&by_uuid, &token, supplier)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(problem["detail"], "Supplier not found");

    let manager = server.token(Role::WorkshopManager).await;
    server.delete(&by_uuid, &manager).await.expect(204);
    let active = server.get("/api/v1/parts", &token).await.expect(200);
    assert_eq!(active["total"], 0);
    let retired = server
        .get("/api/v1/parts?is_active=false", &token)
        .await
        .expect(200);
    assert_eq!(retired["parts"][0]["is_active"], false);
}

#[tokio::test]
async fn moves_change_the_stock_and_the_overview_counts_each_location_once() {
    let (server, token) = store().await;
    server.incoming(&token, 10).await;
    let transfer = json!({
        "part_no": "BRK/1", "move_type": "TRANSFER", "quantity": 4, "from_location_id": "NORTH", "to_location_id": "SOUTH",
    });
    let moved = server
        .post("/api/v1/stock/moves", &token, transfer)
        .await
        .expect(201);
    let me = server.get("/api/v1/auth/me", &token).await.expect(200);
    assert_eq!(
        (&moved["performed_by"], &moved["unit_price"]),
        (&me["id"], &Value::Null)
    );
    assert!(moved["position"].is_u64() && moved["performed_at"].is_string());
    assert_eq!(
        server.overview(&token, "").await,
        [at("NORTH", 6), at("SOUTH", 4)]
    );
    assert_eq!(
        server.overview(&token, "location_code=SOUTH").await,
        [at("SOUTH", 4)]
    );
    assert_eq!(server.overview(&token, "part_no=nothing").await, []);

    let used = json!({ "part_no": "BRK/1", "move_type": "USAGE", "quantity": 4, "from_location_id": "SOUTH" });
    server
        .post("/api/v1/stock/moves", &token, used)
        .await
        .expect(201);
    assert_eq!(server.stock(&token).await, 6);
    assert_eq!(server.overview(&token, "").await, [at("NORTH", 6)]);
    let moves = server
        .get("/api/v1/stock/moves?part_no=BRK/1", &token)
        .await
        .expect(200);
    assert_eq!(
        (&moves["total"], moves["moves"].as_array().unwrap().len()),
        (&json!(3), 3)
    );
    let usages = server
        .get("/api/v1/stock/moves?move_type=USAGE", &token)
        .await
        .expect(200);
    let path = format!(
        "/api/v1/stock/moves/{}",
        usages["moves"][0]["id"].as_str().unwrap()
    );
    assert_eq!(server.get(&path, &token).await.expect(200)["quantity"], 4);
}

#[tokio::test]
async fn nothing_is_taken_that_is_not_there() {
    let (server, token) = store().await;
    server.incoming(&token, 3).await;
    let take = |body: Value| {
        let mut all = json!({ "part_no": "BRK/1", "quantity": 4, "move_type": "USAGE", "from_location_id": "NORTH" });
        for (name, value) in body.as_object().unwrap() {
            all[name] = value.clone();
        }
        server.post("/api/v1/stock/moves", &token, all)
    };
    let problem = take(json!({})).await.expect(409);
    assert_eq!(
        problem["detail"],
        "There are 3 pc of part 'BRK/1' at this location, 4 cannot be taken"
    );
    take(json!({ "from_location_id": null })).await.expect(400);
    take(json!({ "to_location_id": "SOUTH" })).await.expect(400);
    take(json!({ "part_no": "nothing" }))
        .await
        .expect_problem(404, "not-found");
    take(json!({ "from_location_id": "nowhere" }))
        .await
        .expect_problem(404, "not-found");
    take(json!({ "work_order_id": "WO-1" }))
        .await
        .expect_problem(404, "not-found");
    take(json!({ "quantity": 0 }))
        .await
        .expect_problem(422, "invalid");
    take(json!({ "move_type": "STOLEN" }))
        .await
        .expect_problem(422, "invalid");
    assert_eq!(server.stock(&token).await, 3);
    let moves = server.get("/api/v1/stock/moves", &token).await.expect(200);
    assert_eq!(moves["total"], 1, "a refused move leaves nothing");
}

#[tokio::test]
async fn nothing_is_put_at_a_location_out_of_use() {
    let (server, token) = store().await;
    let manager = server.token(Role::WorkshopManager).await;
    server
        .delete("/api/v1/stock/locations/SOUTH", &manager)
        .await
        .expect(204);
    let body = json!({ "part_no": "BRK/1", "move_type": "INCOMING", "quantity": 1, "to_location_id": "SOUTH" });
    let problem = server
        .post("/api/v1/stock/moves", &token, body)
        .await
        .expect(400);
    assert_eq!(problem["detail"], "Stock location 'SOUTH' is out of use");
    let listed = server
        .get("/api/v1/stock/locations?location_type=WORKSHOP", &token)
        .await
        .expect(200);
    assert_eq!(
        (&listed["total"], &listed["locations"][0]["location_code"]),
        (&json!(1), &json!("NORTH"))
    );
    let twice = json!({ "location_code": "NORTH", "name": "x", "location_type": "TRAIN" });
    server
        .post("/api/v1/stock/locations", &token, twice)
        .await
        .expect(400);
    let renamed = server
        .patch(
            "/api/v1/stock/locations/NORTH",
            &token,
            json!({ "name": "Hall" }),
        )
        .await;
    assert_eq!(renamed.expect(200)["name"], "Hall");
}

#[tokio::test]
async fn concurrent_moves_never_take_the_last_piece_twice() {
    let (server, token) = store().await;
    server.incoming(&token, 5).await;
    let server = std::sync::Arc::new(server);
    let takes: Vec<_> = (0..8)
        .map(|_| {
            let (server, token) = (server.clone(), token.clone());
            let body = json!({ "part_no": "BRK/1", "move_type": "USAGE", "quantity": 1, "from_location_id": "NORTH" });
            tokio::spawn(async move {
                let answer = server.post("/api/v1/stock/moves", &token, body).await;
                answer.status.as_u16()
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for take in takes {
        statuses.push(take.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 201, 201, 201, 409, 409, 409]);
    assert_eq!(server.stock(&token).await, 0);
}

#[tokio::test]
async fn a_move_sent_twice_under_one_key_moves_once() {
    let (server, token) = store().await;
    let body = json!({ "part_no": "BRK/1", "move_type": "INCOMING", "quantity": 2, "to_location_id": "NORTH" });
    let key = [("idempotency-key", "scan-17")];
    let first = server
        .post_with("/api/v1/stock/moves", &token, &key, body.clone())
        .await
        .expect(201);
    let second = server
        .post_with("/api/v1/stock/moves", &token, &key, body)
        .await
        .expect(201);
    assert_eq!(first["id"], second["id"]);
    assert_eq!(server.stock(&token).await, 2);
}

#[tokio::test]
async fn who_looks_only_moves_nothing() {
    let (server, _) = store().await;
    let viewer = server.token(Role::Viewer).await;
    for path in [
        "/api/v1/parts",
        "/api/v1/stock/moves",
        "/api/v1/stock/overview",
    ] {
        server.get(path, &viewer).await.expect(200);
    }
    let body = json!({});
    for path in [
        "/api/v1/parts",
        "/api/v1/stock/moves",
        "/api/v1/stock/locations",
    ] {
        server.post(path, &viewer, body.clone()).await.expect(403);
    }
    let technician = server.token(Role::Technician).await;
    server.incoming(&technician, 1).await;
    server
        .post("/api/v1/parts", &technician, body)
        .await
        .expect(403);
}
