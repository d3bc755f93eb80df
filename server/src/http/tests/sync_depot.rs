//! A depot for tests of tablets: one vehicle, a technician, a dispatcher, a fleet manager, and what they say.

use axum::body::Body;
use axum::http::Method;
use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::{TestServer, request};

pub(super) const PUSH: &str = "/api/v1/sync/crdt/push";
pub(super) const PULL: &str = "/api/v1/sync/crdt/pull";

/// A server with one vehicle, and a technician's two tablets.
pub(super) struct Depot {
    pub(super) server: TestServer,
    pub(super) technician: String,
    pub(super) dispatcher: String,
    pub(super) manager: String,
}

impl Depot {
    pub(super) async fn start() -> Self {
        Depot::start_with(|_| {}).await
    }

    pub(super) async fn start_with(change: impl FnOnce(&mut crate::config::Config)) -> Self {
        let server = TestServer::start_with(change);
        let technician = server.token(Role::Technician).await;
        let dispatcher = server.token(Role::Dispatcher).await;
        let manager = server.token(Role::FleetManager).await;
        let vehicle = json!({"asset_id": "185123", "model": "V180", "type": "diesel", "current_mileage_km": 1000});
        server
            .post("/api/v1/vehicles", &dispatcher, vehicle)
            .await
            .expect(201);
        server.clock.advance_seconds(1);
        Depot {
            server,
            technician,
            dispatcher,
            manager,
        }
    }

    pub(super) async fn device(&self, id: &str) -> String {
        self.device_of(id, &self.technician, json!({})).await
    }

    pub(super) async fn device_of(&self, id: &str, user: &str, scope: Value) -> String {
        let body =
            json!({"device_id": id, "device_name": id, "device_type": "tablet", "scope": scope});
        let answer = self
            .server
            .post("/api/v1/sync/devices/register", user, body)
            .await
            .expect(201);
        answer["device_token"].as_str().unwrap().to_owned()
    }

    pub(super) async fn order(&self) -> String {
        let body = json!({"vehicle_id": "185123", "work_description": "Brakes"});
        let order = self
            .server
            .post("/api/v1/maintenance/orders", &self.dispatcher, body)
            .await;
        order.expect(201)["id"].as_str().unwrap().to_owned()
    }

    /// An order as it stands.
    pub(super) async fn shown(&self, order: &str) -> Value {
        let path = format!("/api/v1/maintenance/orders/{order}");
        self.server.get(&path, &self.technician).await.expect(200)
    }

    pub(super) async fn push(&self, token: &str, operations: Value) -> Value {
        let body = json!({ "operations": operations });
        self.server.post(PUSH, token, body).await.expect(200)
    }

    pub(super) async fn pull(&self, token: &str, cursor: &str) -> Value {
        let path = format!("{PULL}?cursor={cursor}");
        self.server.get(&path, token).await.expect(200)
    }

    pub(super) async fn patch_vehicle(&self, body: Value) {
        let headers = [("content-type", "application/json")];
        let path = "/api/v1/vehicles/185123";
        let body = Body::from(body.to_string());
        let request = request(Method::PATCH, path, &self.dispatcher, &headers, body);
        self.server.answer(request).await.expect(200);
    }

    pub(super) async fn vehicle(&self) -> Value {
        self.server
            .get("/api/v1/vehicles/185123", &self.technician)
            .await
            .expect(200)
    }
}

pub(super) fn set(id: &str, field: &str, value: Value) -> Value {
    json!({"id": id, "entity_type": "Vehicle", "entity_id": "185123", "field": field, "value": value})
}

pub(super) fn at(mut operation: Value, timestamp: &str) -> Value {
    operation["timestamp"] = timestamp.into();
    operation
}

pub(super) fn statuses(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["status"].as_str().unwrap())
        .collect()
}

pub(super) fn state<'a>(page: &'a Value, entity_type: &str) -> &'a Value {
    let states = page["states"].as_array().unwrap();
    let found = states
        .iter()
        .find(|state| state["entity_type"] == entity_type);
    found.unwrap_or_else(|| panic!("no {entity_type} in {page}"))
}
