//! After an erasure nothing that was readable is, anywhere, and every proof holds.

use std::io::Read as _;
use std::path::Path;

use fleet::policy::Role;
use serde_json::{Value, json};
use storage::VerifyOptions;
use tempfile::TempDir;

use crate::http::tests::harness::{PASSWORD, TestServer};

/// What leads a zstd frame: pages of read models are packed, so their bytes alone would show nobody.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// The bytes, and behind them what is packed anywhere within them: also in what a store has only not reused yet.
fn unpacked(mut bytes: Vec<u8>) -> Vec<u8> {
    let packed: Vec<usize> = memchr::memmem::find_iter(&bytes, &ZSTD_MAGIC).collect();
    for at in packed {
        let mut found = Vec::new();
        let frame = zstd::stream::read::Decoder::with_buffer(&bytes[at..]);
        // What looks like a frame and is none ends where that shows.
        let _ = frame.unwrap().single_frame().read_to_end(&mut found);
        bytes.extend(found);
    }
    bytes
}

/// The files below a folder that hold one of these texts, packed or not.
fn holding(folder: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, texts));
            continue;
        }
        let bytes = unpacked(std::fs::read(&path).unwrap());
        for text in texts {
            if memchr::memmem::find(&bytes, text.as_bytes()).is_some() {
                found.push(format!("{text} in {}", path.display()));
            }
        }
    }
    found
}

const STAFF: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const PLAIN: &[&str] = &[
    "Zacharias",
    "Quastenflosser",
    "zq@depot.example",
    "+49 555 7788",
];

fn event(kind: &str, id: &str, event_type: &str, data: Value) -> Value {
    json!({"aggregate_type": kind, "aggregate_id": id, "event_type": event_type, "data": data})
}

/// Somebody on the staff, with enough events for a timeline to be saved.
async fn staffed(server: &TestServer, token: &str) -> Value {
    let data = json!({"staff_id": "S-77", "first_name": "Zacharias", "last_name": "Quastenflosser", "email": "zq@depot.example", "phone": "+49 555 7788", "role": "technician"});
    let mut last = server
        .post(
            "/api/v1/events",
            token,
            event("Staff", STAFF, "StaffCreated", data),
        )
        .await
        .expect(201);
    for n in 0..1_100 {
        let data = json!({"home_depot": format!("D{n}/west"), "phone": "+49 555 7788"});
        last = server
            .post(
                "/api/v1/events",
                token,
                event("Staff", STAFF, "StaffUpdated", data),
            )
            .await
            .expect(201);
    }
    last["position"].clone()
}

const READS: &[&str] = &[
    "/api/v1/events?limit=1000",
    "/api/v1/events/Staff/0f8fad5b-d9cb-469f-a165-70867728950e?limit=1000",
    "/api/v1/time-travel/state-at?aggregate_type=Staff&aggregate_id=0f8fad5b-d9cb-469f-a165-70867728950e",
    "/api/v1/time-travel/state-at?aggregate_type=Staff&aggregate_id=0f8fad5b-d9cb-469f-a165-70867728950e&version=1",
    "/api/v1/time-travel/state-at?aggregate_type=Staff&aggregate_id=0f8fad5b-d9cb-469f-a165-70867728950e&version=1050",
    "/api/v1/time-travel/history?aggregate_type=Staff&aggregate_id=0f8fad5b-d9cb-469f-a165-70867728950e",
    "/api/v1/time-travel/fleet?aggregate_type=Staff",
    "/api/v1/changes/Staff/0f8fad5b-d9cb-469f-a165-70867728950e/field/last_name",
    "/api/v1/audit/trail/Staff/0f8fad5b-d9cb-469f-a165-70867728950e?changes=true",
    "/api/v1/audit/trail/Staff/0f8fad5b-d9cb-469f-a165-70867728950e?format=csv",
    "/api/v1/audit/trail/Staff/0f8fad5b-d9cb-469f-a165-70867728950e?format=html",
    "/api/v1/projections/current_state/data?aggregate_type=Staff",
    "/api/v1/audit/proof/2",
];

fn shows(body: &[u8]) -> Option<&'static str> {
    PLAIN
        .iter()
        .find(|text| memchr::memmem::find(body, text.as_bytes()).is_some())
        .copied()
}

/// Before somebody is erased, the search through files finds them in each store that holds them: where it could not, to find
/// nothing afterwards would say nothing. The log itself never has them, and tablets' state has the rest of their record: texts with
/// a sign that the packed form does not know, such as a slash or an `@`, lie there as they are.
fn found_where_it_was_derived(folder: TempDir) -> TempDir {
    let data = folder.path();
    for store in ["projections", "log/snapshots"] {
        let found = holding(&data.join(store), PLAIN);
        for text in PLAIN {
            let is_found = found.iter().any(|place| place.starts_with(text));
            assert!(is_found, "{text} in {store}: {found:?}");
        }
    }
    let elsewhere = holding(data, PLAIN).into_iter().filter(|place| {
        !["/projections/", "/snapshots/"]
            .iter()
            .any(|store| place.contains(store))
    });
    assert_eq!(elsewhere.collect::<Vec<_>>(), Vec::<String>::new());
    assert_ne!(
        holding(&data.join("sync"), &["D1099/west"]),
        Vec::<String>::new()
    );
    folder
}

#[tokio::test]
async fn an_erased_person_is_in_no_file_answer_or_backup_and_proofs_hold() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let position = staffed(&server, &admin).await;
    server.get(&format!("/api/v1/projections/current_state/data?aggregate_type=Staff&min_position={position}"), &admin).await;
    let mut shown = 0;
    for path in READS {
        let answer = server.get(path, &admin).await;
        assert_eq!(
            answer.status,
            200,
            "{path}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        shown += usize::from(shows(&answer.body).is_some());
    }
    assert!(shown >= 10, "before, most answers show the person: {shown}");
    // Tablets' state is folded when the first tablet asks.
    server.state.sync.engine.state_bytes();
    let server = TestServer::start_in(found_where_it_was_derived(server.stop()), |_| {});
    let admin = server.token(Role::SuperAdmin).await;
    let before = server
        .get("/api/v1/audit/proof/2", &admin)
        .await
        .expect(200);
    let note = server
        .get("/api/v1/audit/checkpoint", &admin)
        .await
        .expect(200);

    let erased = server
        .post(
            "/api/v1/compliance/erase/S-77",
            &admin,
            json!({"reason": "asked in writing"}),
        )
        .await
        .expect(200);
    assert_eq!(
        (&erased["subject"], &erased["status"]),
        (&json!(format!("Staff:{STAFF}")), &json!("erased"))
    );
    assert_eq!(erased["events"], 1_101);

    for path in READS {
        let answer = server.get(path, &admin).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(shows(&answer.body), None, "{path}");
    }
    let state = server.get(READS[2], &admin).await.expect(200);
    assert_eq!(
        (&state["state"]["last_name"], &state["state"]["home_depot"]),
        (&json!("[erased]"), &json!("D1099/west"))
    );
    let after = server
        .get("/api/v1/audit/proof/2", &admin)
        .await
        .expect(200);
    assert_eq!(before["leaf"], after["leaf"]);
    let size = note["tree_size"].as_u64().unwrap();
    let again = server
        .get(&format!("/api/v1/audit/proof/2?size={size}"), &admin)
        .await
        .expect(200);
    assert_eq!(
        again["root_hash"], note["root_hash"],
        "the tree of before is the tree of before"
    );

    let backup = server.folder.path().join("copy");
    server.state.log.backup(&backup).unwrap();
    // The name is written again, as by a tablet that did not know.
    let late = event(
        "Staff",
        STAFF,
        "StaffUpdated",
        json!({"last_name": "Quastenflosser"}),
    );
    server
        .post("/api/v1/events", &admin, late)
        .await
        .expect(201);
    server
        .post(
            "/api/v1/operations/backups",
            &admin,
            json!({"name": "later"}),
        )
        .await
        .expect(201);
    let folder = server.stop();
    assert_eq!(holding(folder.path(), PLAIN), Vec::<String>::new());
    let report = storage::verify(&folder.path().join("log"), &VerifyOptions::default()).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);

    let server = TestServer::start_in(folder, |_| {});
    let admin = server.token(Role::SuperAdmin).await;
    for path in READS {
        assert_eq!(
            shows(&server.get(path, &admin).await.body),
            None,
            "{path} after a restart"
        );
    }
}

#[tokio::test]
async fn an_erased_account_is_closed_and_nameless() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let viewer = server.token(Role::Viewer).await;
    server.login("viewer", PASSWORD).await.expect(200);
    let id = server
        .state
        .accounts
        .directory()
        .find("viewer")
        .unwrap()
        .id_text
        .to_string();
    server
        .post("/api/v1/compliance/erase/superadmin", &viewer, json!({}))
        .await
        .expect_problem(403, "forbidden");
    server
        .post("/api/v1/compliance/erase/super_admin", &admin, json!({}))
        .await
        .expect_problem(409, "conflict");
    server
        .post("/api/v1/compliance/erase/nobody", &admin, json!({}))
        .await
        .expect_problem(404, "not-found");
    let future = json!({"requested_at": "2099-01-01T00:00:00Z"});
    server
        .post("/api/v1/compliance/erase/viewer", &admin, future)
        .await
        .expect_problem(422, "invalid");
    let asked = json!({"request_only": true, "requested_at": "2023-11-01T00:00:00Z"});
    server
        .post("/api/v1/compliance/erase/viewer", &admin, asked)
        .await
        .expect(202);
    let listed = server
        .get("/api/v1/compliance/erasures", &admin)
        .await
        .expect(200);
    assert_eq!(
        (
            &listed["erasures"][0]["subject"],
            &listed["erasures"][0]["status"]
        ),
        (&json!(format!("User:{id}")), &json!("requested"))
    );

    let erased = server
        .post(
            "/api/v1/compliance/erase/viewer@depot.example",
            &admin,
            json!({}),
        )
        .await
        .expect(200);
    assert_eq!(erased["subject"], format!("User:{id}"));
    server.login("viewer", PASSWORD).await.expect(401);
    server
        .get("/api/v1/auth/me", &viewer)
        .await
        .expect_problem(401, "unauthenticated");
    let account = server
        .get(&format!("/api/v1/users/{id}"), &admin)
        .await
        .expect(200);
    assert_eq!(
        (&account["username"], &account["is_active"]),
        (&json!("[erased]"), &json!(false))
    );
    let listed = server
        .get("/api/v1/compliance/erasures", &admin)
        .await
        .expect(200);
    assert_eq!(
        (listed["total"].as_u64(), &listed["erasures"][0]["status"]),
        (Some(1), &json!("erased"))
    );
    let repeated = server
        .post(
            &format!("/api/v1/compliance/erase/User:{id}"),
            &admin,
            json!({}),
        )
        .await
        .expect(200);
    assert_eq!(repeated["erased_at"], erased["erased_at"]);
    let folder = server.stop();
    let log = folder.path().join("log");
    assert_eq!(
        holding(&log, &["viewer@depot.example", "username:viewer"]),
        Vec::<String>::new()
    );
    assert_eq!(
        holding(folder.path(), &["viewer@depot.example"]),
        Vec::<String>::new()
    );
}

/// A file of keys that was set aside may be root's: the rest of the erasure is done, and the same request does what is left.
#[tokio::test]
async fn an_erasure_that_leaves_a_key_says_so_and_is_repeated() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let data = json!({"staff_id": "S-77", "last_name": "Quastenflosser"});
    let created = event("Staff", STAFF, "StaffCreated", data);
    server
        .post("/api/v1/events", &admin, created)
        .await
        .expect(201);
    let keys = server.folder.path().join("keys");
    let kept = keys.join("people.keys.unopened");
    std::fs::copy(keys.join("people.keys"), &kept).unwrap();
    // What it is written anew as cannot be made: a stand-in for permissions, which root has.
    let obstacle = keys.join("people.keys.unopened.new");
    std::fs::create_dir(&obstacle).unwrap();
    let path = format!("/api/v1/compliance/erase/Staff:{STAFF}");
    let held = || std::fs::read_to_string(&kept).unwrap().contains(STAFF);
    for _ in 0..2 {
        let told = server
            .post(&path, &admin, json!({}))
            .await
            .expect_problem(503, "unavailable");
        let detail = told["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("they were erased, but") && detail.contains("people.keys.unopened"),
            "{detail}"
        );
        let state = server.get(READS[2], &admin).await.expect(200);
        assert_eq!(state["state"]["last_name"], "[erased]");
        assert!(held() && !server.state.privacy.store().needs_purge());
    }
    std::fs::remove_dir(&obstacle).unwrap();
    let erased = server.post(&path, &admin, json!({})).await.expect(200);
    assert_eq!(erased["status"], "erased");
    assert!(!held());
}

#[tokio::test]
async fn old_copies_do_not_bring_erased_people_back() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let data = json!({"staff_id": "S-77", "last_name": "Quastenflosser"});
    server
        .post(
            "/api/v1/events",
            &admin,
            event("Staff", STAFF, "StaffCreated", data),
        )
        .await
        .expect(201);
    let keys = server.folder.path().join("keys/people.keys");
    let old_keys = std::fs::read(&keys).unwrap();
    let backup = server.folder.path().join("copy");
    server.state.log.backup(&backup).unwrap();
    server
        .post(
            &format!("/api/v1/compliance/erase/Staff:{STAFF}"),
            &admin,
            json!({}),
        )
        .await
        .expect(200);
    let folder = server.stop();

    // An old copy of the keys under the log as it is: the log tells who was erased.
    let new_keys = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, old_keys).unwrap();
    let server = TestServer::start_in(folder, |_| {});
    let state = server
        .get(READS[2], &server.token(Role::SuperAdmin).await)
        .await
        .expect(200);
    assert_eq!(state["state"]["last_name"], "[erased]");
    let folder = server.stop();

    // An old copy of the log under the keys as they are: the keys tell, and the log is told again.
    std::fs::write(&keys, new_keys).unwrap();
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    storage::restore(&backup, &folder.path().join("log"), None).unwrap();
    let server = TestServer::start_in(folder, |_| {});
    let admin = server.token(Role::SuperAdmin).await;
    let state = server.get(READS[2], &admin).await.expect(200);
    assert_eq!(state["state"]["last_name"], "[erased]");
    let listed = server
        .get("/api/v1/compliance/erasures", &admin)
        .await
        .expect(200);
    assert_eq!(
        (listed["total"].as_u64(), &listed["erasures"][0]["status"]),
        (Some(1), &json!("erased"))
    );
}

#[tokio::test]
async fn lost_keys_are_told_and_the_rest_is_served() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let data = json!({"staff_id": "S-77", "last_name": "Quastenflosser"});
    server
        .post(
            "/api/v1/events",
            &admin,
            event("Staff", STAFF, "StaffCreated", data),
        )
        .await
        .expect(201);
    let folder = server.stop();
    std::fs::remove_file(folder.path().join("keys/people.keys")).unwrap();
    let server = TestServer::start_in(folder, |_| {});
    let token = server.token(Role::SuperAdmin).await;
    let state = server.get(READS[2], &token).await.expect(200);
    assert_eq!(
        (&state["state"]["last_name"], &state["state"]["staff_id"]),
        (&json!("[key lost]"), &json!("S-77"))
    );
    let keys = server
        .get("/api/v1/compliance/keys", &token)
        .await
        .expect(200);
    assert_eq!(keys["begun_anew"], true);
    let lost: Vec<&str> = keys["lost"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["subject"].as_str().unwrap())
        .collect();
    assert!(lost.contains(&&*format!("Staff:{STAFF}")), "{keys}");
}

/// Also of whom nobody has asked since: in /health, where they are to be asked for, and after the next start as well.
#[tokio::test]
async fn whose_keys_are_lost_is_known_before_anybody_asks() {
    let server = TestServer::start();
    let admin = server.token(Role::SuperAdmin).await;
    let search = |server: &TestServer| {
        crate::privacy::lost::search(&server.state.log, server.state.privacy.store()).unwrap()
    };
    assert_eq!(search(&server), 0);
    let health = server.get("/health", "").await.expect(200);
    assert_eq!(
        (&health["status"], &health["keys"]),
        (&json!("ok"), &json!({"state": "whole"}))
    );
    let data = json!({"staff_id": "S-77", "last_name": "Quastenflosser"});
    let created = event("Staff", STAFF, "StaffCreated", data);
    server
        .post("/api/v1/events", &admin, created)
        .await
        .expect(201);
    let mut folder = server.stop();
    let keys = folder.path().join("keys/people.keys");
    let copy = std::fs::read(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    for begun_anew in [true, false] {
        let server = TestServer::start_in(folder, |_| {});
        let store = server.state.privacy.store();
        assert!(store.needs_search());
        assert_eq!(store.begun_anew, begun_anew);
        let people = search(&server);
        assert!(
            people >= 2,
            "the person on the staff and the accounts: {people}"
        );
        let answer = server.get("/health", "").await.expect(200);
        assert_eq!(
            (&answer["status"], &answer["keys"]["people"]),
            (&json!("degraded"), &json!(people))
        );
        let detail = answer["keys"]["detail"].as_str().unwrap();
        assert!(
            detail.contains("keys/people.keys") && detail.contains("/compliance/keys"),
            "{detail}"
        );
        assert!(
            !answer.to_string().contains(STAFF),
            "whose is not for everybody"
        );
        let token = server.token(Role::SuperAdmin).await;
        let told = server
            .get("/api/v1/compliance/keys", &token)
            .await
            .expect(200);
        assert!(
            told["lost"].to_string().contains(&format!("Staff:{STAFF}")),
            "{told}"
        );
        assert!(
            told["what_to_do"]
                .as_str()
                .is_some_and(|text| text.contains("master key")),
            "{told}"
        );
        folder = server.stop();
    }
    std::fs::write(&keys, copy).unwrap();
    let server = TestServer::start_in(folder, |_| {});
    let admin = server.token(Role::SuperAdmin).await;
    let state = server.get(READS[2], &admin).await.expect(200);
    assert_eq!(state["state"]["last_name"], "Quastenflosser");
}
