//! The saved state of sync: from it and the rest of the log comes what the whole log makes, and nothing else is believed.

use std::fs;
use std::path::Path;

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;
use crate::sync::engine::Engine;

const PUSH: &str = "/api/v1/sync/crdt/push";

async fn depot() -> (TestServer, String, Value) {
    let server = TestServer::start();
    let token = server.token(Role::FleetManager).await;
    let vehicle = json!({"asset_id": "185123", "model": "V180", "type": "diesel", "current_mileage_km": 1000});
    server
        .post("/api/v1/vehicles", &token, vehicle)
        .await
        .expect(201);
    let order = json!({"vehicle_id": "185123", "tasks": ["oil", "belt"]});
    let order = server
        .post("/api/v1/maintenance/orders", &token, order)
        .await
        .expect(201);
    (server, token, order["id"].clone())
}

async fn register(server: &TestServer, user: &str, id: &str) -> String {
    let body = json!({"device_id": id, "device_name": id, "device_type": "tablet"});
    let path = "/api/v1/sync/devices/register";
    let answer = server.post(path, user, body).await.expect(201);
    answer["device_token"].as_str().unwrap().to_owned()
}

/// The state that the whole log makes.
fn from_the_beginning(server: &TestServer) -> Vec<u8> {
    let nowhere = tempfile::tempdir().unwrap();
    Engine::open(server.state.log.clone(), nowhere.path()).state_bytes()
}

fn state_file(folder: &Path) -> std::path::PathBuf {
    folder.join("sync/state")
}

/// One thing that happens, the `step`-th.
async fn happen(server: &TestServer, order: &Value, device: &str, step: u64) {
    server.clock.advance_seconds(60);
    let change = |entity: &str, id: &Value, field: &str, op: &str, value: Value| json!({"id": format!("{device}-{step}-{field}"), "entity_type": entity, "entity_id": id, "field": field, "op": op, "value": value});
    let vehicle = json!("185123");
    let operations = match step % 7 {
        0 => json!([change(
            "Vehicle",
            &vehicle,
            "notes",
            "",
            json!(format!("seen in {step}"))
        )]),
        1 => json!([change(
            "Vehicle",
            &vehicle,
            "current_mileage_km",
            "",
            json!(1_000 + step)
        )]),
        2 => json!([change(
            "WorkOrder",
            order,
            "tasks",
            "insert",
            json!(format!("task {step}"))
        )]),
        3 => json!([change("WorkOrder", order, "tasks", "remove", json!("oil"))]),
        4 => json!([change("Vehicle", &vehicle, "model", "", json!("refused"))]),
        5 => {
            let id = uuid::Uuid::from_u128(u128::from(step));
            json!([change(
                "StockMove",
                &json!(id.to_string()),
                "quantity",
                "add",
                json!(3)
            )])
        }
        _ => {
            let counter = json!({"device_id": "x", "clock": {}, "counters": {"x": step}});
            let none = json!({"device_id": "x", "clock": {}, "counters": {}});
            let data = json!({"quantity": {"device_id": "x", "clock": {}, "increments": counter, "decrements": none}});
            let id = uuid::Uuid::from_u128(9).to_string();
            let state = json!({"entity_type": "StockMove", "entity_id": id, "vector_clock": {}, "crdt_data": data});
            let body = json!({ "states": [state] });
            server.post(PUSH, device, body).await.expect(200);
            json!([])
        }
    };
    let page = server
        .get("/api/v1/sync/crdt/pull?limit=1000", device)
        .await;
    let cursor = match step % 2 {
        0 => page.expect(200)["next_cursor"].clone(),
        _ => Value::Null,
    };
    let body = json!({"cursor": cursor, "operations": operations});
    server.post(PUSH, device, body).await.expect(200);
}

#[tokio::test]
async fn what_was_saved_and_the_rest_are_the_whole_log() {
    let (mut server, user, order) = depot().await;
    let mut devices = Vec::new();
    for id in ["t1", "t2"] {
        devices.push(register(&server, &user, id).await);
    }
    for round in 0..4_u64 {
        for step in 0..7 {
            let device = &devices[usize::try_from((round + step) % 2).unwrap()];
            happen(&server, &order, device, round * 7 + step).await;
        }
        if round == 1 {
            // A store that begins anew, markers that go, and a device that is lost.
            devices[0] = register(&server, &user, "t1").await;
            register(&server, &user, "t3").await;
            let lost = "/api/v1/sync/devices/t3";
            let lost = super::harness::request(
                axum::http::Method::DELETE,
                lost,
                &user,
                &[],
                axum::body::Body::empty(),
            );
            server.answer(lost).await.expect_status(204);
            let path = "/api/v1/sync/crdt/compact";
            server.post(path, &user, json!({})).await.expect(200);
        }
        let live = server.state.sync.engine.state_bytes();
        assert_eq!(live, from_the_beginning(&server), "round {round}");
        let before = fs::read(state_file(server.folder.path())).ok();
        let folder = server.stop();
        if let Some(before) = before.filter(|_| round % 2 == 1) {
            // As after a kill: what was saved before is what there is.
            fs::write(state_file(folder.path()), before).unwrap();
        }
        let saved = state_file(folder.path());
        assert!(saved.exists(), "round {round}");
        server = TestServer::start_in(folder, |_| {});
        let at_start = server.state.sync.engine.position();
        assert!(at_start.get() > 0, "it began from what was saved");
        assert_eq!(server.state.sync.engine.state_bytes(), live);
    }
}

#[tokio::test]
async fn what_is_damaged_or_of_another_history_is_passed_over() {
    let (server, user, order) = depot().await;
    let token = register(&server, &user, "t1").await;
    happen(&server, &order, &token, 0).await;
    let folder = server.stop();
    let early = fs::read(state_file(folder.path())).unwrap();
    let other = {
        let (server, ..) = depot().await;
        server.state.sync.engine.state_bytes();
        let folder = server.stop();
        fs::read(state_file(folder.path())).unwrap()
    };
    let mut damaged = early.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let short = early[..early.len() - 1].to_vec();
    let server = TestServer::start_in(folder, |_| {});
    let log = server.state.log.clone();
    let expected = from_the_beginning(&server);
    let begins_at = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("state"), bytes).unwrap();
        let engine = Engine::open(log.clone(), folder.path());
        let position = engine.position().get();
        assert_eq!(engine.state_bytes(), expected);
        position
    };
    assert!(begins_at(&early) > 0);
    for (name, bytes) in [
        ("damaged", &damaged),
        ("cut short", &short),
        ("of another log", &other),
        ("nothing", &Vec::new()),
    ] {
        assert_eq!(begins_at(bytes), 0, "{name}");
    }

    // Ahead of the log: a backup of the log was put back beside a state that was saved later.
    let now = server.state.log.durable_position();
    happen(&server, &order, &token, 7).await;
    let folder = server.stop();
    let late = fs::read(state_file(folder.path())).unwrap();
    let server = TestServer::start();
    assert!(server.state.log.durable_position() < now);
    let nowhere = tempfile::tempdir().unwrap();
    fs::write(nowhere.path().join("state"), late).unwrap();
    let engine = Engine::open(server.state.log.clone(), nowhere.path());
    assert_eq!(engine.position().get(), 0);
}

/// What is saved lies in a file of its own, which nobody erases: nothing that the log seals may be in it, or on tablets.
#[test]
fn tablets_hold_nothing_that_is_sealed() {
    for table in fleet::sync::TABLES {
        let aggregate = fleet::registry().aggregate(table.name).unwrap();
        let personal: Vec<&str> = aggregate
            .events
            .iter()
            .flat_map(|event| event.sensitive_fields())
            .map(|field| field.name)
            .collect();
        for row in table.fields {
            assert!(!personal.contains(&row.name), "{}.{}", table.name, row.name);
        }
    }
}

/// How long a start takes with and without what was saved. `RAILFLEET_SYNC_EVENTS` says of how many events; without it a few,
/// so that the question stays askable.
#[tokio::test]
async fn a_start_folds_what_came_since() {
    let events = std::env::var("RAILFLEET_SYNC_EVENTS");
    let events: u64 = events
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(400);
    let (server, ..) = depot().await;
    let log = server.state.log.clone();
    let append = |from: u64, to: u64| {
        for batch in (from..to).collect::<Vec<_>>().chunks(200) {
            let writes = batch.iter().map(|number| {
                let vehicle = format!("V{}", number % 500);
                let data = json!({"asset_id": vehicle, "notes": format!("seen {number}"), "current_location": "Hall"});
                let event = storage::NewEvent::new("VehicleUpdated", data.to_string());
                let stream = storage::StreamName::new("Vehicle", &*vehicle);
                storage::Transaction::single(stream, storage::ExpectedVersion::Any, event)
            });
            for transaction in writes {
                log.append(transaction).unwrap();
            }
        }
    };
    append(0, events);
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(log.clone(), folder.path());
    engine.state_bytes();
    engine.stop();
    append(events, events + events / 100);
    let timed = |folder: &Path| {
        let began = std::time::Instant::now();
        let engine = Engine::open(log.clone(), folder);
        let start = engine.position().get();
        let state = engine.state_bytes();
        (began.elapsed(), start, state)
    };
    let (with, from, state) = timed(folder.path());
    let nowhere = tempfile::tempdir().unwrap();
    let (without, beginning, same) = timed(nowhere.path());
    assert!(from >= events && beginning == 0 && state == same);
    println!("{events} events: {with:?} from what was saved, {without:?} from the beginning");
}

/// How the one device stands, as its status tells.
async fn standing(server: &TestServer, user: &str) -> Value {
    let status = server.get("/api/v1/sync/crdt/status", user).await;
    status.expect(200)["devices"][0].clone()
}

#[tokio::test]
async fn how_far_a_tablet_is_and_when_it_pulled_is_known_after_a_restart() {
    let (mut server, user, order) = depot().await;
    let token = register(&server, &user, "t1").await;
    let pull = "/api/v1/sync/crdt/pull?limit=1000";
    let page = server.get(pull, &token).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    server
        .get(&format!("{pull}&cursor={cursor}"), &token)
        .await
        .expect(200);
    happen(&server, &order, &token, 1).await;
    let before = standing(&server, &user).await;
    assert_eq!(before["lag"], 1, "{before}");
    assert!(before["last_pull_at"].is_string(), "{before}");
    let same = |now: &Value| {
        for name in [
            "lag",
            "acknowledged_position",
            "last_pull_at",
            "last_push_at",
        ] {
            assert_eq!(now[name], before[name], "{name}");
        }
    };
    for has_state in [true, false] {
        let folder = server.stop();
        if !has_state {
            fs::remove_file(state_file(folder.path())).unwrap();
        }
        server = TestServer::start_in(folder, |_| {});
        same(&standing(&server, &user).await);
    }
    // What is damaged, or of another log, is not believed.
    let folder = server.stop();
    let file = folder.path().join("sync/heard");
    let kept = fs::read_to_string(&file).unwrap();
    let log = kept.split('"').nth(3).unwrap();
    let other = kept.replace(log, "00000000-0000-0000-0000-000000000000");
    fs::write(&file, &kept[..kept.len() / 2]).unwrap();
    let server = TestServer::start_in(folder, |_| {});
    assert_eq!(standing(&server, &user).await["lag"], Value::Null);
    let folder = server.stop();
    fs::write(folder.path().join("sync/heard"), other).unwrap();
    let server = TestServer::start_in(folder, |_| {});
    assert_eq!(standing(&server, &user).await["lag"], Value::Null);
}
